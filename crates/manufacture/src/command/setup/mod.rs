//! `swtpm_setup`: a new TPM, or other PCR banks for one that is there.

mod certifier;
mod config_files;
mod help;
mod key;
mod options;
mod profile;
mod time;

use super::user;
use crate::Log;
use crate::config::{self, Config};
use crate::failure::{Failure, failure};
use crate::file::{Waiting, may};
use crate::state::{Place, check_folder};
use crate::vtpm::{self, Certified, KeyAlgorithm, Order, Vtpm};
use certifier::Authority;
use options::{Act, Options, Overwrite};
use rustix::fs::Access;
use sealwright_crypto::Curve;
use sealwright_state::swtpm::SwtpmKey;
use sealwright_tpm2::profile::Profile;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const CONFIG: &str = "swtpm_setup.conf";
/// PCR banks if nothing else is said.
const BANKS: &str = "sha256";

/// The program.
pub(super) fn run(words: &[String]) -> ExitCode {
    let options = match Options::read(words) {
        Ok(options) => options,
        Err(failure) => return super::failed("swtpm_setup", &failure),
    };
    let done = match &options.act {
        Some(Act::Help) => {
            super::print(format_args!("{}", help::text()));
            return ExitCode::SUCCESS;
        }
        Some(Act::Version) => {
            super::print(format_args!("{}", help::version()));
            return ExitCode::SUCCESS;
        }
        Some(Act::CreateConfigFiles(how)) => config_files::create(how.as_deref().unwrap_or_default()),
        None => Log::new(options.logfile.as_deref()).and_then(|log| {
            // A failure of the work is in its log.
            work(&options, &log).map_err(|Failure(why)| {
                if !why.is_empty() {
                    log.error(&why);
                }
                Failure(String::new())
            })
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(why)) if why.is_empty() => ExitCode::FAILURE,
        Err(failure) => super::failed("swtpm_setup", &failure),
    }
}

/// The program of this name: as it is if it is a path, else in `PATH`.
fn find_program(name: &str) -> Option<PathBuf> {
    let is_program = |path: &Path| path.is_file() && may(path, Access::EXEC_OK);
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| is_program(path));
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| is_program(path))
}

/// The configuration: the file that was named must be there, the usual ones need not.
fn configuration(options: &Options) -> Result<Config, Failure> {
    let path = options.config.clone().unwrap_or_else(|| config::find(CONFIG));
    if !may(&path, Access::READ_OK) {
        if options.config.is_none() && !path.exists() {
            return Ok(Config::default());
        }
        return Err(failure!("User {} cannot read config file {}.", user::name(), path.display()));
    }
    Config::read(&path)
}

fn work(options: &Options, log: &Log) -> Result<(), Failure> {
    for warning in &options.warnings {
        log.error(warning);
    }
    if let Some(tpm) = &options.tpm {
        // The TPM runs in this process; but what is named should be there, as somebody will start it.
        let program = tpm.split_whitespace().next().unwrap_or_default();
        if find_program(program).is_none() {
            return Err(failure!("swtpm at {program} is not an executable."));
        }
    }
    if options.print_capabilities {
        super::print(format_args!("{}", help::capabilities()));
        return Ok(());
    }
    options.check_version()?;
    if let Some(user) = &options.runas {
        user::become_user(user)?;
    }
    if options.print_profiles {
        let config = configuration(options)?;
        super::print(format_args!("{}", profile::list(&config)));
        return Ok(());
    }
    let place = options.place.as_ref().ok_or_else(|| failure!("--tpm-state must be provided"))?;
    place.check()?;
    if let Some(folder) = &options.certificates {
        check_folder(folder)?;
    }
    if !options.reconfigure && place.is_used()? {
        match options.overwrite {
            Overwrite::Keep => {
                log.say("Not overwriting existing state file.");
                return Ok(());
            }
            Overwrite::Replace => {}
            Overwrite::Refuse => return Err(failure!("Found existing TPM state '{}'.", place.path().display())),
        }
    }
    let config = configuration(options)?;
    let profile = profile::chosen(options, &config)?;
    let order = order(options, &config, &profile)?;
    let key = key::read(options)?;
    if let Some((_, from)) = &key {
        log.say(&format!("  The TPM's state will be encrypted {from}."));
    }
    let key = key.map(|(key, _)| key);
    let what = if options.reconfigure { "reconfiguration" } else { "manufacturing" };
    let (name, group) = (user::name(), user::group());
    log.say(&format!("Starting vTPM {what} as {name}:{group} @ {}", time::now()));
    let was_there = place.path().exists();
    let done = if options.reconfigure {
        reconfigure(place, &order, key.as_ref(), log)
    } else {
        manufacture(options, place, &order, &profile, (key.as_ref(), &config), log)
    };
    if done.is_err() && !was_there {
        place.forget();
    }
    match &done {
        Ok(()) => log.say("Successfully authored TPM state."),
        Err(Failure(why)) => {
            log.error(why);
            log.error("An error occurred. Authoring the TPM state failed; nothing has changed.");
        }
    }
    log.say(&format!("Ending vTPM manufacturing @ {}", time::now()));
    // It has been said already.
    done.map_err(|_| Failure(String::new()))
}

/// What the vTPM gets, of the command line and then of the configuration.
fn order(options: &Options, config: &Config, profile: &Profile) -> Result<Order, Failure> {
    let given = options.banks.join(",");
    let given = if given.split(',').all(|bank| bank.trim().is_empty()) { None } else { Some(given) };
    let banks = given.or_else(|| config.filled("active_pcr_banks")).unwrap_or_else(|| BANKS.to_owned());
    let banks = banks.split(',').map(|bank| bank.trim().to_owned()).filter(|bank| !bank.is_empty()).collect();
    let mut order = Order {
        pcr_banks: Some(banks).filter(|banks: &Vec<String>| banks != &["-"]),
        lock_nv: options.lock_nv,
        usage: options.usage,
        ek_certificates: options.ek_certificate,
        platform_certificate: options.platform_certificate,
        ..Order::default()
    };
    if options.reconfigure {
        if options.create_ek || options.ek_certificate || options.platform_certificate {
            return Err(failure!("Reconfiguration is not supported with creation of EK or certificates"));
        }
        return Ok(order);
    }
    let algorithm = |given: &Option<String>, name: &str| {
        let named = given.clone().or_else(|| config.filled(name)).filter(|named| named != "none");
        named.map(|named| KeyAlgorithm::parse(&named)).transpose()
    };
    let size = options.rsa_keysize.clone().or_else(|| config.filled("rsa_keysize"));
    let rsa = match size.as_deref() {
        None | Some("2048") => KeyAlgorithm::Rsa(2048),
        Some("3072") => KeyAlgorithm::Rsa(3072),
        Some("4096") => KeyAlgorithm::Rsa(4096),
        Some("max") => KeyAlgorithm::Rsa(profile::largest_rsa(profile)),
        Some(other) => return Err(failure!("Unsupported RSA key size {other}.")),
    };
    let first = algorithm(&options.ek1, "ek1keyalgo")?.unwrap_or(rsa);
    let second = algorithm(&options.ek2, "ek2keyalgo")?.unwrap_or(KeyAlgorithm::Ecc(Curve::P384));
    if options.create_ek {
        order.eks = vec![first, second];
    }
    if options.create_spk {
        order.storage = Some(if options.ecc { KeyAlgorithm::Ecc(Curve::P384) } else { rsa });
    }
    order.iak = algorithm(&options.iak, "iakkeyalgo")?.filter(|_| !options.no_iak);
    order.idevid = algorithm(&options.idevid, "idevidkeyalgo")?.filter(|_| !options.no_iak);
    if (order.iak.is_some() || order.idevid.is_some()) && !order.ek_certificates {
        return Err(failure!(
            "When creating IAK and/or IDevID keys, then an EK certificate must be created as well (--create-ek-cert)."
        ));
    }
    Ok(order)
}

/// Makes a TPM with all that was ordered, and then puts its state in its place.
fn manufacture(
    options: &Options,
    place: &Place,
    order: &Order,
    profile: &Profile,
    (key, config): (Option<&SwtpmKey>, &Config),
    log: &Log,
) -> Result<(), Failure> {
    let mut locked = place.lock(options.overwrite == Overwrite::Replace)?;
    if options.overwrite != Overwrite::Replace && place.is_used()? {
        return Err(failure!("Found existing TPM state '{}', made meanwhile.", place.path().display()));
    }
    let mut tpm = Vtpm::new(profile.clone())?;
    log.say(&format!("Active profile: {}", tpm.profile()));
    let mut authority = Authority::new(options, config, order.certificates(), log);
    let copies = vtpm::make(&mut tpm, order, &mut authority, log)?;
    let copies = waiting_copies(options, &copies)?;
    locked.store(&tpm.finish()?, key)?;
    copies.into_iter().try_for_each(Waiting::place)
}

/// Copies of certificates for the user, which wait until the state is stored.
fn waiting_copies(options: &Options, copies: &[Certified]) -> Result<Vec<Waiting>, Failure> {
    let Some(folder) = &options.certificates else { return Ok(Vec::new()) };
    copies.iter().map(|copy| Waiting::write(&folder.join(&copy.file), &copy.der, 0o640)).collect()
}

/// Gives a TPM that is there other PCR banks.
fn reconfigure(place: &Place, order: &Order, key: Option<&SwtpmKey>, log: &Log) -> Result<(), Failure> {
    if !place.is_used()? {
        return Err(failure!("There is no TPM state in {} to reconfigure.", place.path().display()));
    }
    let mut locked = place.lock(false)?;
    let mut tpm = Vtpm::of_libtpms(&locked.permanent(key)?)?;
    if let Some(banks) = &order.pcr_banks {
        vtpm::set_pcr_banks(&mut tpm, banks, log)?;
    }
    locked.store(&tpm.finish()?, key)
}

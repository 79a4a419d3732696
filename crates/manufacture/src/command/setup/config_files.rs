//! `--create-config-files`: configuration files for a user with a CA of his own.

use crate::command::localca;
use crate::command::user;
use crate::config;
use crate::failure::{Failure, failure};
use crate::file::{self, Waiting};

/// Writes the files, all or none.
pub(super) fn create(how: &str) -> Result<(), Failure> {
    let words: Vec<&str> = how.split([',', ' ']).filter(|word| !word.is_empty()).collect();
    if let Some(unknown) = words.iter().find(|word| !["overwrite", "root", "skip-if-exist"].contains(word)) {
        return Err(failure!(
            "--create-config-files: '{unknown}' is unknown; overwrite, root and skip-if-exist are known"
        ));
    }
    let (overwrite, skip) = (words.contains(&"overwrite"), words.contains(&"skip-if-exist"));
    if overwrite && skip {
        return Err(failure!("Error: overwrite and skip-if-exist cannot both be used"));
    }
    if user::is_root() && !words.contains(&"root") {
        return Err(failure!("Requiring the 'root' flag since the configuration files will shadow those in /etc."));
    }
    let folder = config::user_folder();
    let [setup, ca, options] = [super::CONFIG, localca::CONFIG, localca::OPTIONS].map(|name| folder.join(name));
    if let Some(there) = [&setup, &ca, &options].into_iter().find(|path| path.exists()).filter(|_| !overwrite) {
        return match skip {
            true => Ok(()),
            false => Err(failure!("File {} already exists. Refusing to overwrite.", there.display())),
        };
    }
    let state = folder.join("var/lib/swtpm-localca");
    file::make_folder(&state, 0o775).map_err(|error| failure!("Could not create {}: {error}", state.display()))?;
    let state = state.display();
    let system = rustix::system::uname();
    let word = |text: &core::ffi::CStr| text.to_string_lossy().replace(' ', "_");
    let (name, version) = (word(system.sysname()), word(system.version()));
    let contents = [
        (
            &setup,
            format!(
                "create_certs_tool = swtpm_localca\n\
                 create_certs_tool_config = {}\n\
                 create_certs_tool_options = {}\n\
                 # Comma-separated list (no spaces) of PCR banks to activate by default\n\
                 active_pcr_banks = {}\n\
                 # profile = {{\"Name\":\"default-v1\"}}\n\
                 # profile_file =\n\
                 local_profiles_dir = {}/etc/swtpm/profiles/\n",
                ca.display(),
                options.display(),
                super::BANKS,
                folder.display()
            ),
        ),
        (
            &ca,
            format!(
                "statedir = {state}\n\
                 signingkey = {state}/signkey.pem\n\
                 issuercert = {state}/issuercert.pem\n\
                 certserial = {state}/certserial\n"
            ),
        ),
        (&options, format!("--platform-manufacturer {name}\n--platform-version {version}\n--platform-model {name}\n")),
    ];
    let mut waiting = Vec::new();
    for (path, content) in &contents {
        super::super::print(format_args!("Writing {}.\n", path.display()));
        waiting.push(Waiting::write(path, content.as_bytes(), 0o644)?);
    }
    waiting.into_iter().try_for_each(Waiting::place)
}

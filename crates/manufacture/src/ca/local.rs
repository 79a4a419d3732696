//! The CA of `swtpm-localca.conf`: opened, and made first if it is a local one that is not there.

use super::create;
use super::pkcs11;
use super::settings::{KeyPlace, Settings};
use super::{Issuer, SigningKey};
use crate::Log;
use crate::certificate::{self, Content, Serial};
use crate::failure::{Failure, failure};
use crate::file;
use rustix::fs::{Access, FlockOperation, Mode, OFlags};
use std::collections::VecDeque;
use std::path::Path;

/// The file whose lock is held while a serial number is taken or the CA is made. swtpm takes it too.
const LOCK: &str = ".lock.swtpm-localca";

/// A CA that issues certificates.
#[derive(Debug)]
pub struct LocalCa {
    settings: Settings,
    issuer: Issuer,
    /// Serial numbers that are taken and not used yet.
    reserved: VecDeque<Serial>,
}

/// The lock of a CA; it is held until this is dropped.
pub(super) struct Lock {
    _file: rustix::fd::OwnedFd,
}

impl Lock {
    fn take(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(LOCK);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::open(&path, flags, Mode::from_raw_mode(0o664))
            .map_err(|error| failure!("Could not open lockfile {}: {error}", path.display()))?;
        loop {
            match rustix::fs::flock(&file, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Self { _file: file }),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(failure!("Could not lock file {}: {error}", path.display())),
            }
        }
    }
}

/// Makes the folder of something of the CA's, if it is not there.
fn make_folder(path: &Path, purpose: &str, log: &Log) -> Result<(), Failure> {
    if path.as_os_str().is_empty() || path.exists() {
        return Ok(());
    }
    log.say(&format!("Creating swtpm-localca dir '{}'.", path.display()));
    file::make_folder(path, 0o770).map_err(|error| failure!("Could not create directory for '{purpose}': {error}"))
}

fn readable(path: &Path, what: &str) -> Result<(), Failure> {
    if file::may(path, Access::READ_OK) {
        return Ok(());
    }
    Err(failure!("Need read rights on {what} {} for user {}.", path.display(), crate::command::user::name()))
}

impl LocalCa {
    /// Opens the CA; makes it if there is neither a signing key nor an issuer certificate.
    pub fn open(settings: Settings, log: &Log) -> Result<Self, Failure> {
        make_folder(&settings.folder, "statedir", log)?;
        if !file::may(&settings.folder, Access::READ_OK | Access::WRITE_OK) {
            let (folder, user) = (settings.folder.display(), crate::command::user::name());
            return Err(failure!("Need read/write rights on statedir {folder} for user {user}."));
        }
        make_folder(file::folder_of(&settings.certificate), "issuercert", log)?;
        make_folder(file::folder_of(&settings.serial), "certserial", log)?;
        let key = match &settings.key {
            KeyPlace::Token(uri) => {
                log.say("CA uses a PKCS#11 key; using SWTPM_PKCS11_PIN");
                readable(&settings.certificate, "issuer certificate")?;
                let pin = settings.password.as_ref().or(settings.pin.as_ref());
                let certificate = super::read_certificate(&settings.certificate)?;
                let public = certificate.tbs_certificate().subject_public_key_info();
                pkcs11::open(uri, pin.map(|pin| pin.as_str()), &settings.environment, public)?
            }
            KeyPlace::File(path) => {
                make_folder(file::folder_of(path), "signkey", log)?;
                if !path.exists() || !settings.certificate.exists() {
                    let lock = Lock::take(&settings.folder)?;
                    create::local_ca(path, &settings, &lock, log)?;
                }
                readable(path, "signing key")?;
                readable(&settings.certificate, "issuer certificate")?;
                let password = settings.password.as_ref().map(|password| password.as_bytes());
                SigningKey::from_pem(&file::read(path)?, password)
                    .map_err(|Failure(why)| failure!("{}: {why}", path.display()))?
            }
        };
        let issuer = Issuer::open(&settings.certificate, key)?;
        Ok(Self { settings, issuer, reserved: VecDeque::new() })
    }

    /// Takes so many serial numbers. They are durably taken before one is used, so that none is used twice; those of a run
    /// that fails are not used at all.
    pub fn reserve(&mut self, count: usize) -> Result<(), Failure> {
        let path = &self.settings.serial;
        let _lock = Lock::take(&self.settings.folder)?;
        let mut last = match file::read(path) {
            Ok(text) => core::str::from_utf8(&text).ok().and_then(|text| Serial::parse(text.trim()).ok()),
            Err(_) if !path.exists() => None,
            Err(failure) => return Err(failure),
        };
        let mut taken = Vec::new();
        for _ in 0..count {
            let next = match last.as_ref().and_then(Serial::next) {
                Some(next) => next,
                None => Serial::random()?,
            };
            taken.push(next.clone());
            last = Some(next);
        }
        let Some(last) = taken.last() else { return Ok(()) };
        file::sweep(path);
        let mode = std::fs::metadata(path).map(|found| std::os::unix::fs::PermissionsExt::mode(&found.permissions()));
        file::write(path, last.to_string().as_bytes(), mode.map_or(0o644, |mode| mode & 0o777))?;
        self.reserved.extend(taken);
        Ok(())
    }

    /// The next serial number of those that are taken, or else a new one.
    pub fn next_serial(&mut self) -> Result<Serial, Failure> {
        if self.reserved.is_empty() {
            self.reserve(1)?;
        }
        self.reserved.pop_front().ok_or_else(|| failure!("there is no serial number"))
    }

    /// Issues a certificate with the next serial number; returns it as DER.
    pub fn issue(&mut self, content: &mut Content) -> Result<Vec<u8>, Failure> {
        content.serial = self.next_serial()?;
        certificate::issue(content, &self.issuer)
    }
}

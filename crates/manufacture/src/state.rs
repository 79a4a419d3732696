//! Where the state of a new TPM goes: swtpm's folder or linear file, plain or encrypted.

use crate::failure::{Failure, failure};
use crate::file::may;
use rustix::fs::Access;
use sealwright_state::swtpm::{Folder, Linear, Part, SwtpmError, SwtpmKey, open, seal};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A place of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder.
    Folder(PathBuf),
    /// A linear file, or a block device.
    File(PathBuf),
}

/// The file in which vtpmd keeps its own state.
const OWN: &str = "tpm.state";

fn said(fault: &SwtpmError) -> Failure {
    failure!("{fault}")
}

impl Place {
    /// The place as `--tpm-state` names it: `dir://`, `file://`, or a folder.
    pub fn parse(text: &str) -> Self {
        match (text.strip_prefix("file://"), text.strip_prefix("dir://")) {
            (Some(path), _) => Self::File(path.into()),
            (None, Some(path)) => Self::Folder(path.into()),
            (None, None) => Self::Folder(text.into()),
        }
    }

    /// The path.
    pub fn path(&self) -> &Path {
        match self {
            Self::Folder(path) | Self::File(path) => path,
        }
    }

    /// Refuses a place that cannot be read and written.
    pub fn check(&self) -> Result<(), Failure> {
        let (path, user) = (self.path().display(), crate::command::user::name());
        match self {
            Self::Folder(folder) => {
                let lock = folder.join(".lock");
                if lock.exists() && !may(&lock, Access::READ_OK | Access::WRITE_OK) {
                    return Err(failure!("User {user} cannot read/write lockfile {}.", lock.display()));
                }
                check_folder(folder)
            }
            Self::File(file) if file.exists() && !may(file, Access::READ_OK | Access::WRITE_OK) => {
                Err(failure!("Need read/write rights on file {path} for user {user}."))
            }
            Self::File(_) => Ok(()),
        }
    }

    /// True if there is a state, of whatever kind and condition.
    pub fn is_used(&self) -> Result<bool, Failure> {
        match self {
            Self::Folder(folder) => {
                if folder.join(OWN).exists() {
                    return Ok(true);
                }
                let folder = Folder::open(folder, None).map_err(|fault| said(&fault))?;
                Ok(folder.path(Part::Permanent).exists())
            }
            Self::File(file) if !file.exists() => Ok(false),
            Self::File(file) => match Linear::open(file, None, false).and_then(|linear| linear.read(Part::Permanent)) {
                Ok(found) => Ok(found.is_some()),
                Err(SwtpmError::Empty { .. } | SwtpmError::Missing { .. }) => Ok(false),
                // Something is there, and it is not ours to judge.
                Err(_) => Ok(!is_blank_device(file)),
            },
        }
    }

    /// Removes a file that has been made and has no state in it.
    pub fn forget(&self) {
        if let (Self::File(file), Ok(false)) = (self, self.is_used())
            && file.is_file()
        {
            // Nobody can use it, whether it is there or not.
            let _ = std::fs::remove_file(file);
        }
    }

    /// Locks the place, so that no TPM runs on it until the state is stored.
    pub fn lock(&self, replace: bool) -> Result<Locked, Failure> {
        match self {
            Self::Folder(path) if path.join(OWN).exists() => Err(failure!(
                "{} has a state of vtpmd's own in it; vtpmd convert makes one of swtpm's of it",
                path.display()
            )),
            Self::Folder(path) => {
                let mut folder = Folder::open(path, None).map_err(|fault| said(&fault))?;
                folder.lock().map_err(|fault| said(&fault))?;
                Ok(Locked(Inside::Folder(folder)))
            }
            Self::File(path) => {
                let mut opened = Linear::open(path, None, true);
                if replace && matches!(opened, Err(SwtpmError::Damaged { .. } | SwtpmError::Version { .. })) {
                    clear(path)?;
                    opened = Linear::open(path, None, true);
                }
                let mut file = opened.map_err(|fault| said(&fault))?;
                file.lock().map_err(|fault| said(&fault))?;
                Ok(Locked(Inside::File(file)))
            }
        }
    }
}

/// Refuses what is no folder that can be read and written.
pub(crate) fn check_folder(path: &Path) -> Result<(), Failure> {
    let (shown, user) = (path.display(), crate::command::user::name());
    if !path.is_dir() {
        return Err(failure!("User {user} cannot access directory {shown}. Make sure it exists and is a directory."));
    }
    for (access, rights) in [(Access::READ_OK, "read"), (Access::WRITE_OK, "write")] {
        if !may(path, access) {
            return Err(failure!("Need {rights} rights on directory {shown} for user {user}."));
        }
    }
    Ok(())
}

/// True if the file is a block device that begins with zeros.
fn is_blank_device(path: &Path) -> bool {
    use std::io::Read;
    use std::os::unix::fs::FileTypeExt;
    let is_device = std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_block_device());
    let mut head = [0; 192];
    let read = || std::fs::File::open(path)?.read_exact(&mut head);
    is_device && { read }().is_ok() && head.iter().all(|byte| *byte == 0)
}

/// Makes something that is no linear file one: a file is removed, the header of a device becomes zero.
fn clear(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::{FileExt, FileTypeExt};
    let refused = |error: std::io::Error| failure!("{} cannot be overwritten: {error}", path.display());
    if std::fs::metadata(path).map_err(refused)?.file_type().is_block_device() {
        let device = std::fs::OpenOptions::new().write(true).open(path).map_err(refused)?;
        return device.write_all_at(&[0; 192], 0).and_then(|()| device.sync_all()).map_err(refused);
    }
    std::fs::remove_file(path).map_err(refused)
}

enum Inside {
    Folder(Folder),
    File(Linear),
}

/// A place that no TPM runs on while this is held.
pub struct Locked(Inside);

impl core::fmt::Debug for Locked {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Locked(..)")
    }
}

impl Locked {
    fn read(&self, part: Part) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        match &self.0 {
            Inside::Folder(folder) => folder.read(part),
            Inside::File(file) => file.read(part),
        }
        .map_err(|fault| said(&fault))
    }

    /// The permanent state of a TPM that is off, out of its envelope.
    pub fn permanent(&self, key: Option<&SwtpmKey>) -> Result<Zeroizing<Vec<u8>>, Failure> {
        if self.read(Part::Volatile)?.is_some() {
            return Err(failure!(
                "the TPM was stored while it ran (volatilestate); start it and shut its VM down before it is reconfigured"
            ));
        }
        let stored =
            self.read(Part::Permanent)?.ok_or_else(|| failure!("there is no state of a TPM to reconfigure"))?;
        open(&stored, key).map_err(|fault| said(&fault))
    }

    /// Stores a permanent state, and no other, in the place of whatever is there: at any instant there is the one or the
    /// other.
    pub fn store(&mut self, permanent: &[u8], key: Option<&SwtpmKey>) -> Result<(), Failure> {
        let sealed = seal(permanent, key).map_err(|fault| said(&fault))?;
        match &mut self.0 {
            Inside::Folder(folder) => {
                // A volatile state never stands beside the permanent one of another TPM.
                let cleared = [Part::Volatile, Part::Save].iter().try_for_each(|part| folder.remove(*part));
                cleared.and_then(|()| folder.write(Part::Permanent, &sealed))
            }
            Inside::File(file) => file.store(&[(Part::Permanent, &sealed)]),
        }
        .map_err(|fault| said(&fault))
    }
}

//! The state in swtpm's own format, so that one can go back to swtpm at any time: `tpm2-00.permall` and
//! `tpm2-00.volatilestate` in a folder, or the same parts in a linear file. Unlike swtpm's, each write is durable before it is
//! answered, and never leaves half a state.

use crate::instance::Maker;
use crate::log::say;
use crate::options::StateOption;
use crate::tpm::Refused;
use sealwright_channel::result;
use sealwright_state::swtpm::{Folder, Linear, Part, SwtpmError, SwtpmKey, open, seal};
use zeroize::Zeroizing;

/// The file of vtpmd's own format, beside which swtpm's would be of another TPM.
const OWN: &str = "tpm.state";

/// Where the parts are.
enum Place {
    Folder(Folder),
    /// Opened, and made if need be, with the first use.
    File(Option<Linear>),
}

/// A state in swtpm's format.
pub(crate) struct SwtpmKept {
    option: StateOption,
    sync: bool,
    place: Place,
    key: Option<SwtpmKey>,
    maker: Box<dyn Maker>,
    /// The volatile part, of the permanent one that was read with it.
    volatile: Option<Zeroizing<Vec<u8>>>,
}

/// A state out of its envelope, in the engine's format.
struct Parts {
    permanent: Zeroizing<Vec<u8>>,
    volatile: Option<Zeroizing<Vec<u8>>>,
}

impl SwtpmKept {
    /// The state at this place. Nothing is read, made or locked yet.
    pub(crate) fn new(
        option: &StateOption,
        sync: bool,
        key: Option<SwtpmKey>,
        maker: Box<dyn Maker>,
    ) -> Result<Self, SwtpmError> {
        let place = if option.single {
            Place::File(None)
        } else {
            let folder = Folder::open(&option.dir, option.mode)?;
            Place::Folder(folder.with_sync(sync).with_backup(option.backup))
        };
        Ok(Self { option: option.clone(), sync, place, key, maker, volatile: None })
    }

    fn file<'a>(option: &StateOption, sync: bool, file: &'a mut Option<Linear>) -> Result<&'a mut Linear, SwtpmError> {
        match file {
            Some(file) => Ok(file),
            None => Ok(file.insert(Linear::open(&option.dir, option.mode, true)?.with_sync(sync))),
        }
    }

    fn read(&mut self, part: Part) -> Result<Option<Zeroizing<Vec<u8>>>, SwtpmError> {
        match &mut self.place {
            Place::Folder(folder) => folder.read(part),
            Place::File(file) => Self::file(&self.option, self.sync, file)?.read(part),
        }
    }

    fn write(&mut self, part: Part, bytes: &[u8]) -> Result<(), SwtpmError> {
        match &mut self.place {
            Place::Folder(folder) => folder.write(part, bytes),
            Place::File(file) => Self::file(&self.option, self.sync, file)?.update(part, Some(bytes)),
        }
    }

    /// Sizes of the permanent and the volatile part. Nothing is made.
    pub(crate) fn sizes(&mut self) -> Result<[Option<u64>; 2], SwtpmError> {
        let parts = [Part::Permanent, Part::Volatile];
        let [permanent, volatile] = match &self.place {
            Place::Folder(folder) => parts.map(|part| folder.size(part)),
            // An empty file is one that was not used yet.
            Place::File(_) if std::fs::metadata(&self.option.dir).is_ok_and(|file| file.len() == 0) => {
                return Ok([None; 2]);
            }
            Place::File(_) => match Linear::open(&self.option.dir, self.option.mode, false) {
                Ok(file) => parts.map(|part| file.part_size(part)),
                Err(SwtpmError::Missing { .. }) => return Ok([None; 2]),
                Err(fault) => return Err(fault),
            },
        };
        Ok([permanent?, volatile?])
    }

    /// A state of vtpmd's in this folder is not written beside.
    fn check_place(&self) -> Result<(), Refused> {
        let Place::Folder(folder) = &self.place else { return Ok(()) };
        if !folder.has(OWN).map_err(|fault| refused(&fault))? {
            return Ok(());
        }
        let why = "there is a state of vtpmd in its own format; give --state-format vtpmd to go on with it, or turn it into swtpm's with 'vtpmd convert'";
        Err(Refused::new(result::FAIL, format!("{}: {why}", self.name())))
    }

    /// Takes the lock; if another process has it, words about that.
    pub(crate) fn lock(&mut self) -> Result<Option<Refused>, Refused> {
        self.check_place()?;
        if !self.option.lock {
            return Ok(None);
        }
        let locked = match &mut self.place {
            Place::Folder(folder) => folder.lock(),
            Place::File(file) => {
                let file = Self::file(&self.option, self.sync, file).map_err(|fault| refused(&fault))?;
                if file.is_locked() { Ok(()) } else { file.lock() }
            }
        };
        match locked {
            Ok(()) => Ok(None),
            Err(fault @ SwtpmError::Locked { .. }) => Ok(Some(Refused::locked(&fault))),
            Err(fault) => Err(refused(&fault)),
        }
    }

    /// Gives the lock back.
    pub(crate) fn unlock(&mut self) {
        match &mut self.place {
            Place::Folder(folder) => folder.unlock(),
            Place::File(Some(file)) => file.unlock(),
            Place::File(None) => {}
        }
    }

    /// True while the lock is held, or none is wanted.
    pub(crate) fn is_locked(&self) -> bool {
        !self.option.lock
            || match &self.place {
                Place::Folder(folder) => folder.is_locked(),
                Place::File(file) => file.as_ref().is_some_and(Linear::is_locked),
            }
    }

    /// The place, for messages.
    pub(crate) fn name(&self) -> String {
        self.option.dir.display().to_string()
    }

    fn opened(&mut self, permanent: &[u8], volatile: Option<&[u8]>) -> Result<Parts, Refused> {
        let blob = |bytes: &[u8]| open(bytes, self.key.as_ref()).map_err(|fault| refused(&fault));
        let permanent = blob(permanent)?;
        let volatile = volatile.map(blob).transpose()?;
        let running = volatile.as_ref().map(|bytes| bytes.as_slice());
        let imported = self.maker.import(&permanent, running);
        let imported = imported.map_err(|fault| {
            Refused::new(result::BAD_PARAMETER, format!("the state in {} was refused: {fault}", self.name()))
        })?;
        Ok(Parts { permanent: imported.permanent, volatile: imported.volatile })
    }

    fn load_parts(&mut self) -> Result<Option<Parts>, Refused> {
        let permanent = self.read(Part::Permanent).map_err(|fault| refused(&fault))?;
        let volatile = self.read(Part::Volatile).map_err(|fault| refused(&fault))?;
        let Some(permanent) = permanent else {
            if volatile.is_some() {
                let why =
                    "there is the volatile state of a TPM without its permanent one; restore that, or remove both";
                return Err(Refused::new(result::FAIL, format!("{}: {why}", self.name())));
            }
            return Ok(None);
        };
        let running = volatile.as_ref().map(|bytes| bytes.as_slice());
        self.opened(&permanent, running).map(Some)
    }

    /// The backup, if `backup` was asked for and the state cannot be read: it takes the state's place, and what was there
    /// becomes the backup.
    fn load_backup(&mut self, why: &Refused) -> Result<Option<Parts>, Refused> {
        let Place::Folder(folder) = &self.place else { return Ok(None) };
        let Some(backup) = folder.read_backup().map_err(|fault| refused(&fault))?.filter(|_| self.option.backup) else {
            return Ok(None);
        };
        let Ok(parts) = self.opened(&backup, None) else { return Ok(None) };
        say!("{}; going on with the backup, which is one change older", why.why);
        self.write(Part::Permanent, &backup).map_err(|fault| refused(&fault))?;
        Ok(Some(parts))
    }

    /// Reads the state, in the engine's format; `None` if there is none.
    pub(crate) fn load(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, Refused> {
        self.check_place()?;
        if let Place::Folder(folder) = &self.place
            && self.option.backup
        {
            folder.restore_backup().map_err(|fault| refused(&fault))?;
        }
        let parts = match self.load_parts() {
            Ok(parts) => parts,
            Err(refused) => match self.load_backup(&refused)? {
                Some(parts) => Some(parts),
                None => return Err(refused),
            },
        };
        let Some(Parts { permanent, volatile }) = parts else {
            self.volatile = None;
            return Ok(None);
        };
        self.volatile = volatile;
        Ok(Some(permanent))
    }

    /// The volatile state that was read last, in the engine's format.
    pub(crate) fn volatile(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        self.volatile.take()
    }

    /// Makes the permanent state durable.
    pub(crate) fn save(&mut self, state: &[u8]) -> Result<(), Refused> {
        let exported = self.maker.export(state, None);
        let exported = exported.map_err(|fault| {
            Refused::new(result::FAIL, format!("the state cannot be kept in swtpm's format: {fault}"))
        })?;
        let bytes = seal(&exported.permanent, self.key.as_ref()).map_err(|fault| refused(&fault))?;
        self.write(Part::Permanent, &bytes).map_err(|fault| refused(&fault))
    }

    /// Writes the volatile state of a TPM with this permanent one.
    pub(crate) fn store_volatile(&mut self, permanent: &[u8], volatile: &[u8]) -> Result<(), Refused> {
        let exported = self.maker.export(permanent, Some(volatile));
        let exported = exported.map_err(|fault| {
            Refused::new(result::FAIL, format!("the volatile state cannot be kept in swtpm's format: {fault}"))
        })?;
        let bytes = exported.volatile.as_ref().map(|bytes| seal(bytes, self.key.as_ref())).transpose();
        match bytes.map_err(|fault| refused(&fault))? {
            Some(bytes) => self.write(Part::Volatile, &bytes).map_err(|fault| refused(&fault)),
            None => Ok(()),
        }
    }

    /// True if there is a volatile state.
    pub(crate) fn has_volatile(&mut self) -> Result<bool, Refused> {
        let size = match &mut self.place {
            Place::Folder(folder) => folder.size(Part::Volatile),
            Place::File(file) => {
                Self::file(&self.option, self.sync, file).and_then(|file| file.part_size(Part::Volatile))
            }
        };
        size.map(|size| size.is_some()).map_err(|fault| refused(&fault))
    }

    /// Removes the volatile state.
    pub(crate) fn remove_volatile(&mut self) -> Result<(), Refused> {
        if !self.has_volatile()? {
            return Ok(());
        }
        let removed = match &mut self.place {
            Place::Folder(folder) => folder.remove(Part::Volatile),
            Place::File(file) => {
                Self::file(&self.option, self.sync, file).and_then(|file| file.update(Part::Volatile, None))
            }
        };
        removed.map_err(|fault| refused(&fault))
    }

    /// Forgets what was read.
    pub(crate) fn forget(&mut self) {
        self.volatile = None;
        if let Place::File(file) = &mut self.place
            && !file.as_ref().is_some_and(Linear::is_locked)
        {
            *file = None;
        }
    }

    /// Wipes keys and state from memory.
    pub(crate) fn wipe(&mut self) {
        self.key = None;
        self.volatile = None;
    }
}

/// The control channel's code for a fault of swtpm's format.
pub(crate) fn refused(fault: &SwtpmError) -> Refused {
    let code = match fault {
        SwtpmError::KeyMissing { .. } => result::KEY_NOT_FOUND,
        SwtpmError::WrongKey { .. } => result::DECRYPT_ERROR,
        SwtpmError::Io { .. } | SwtpmError::Empty { .. } | SwtpmError::Missing { .. } => result::FAIL,
        _ => result::BAD_PARAMETER,
    };
    Refused::new(code, fault.to_string())
}

//! A state in one file, to be carried elsewhere: a journal as `tpm.state` is one, with the one generation that was chosen,
//! under a data key of its own. So it is sealed, checked and described as every other state of ours.

use super::place::{States, kept, store_own};
use crate::failure::{Failure, failure};
use sealwright_state::backend::{Memory, MemoryCell};
use sealwright_state::disk::{HostFolder, replace};
use sealwright_state::{KeyManager, Kind, Settings, Store, VmId};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// More than any file that is made here.
const MAX_FILE: u64 = 64 * 1024 * 1024;

fn store(path: &Path, cell: Arc<Mutex<MemoryCell>>, keys: Option<Arc<dyn KeyManager>>, settings: Settings) -> Store {
    let backend = Memory::on(cell).named(path.display().to_string());
    Store::new(Box::new(backend), keys, settings)
}

/// The store in a file. Nothing is opened yet.
pub(super) fn read(path: &Path, keys: Option<Arc<dyn KeyManager>>) -> Result<Store, Failure> {
    let shown = path.display();
    let size = std::fs::metadata(path).map_err(|e| failure!("cannot read {shown}: {e}"))?.len();
    if size > MAX_FILE {
        return Err(failure!("{shown} has {size} bytes; no exported state is that large"));
    }
    let bytes = std::fs::read(path).map_err(|e| failure!("cannot read {shown}: {e}"))?;
    let cell = Arc::new(Mutex::new(MemoryCell::holding(bytes)));
    Ok(store(path, cell, keys, Settings::new(Kind::Tpm)))
}

/// Writes a file. What was there before stays until the new one is whole and durable.
pub(super) fn write(
    path: &Path,
    mode: Option<u32>,
    states: &States,
    vm: Option<VmId>,
    keys: Option<Arc<dyn KeyManager>>,
    reason: &str,
) -> Result<(), Failure> {
    let cell = Arc::new(Mutex::new(MemoryCell::default()));
    let settings = Settings { vm, ..Settings::new(Kind::Tpm) };
    let mut made = store(path, Arc::clone(&cell), keys, settings);
    made.lock().map_err(|fault| kept(&fault))?;
    store_own(&mut made, states, reason)?;
    drop(made);
    let journal = cell.lock().unwrap_or_else(PoisonError::into_inner).journal.take().unwrap_or_default();
    let fault = |e: std::io::Error| failure!("cannot write {}: {e}", path.display());
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| failure!("{} does not name a file", path.display()))?;
    let disk = HostFolder::open(parent, Some(mode.unwrap_or(0o600))).map_err(fault)?;
    replace(&disk, name, &journal).map_err(fault)
}

//! The store of the TPM, made from the command line.

mod kept;
pub(crate) mod swtpm;

pub(crate) use kept::Kept;

use crate::failure::{Failure, failure};
use crate::instance;
use crate::options::{Options, StateFormat, StateOption, StoreOptions};
use crate::seal::{LocalKey, SealKey};
use crate::seccomp;
use sealwright_keys::Order;
use sealwright_state::anchor::{Anchor, FileAnchor};
use sealwright_state::backend::{Backend, Device, Durability, Folder};
use sealwright_state::disk::HostFolder;
use sealwright_state::{DataKey, KeyContext, KeyError, KeyId, KeyManager, Kind, Settings, Store, WrappedKey};
use std::path::Path;
use std::sync::Arc;

fn folder(path: &Path, what: &str, mode: Option<u32>) -> Result<Box<HostFolder>, Failure> {
    let opened = HostFolder::open(path, mode);
    opened.map(Box::new).map_err(|e| failure!("cannot open {what} {}: {e}", path.display()))
}

/// Who wraps the data key: the key manager of this address, or the key of the command line, or nobody.
pub(crate) fn key_manager(
    options: &StoreOptions,
    key: Option<&Arc<SealKey>>,
) -> Result<Option<Arc<dyn KeyManager>>, Failure> {
    match (&options.key_manager, key) {
        (Some(_), Some(_)) => {
            Err(failure!("--key and --key-manager exclude each other: one of them wraps the data key"))
        }
        (Some(address), None) => {
            let opened = sealwright_keys::open(address).map_err(|fault| failure!("--key-manager: {fault}"))?;
            Ok(Some(if leaves_the_process(address) { Arc::new(Early(opened)) } else { Arc::from(opened) }))
        }
        (None, key) => Ok(key.map(|key| Arc::new(LocalKey(key.clone())) as Arc<dyn KeyManager>)),
    }
}

/// A key manager that can be asked until this process has confined itself. The kernel would end the process otherwise.
struct Early(Box<dyn KeyManager>);

impl Early {
    fn ask(&self) -> Result<&dyn KeyManager, KeyError> {
        if !seccomp::is_confined() {
            return Ok(&*self.0);
        }
        let what =
            "be asked any more: this process has shut itself off from it after its start (--seccomp). Start it again";
        Err(KeyError::Unsupported { manager: self.0.name().to_owned(), what: what.to_owned() })
    }
}

impl KeyManager for Early {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn wrap(&self, context: &KeyContext, key: &DataKey) -> Result<WrappedKey, KeyError> {
        self.ask()?.wrap(context, key)
    }

    fn unwrap(&self, context: &KeyContext, wrapped: &WrappedKey) -> Result<DataKey, KeyError> {
        self.ask()?.unwrap(context, wrapped)
    }

    fn is_outdated(&self, wrapped: &WrappedKey) -> bool {
        self.0.is_outdated(wrapped)
    }

    fn destroy(&self, key: &KeyId) -> Result<(), KeyError> {
        self.ask()?.destroy(key)
    }

    fn disable(&self, key: &KeyId) -> Result<(), KeyError> {
        self.ask()?.disable(key)
    }
}

/// How long a commit waits, as the command line says.
pub(crate) fn durability(options: &StoreOptions, state: &StateOption) -> Durability {
    let usual = if state.fsync { Durability::Data } else { Durability::None };
    options.durability.unwrap_or(usual)
}

/// True if the key manager of this address connects to a socket, which the seccomp filter forbids.
fn leaves_the_process(address: &str) -> bool {
    use std::os::unix::fs::FileTypeExt;
    let is_socket = |path: &str| std::fs::metadata(path).is_ok_and(|found| found.file_type().is_socket());
    let place = |rest: &'_ str| rest.split('?').next().unwrap_or_default().to_owned();
    address.starts_with("libvirt:") || address.strip_prefix("tpm:").is_some_and(|rest| is_socket(&place(rest)))
}

/// The store that `--tpmstate` and the options about it describe. Nothing is read or locked yet.
pub(crate) fn store(options: &Options, state: &StateOption, key: Option<&Arc<SealKey>>) -> Result<Store, Failure> {
    store_with(options, state, key_manager(&options.store, key)?)
}

/// The same, with this key manager.
pub(crate) fn store_with(
    options: &Options,
    state: &StateOption,
    keys: Option<Arc<dyn KeyManager>>,
) -> Result<Store, Failure> {
    let durability = durability(&options.store, state);
    let backend: Box<dyn Backend> = if state.single {
        let opened = Device::open(&state.dir, state.mode, Kind::Tpm, durability, state.lock);
        Box::new(opened.map_err(|e| failure!("cannot open the state {}: {e}", state.dir.display()))?)
    } else {
        let disk = folder(&state.dir, "the state folder", state.mode)?;
        Box::new(Folder::new(disk, Kind::Tpm, durability, state.lock))
    };
    let mut settings = Settings::new(Kind::Tpm);
    settings.vm = options.store.vm.clone();
    settings.accept_rollback = options.store.accept_rollback.clone();
    if let Some(history) = options.store.history {
        settings.history = history;
    }
    settings.permits = Order::permits;
    let store = Store::new(backend, keys, settings);
    Ok(match anchor(&options.store)? {
        Some(anchor) => store.with_anchor(anchor),
        None => store,
    })
}

/// What remembers the newest state of this VM, apart from the state.
pub(crate) fn anchor(options: &StoreOptions) -> Result<Option<Box<dyn Anchor>>, Failure> {
    let Some(text) = &options.anchor else { return Ok(None) };
    if options.vm.is_none() {
        return Err(failure!("--anchor needs --vm: the anchor remembers states by the names of their VMs"));
    }
    if text.starts_with("tpm:") {
        return sealwright_keys::open_anchor(text).map(Some).map_err(|fault| failure!("--anchor: {fault}"));
    }
    let path = Path::new(text);
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().and_then(|n| n.to_str());
    let name = name.ok_or_else(|| failure!("--anchor: {} does not name a file", path.display()))?;
    Ok(Some(Box::new(FileAnchor::new(folder(parent, "the folder of the anchor", Some(0o600))?, name))))
}

/// The state of a TPM that runs, in the format that was asked for.
pub(crate) fn kept(options: &Options, state: &StateOption, key: Option<&Arc<SealKey>>) -> Result<Kept, Failure> {
    match options.state_format() {
        StateFormat::Vtpmd => store(options, state, key).map(Kept::from),
        StateFormat::Swtpm => {
            let kept = in_swtpms_format(options, state, key.map(|key| &**key))?;
            Ok(Kept::Swtpm(Box::new(kept)))
        }
    }
}

/// The state in swtpm's format.
pub(crate) fn in_swtpms_format(
    options: &Options,
    state: &StateOption,
    key: Option<&SealKey>,
) -> Result<swtpm::SwtpmKept, Failure> {
    if let Some(option) = options.store.own_format_only() {
        return Err(failure!(
            "--{option} needs vtpmd's own format of states, and this one is kept in swtpm's; give --state-format vtpmd"
        ));
    }
    if options.manage.is_some() {
        return Err(failure!("--manage is about vtpmd's own format of states; give --state-format vtpmd"));
    }
    let key = key.map(SealKey::swtpm).transpose().map_err(|fault| failure!("--key: {fault}"))?;
    let sync = state.fsync && options.store.durability != Some(Durability::None);
    let maker = instance::maker(options.crypto.as_deref())?;
    swtpm::SwtpmKept::new(state, sync, key, maker).map_err(|fault| failure!("{fault}"))
}

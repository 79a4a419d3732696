//! What the two channels serve: a TPM of our own ([`Tpm`]), or one that exists elsewhere and is passed through.

use crate::info;
use crate::tpm::{Refused, Tpm};
use sealwright_channel::result;
use sealwright_tpm2::profile::Profile;
use std::path::PathBuf;
use std::sync::PoisonError;

/// Stops a command that runs, from another thread; false if that failed.
pub(crate) type Canceller = Box<dyn Fn() -> bool + Send + Sync>;
/// The answer of GET_INFO for these flags.
pub(crate) type Describe = Box<dyn Fn(u64) -> String + Send + Sync>;

/// What a TPM needs of the system while it runs, besides its state and the channels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Files that are written.
    pub(crate) files: Vec<PathBuf>,
    /// It connects to sockets.
    pub(crate) connects: bool,
    /// The TCP port among them.
    pub(crate) port: Option<u16>,
}

/// A TPM behind the channels. Numbers that are returned are results of the control channel.
pub(crate) trait Served: Send {
    /// The bits of GET_CAPABILITY.
    fn capabilities(&self) -> u32 {
        /// All commands of the table for a TPM 2.0 on sockets.
        const ALL: u32 = 0x1_ffff;
        ALL
    }
    /// Tells about this TPM, without waiting for a command that runs.
    fn describe(&self) -> Describe {
        Box::new(|flags| info::json(flags, &Profile::default()))
    }
    /// The highest locality that commands can have.
    fn highest_locality(&self) -> u8 {
        4
    }
    /// How a running command is cancelled, if not by the flag that the engine looks at.
    fn canceller(&self) -> Option<Canceller> {
        None
    }
    /// After a control command that failed, no command of the guest is executed until it is put right.
    fn fails_closed(&self) -> bool {
        false
    }
    /// What the process must still be able to do when it has confined itself.
    fn needs(&self) -> Needs {
        Needs::default()
    }
    /// The TPM of our own that this is, whose state can be managed.
    fn own(&mut self) -> Option<&mut Tpm> {
        None
    }

    /// INIT.
    fn init(&mut self, delete_volatile: bool) -> Result<(), Refused>;
    /// STOP.
    fn stop(&mut self) -> u32;
    /// True between INIT and STOP.
    fn is_running(&self) -> bool;
    /// (a state key is set, a migration key is set).
    fn has_keys(&self) -> (bool, bool);
    /// Forgets what is secret, at the end of the process.
    fn wipe(&mut self);
    /// LOCK_STORAGE.
    fn lock_storage(&mut self, retries: u32) -> Result<(), Refused>;
    /// Takes the lock back before a command, if a migration made it go.
    fn relock(&mut self) -> Result<(), Refused>;
    /// Runs a command of the guest and returns the length of the response.
    fn execute(&mut self, locality: u8, command: &[u8], response: &mut [u8]) -> usize;
    /// The tpmEstablished bit.
    fn established(&self) -> bool;
    /// RESET_TPMESTABLISHED.
    fn reset_established(&mut self, locality: u8) -> u32;
    /// HASH_START.
    fn hash_start(&mut self) -> u32;
    /// HASH_DATA.
    fn hash_data(&mut self, data: &[u8]) -> u32;
    /// HASH_END.
    fn hash_end(&mut self) -> u32;
    /// SET_BUFFERSIZE: (size, minimum, maximum).
    fn buffer_size(&mut self, wanted: u32) -> (u32, u32, u32);
    /// STORE_VOLATILE.
    fn store_volatile(&mut self) -> Result<(), Refused>;
    /// GET_STATEBLOB: the blob, and whether it is still encrypted with the state key.
    fn state_blob(&mut self, blob_type: u32, decrypted: bool) -> Result<(Vec<u8>, bool), Refused>;
    /// SET_STATEBLOB.
    fn set_state_blob(&mut self, blob_type: u32, blob: &[u8]) -> Result<(), Refused>;
}

impl Served for Tpm {
    fn own(&mut self) -> Option<&mut Tpm> {
        Some(self)
    }
    fn describe(&self) -> Describe {
        let shown = self.shown_profile();
        Box::new(move |flags| info::json(flags, &shown.lock().unwrap_or_else(PoisonError::into_inner)))
    }
    fn init(&mut self, delete_volatile: bool) -> Result<(), Refused> {
        Self::init(self, delete_volatile)
    }
    fn stop(&mut self) -> u32 {
        Self::stop(self);
        result::SUCCESS
    }
    fn is_running(&self) -> bool {
        Self::is_running(self)
    }
    fn has_keys(&self) -> (bool, bool) {
        Self::has_keys(self)
    }
    fn wipe(&mut self) {
        Self::wipe(self);
    }
    fn lock_storage(&mut self, retries: u32) -> Result<(), Refused> {
        Self::lock_storage(self, retries)
    }
    fn relock(&mut self) -> Result<(), Refused> {
        Self::relock(self)
    }
    fn execute(&mut self, locality: u8, command: &[u8], response: &mut [u8]) -> usize {
        Self::execute(self, locality, command, response)
    }
    fn established(&self) -> bool {
        Self::established(self)
    }
    fn reset_established(&mut self, locality: u8) -> u32 {
        Self::reset_established(self, locality)
    }
    fn hash_start(&mut self) -> u32 {
        Self::hash_start(self);
        result::SUCCESS
    }
    fn hash_data(&mut self, data: &[u8]) -> u32 {
        Self::hash_data(self, data);
        result::SUCCESS
    }
    fn hash_end(&mut self) -> u32 {
        Self::hash_end(self);
        result::SUCCESS
    }
    fn buffer_size(&mut self, wanted: u32) -> (u32, u32, u32) {
        Self::buffer_size(self, wanted)
    }
    fn store_volatile(&mut self) -> Result<(), Refused> {
        Self::store_volatile(self)
    }
    fn state_blob(&mut self, blob_type: u32, decrypted: bool) -> Result<(Vec<u8>, bool), Refused> {
        Self::state_blob(self, blob_type, decrypted)
    }
    fn set_state_blob(&mut self, blob_type: u32, blob: &[u8]) -> Result<(), Refused> {
        Self::set_state_blob(self, blob_type, blob)
    }
}

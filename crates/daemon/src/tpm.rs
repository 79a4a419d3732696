//! One TPM with its storage: power, commands, and the state that comes and goes by the control channel.

use crate::capture::Capture;
use crate::instance::{BUFFER_SIZE, Maker};
use crate::log::{self, say, trace};
use crate::options::AutoStartup;
use crate::seal::envelope::{self, MAX_ENVELOPE};
use crate::seal::{Kind, Layer, SealFault, SealKey};
use crate::storage::Kept;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use sealwright_channel::result;
use sealwright_core::{Engine, Platform, PlatformFault};
use sealwright_state::StateError;
use sealwright_tpm2::profile::Profile;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use zeroize::Zeroizing;

/// The largest blob that SET_STATEBLOB takes.
pub(crate) const MAX_BLOB: usize = 512 * 1024;
/// Attempts, 10 ms apart, to get back a lock that was released for a migration.
const LOCK_RETRIES: u32 = 300;
/// The answer to any command while no TPM runs: TPM_RC_FAILURE.
const NOT_RUNNING: [u8; 10] = [0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x01, 0x01];
/// Depth of messages about single commands.
const DEEPEST: u32 = 7;
const TPM_RC_INITIALIZE: u32 = 0x100;
const TPM_RC_FAILURE: u32 = 0x101;
/// Room that every response buffer has.
pub(crate) const MAX_RESPONSE: usize = 8192;

/// Why something was refused: the control channel's code, and words for the log.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) code: u32,
    pub(crate) why: String,
    /// There is no state but that of another program.
    other_state: bool,
}

impl Refused {
    /// With this result, for this reason.
    pub(crate) fn new(code: u32, why: impl Into<String>) -> Self {
        Self { code, why: why.into(), other_state: false }
    }
    /// Another process has the lock. The first words are swtpm's, which VM managers look for in its log.
    pub(crate) fn locked(why: &dyn core::fmt::Display) -> Self {
        let words = "SWTPM_NVRAM_Lock_Dir: Could not lock access to lockfile: Resource temporarily unavailable";
        Self::new(result::IO_ERROR, format!("{words}: {why}"))
    }
    fn seal(what: &str, fault: SealFault) -> Self {
        let code = match fault {
            SealFault::KeyMissing => result::KEY_NOT_FOUND,
            SealFault::WrongKey => result::DECRYPT_ERROR,
            _ => result::BAD_PARAMETER,
        };
        Self::new(code, format!("{what} was refused: {fault}"))
    }
}

impl From<StateError> for Refused {
    fn from(fault: StateError) -> Self {
        let other_state = matches!(fault, StateError::OtherState { .. });
        if matches!(fault, StateError::Locked { .. }) {
            return Self::locked(&fault);
        }
        Self { other_state, ..Self::new(result::FAIL, fault.to_string()) }
    }
}

/// What the daemon gives to the engine: entropy, a clock, and a store that seals.
pub(crate) struct Host {
    store: Kept,
    key: Option<Arc<SealKey>>,
    started: Instant,
    cancel: Arc<AtomicBool>,
    /// Why the last commit failed, if it did.
    refused: Option<String>,
}

impl Platform for Host {
    fn entropy(&mut self, out: &mut [u8]) -> Result<(), PlatformFault> {
        sealwright_state::entropy::fill(out).map_err(|_| PlatformFault::Entropy)
    }
    fn now(&mut self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
    fn commit(&mut self, state: &[u8]) -> Result<(), PlatformFault> {
        let reason = if self.store.is_new() { "a new TPM" } else { "" };
        let saved = self.store.save(state, reason).map_err(|refused| refused.why);
        let refused = core::mem::replace(&mut self.refused, saved.err());
        match &self.refused {
            None => Ok(()),
            Some(why) => {
                // Once: a guest that tries again and again does not fill the log.
                if refused.as_ref() != Some(why) {
                    say!("the TPM state could not be stored: {why}");
                }
                Err(PlatformFault::Unavailable)
            }
        }
    }
    fn cancelled(&mut self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}

/// A platform for trying a state out: nothing it commits is kept.
struct Trial<'a>(&'a mut Host);

impl Platform for Trial<'_> {
    fn entropy(&mut self, out: &mut [u8]) -> Result<(), PlatformFault> {
        self.0.entropy(out)
    }
    fn now(&mut self) -> u64 {
        self.0.now()
    }
    fn commit(&mut self, _: &[u8]) -> Result<(), PlatformFault> {
        Ok(())
    }
}

/// How the TPM behaves, from the command line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manners {
    /// Send no TPM2_Shutdown at the end.
    pub(crate) disable_auto_shutdown: bool,
    /// The state comes by migration: its lock may still be held by the source.
    pub(crate) incoming: bool,
    /// A new TPM may take the place of a lost one.
    pub(crate) create: bool,
    /// State blobs leave in swtpm's format.
    pub(crate) swtpm_blobs: bool,
}

/// A TPM, running or not.
pub(crate) struct Tpm {
    maker: Box<dyn Maker>,
    engine: Option<Box<dyn Engine + Send>>,
    host: Host,
    migration_key: Option<SealKey>,
    manners: Manners,
    received_permanent: Option<Zeroizing<Vec<u8>>>,
    received_volatile: Option<Zeroizing<Vec<u8>>>,
    /// The permanent blob as swtpm sent it: its volatile one can only be read with it.
    received_foreign: Option<Zeroizing<Vec<u8>>>,
    /// Where swtpm may have left its state.
    swtpm: Option<crate::convert::SwtpmFolder>,
    /// The size that SET_BUFFERSIZE asked for, 0 if none.
    wanted_buffer: u32,
    buffer: (u32, u32, u32),
    /// The profile of the TPM that runs or ran last.
    profile: Arc<Mutex<Profile>>,
    /// Where commands and responses are captured.
    capture: Option<Capture>,
    /// The lock was released for a migration and must be taken again before the next write.
    released: bool,
}

impl Tpm {
    /// A TPM that is switched off.
    pub(crate) fn new(
        maker: Box<dyn Maker>,
        store: impl Into<Kept>,
        key: Option<Arc<SealKey>>,
        migration_key: Option<SealKey>,
        manners: Manners,
        cancel: Arc<AtomicBool>,
    ) -> Self {
        Self {
            maker,
            engine: None,
            host: Host { store: store.into(), key, started: Instant::now(), cancel, refused: None },
            migration_key,
            manners,
            received_permanent: None,
            received_volatile: None,
            received_foreign: None,
            swtpm: None,
            wanted_buffer: 0,
            buffer: BUFFER_SIZE,
            profile: Arc::default(),
            capture: None,
            released: false,
        }
    }

    /// The profile of the TPM that runs or ran last, as far as it is known.
    pub(crate) fn shown_profile(&self) -> Arc<Mutex<Profile>> {
        self.profile.clone()
    }

    fn show_profile(&self, permanent: &[u8]) {
        if let Ok(profile) = self.maker.profile(permanent) {
            *self.profile.lock().unwrap_or_else(PoisonError::into_inner) = profile;
        }
    }

    /// The profile of the stored state, if there is one; nothing is locked or changed.
    pub(crate) fn stored_profile(&mut self) -> Result<Option<Profile>, Refused> {
        let stored = match self.host.store.load(true) {
            Ok(stored) => stored,
            Err(refused) => Some(self.foreign_instead(refused)?.permanent),
        };
        let Some(permanent) = stored else { return Ok(None) };
        let profile = self.maker.profile(&permanent);
        profile.map(Some).map_err(|f| Refused::new(result::BAD_PARAMETER, format!("the state was refused: {f}")))
    }

    /// True between INIT and STOP.
    pub(crate) fn is_running(&self) -> bool {
        self.engine.is_some()
    }

    /// GET_CONFIG: (a state key is set, a migration key is set).
    pub(crate) fn has_keys(&self) -> (bool, bool) {
        (self.host.key.is_some(), self.migration_key.is_some())
    }

    /// Wipes all keys and state from memory, and gives the lock back; the TPM is of no use afterwards.
    pub(crate) fn wipe(&mut self) {
        self.engine = None;
        self.host.key = None;
        self.host.store.unlock();
        self.host.store.wipe();
        self.migration_key = None;
        self.received_permanent = None;
        self.received_volatile = None;
        self.received_foreign = None;
        self.swtpm = None;
        self.capture = None;
    }

    /// Reads the stored state without starting it, to refuse a bad one while somebody watches.
    pub(crate) fn check_stored(&mut self) -> Result<(), Refused> {
        match self.host.store.load(self.manners.create) {
            Ok(Some(bytes)) => self.restore("the stored TPM state", &bytes).map(|_| ()),
            Ok(None) => Ok(()),
            Err(refused) => self.foreign_instead(refused).map(|_| ()),
        }
    }

    fn restore(&self, what: &str, bytes: &[u8]) -> Result<Box<dyn Engine + Send>, Refused> {
        let restored = self.maker.restore(bytes);
        restored.map_err(|f| Refused::new(result::BAD_PARAMETER, format!("{what} was refused: {f}")))
    }

    /// Takes the lock of the storage, trying again `retries` times, 10 ms apart.
    pub(crate) fn lock_storage(&mut self, retries: u32) -> Result<(), Refused> {
        let mut left = retries.min(60_000);
        if self.engine.is_none() {
            // Nothing older is in memory that could overwrite what another program has stored meanwhile.
            self.host.store.forget();
        }
        loop {
            match self.host.store.lock()? {
                None => {
                    self.released = false;
                    return Ok(());
                }
                Some(_) if left > 0 => left = left.saturating_sub(1),
                Some(refused) => return Err(refused),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Takes the lock back if it was released for a migration.
    pub(crate) fn relock(&mut self) -> Result<(), Refused> {
        if self.released { self.lock_storage(LOCK_RETRIES) } else { Ok(()) }
    }

    /// After the last blob of an outgoing migration: the destination may lock now.
    fn release(&mut self) {
        self.host.store.unlock();
        self.released = !self.host.store.is_locked();
    }

    /// INIT: power on, with the received state, else the stored one, else a new TPM.
    pub(crate) fn init(&mut self, delete_volatile: bool) -> Result<(), Refused> {
        self.stop();
        let received_permanent = self.received_permanent.take();
        let received_volatile = self.received_volatile.take();
        self.received_foreign = None;
        self.lock_storage(if self.manners.incoming || self.released { LOCK_RETRIES } else { 0 })?;
        let started = self.power_on(delete_volatile, received_permanent, received_volatile);
        started.map_err(|refused| {
            // To swtpm a state that cannot be read is a TPM in failure mode, which is what managers know.
            let code = if self.host.store.is_swtpm() { TPM_RC_FAILURE } else { refused.code };
            Refused { code, ..refused }
        })
    }

    fn power_on(
        &mut self,
        delete_volatile: bool,
        received_permanent: Option<Zeroizing<Vec<u8>>>,
        received_volatile: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<(), Refused> {
        let was_received = received_permanent.is_some();
        // A received state is not a new one, whatever has been here before; but what is here must be readable.
        let stored = self.stored_or_foreign(was_received)?;
        let permanent = received_permanent.or(stored);
        // A stored volatile state belongs to the stored permanent one, not to one that was just received.
        let volatile = match received_volatile {
            Some(bytes) => Some(bytes),
            None if was_received || permanent.is_none() => None,
            None => self.host.store.volatile()?,
        };
        let mut engine = match &permanent {
            Some(bytes) => self.restore("the TPM state", bytes)?,
            None => {
                say!("there is no TPM state yet: making a new TPM");
                let made = self.maker.manufacture(&mut self.host);
                made.map_err(|_| Refused::new(result::FAIL, "a new TPM could not be made; see above"))?
            }
        };
        if self.wanted_buffer != 0 {
            engine.set_buffer_size(self.wanted_buffer);
        }
        if let (true, Some(bytes)) = (was_received, &permanent) {
            self.host.store.save(bytes, "received by the control channel")?;
            self.host.store.remove_volatile()?;
        }
        match &volatile {
            Some(bytes) => engine
                .resume(&mut self.host, bytes)
                .map_err(|f| Refused::new(result::BAD_PARAMETER, format!("the volatile TPM state was refused: {f}")))?,
            None => engine.power_on(&mut self.host),
        }
        if delete_volatile {
            self.host.store.remove_volatile()?;
        }
        self.buffer = engine.buffer_size();
        self.show_profile(&Zeroizing::new(engine.save_permanent()));
        self.engine = Some(engine);
        trace!(1, "the TPM is on{}", if volatile.is_some() { ", continued from its volatile state" } else { "" });
        Ok(())
    }

    /// Sends TPM2_Startup as `--flags startup-...` asks; returns the response code.
    pub(crate) fn startup(&mut self, kind: AutoStartup) -> u32 {
        self.simple_command(0x144, matches!(kind, AutoStartup::State))
    }

    /// TPM2_Startup or TPM2_Shutdown of type CLEAR or STATE.
    fn simple_command(&mut self, code: u16, state: bool) -> u32 {
        let [c0, c1] = code.to_be_bytes();
        let command = [0x80, 0x01, 0, 0, 0, 12, 0, 0, c0, c1, 0, u8::from(state)];
        let mut response = vec![0; MAX_RESPONSE];
        let length = self.execute(0, &command, &mut response);
        response.get(6..10.min(length)).and_then(|rc| rc.try_into().ok()).map_or(result::FAIL, u32::from_be_bytes)
    }

    /// STOP: power off. A guest that did not shut its TPM down gets that done, so that it is not taken for an attack.
    pub(crate) fn stop(&mut self) {
        let orderly = self.engine.as_ref().is_none_or(|e| e.is_orderly());
        if !orderly && !self.manners.disable_auto_shutdown {
            self.host.cancel.store(false, Ordering::Relaxed);
            let relocked = self.relock();
            if let Err(refused) = relocked {
                say!("no TPM2_Shutdown was sent: {}", refused.why);
            } else if ![0, TPM_RC_INITIALIZE].contains(&self.simple_command(0x145, true)) {
                self.simple_command(0x145, false);
            }
        }
        self.engine = None;
        if let Err(refused) = self.host.store.settle() {
            say!("the last state could not be remembered, so an older one may go unnoticed: {}", refused.why);
        }
    }

    /// Writes all commands and responses to a capture too.
    pub(crate) fn with_capture(mut self, capture: Option<Capture>) -> Self {
        self.capture = capture;
        self
    }

    /// Runs one command and writes the answer; returns its length.
    pub(crate) fn execute(&mut self, locality: u8, command: &[u8], response: &mut [u8]) -> usize {
        let length = self.answer(locality, command, response);
        if let Some(capture) = &mut self.capture {
            capture.command(command);
            capture.response(response.get(..length).unwrap_or_default());
        }
        if log::enabled(DEEPEST) {
            let number = |bytes: &[u8]| bytes.get(6..10).and_then(|code| code.try_into().ok()).map(u32::from_be_bytes);
            let (code, rc) = (number(command).unwrap_or(0), number(response).unwrap_or(0));
            trace!(7, "command 0x{code:x} of {} bytes at locality {locality}: 0x{rc:x}", command.len());
        }
        length
    }

    fn answer(&mut self, locality: u8, command: &[u8], response: &mut [u8]) -> usize {
        match &mut self.engine {
            Some(engine) => engine.execute(&mut self.host, locality, command, response).min(response.len()),
            None => {
                for (to, from) in response.iter_mut().zip(NOT_RUNNING) {
                    *to = from;
                }
                NOT_RUNNING.len()
            }
        }
    }

    /// The tpmEstablished bit; false while off.
    pub(crate) fn established(&self) -> bool {
        self.engine.as_ref().is_some_and(|e| e.established())
    }

    /// RESET_TPMESTABLISHED at this locality.
    pub(crate) fn reset_established(&mut self, locality: u8) -> u32 {
        match &mut self.engine {
            Some(engine) => {
                if engine.reset_established(locality) {
                    result::SUCCESS
                } else {
                    result::BAD_LOCALITY
                }
            }
            None => result::BAD_ORDINAL,
        }
    }

    /// The hash sequence of TIS: HASH_START.
    pub(crate) fn hash_start(&mut self) {
        if let Some(engine) = &mut self.engine {
            engine.hash_start(&mut self.host);
        }
    }

    /// HASH_DATA.
    pub(crate) fn hash_data(&mut self, data: &[u8]) {
        if let Some(engine) = &mut self.engine {
            engine.hash_data(&mut self.host, data);
        }
    }

    /// HASH_END.
    pub(crate) fn hash_end(&mut self) {
        if let Some(engine) = &mut self.engine {
            engine.hash_end(&mut self.host);
        }
    }

    /// SET_BUFFERSIZE: (current, minimum, maximum); 0 asks only.
    pub(crate) fn buffer_size(&mut self, wanted: u32) -> (u32, u32, u32) {
        let (_, min, max) = self.buffer;
        if wanted != 0 && !self.is_running() {
            self.wanted_buffer = wanted.clamp(min, max);
            self.buffer.0 = self.wanted_buffer;
        }
        self.buffer
    }

    /// STORE_VOLATILE: writes the volatile state to the store.
    pub(crate) fn store_volatile(&mut self) -> Result<(), Refused> {
        self.relock()?;
        let Some(engine) = &mut self.engine else {
            return Err(Refused::new(result::BAD_ORDINAL, "the TPM is off"));
        };
        let state = Zeroizing::new(engine.save_volatile(&mut self.host));
        let permanent = Zeroizing::new(engine.save_permanent());
        self.host.store.store_volatile(&permanent, &state)
    }

    /// GET_STATEBLOB: the blob, and whether it is still sealed with the state key.
    pub(crate) fn state_blob(&mut self, blob_type: u32, decrypted: bool) -> Result<(Vec<u8>, bool), Refused> {
        let Some(engine) = &mut self.engine else {
            return Err(Refused::new(result::BAD_ORDINAL, "the TPM is off"));
        };
        let (kind, state) = match blob_type {
            1 => (Kind::Permanent, Zeroizing::new(engine.save_permanent())),
            2 => (Kind::Volatile, Zeroizing::new(engine.save_volatile(&mut self.host))),
            3 => {
                self.release();
                return Err(Refused::new(result::RETRY, "a TPM 2.0 has no savestate blob"));
            }
            other => return Err(Refused::new(result::FAIL, format!("there is no blob of type {other}"))),
        };
        if kind == Kind::Volatile && self.host.store.is_locked() && self.host.store.has_volatile()? {
            // As in swtpm: whoever fetches the volatile state takes it along.
            self.host.store.remove_volatile()?;
        }
        if self.manners.swtpm_blobs {
            return self.foreign_blob(kind, decrypted);
        }
        let failed = |f: SealFault| Refused::new(result::FAIL, format!("cannot seal a state blob: {f}"));
        let (inner, sealed) = match &self.host.key {
            Some(key) if !decrypted => (envelope::seal(kind, Layer::State, key, &state).map_err(failed)?, true),
            _ => (envelope::wrap_plain(kind, &state).map_err(failed)?, false),
        };
        let inner = Zeroizing::new(inner);
        let blob = match &self.migration_key {
            Some(key) => envelope::seal(kind, Layer::Migration, key, &inner).map_err(failed)?,
            None => inner.to_vec(),
        };
        Ok((blob, sealed))
    }

    fn open_blob(&mut self, kind: Kind, blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealFault> {
        if blob.len() > MAX_ENVELOPE {
            return Err(SealFault::Damaged);
        }
        let unwrapped;
        let mut inner = blob;
        if envelope::layer(blob)? == Layer::Migration {
            unwrapped = envelope::open(kind, self.migration_key.as_ref(), blob)?;
            inner = &unwrapped;
        }
        match envelope::layer(inner)? {
            Layer::Migration => Err(SealFault::Damaged),
            Layer::Digest | Layer::State => envelope::open(kind, self.host.key.as_deref(), inner),
        }
    }

    fn try_blob(&mut self, blob_type: u32, blob: &[u8]) -> Result<(), Refused> {
        match blob_type {
            1 => {
                let state =
                    self.open_blob(Kind::Permanent, blob).map_err(|f| Refused::seal("the permanent blob", f))?;
                self.restore("the permanent blob", &state)?;
                self.received_permanent = Some(state);
                self.received_volatile = None;
                Ok(())
            }
            2 => {
                let state = self.open_blob(Kind::Volatile, blob).map_err(|f| Refused::seal("the volatile blob", f))?;
                let stored;
                let permanent = match &self.received_permanent {
                    Some(bytes) => bytes,
                    None => {
                        stored = self.host.store.load(true)?.ok_or_else(|| {
                            Refused::new(result::RETRY, "the volatile blob came before the permanent one")
                        })?;
                        &stored
                    }
                };
                let mut trial = self.restore("the permanent state", permanent)?;
                trial
                    .resume(&mut Trial(&mut self.host), &state)
                    .map_err(|f| Refused::new(result::BAD_PARAMETER, format!("the volatile blob was refused: {f}")))?;
                self.received_volatile = Some(state);
                Ok(())
            }
            3 => Err(Refused::new(result::BAD_PARAMETER, "a TPM 2.0 has no savestate blob")),
            other => Err(Refused::new(result::BAD_PARAMETER, format!("there is no blob of type {other}"))),
        }
    }

    /// SET_STATEBLOB, while the TPM is off. A bad blob drops what was received before; an empty one is nothing.
    pub(crate) fn set_state_blob(&mut self, blob_type: u32, blob: &[u8]) -> Result<(), Refused> {
        if self.is_running() {
            return Err(Refused::new(result::BAD_ORDINAL, "the TPM is on"));
        }
        self.lock_storage(LOCK_RETRIES)?;
        let tried = if crate::convert::is_swtpm_blob(blob) {
            self.try_foreign_blob(blob_type, blob)
        } else {
            self.received_foreign = None;
            self.try_blob(blob_type, blob)
        };
        if tried.is_err() {
            self.received_permanent = None;
            self.received_volatile = None;
            self.received_foreign = None;
        }
        tried
    }
}

mod foreign;
mod keys;
#[cfg(test)]
mod tests;

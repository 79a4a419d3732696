//! The guest's view of the device: a TPM that is powered on and off with the VM, as far as the device can be that.

use super::device::Device;
use super::policy::{Policy, Verdict};
use super::probe::{self, Facts};
use crate::failure::{Failure, failure};
use crate::log::{say, trace};
use crate::served::{Canceller, Describe, Needs, Served};
use crate::tpm::Refused;
use sealwright_channel::{Address, Control, Fault, capability, result};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

const TPM_RC_BAD_TAG: u32 = 0x01e;
const TPM_RC_INITIALIZE: u32 = 0x100;
const TPM_RC_FAILURE: u32 = 0x101;
const TPM_RC_DISABLED: u32 = 0x120;
const TPM_RC_COMMAND_SIZE: u32 = 0x142;
/// TPM_RC_VALUE of the first parameter.
const TPM_RC_VALUE_1: u32 = 0x1c4;
const TPM_RC_LOCALITY: u32 = 0x907;
const STARTUP: u32 = 0x144;
const SHUTDOWN: u32 = 0x145;

/// What every device can do for its guest. State blobs are not among it, so QEMU does not migrate the VM.
const CAPABILITIES: u32 = capability::INIT
    | capability::SHUTDOWN
    | capability::GET_TPMESTABLISHED
    | capability::SET_LOCALITY
    | capability::CANCEL_TPM_CMD
    | capability::RESET_TPMESTABLISHED
    | capability::STOP
    | capability::GET_CONFIG
    | capability::SET_DATAFD
    | capability::SET_BUFFERSIZE
    | capability::GET_INFO
    | capability::SEND_COMMAND_HEADER;

/// Refused commands that are logged, at most.
const MAX_TOLD: usize = 32;

/// Why there are no state blobs.
const NO_STATE: &str = "the TPM of this VM is a device that is passed through: its state is inside the device and cannot leave it, so the VM can be neither migrated nor saved with its TPM";

/// The control channel of a TPM on a socket; the thread that cancels commands uses it too.
type Remote = Arc<Mutex<Control>>;

/// Where the guest stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    Off,
    /// INIT came; Startup has not. `resume`: the last command before was TPM2_Shutdown(STATE).
    On {
        resume: bool,
    },
    Started,
}

/// A device for one guest.
pub(super) struct Passthrough {
    device: Device,
    remote: Option<Remote>,
    cancel_path: Option<PathBuf>,
    policy: Policy,
    facts: Facts,
    power: Power,
    /// The last command was TPM2_Shutdown(STATE).
    shut_down: bool,
    /// Commands were passed on since the last flush.
    used: bool,
    /// The device failed; it is asked no more until the next INIT.
    broken: bool,
    /// The locality that the remote TPM was told.
    locality: u8,
    established: bool,
    /// Commands that were refused since the last INIT. Each is logged once: the guest must not fill the host's disk.
    told: BTreeSet<u32>,
    /// Handles that were in use before the guest came. They are the host's.
    before: BTreeSet<u32>,
}

fn lock(remote: &Remote) -> std::sync::MutexGuard<'_, Control> {
    remote.lock().unwrap_or_else(PoisonError::into_inner)
}

fn put(response: &mut [u8], answer: &[u8]) -> usize {
    match response.get_mut(..answer.len()) {
        Some(room) => {
            room.copy_from_slice(answer);
            answer.len()
        }
        None => 0,
    }
}

fn code(response: &mut [u8], code: u32) -> usize {
    put(response, &[&[0x80, 0x01, 0, 0, 0, 10][..], &code.to_be_bytes()].concat())
}

/// Success without parameters. A password session is answered with an empty nonce, the attribute continueSession and
/// an empty HMAC.
fn success(response: &mut [u8], session: bool) -> usize {
    if session {
        put(response, &[0x80, 0x02, 0, 0, 0, 19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0])
    } else {
        code(response, 0)
    }
}

impl Passthrough {
    /// Looks at the device, which must be a TPM 2.0 that works.
    pub(super) fn new(
        mut device: Device,
        control: Option<Control>,
        cancel_path: Option<PathBuf>,
        policy: Policy,
    ) -> Result<Self, Failure> {
        let mut control = control;
        if let Some(control) = &mut control {
            // Only a TPM that runs tells about itself.
            control.init(false).map_err(|fault| failure!("--socket-ctrl: {fault}"))?;
        }
        let about = |device: &Device, why: String| failure!("{}: {why}", device.name());
        let facts = Facts::ask(&mut device, true).map_err(|why| about(&device, why))?;
        let mut before = BTreeSet::new();
        if control.is_none() {
            for range in [probe::TRANSIENT, probe::LOADED_SESSIONS, probe::SAVED_SESSIONS] {
                before.extend(probe::handles(&mut device, range).map_err(|why| about(&device, why))?);
            }
            say!(
                "the VM is given the TPM {}. Its PCRs cannot be reset with the VM: what the guest measures is added to what is there",
                device.name()
            );
        }
        if device.is_shared() {
            say!("{}: the host uses this TPM too, and can see and change the PCRs of the guest", device.name());
        }
        Ok(Self {
            device,
            remote: control.map(|control| Arc::new(Mutex::new(control))),
            cancel_path,
            policy,
            facts,
            power: Power::Off,
            shut_down: false,
            used: false,
            broken: false,
            locality: 0,
            established: false,
            told: BTreeSet::new(),
            before,
        })
    }

    /// Runs something on the control channel of a remote TPM; the result is that of the remote one.
    fn remote(&self, run: impl FnOnce(&mut Control) -> Result<(), Fault>) -> Result<u32, Refused> {
        let Some(remote) = &self.remote else {
            let why = "the device has no control channel of its own";
            return Err(Refused::new(result::FAIL, why));
        };
        match run(&mut lock(remote)) {
            Ok(()) => Ok(result::SUCCESS),
            Err(Fault::Refused { code, .. }) => Ok(code),
            Err(fault) => Err(Refused::new(result::FAIL, format!("--socket-ctrl: {fault}"))),
        }
    }

    fn remote_code(&self, run: impl FnOnce(&mut Control) -> Result<(), Fault>) -> u32 {
        self.remote(run).unwrap_or_else(|refused| {
            say!("{}", refused.why);
            refused.code
        })
    }

    /// Removes what the guest left in these ranges of handles.
    fn flush(&mut self, ranges: &[u32]) -> Result<(), Refused> {
        for range in ranges {
            let handles = probe::handles(&mut self.device, *range);
            let flushed = handles.and_then(|handles| {
                let left = handles.into_iter().filter(|handle| !self.before.contains(handle));
                left.into_iter().try_for_each(|handle| probe::flush(&mut self.device, handle))
            });
            flushed.map_err(|why| {
                self.broken = true;
                let name = self.device.name();
                Refused::new(result::FAIL, format!("{name}: cannot remove what the guest left in the TPM: {why}"))
            })?;
        }
        Ok(())
    }

    /// Objects and sessions do not outlive a reset.
    fn leave(&mut self) -> Result<(), Refused> {
        if self.used && !self.broken {
            self.flush(&[probe::TRANSIENT, probe::LOADED_SESSIONS])?;
            self.used = false;
        }
        Ok(())
    }

    /// TPM2_Startup of a device that runs already.
    fn startup(&mut self, command: &[u8]) -> u32 {
        let Power::On { resume } = self.power else { return TPM_RC_INITIALIZE };
        match command.get(10..) {
            Some([0, 0]) => {
                // Contexts of sessions survive only a resume.
                if let Err(refused) = self.flush(&[probe::SAVED_SESSIONS]) {
                    say!("{}", refused.why);
                    return TPM_RC_FAILURE;
                }
            }
            Some([0, 1]) if resume => {}
            Some([_, _]) => return TPM_RC_VALUE_1,
            _ => return TPM_RC_COMMAND_SIZE,
        }
        self.power = Power::Started;
        0
    }

    fn shutdown(&mut self, command: &[u8]) -> u32 {
        match command.get(10..) {
            Some([0, kind @ (0 | 1)]) => {
                self.shut_down = *kind == 1;
                0
            }
            Some([_, _]) => TPM_RC_VALUE_1,
            _ => TPM_RC_COMMAND_SIZE,
        }
    }

    /// Tells a remote TPM the locality of the next command.
    fn move_to(&mut self, locality: u8) -> Result<(), Fault> {
        if let (Some(remote), true) = (&self.remote, self.locality != locality) {
            lock(remote).set_locality(locality)?;
            self.locality = locality;
        }
        Ok(())
    }

    fn pass(&mut self, locality: u8, command: &[u8], response: &mut [u8]) -> usize {
        self.used = true;
        let answer = self.move_to(locality).and_then(|()| self.device.transmit(command));
        match answer {
            Ok(answer) if answer.len() <= response.len() => put(response, &answer),
            Ok(_) => code(response, TPM_RC_FAILURE),
            Err(fault) => {
                self.broken = true;
                say!("{}: the TPM failed: {fault}. The guest gets errors until the VM is reset", self.device.name());
                code(response, TPM_RC_FAILURE)
            }
        }
    }
}

impl Served for Passthrough {
    fn capabilities(&self) -> u32 {
        CAPABILITIES | if self.remote.is_some() { capability::HASHING } else { 0 }
    }

    fn describe(&self) -> Describe {
        let facts = self.facts.clone();
        Box::new(move |flags| facts.json(flags))
    }

    fn highest_locality(&self) -> u8 {
        // The kernel's driver speaks at locality 0.
        if self.remote.is_some() { 4 } else { 0 }
    }

    fn canceller(&self) -> Option<Canceller> {
        if let Some(remote) = self.remote.clone() {
            return Some(Box::new(move || match lock(&remote).cancel() {
                Ok(()) => true,
                Err(fault) => {
                    say!("--socket-ctrl: {fault}");
                    false
                }
            }));
        }
        let path = self.cancel_path.clone()?;
        Some(Box::new(move || {
            let written = std::fs::OpenOptions::new().write(true).open(&path).and_then(|mut file| file.write_all(b"-"));
            written.map_err(|e| say!("--cancel-path: cannot write to {}: {e}", path.display())).is_ok()
        }))
    }

    fn fails_closed(&self) -> bool {
        true
    }

    fn needs(&self) -> Needs {
        let port = match self.device.address() {
            Some(Address::Tcp { port, .. }) => Some(*port),
            _ => None,
        };
        Needs { files: self.cancel_path.iter().cloned().collect(), connects: self.device.address().is_some(), port }
    }

    fn init(&mut self, _delete_volatile: bool) -> Result<(), Refused> {
        if self.broken {
            if let Err(fault) = self.device.recover() {
                let name = self.device.name();
                return Err(Refused::new(result::FAIL, format!("{name}: the TPM is still unusable: {fault}")));
            }
            self.broken = false;
        }
        if self.remote.is_some() {
            match self.remote(|control| control.init(false))? {
                result::SUCCESS => {}
                code => return Err(Refused::new(code, format!("--socket-ctrl: INIT had the result 0x{code:x}"))),
            }
            self.power = Power::Started;
        } else {
            self.leave()?;
            self.power = Power::On { resume: self.shut_down };
        }
        self.shut_down = false;
        self.told.clear();
        self.refresh_established();
        Ok(())
    }

    fn stop(&mut self) -> u32 {
        let code = if self.remote.is_some() {
            self.remote_code(Control::stop)
        } else {
            self.leave().map_or_else(
                |refused| {
                    say!("{}", refused.why);
                    refused.code
                },
                |()| result::SUCCESS,
            )
        };
        self.power = Power::Off;
        code
    }

    fn is_running(&self) -> bool {
        self.power != Power::Off
    }

    fn has_keys(&self) -> (bool, bool) {
        (false, false)
    }

    fn wipe(&mut self) {}

    fn lock_storage(&mut self, _retries: u32) -> Result<(), Refused> {
        Err(Refused::new(result::FAIL, NO_STATE))
    }

    fn relock(&mut self) -> Result<(), Refused> {
        Ok(())
    }

    fn execute(&mut self, locality: u8, command: &[u8], response: &mut [u8]) -> usize {
        let header: Option<(&[u8; 10], _)> = command.split_first_chunk();
        let Some(([t0, t1, s0, s1, s2, s3, c0, c1, c2, c3], _)) = header else {
            return code(response, TPM_RC_COMMAND_SIZE);
        };
        let size = usize::try_from(u32::from_be_bytes([*s0, *s1, *s2, *s3])).unwrap_or(usize::MAX);
        let number = u32::from_be_bytes([*c0, *c1, *c2, *c3]);
        let largest = usize::try_from(self.facts.max_command()).unwrap_or(4096);
        if self.power == Power::Off || self.broken {
            return code(response, TPM_RC_FAILURE);
        }
        if !matches!((t0, t1), (0x80, 0x01 | 0x02)) {
            return code(response, TPM_RC_BAD_TAG);
        }
        if size != command.len() || size > largest {
            return code(response, TPM_RC_COMMAND_SIZE);
        }
        if locality > self.highest_locality() {
            return code(response, TPM_RC_LOCALITY);
        }
        // A remote TPM that is ours to reset has its own Startup and Shutdown.
        let managed = self.remote.is_none();
        if managed && number == STARTUP {
            let answer = self.startup(command);
            return code(response, answer);
        }
        if managed && self.power != Power::Started {
            return code(response, TPM_RC_INITIALIZE);
        }
        if managed && number == SHUTDOWN {
            let answer = self.shutdown(command);
            return code(response, answer);
        }
        self.shut_down = false;
        if !managed && matches!(number, STARTUP | SHUTDOWN) {
            return self.pass(locality, command, response);
        }
        match self.policy.decide(number, command) {
            Verdict::Pass => self.pass(locality, command, response),
            Verdict::Success { session } => {
                trace!(1, "command 0x{number:x} of the guest was answered without the device");
                success(response, session)
            }
            Verdict::Refuse(why) => {
                if self.told.len() < MAX_TOLD && self.told.insert(number) {
                    say!("a command of the guest was not passed on: {why}");
                }
                code(response, TPM_RC_DISABLED)
            }
        }
    }

    fn established(&self) -> bool {
        self.established
    }

    fn reset_established(&mut self, locality: u8) -> u32 {
        let code = match &self.remote {
            Some(_) => self.remote_code(|control| control.reset_established(locality)),
            // The bit of a device is not ours to see; for the guest it is never set.
            None if matches!(locality, 3 | 4) => result::SUCCESS,
            None => result::BAD_LOCALITY,
        };
        self.refresh_established();
        code
    }

    fn hash_start(&mut self) -> u32 {
        self.remote_code(Control::hash_start)
    }

    fn hash_data(&mut self, data: &[u8]) -> u32 {
        self.remote_code(|control| control.hash_data(data))
    }

    fn hash_end(&mut self) -> u32 {
        let code = self.remote_code(Control::hash_end);
        self.refresh_established();
        code
    }

    fn buffer_size(&mut self, wanted: u32) -> (u32, u32, u32) {
        // The device has the buffer that it has; commands up to the size that the VM chose fit into it.
        let max = self.facts.max_command();
        let size = if wanted == 0 { max } else { wanted.clamp(1024, max) };
        (size, 1024, max)
    }

    fn store_volatile(&mut self) -> Result<(), Refused> {
        Err(Refused::new(result::BAD_ORDINAL, NO_STATE))
    }

    fn state_blob(&mut self, _blob_type: u32, _decrypted: bool) -> Result<(Vec<u8>, bool), Refused> {
        say!("{NO_STATE}");
        Err(Refused::new(result::BAD_ORDINAL, NO_STATE))
    }

    fn set_state_blob(&mut self, _blob_type: u32, _blob: &[u8]) -> Result<(), Refused> {
        Err(Refused::new(result::BAD_ORDINAL, NO_STATE))
    }
}

impl Passthrough {
    /// Asks a remote TPM for its tpmEstablished bit.
    fn refresh_established(&mut self) {
        let Some(remote) = &self.remote else { return };
        match lock(remote).established() {
            Ok(bit) => self.established = bit,
            Err(fault) => say!("--socket-ctrl: {fault}"),
        }
    }
}

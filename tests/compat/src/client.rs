//! Commands with password authorizations, and a record of the answers.

use sealwright_differential::daemon::Machine;
use sealwright_differential::session::password;
use sealwright_differential::tpm::{Call, marshal};
use sealwright_differential::wire::{In, Out};

/// What one TPM answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What was asked.
    pub label: String,
    /// The whole response, or what may be compared of it.
    pub response: Vec<u8>,
}

/// A TPM that is asked.
#[derive(Debug)]
pub struct Client<'a> {
    /// The daemon or the engine.
    pub machine: &'a mut dyn Machine,
    /// Everything answered so far.
    pub answers: Vec<Answer>,
}

/// A response, taken apart.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// TPM_RC.
    pub rc: u32,
    /// Everything after the header, and after the handle and the parameter size where they are.
    pub parameters: Vec<u8>,
    /// The handle of commands that give one.
    pub handle: u32,
}

impl Reply {
    /// The `n`th TPM2B of the parameters.
    pub fn sized(&self, n: usize) -> Vec<u8> {
        let mut input = In(&self.parameters);
        (0..n).for_each(|_| {
            input.sized();
        });
        input.sized().unwrap_or_default().to_vec()
    }
}

/// Commands whose response has a handle.
const WITH_HANDLE: &[&str] = &[
    "CreatePrimary",
    "Load",
    "LoadExternal",
    "ContextLoad",
    "StartAuthSession",
    "HashSequenceStart",
    "MAC_Start",
    "CreateLoaded",
];

impl<'a> Client<'a> {
    /// A client of this TPM.
    pub fn new(machine: &'a mut dyn Machine) -> Self {
        Self { machine, answers: Vec::new() }
    }

    /// Sends one command. `keep` says how many bytes of the response are compared (from the front; all if `None`).
    pub fn send(
        &mut self,
        label: &str,
        name: &'static str,
        handles: &[u32],
        auths: &[&[u8]],
        parameters: Out,
        keep: Option<usize>,
    ) -> Reply {
        let uses = auths.iter().map(|auth| password(auth)).collect();
        self.call(label, &Call { name, handles: handles.to_vec(), uses, parameters: parameters.0 }, keep)
    }

    /// The answer to a command, which is sent again as long as the TPM asks for it (TPM_RC_RETRY).
    fn execute(&mut self, label: &str, command: &[u8]) -> Vec<u8> {
        for _ in 0..10 {
            let response = self.machine.execute(command).unwrap_or_else(|e| panic!("{label}: {e}"));
            if response.get(6..10) != Some(&[0, 0, 0x09, 0x22]) {
                return response;
            }
        }
        panic!("{label}: the TPM asks to retry without end");
    }

    /// The same with any sessions, which must need no HMAC.
    pub fn call(&mut self, label: &str, call: &Call, keep: Option<usize>) -> Reply {
        let response = self.execute(label, &marshal(call));
        let mut input = In(response.get(2..).unwrap_or(&[]));
        let (_, rc) = (input.u32(), input.u32().unwrap_or(u32::MAX));
        let mut reply = Reply { rc, ..Reply::default() };
        if rc == 0 && WITH_HANDLE.contains(&call.name) {
            reply.handle = input.u32().unwrap_or(0);
        }
        if rc == 0 && !call.uses.is_empty() {
            let size = input.u32().unwrap_or(0) as usize;
            reply.parameters = input.raw(size).unwrap_or(&[]).to_vec();
        } else {
            reply.parameters = input.0.to_vec();
        }
        let mut kept = response;
        if rc == 0 && WITH_HANDLE.contains(&call.name) {
            // libtpms needs a slot for a persistent parent while it works, so the next free one may be another.
            kept.iter_mut().skip(10).take(4).for_each(|byte| *byte = 0);
        }
        kept.truncate(keep.unwrap_or(usize::MAX));
        self.answers.push(Answer { label: format!("{label} ({})", call.name), response: kept });
        reply
    }

    /// A command whose whole response is compared.
    pub fn ask(&mut self, label: &str, name: &'static str, handles: &[u32], auths: &[&[u8]], parameters: Out) -> Reply {
        self.send(label, name, handles, auths, parameters, None)
    }

    /// A command of whose response only the code counts.
    pub fn only_code(
        &mut self,
        label: &str,
        name: &'static str,
        handles: &[u32],
        auths: &[&[u8]],
        parameters: Out,
    ) -> Reply {
        self.send(label, name, handles, auths, parameters, Some(10))
    }

    /// A command that must succeed.
    pub fn must(
        &mut self,
        label: &str,
        name: &'static str,
        handles: &[u32],
        auths: &[&[u8]],
        parameters: Out,
    ) -> Reply {
        let reply = self.send(label, name, handles, auths, parameters, Some(10));
        assert_eq!(reply.rc, 0, "{label} ({name}): {:#x}", reply.rc);
        reply
    }

    /// TPM2_Startup(CLEAR or STATE).
    pub fn startup(&mut self, state: bool) {
        self.must("startup", "Startup", &[], &[], Out::new().u16(u16::from(state)));
    }

    /// TPM2_FlushContext.
    pub fn flush(&mut self, handle: u32) {
        if handle != 0 {
            self.only_code("flush", "FlushContext", &[], &[], Out::new().u32(handle));
        }
    }
}

/// What two TPMs answered differently, as text; empty if nothing.
pub fn differences(left: &[Answer], right: &[Answer], allowed: &[&str]) -> Vec<String> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut found = Vec::new();
    if left.len() != right.len() {
        found.push(format!("{} answers and {}", left.len(), right.len()));
    }
    for (l, r) in left.iter().zip(right) {
        if l != r && !allowed.iter().any(|label| l.label.starts_with(label)) {
            found.push(format!("{}:\n  left  {}\n  right {}", l.label, hex(&l.response), hex(&r.response)));
        }
    }
    found
}

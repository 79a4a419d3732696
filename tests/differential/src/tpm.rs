//! A TPM with a client's memory: sessions, authorization values, and a record of everything sent and answered.

use crate::codes::*;
use crate::crypto::{self, Symmetric};
use crate::daemon::{Daemon, Machine};
use crate::describe::{self, Field};
use crate::meeting::Peer;
use crate::session::{self, PolicyAuth, Session, Use};
use crate::table;
use crate::wire::{In, Out, Random};
use std::collections::{BTreeMap, BTreeSet};

/// One command and its answer, as it is compared.
#[derive(Clone, Debug)]
pub struct Step {
    /// What the scenario wanted to try.
    pub label: String,
    /// TPM_CC as sent (0 for control operations).
    pub code: u32,
    /// The bytes sent.
    pub command: Vec<u8>,
    /// The parameters as they were before a session encrypted the first of them.
    pub parameters: Vec<u8>,
    /// The bytes answered.
    pub response: Vec<u8>,
    /// The response code, or the result of a control operation.
    pub rc: u32,
    /// The response's fields; random contents are masked.
    pub fields: Vec<Field>,
    /// What the client found wrong by itself (HMACs, names, signatures).
    pub faults: Vec<String>,
}

/// The answer as a scenario uses it.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// TPM_RC.
    pub rc: u32,
    /// The handle, if the command gives one.
    pub handle: u32,
    /// Decrypted response parameters.
    pub parameters: Vec<u8>,
}

impl Reply {
    /// The `n`th TPM2B of the parameters, if they begin with so many of them.
    pub fn sized(&self, n: usize) -> Vec<u8> {
        let mut input = In(&self.parameters);
        for _ in 0..n {
            input.sized();
        }
        input.sized().unwrap_or_default().to_vec()
    }
}

/// A command before its sessions are computed.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Name in Part 3 without `TPM2_`.
    pub name: &'static str,
    /// Handle area.
    pub handles: Vec<u32>,
    /// Authorizations for the first handles, then extra sessions.
    pub uses: Vec<Use>,
    /// Parameters, not encrypted.
    pub parameters: Vec<u8>,
}

/// The bytes of a command whose authorizations are all passwords.
pub fn marshal(call: &Call) -> Vec<u8> {
    let mut body = call.handles.iter().fold(Out::new(), |b, h| b.u32(*h));
    if !call.uses.is_empty() {
        let area =
            call.uses.iter().fold(Out::new(), |a, u| a.u32(u.session).sized(&[]).u8(u.attributes).sized(&u.auth));
        body = body.u32(area.0.len() as u32).raw(&area.0);
    }
    let tag = if call.uses.is_empty() { ST_NO_SESSIONS } else { ST_SESSIONS };
    let size = body.0.len() + call.parameters.len() + 10;
    Out::new().u16(tag).u32(size as u32).u32(table::code(call.name)).raw(&body.0).raw(&call.parameters).0
}

/// True if a session of the command has the attribute `encrypt`.
fn answer_is_encrypted(command: &[u8], code: u32) -> bool {
    let handles = table::commands().get(&code).map_or(0, |c| c.handles.len());
    let mut input = In(command.get(10 + 4 * handles..).unwrap_or(&[]));
    if !command.starts_with(&ST_SESSIONS.to_be_bytes()) {
        return false;
    }
    let size = input.u32().unwrap_or(0) as usize;
    let mut area = In(input.raw(size).unwrap_or(&[]));
    while let (Some(_), Some(_), Some(attributes), Some(_)) = (area.u32(), area.sized(), area.u8(), area.sized()) {
        if attributes & 0x40 != 0 {
            return true;
        }
    }
    false
}

/// A daemon, and what a client knows about its TPM.
#[derive(Debug)]
pub struct Tpm {
    /// The daemon, or an engine.
    pub daemon: Box<dyn Machine>,
    /// Open sessions.
    pub sessions: BTreeMap<u32, Session>,
    /// Caller nonces and random choices: the same on both sides.
    pub random: Random,
    /// The record.
    pub steps: Vec<Step>,
    /// Handles whose public areas do not depend on this TPM's seeds or entropy.
    pub fixed: BTreeSet<u32>,
    /// Policy sessions whose digest holds the name of a key that this TPM made, by a mutated copy.
    pub tainted: BTreeSet<u32>,
    /// Mutated copies sent before each command.
    pub mutations: usize,
    /// The generator of mutations.
    pub mutator: Random,
    /// Keeps no record: for long runs.
    pub forgetful: bool,
    /// Why the connection was lost, once it is.
    pub lost: Option<String>,
    /// The player of the same script on another TPM.
    pub peer: Option<Peer>,
}

impl Tpm {
    /// Starts a daemon on a fresh state with power, not yet started up.
    pub fn start(command: &str, seed: u64) -> std::io::Result<Self> {
        Self::on(Box::new(Daemon::start(command)?), seed)
    }

    /// Powers any machine on.
    pub fn on(mut daemon: Box<dyn Machine>, seed: u64) -> std::io::Result<Self> {
        daemon.power_on()?;
        Ok(Self {
            daemon,
            sessions: BTreeMap::new(),
            random: Random(seed),
            steps: Vec::new(),
            fixed: BTreeSet::new(),
            tainted: BTreeSet::new(),
            mutations: 0,
            mutator: Random(seed ^ 0x5EA1),
            forgetful: false,
            lost: None,
            peer: None,
        })
    }

    /// A command with everything computed, recorded under `label`.
    pub fn call(&mut self, label: &str, call: Call) -> Reply {
        let code = table::code(call.name);
        let mut parameters = call.parameters.clone();
        let mut command = Out::new();
        let mut pending = None;
        if call.uses.is_empty() {
            for handle in &call.handles {
                command = command.u32(*handle);
            }
            command = command.raw(&parameters);
        } else {
            let by_session = call.uses.iter().any(|u| self.sessions.contains_key(&u.session));
            let names: Vec<Vec<u8>> =
                call.handles.iter().map(|h| if by_session { self.name(*h) } else { Vec::new() }).collect();
            let authorized = table::commands()[&code].authorizations();
            let random = &mut self.random;
            let (area, p) =
                session::authorize(&self.sessions, code, &names, authorized, &call.uses, &mut parameters, |n| {
                    random.bytes(n)
                });
            for handle in &call.handles {
                command = command.u32(*handle);
            }
            command = command.u32(area.len() as u32).raw(&area).raw(&parameters);
            let mut p = p;
            match call.name {
                // The response's HMAC is made with the authValue that the command set.
                "HierarchyChangeAuth" | "NV_ChangeAuth" => p.set_auth(In(&call.parameters).sized().unwrap_or_default()),
                "Clear" => p.set_auth(&[]),
                _ => {}
            }
            pending = Some(p);
        }
        let tag = if call.uses.is_empty() { ST_NO_SESSIONS } else { ST_SESSIONS };
        let bytes = Out::new().u16(tag).u32(command.0.len() as u32 + 10).u32(code).raw(&command.0).0;
        let reply = self.recorded(label, bytes, pending, &call.handles);
        if let Some(step) = self.steps.last_mut() {
            step.parameters = call.parameters;
        }
        reply
    }

    /// Any bytes, recorded under `label`.
    pub fn raw(&mut self, label: &str, bytes: Vec<u8>) -> Reply {
        self.recorded(label, bytes, None, &[])
    }

    /// Bytes in pieces on a data channel that is opened anew afterwards; all that was answered is one field.
    pub fn pieces(&mut self, label: &str, pieces: &[&[u8]]) {
        let response = self.daemon.send_pieces(pieces).unwrap_or_default();
        let rc = In(response.get(6..).unwrap_or(&[])).u32().unwrap_or(u32::MAX);
        let fields = vec![("answer".into(), crate::wire::hex(&response))];
        let command = pieces.concat();
        let code = In(command.get(6..).unwrap_or(&[])).u32().unwrap_or(0);
        self.steps.push(Step {
            label: label.into(),
            code,
            command,
            parameters: Vec::new(),
            response,
            rc,
            fields,
            faults: Vec::new(),
        });
        if let Some(peer) = &self.peer {
            // Both may go on: what they answered does not matter to the script.
            let _ = peer.agree(label, rc);
        }
    }

    /// A command that is not recorded. Gives the whole response; empty if the daemon is gone.
    pub fn quiet(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.lost.is_some() {
            return Vec::new();
        }
        for _ in 0..10 {
            match self.daemon.execute(bytes) {
                // TPM_RC_RETRY and TPM_RC_TESTING ask to send the same again.
                Ok(r) if matches!(In(r.get(6..).unwrap_or(&[])).u32(), Some(0x922 | 0x90A)) => continue,
                Ok(r) => return r,
                Err(e) => {
                    self.lost = Some(e.to_string());
                    return Vec::new();
                }
            }
        }
        Vec::new()
    }

    fn recorded(&mut self, label: &str, bytes: Vec<u8>, pending: Option<session::Pending>, handles: &[u32]) -> Reply {
        let before = self.mutations;
        // What it compares is the time: a changed copy may hold on one side only.
        let by_time = bytes.get(6..10) == Some(&table::code("PolicyCounterTimer").to_be_bytes()[..]);
        for n in 0..if by_time { 0 } else { before } {
            let mut mutated = crate::mutate::mutate(&bytes, &mut self.mutator);
            if mutated == bytes {
                // Sent twice, a command with an HMAC would use up the nonce of the real one.
                if let Some(tag) = mutated.first_mut() {
                    *tag ^= 0xFF;
                }
            }
            self.mutations = 0;
            let reply = self.recorded(&format!("{label} / mutation {n}"), mutated.clone(), None, &[]);
            if reply.rc == 0 {
                self.taint(&mutated);
            }
            if reply.rc == 0 && reply.handle != 0 {
                self.quiet(&Out::new().u16(ST_NO_SESSIONS).u32(14).u32(0x165).u32(reply.handle).0);
            }
            self.mutations = before;
        }
        let response = self.quiet(&bytes);
        let code = In(bytes.get(6..).unwrap_or(&[])).u32().unwrap_or(0);
        let mut input = In(&response);
        let (tag, _, rc) = (input.u16().unwrap_or(0), input.u32(), input.u32().unwrap_or(u32::MAX));
        let mut reply = Reply { rc, ..Reply::default() };
        let mut faults = Vec::new();
        if rc == 0 {
            if table::commands().get(&code).is_some_and(|c| c.response_handle) {
                reply.handle = input.u32().unwrap_or(0);
            }
            if tag == ST_SESSIONS {
                let size = input.u32().unwrap_or(0) as usize;
                match input.raw(size) {
                    Some(p) => reply.parameters = p.to_vec(),
                    None => faults.push("parameterSize is larger than the response".into()),
                }
                if let Some(p) = &pending {
                    let found = session::check(&mut self.sessions, p, code, &mut reply.parameters, input.0);
                    faults.extend(found);
                }
            } else {
                reply.parameters = input.0.to_vec();
            }
            if (tag == ST_SESSIONS) != bytes.starts_with(&ST_SESSIONS.to_be_bytes()) {
                faults.push(format!("response tag {tag:#06x} is not the command's"));
            }
        } else if response.len() != 10 {
            faults.push(format!("an error response has {} bytes", response.len()));
        }
        let session = In(bytes.get(10..).unwrap_or(&[])).u32().unwrap_or(0);
        if rc == 0 && code == table::code("PolicyRestart") {
            self.tainted.remove(&session);
        } else if rc == 0 && code == table::code("StartAuthSession") {
            self.tainted.remove(&reply.handle);
        }
        let fixed = handles.first().is_some_and(|h| self.fixed.contains(h));
        let mut fields = Vec::new();
        if rc == 0 && pending.is_none() && answer_is_encrypted(&bytes, code) {
            // A mutated copy asked for it; its answer cannot be read.
            fields.push(("encrypted".into(), format!("{} bytes", reply.parameters.len())));
        } else if rc == 0 {
            fields = describe::response(code, &reply, fixed, &mut faults);
        }
        if code == table::code("PolicyGetDigest") && self.tainted.contains(&session) {
            fields.iter_mut().for_each(|(_, value)| *value = format!("<{} bytes>", value.len() / 2));
        }
        if self.forgetful {
            self.steps.clear();
        }
        if self.lost.is_none() || self.steps.last().is_none_or(|s| s.rc != u32::MAX) {
            let parameters = Vec::new();
            let command = bytes.clone();
            self.steps.push(Step { label: label.into(), code, command, parameters, response, rc, fields, faults });
        }
        self.agreed(label, code, &bytes, reply)
    }

    /// Remembers that a mutated copy may have put the name of a key of this TPM into a policy.
    fn taint(&mut self, mutated: &[u8]) {
        let mut input = In(mutated.get(6..).unwrap_or(&[]));
        let (code, first, second) = (input.u32().unwrap_or(0), input.u32().unwrap_or(0), input.u32().unwrap_or(0));
        if table::name(code).starts_with("Policy") && matches!(first >> 24, 0x80 | 0x81) {
            self.tainted.insert(second);
        }
    }

    /// The reply that the script goes on with: if the other side's TPM refused what this one did, it is undone here as
    /// far as it can be, and is a refusal here too.
    fn agreed(&mut self, label: &str, code: u32, sent: &[u8], reply: Reply) -> Reply {
        let Some(peer) = &self.peer else { return reply };
        let Some(other) = peer.agree(label, reply.rc) else {
            self.peer = None;
            return reply;
        };
        if other == reply.rc {
            return reply;
        }
        if reply.rc == 0 {
            self.undo(code, sent, reply.handle);
        }
        Reply { rc: other.max(reply.rc), ..Reply::default() }
    }

    /// Takes back what a command made.
    fn undo(&mut self, code: u32, sent: &[u8], handle: u32) {
        let with_password = |code: u32, handles: &[u32], rest: Out| {
            let call = Call {
                name: "Clear",
                handles: handles.to_vec(),
                uses: vec![session::password(b"")],
                parameters: rest.0,
            };
            let mut bytes = marshal(&call);
            bytes.splice(6..10, code.to_be_bytes());
            bytes
        };
        if handle != 0 {
            self.quiet(&Out::new().u16(ST_NO_SESSIONS).u32(14).u32(0x165).u32(handle).0);
        }
        match table::name(code).as_str() {
            name @ ("NV_DefineSpace" | "NV_DefineSpace2") => {
                // The index is in the public area: after the authorization area, the authValue and a size.
                let mut input = In(sent.get(10..).unwrap_or(&[]));
                let owner = input.u32().unwrap_or(0);
                let area = input.u32().unwrap_or(0) as usize;
                let before = if name == "NV_DefineSpace" { 2 } else { 3 };
                if input.raw(area).is_some() && input.sized().is_some() && input.raw(before).is_some() {
                    let index = input.u32().unwrap_or(0);
                    self.quiet(&with_password(0x122, &[owner, index], Out::new()));
                }
            }
            "ReadOnlyControl" => drop(self.quiet(&with_password(code, &[RH_PLATFORM], Out::new().u8(0)))),
            _ => {}
        }
    }

    /// Adds a fault to the last step, for checks that a scenario makes itself.
    pub fn expect(&mut self, holds: bool, what: &str) {
        if !holds && let Some(step) = self.steps.last_mut() {
            step.faults.push(what.into());
        }
    }

    /// Records the result of a control-channel operation.
    pub fn control(&mut self, label: &str, operation: impl FnOnce(&mut dyn Machine) -> std::io::Result<u32>) {
        let rc = operation(self.daemon.as_mut()).unwrap_or(u32::MAX);
        self.steps.push(Step {
            label: label.into(),
            code: 0,
            command: Vec::new(),
            parameters: Vec::new(),
            response: Vec::new(),
            rc,
            fields: Vec::new(),
            faults: Vec::new(),
        });
    }

    /// Power cycle by PTM_INIT without PTM_STOP: no orderly shutdown is added by this client.
    pub fn power_cycle(&mut self) {
        self.sessions.clear();
        self.control("power cycle", |d| d.power_on());
    }

    /// A command with password authorizations only.
    pub fn plain(
        &mut self,
        label: &str,
        name: &'static str,
        handles: &[u32],
        auths: &[&[u8]],
        parameters: Out,
    ) -> Reply {
        let uses = auths.iter().map(|a| session::password(a)).collect();
        self.call(label, Call { name, handles: handles.to_vec(), uses, parameters: parameters.0 })
    }

    /// A command with sessions.
    pub fn authorized(
        &mut self,
        label: &str,
        name: &'static str,
        handles: &[u32],
        uses: &[Use],
        parameters: Out,
    ) -> Reply {
        self.call(label, Call { name, handles: handles.to_vec(), uses: uses.to_vec(), parameters: parameters.0 })
    }

    /// TPM2_Startup(CLEAR).
    pub fn startup(&mut self) {
        self.plain("startup", "Startup", &[], &[], Out::new().u16(0));
    }

    /// TPM2_FlushContext.
    pub fn flush(&mut self, handle: u32) {
        self.sessions.remove(&handle);
        self.fixed.remove(&handle);
        self.plain("flush", "FlushContext", &[], &[], Out::new().u32(handle));
    }

    /// The Name of an entity, asked from the TPM without recording.
    pub fn name(&mut self, handle: u32) -> Vec<u8> {
        let (code, skip) = match handle >> 24 {
            0x01 => (0x169, 1),
            0x80 | 0x81 => (0x173, 1),
            _ => return handle.to_be_bytes().to_vec(),
        };
        let response = self.quiet(&Out::new().u16(ST_NO_SESSIONS).u32(14).u32(code).u32(handle).0);
        Reply { parameters: response.get(10..).unwrap_or(&[]).to_vec(), ..Reply::default() }.sized(skip)
    }

    /// The public area (TPMT_PUBLIC) of an object, asked without recording.
    pub fn public(&mut self, handle: u32) -> Vec<u8> {
        let response = self.quiet(&Out::new().u16(ST_NO_SESSIONS).u32(14).u32(0x173).u32(handle).0);
        Reply { parameters: response.get(10..).unwrap_or(&[]).to_vec(), ..Reply::default() }.sized(0)
    }

    /// TPM2_StartAuthSession without salt, bound or not, and the session's memory.
    pub fn session(
        &mut self,
        label: &str,
        kind: u8,
        hash: u16,
        symmetric: Symmetric,
        bind: Option<(u32, &[u8])>,
    ) -> u32 {
        self.session_salted(label, kind, hash, symmetric, bind, RH_NULL, &[], &[])
    }

    /// TPM2_StartAuthSession with a salt that was already encrypted to `key`.
    #[expect(clippy::too_many_arguments, reason = "the parameters of TPM2_StartAuthSession")]
    pub fn session_salted(
        &mut self,
        label: &str,
        kind: u8,
        hash: u16,
        symmetric: Symmetric,
        bind: Option<(u32, &[u8])>,
        key: u32,
        encrypted_salt: &[u8],
        salt: &[u8],
    ) -> u32 {
        let nonce = self.random.bytes(digest_size(hash).max(16));
        let mut p = Out::new().sized(&nonce).sized(encrypted_salt).u8(kind);
        p = match symmetric {
            Symmetric::Null => p.u16(NULL),
            Symmetric::Aes(bits) => p.u16(AES).u16(bits).u16(CFB),
            Symmetric::Xor(h) => p.u16(XOR).u16(h),
        };
        let p = p.u16(hash);
        let entity = bind.map_or(RH_NULL, |b| b.0);
        let reply = self.plain(label, "StartAuthSession", &[key, entity], &[], p);
        if reply.rc != 0 {
            return 0;
        }
        let nonce_tpm = reply.sized(0);
        let auth = bind.map_or(&[][..], |b| b.1);
        let secret = [auth, salt].concat();
        let keyed = bind.is_some() || key != RH_NULL;
        let session_key = if keyed {
            crypto::kdfa(hash, &secret, "ATH", &nonce_tpm, &nonce, digest_size(hash) * 8)
        } else {
            Vec::new()
        };
        let bound = bind.map(|(h, auth)| (self.name(h), auth.to_vec()));
        self.sessions.insert(
            reply.handle,
            Session {
                hash,
                symmetric,
                key: session_key,
                nonce_tpm,
                policy: kind != SE_HMAC,
                bound,
                policy_auth: PolicyAuth::None,
            },
        );
        reply.handle
    }

    /// Says that a policy session now needs the authValue, as HMAC key or in the clear.
    pub fn policy_auth(&mut self, session: u32, auth: PolicyAuth) {
        if let Some(s) = self.sessions.get_mut(&session) {
            s.policy_auth = auth;
        }
    }
}

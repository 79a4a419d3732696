//! From command bytes to response bytes (Part 3, 5; Part 4, ExecCommand.c): header, handles, authorization area, the
//! command itself, the answer, and the commit of what it changed.

mod audit;
mod authorize;
mod handles;
mod hmac;
mod parameters;
mod response;
mod sessions;

use crate::commands::TABLE;
use crate::engine::Tpm2;
use crate::session::{CommandSessions, Penalty};
use crate::state::{OrderlyState, State};
use crate::structures::st;
use crate::table::Entry;
use crate::tpm::Tpm;
use alloc::sync::Arc;
use sealwright_core::{Fault, Platform, PlatformFault, Reader, Wire, Writer};

/// Codes that the dispatcher itself must know.
mod code {
    pub(super) const POLICY_SECRET: u32 = 0x151;
    pub(super) const STARTUP: u32 = 0x144;
    pub(super) const SHUTDOWN: u32 = 0x145;
    pub(super) const EVICT_CONTROL: u32 = 0x120;
    pub(super) const GET_CAPABILITY: u32 = 0x17A;
    pub(super) const GET_TEST_RESULT: u32 = 0x17C;
}

/// Commands that are refused whole in read-only mode (Part 3, ReadOnlyControl); some others look at it themselves.
const REFUSED_READ_ONLY: &[u32] = &[
    0x11F, 0x120, 0x121, 0x122, 0x124, 0x125, 0x126, 0x127, 0x128, 0x129, 0x12A, 0x12B, 0x12C, 0x12D, 0x12E, 0x130,
    0x131, 0x132, 0x134, 0x13A, 0x13B, 0x13F, 0x140, 0x150, 0x153, 0x183, 0x191, 0x19D, 0x19F,
];

/// The row of a command.
fn find(code: u32) -> Option<&'static Entry> {
    TABLE.binary_search_by_key(&code, |entry| entry.spec.code).ok().and_then(|index| TABLE.get(index))
}

/// Runs a command and writes the answer; returns its length.
pub(crate) fn execute(
    engine: &mut Tpm2,
    platform: &mut dyn Platform,
    locality: u8,
    command: &[u8],
    response: &mut [u8],
) -> usize {
    // A sequence that was begun by _TPM_Hash_Start ends with the next command, whatever that is.
    engine.state.volatile.hash_sequence = None;
    let before = engine.state.clone();
    let mut penalty = Penalty::default();
    let result = perform(engine, platform, locality, command, response, &mut penalty);
    let result = result.and_then(|len| match save(engine, platform, &before) {
        Ok(()) => Ok(len),
        Err(_) => Err(Fault::NV_UNAVAILABLE),
    });
    match result {
        Ok(len) => len,
        Err(mut fault) => {
            let refused_from = core::mem::replace(&mut engine.state, before);
            if penalty.is_due() {
                fault = charge(engine, platform, locality, penalty, fault);
            }
            if refused_from.volatile.da_used
                && !engine.state.volatile.da_used
                && keep_da_used(engine, platform).is_err()
            {
                fault = Fault::NV_UNAVAILABLE;
            }
            engine.state.volatile.orderly &= refused_from.volatile.orderly;
            // A failed self-test stays failed.
            engine.state.volatile.failure = engine.state.volatile.failure.or(refused_from.volatile.failure);
            error_response(fault, command, response)
        }
    }
}

/// Commits the permanent state if a command changed it.
fn save(engine: &Tpm2, platform: &mut dyn Platform, before: &State) -> Result<(), PlatformFault> {
    if Arc::ptr_eq(&before.permanent, &engine.state.permanent) {
        return Ok(());
    }
    platform.commit(&crate::state::encode_permanent(&engine.state))
}

/// That a protected object was authorized is recorded even if the command failed afterwards: a power cut must not hide
/// the tries of this time.
fn keep_da_used(engine: &mut Tpm2, platform: &mut dyn Platform) -> Result<(), PlatformFault> {
    let before = engine.state.clone();
    engine.state.volatile.da_used = true;
    Arc::make_mut(&mut engine.state.permanent).orderly_state = OrderlyState::DaUsed;
    save(engine, platform, &before)
}

/// Counts authorizations on the state from before a command that failed. If it cannot be made durable it counts in
/// memory all the same, and nobody learns whether the guess was right.
fn charge(engine: &mut Tpm2, platform: &mut dyn Platform, locality: u8, penalty: Penalty, fault: Fault) -> Fault {
    let before = engine.state.clone();
    let mut tpm = Tpm {
        crypto: engine.crypto,
        platform: &mut *platform,
        state: &mut engine.state,
        locality,
        command: CommandSessions::default(),
    };
    // The state before the command is of an earlier time, and the failure counts from now.
    tpm.update_time();
    tpm.lockout_self_heal();
    if let Some(handle) = penalty.lockout {
        tpm.register_lockout_failure(handle);
    }
    for (pin, count) in penalty.pins {
        tpm.set_pin_count(pin, count);
    }
    match save(engine, platform, &before) {
        Ok(()) => fault,
        Err(_) => Fault::NV_UNAVAILABLE,
    }
}

/// Everything up to the commit. The answer is complete in `response` when this succeeds.
fn perform(
    engine: &mut Tpm2,
    platform: &mut dyn Platform,
    locality: u8,
    command: &[u8],
    response: &mut [u8],
    penalty: &mut Penalty,
) -> Result<usize, Fault> {
    let failed = engine.state.volatile.failure.is_some();
    let mut request = Reader::new(command);
    let tag = u16::read(&mut request)?;
    if !matches!(tag, st::NO_SESSIONS | st::SESSIONS) {
        return Err(Fault::BAD_TAG);
    }
    let size = u32::read(&mut request)?;
    if usize::try_from(size) != Ok(command.len()) || command.len() > crate::structures::MAX_COMMAND_SIZE {
        return Err(Fault::COMMAND_SIZE);
    }
    let code = u32::read(&mut request)?;
    if failed {
        let allowed = tag == st::NO_SESSIONS && matches!(code, code::GET_TEST_RESULT | code::GET_CAPABILITY);
        if !allowed {
            return Err(Fault::FAILURE);
        }
    }
    let limits = engine.state.permanent.profile.limits();
    let entry = find(code).filter(|_| limits.is_none_or(|limits| limits.command(code)));
    let entry = entry.ok_or(Fault::COMMAND_CODE)?;
    if engine.state.clear.read_only && REFUSED_READ_ONLY.contains(&code) {
        return Err(Fault::READ_ONLY);
    }
    if !failed && engine.state.volatile.started != (code != code::STARTUP) {
        return Err(Fault::INITIALIZE);
    }
    if engine.state.volatile.started && code != code::SHUTDOWN {
        engine.state.volatile.orderly = false;
    }
    let mut tpm = Tpm {
        crypto: engine.crypto,
        platform,
        state: &mut engine.state,
        locality,
        command: CommandSessions::new(code),
    };
    tpm.update_time();
    tpm.lockout_self_heal();
    let entered = Entered::of(tpm.state);
    let result = run(&mut tpm, entry, tag, request, response);
    *penalty = core::mem::take(&mut tpm.command.penalty);
    let len = result?;
    if !matches!(code, code::STARTUP | code::SHUTDOWN) && entered.differs(tpm.state) {
        tpm.clear_orderly();
    }
    Ok(len)
}

/// Handles, sessions, the command, and the answer.
fn run(
    tpm: &mut Tpm<'_>,
    entry: &'static Entry,
    tag: u16,
    mut request: Reader<'_>,
    response: &mut [u8],
) -> Result<usize, Fault> {
    let handles = handles::parse(tpm, entry, &mut request)?;
    handles::check_loaded(tpm)?;
    let with_sessions = tag == st::SESSIONS;
    let decrypted;
    let parameters = if with_sessions {
        sessions::parse(tpm, entry, &mut request)?;
        sessions::check(tpm, entry, request.rest())?;
        decrypted = parameters::decrypt(tpm, request.rest())?;
        decrypted.as_ref().map_or(request.rest(), |plain| plain.as_slice())
    } else {
        sessions::check_none(tpm, entry, request.rest())?;
        request.rest()
    };

    let mut out = Writer::new(response);
    out.bytes(&[0; 10])?;
    let handle_at = out.len();
    if entry.spec.response_handle {
        0u32.write(&mut out)?;
    }
    let size_at = out.len();
    if with_sessions {
        0u32.write(&mut out)?;
    }
    let parameters_at = out.len();
    let handle = (entry.run)(tpm, handles, parameters, &mut out)?;
    if entry.spec.response_handle {
        out.patch_u32(handle_at, handle.ok_or(Fault::FAILURE)?)?;
    }
    if with_sessions {
        let size = out.len().saturating_sub(parameters_at);
        out.patch_u32(size_at, u32::try_from(size).map_err(|_| Fault::FAILURE)?)?;
    }
    response::finish(tpm, entry, with_sessions, parameters_at, &mut out)?;
    let size = u32::try_from(out.len()).map_err(|_| Fault::FAILURE)?;
    out.patch_u16(0, tag)?;
    out.patch_u32(2, size)?;
    Ok(out.len())
}

/// Writes the ten bytes of an error.
///
/// Part 3, 5.2 gives the answer to an unknown tag the tag of a TPM 1.2. Firmware that tries whether this is one by sending
/// a command of TPM 1.2 (OVMF does on TIS) takes any answer with that tag for a yes, so there the tag is that of TPM 2.0,
/// as with libtpms.
fn error_response(fault: Fault, command: &[u8], response: &mut [u8]) -> usize {
    let is_tpm12_probe = matches!(command, [0x00, 0xC1..=0xC3, ..]);
    let tag = if fault == Fault::BAD_TAG && !is_tpm12_probe { st::RSP_COMMAND } else { st::NO_SESSIONS };
    let mut out = Writer::new(response);
    let written = tag.write(&mut out).and_then(|()| 10u32.write(&mut out)).and_then(|()| fault.code().write(&mut out));
    if written.is_ok() { out.len() } else { 0 }
}

/// What Shutdown(STATE) has saved; a change makes the saved state worthless.
struct Entered {
    reset: Arc<crate::state::ResetData>,
    clear: Arc<crate::state::ClearData>,
    pcrs: Arc<crate::state::Pcrs>,
}

impl Entered {
    fn of(state: &State) -> Self {
        Self { reset: Arc::clone(&state.reset), clear: Arc::clone(&state.clear), pcrs: Arc::clone(&state.pcrs) }
    }

    /// True if the command changed what a Shutdown had saved; coming and going of loaded sessions does not count.
    fn differs(&self, state: &State) -> bool {
        let (old, new) = (&self.reset, &state.reset);
        let reset_differs = !Arc::ptr_eq(old, new)
            && (old.clear_count != new.clear_count
                || old.object_context_id != new.object_context_id
                || old.context_counter != new.context_counter
                || old.command_audit_digest != new.command_audit_digest
                || old.restart_count != new.restart_count
                || old.pcr_counter != new.pcr_counter
                || old.commit_counter != new.commit_counter
                || old.commit_array != new.commit_array);
        reset_differs || !Arc::ptr_eq(&self.clear, &state.clear) || !Arc::ptr_eq(&self.pcrs, &state.pcrs)
    }
}

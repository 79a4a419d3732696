//! The system-call filter: after the start, the process may only do what a TPM on sockets does. A list of what is
//! allowed, where swtpm has one of what is forbidden.

use crate::failure::{Failure, failure};
use crate::options::SeccompAction;
use core::sync::atomic::{AtomicBool, Ordering};
use seccompiler::{BpfProgram, SeccompAction as Action, SeccompFilter};
use std::collections::BTreeMap;

mod calls;

static CONFINED: AtomicBool = AtomicBool::new(false);

/// True once a system call that the filter does not allow would end this process.
pub(crate) fn is_confined() -> bool {
    CONFINED.load(Ordering::SeqCst)
}

/// Installs the filter for this thread; the threads that it starts later have it too. `connects` leaves the calls that
/// connect to sockets.
pub(crate) fn install(action: SeccompAction, connects: bool) -> Result<(), Failure> {
    let otherwise = match action {
        SeccompAction::None => return Ok(()),
        SeccompAction::Log => Action::Log,
        SeccompAction::Kill => Action::KillProcess,
    };
    let Ok(arch) = std::env::consts::ARCH.try_into() else {
        return Err(failure!("--seccomp: there is no filter for this processor; give --seccomp action=none"));
    };
    let more: &[i64] = if connects { calls::CONNECT } else { &[] };
    let rules: BTreeMap<i64, _> = calls::ALLOWED.iter().chain(more).map(|call| (*call, Vec::new())).collect();
    let filter = SeccompFilter::new(rules, otherwise, Action::Allow, arch)
        .and_then(TryInto::<BpfProgram>::try_into)
        .map_err(|e| failure!("--seccomp: cannot build the filter: {e}"))?;
    seccompiler::apply_filter(&filter).map_err(|e| failure!("--seccomp: cannot install the filter: {e}"))?;
    CONFINED.store(matches!(action, SeccompAction::Kill), Ordering::SeqCst);
    Ok(())
}

//! Keeping this process's memory to itself.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};

/// What could be done. What could not is worth a line in the log, not more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// No core dumps, and no other process of this user may look into this one.
    pub no_dumps: bool,
    /// Memory is not written to swap.
    pub no_swap: bool,
}

/// Switches core dumps off and locks memory. To be called at the start of a program that handles keys, before it reads any.
///
/// Locking needs an unlimited `RLIMIT_MEMLOCK` (systemd: `LimitMEMLOCK=infinity`), or the right to lift it, or, if this
/// process `stays` the user that it is, the right to lock (`CAP_IPC_LOCK`): with a limit, later allocations would fail
/// where nobody expects it. Pages are locked as they come into use, so that nothing is made bigger. A change of user may
/// switch core dumps on again (`fs.suid_dumpable`): call it again after one.
pub fn protect(stays: bool) -> Protection {
    let undumpable = set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok();
    let limit = Rlimit { current: Some(0), maximum: Some(0) };
    let no_cores = setrlimit(Resource::Core, limit).is_ok();
    let lifted = || setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None }).is_ok();
    let may_lock = || {
        let capable = capabilities(None).is_ok_and(|own| own.effective.contains(CapabilitySet::IPC_LOCK));
        // In a user namespace of a container the capability counts for nothing, and the limit holds.
        let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        capable && map.split_whitespace().eq(["0", "0", "4294967295"])
    };
    let unlimited = getrlimit(Resource::Memlock).current.is_none() || lifted() || (stays && may_lock());
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    let no_swap = unlimited && mlockall(flags).is_ok();
    Protection { no_dumps: undumpable && no_cores, no_swap }
}

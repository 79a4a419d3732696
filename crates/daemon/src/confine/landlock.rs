//! Landlock: which files the process can still reach.

use crate::failure::{Failure, failure};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::fs::{Mode, OFlags};
use std::path::PathBuf;

/// What this was written for. Of a kernel that knows less, what it knows is used.
const KNOWN: ABI = ABI::V6;

/// What stays within reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Folders in which files are made, read, written, renamed and removed.
    pub(crate) own: Vec<PathBuf>,
    /// Files that are read and written.
    pub(crate) change: Vec<PathBuf>,
    /// Files, and folders with all beneath, that are read.
    pub(crate) read: Vec<PathBuf>,
    /// Folders in which files are removed.
    pub(crate) remove: Vec<PathBuf>,
    /// The one TCP port that can be connected to.
    pub(crate) connect: Option<u16>,
    /// Every TCP port can be.
    pub(crate) any_connection: bool,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Enforced {
    /// The kernel enforces it, at least as far as it knows these rules.
    Yes,
    /// The kernel has no Landlock, or it is switched off.
    No,
}

/// Files that are missing need no rule: they cannot be opened, and new ones are made in folders only.
fn beneath(
    mut rules: RulesetCreated,
    paths: &[PathBuf],
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, landlock::RulesetError> {
    for path in paths {
        // Only a place, not an open file: closing one would give up this process's locks on it. The library asks for the same
        // by way of std, which drops the flag where the C library counts it among the modes of access, as musl does.
        if let Ok(fd) = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
            rules = rules.add_rule(PathBeneath::new(fd, access))?;
        }
    }
    Ok(rules)
}

impl Reach {
    fn rules(&self) -> Result<RulesetStatus, landlock::RulesetError> {
        let all = AccessFs::from_all(KNOWN) & !AccessFs::Execute;
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(KNOWN))?
            .scope(Scope::from_all(KNOWN))?;
        if !self.any_connection {
            rules = rules.handle_access(AccessNet::from_all(KNOWN))?;
        }
        let mut rules = rules.create()?;
        if let Some(port) = self.connect.filter(|_| !self.any_connection) {
            rules = rules.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
        }
        rules = beneath(rules, &self.own, all)?;
        rules = beneath(rules, &self.change, AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate)?;
        rules = beneath(rules, &self.read, AccessFs::ReadFile | AccessFs::ReadDir)?;
        rules = beneath(rules, &self.remove, AccessFs::RemoveFile.into())?;
        Ok(rules.restrict_self()?.ruleset)
    }

    /// Confines this thread, and those that it starts from now on.
    pub(crate) fn enforce(&self) -> Result<Enforced, Failure> {
        match self.rules() {
            Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced) => Ok(Enforced::Yes),
            Ok(RulesetStatus::NotEnforced) => Ok(Enforced::No),
            Err(error) => Err(failure!("--confine: cannot confine the process with Landlock: {error}")),
        }
    }
}

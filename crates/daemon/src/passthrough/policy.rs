//! The decision about a command of the guest: the built-in table, changed by a policy file.

use super::table::{self, Action, COMMANDS, Changes, Row};
use crate::failure::{Failure, failure};
use core::ops::RangeInclusive;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// TPM_RH_PLATFORM.
const PLATFORM: u32 = 0x4000_000c;
/// A password session.
const TPM_RS_PW: u32 = 0x4000_0009;
/// TPM_ST_SESSIONS.
const SESSIONS: [u8; 2] = [0x80, 0x02];
/// Bytes of a command header.
const HEADER: usize = 10;

/// Handles of the device's maker and of the platform: EK certificates and their templates, and endorsement and platform
/// keys.
const PROTECTED: &[RangeInclusive<u32>] =
    &[0x01c0_0000..=0x01c1_ffff, 0x0140_0000..=0x0140_ffff, 0x8101_0000..=0x8101_ffff, 0x8180_0000..=0x81ff_ffff];

/// What becomes of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The device gets it.
    Pass,
    /// It is answered with TPM_RC_DISABLED, for this reason.
    Refuse(String),
    /// It is answered with success; with a password session if it came with one.
    Success {
        /// It had a session.
        session: bool,
    },
}

/// The decisions.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    changed: BTreeMap<u32, Action>,
    protected: Vec<RangeInclusive<u32>>,
    platform: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { changed: BTreeMap::new(), protected: PROTECTED.to_vec(), platform: false }
    }
}

fn action(text: &str) -> Option<Action> {
    match text {
        "allow" => Some(Action::Allow),
        "deny" => Some(Action::Deny),
        "answer" => Some(Action::Answer),
        _ => None,
    }
}

fn word(action: Action) -> &'static str {
    match action {
        Action::Allow => "allow",
        Action::Deny => "deny",
        Action::Answer => "answer",
    }
}

/// `0x01c00000` or `0x01c00000-0x01c0ffff`.
fn range(text: &str) -> Option<RangeInclusive<u32>> {
    let number = |text: &str| u32::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok();
    match text.split_once('-') {
        Some((first, last)) => Some(number(first)?..=number(last)?).filter(|range| !range.is_empty()),
        None => number(text).map(|one| one..=one),
    }
}

/// Commands whose success has nothing to tell but success.
fn answerable(row: &Row) -> bool {
    matches!(
        row.name,
        "Startup"
            | "Shutdown"
            | "SelfTest"
            | "HierarchyChangeAuth"
            | "HierarchyControl"
            | "SetPrimaryPolicy"
            | "Clear"
            | "ClearControl"
            | "ClockSet"
            | "ClockRateAdjust"
            | "PCR_SetAuthPolicy"
            | "PCR_SetAuthValue"
            | "PP_Commands"
            | "DictionaryAttackLockReset"
            | "DictionaryAttackParameters"
            | "NV_GlobalWriteLock"
            | "SetCommandCodeAuditStatus"
            | "StirRandom"
    )
}

/// Commands that the daemon must see to, as the device was started before the guest.
fn managed(row: &Row) -> bool {
    matches!(row.name, "Startup" | "Shutdown")
}

fn handle(command: &[u8], position: usize) -> Option<u32> {
    let at = position.checked_mul(4)?.checked_add(HEADER)?;
    command.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_be_bytes)
}

/// The sessions of a command: their bytes, and where the parameters begin.
fn sessions<'a>(command: &'a [u8], row: &Row) -> Option<(&'a [u8], usize)> {
    let at = row.handles.checked_mul(4)?.checked_add(HEADER)?;
    if command.get(..2)? != SESSIONS {
        return Some((&[], at));
    }
    let size = u32::from_be_bytes(command.get(at..at.checked_add(4)?)?.try_into().ok()?);
    let begin = at.checked_add(4)?;
    let end = begin.checked_add(usize::try_from(size).ok()?)?;
    Some((command.get(begin..end)?, end))
}

/// True for no session, or one password session alone: then an answer can be made without the device.
fn can_be_answered(sessions: &[u8]) -> bool {
    let Some((handle, rest)) = sessions.split_first_chunk() else { return sessions.is_empty() };
    // An empty nonce, attributes, and a password that ends where the sessions end.
    let [0, 0, _, high, low, password @ ..] = rest else { return false };
    u32::from_be_bytes(*handle) == TPM_RS_PW && password.len() == usize::from(u16::from_be_bytes([*high, *low]))
}

/// The handles that a command would change or make.
fn changed(command: &[u8], row: &Row) -> Option<Vec<u32>> {
    let word = |at: usize| command.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_be_bytes);
    Some(match row.changes {
        Changes::Nothing => Vec::new(),
        Changes::Handle(position) => vec![handle(command, position)?],
        Changes::HandleAndParameter(position) => {
            let (_, parameters) = sessions(command, row)?;
            vec![handle(command, position)?, word(parameters)?]
        }
        Changes::NewIndex => {
            // TPM2B auth, then the size of the public area, then the Index.
            let (_, parameters) = sessions(command, row)?;
            let size = command.get(parameters..parameters.checked_add(2)?)?.try_into().ok().map(u16::from_be_bytes)?;
            vec![word(parameters.checked_add(usize::from(size))?.checked_add(4)?)?]
        }
    })
}

impl Policy {
    /// Reads a policy file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text =
            std::fs::read_to_string(path).map_err(|e| failure!("--policy: cannot read {}: {e}", path.display()))?;
        Self::parse(&text).map_err(|why| failure!("--policy: {}: {why}", path.display()))
    }

    /// Reads the text of a policy file; the error says what is wrong with which entry.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|e| format!("this is not JSON: {e}"))?;
        let Value::Object(entries) = value else { return Err("the file must hold one object, { ... }".to_owned()) };
        let mut policy = Self::default();
        for (name, value) in &entries {
            match (name.as_str(), value) {
                ("about", Value::String(_)) => {}
                ("commands", Value::Object(commands)) => {
                    for (name, value) in commands {
                        policy.change(name, value)?;
                    }
                }
                ("protect", Value::Array(list)) => {
                    let one = |value: &Value| {
                        value.as_str().and_then(range).ok_or_else(|| {
                            format!("protect: {value} is neither a handle like \"0x01c00002\" nor a range like \"0x01c00000-0x01c0ffff\"")
                        })
                    };
                    policy.protected = list.iter().map(one).collect::<Result<_, _>>()?;
                }
                ("platform", Value::String(text)) if text == "allow" || text == "deny" => {
                    policy.platform = text == "allow";
                }
                ("platform", other) => {
                    return Err(format!("platform: {other} is unknown; \"allow\" and \"deny\" are known"));
                }
                ("about" | "commands" | "protect", other) => {
                    return Err(format!("{name}: {other} is of the wrong kind"));
                }
                (other, _) => {
                    return Err(format!("'{other}' is unknown; about, commands, protect and platform are known"));
                }
            }
        }
        Ok(policy)
    }

    fn change(&mut self, name: &str, value: &Value) -> Result<(), String> {
        let row = table::named(name).ok_or_else(|| format!("commands: there is no TPM command '{name}'"))?;
        let action = value.as_str().and_then(action).ok_or_else(|| {
            format!("commands: {name}: {value} is unknown; \"allow\", \"deny\" and \"answer\" are known")
        })?;
        if action == Action::Answer && !answerable(row) {
            return Err(format!("commands: {name} has more to answer than success; allow it or deny it"));
        }
        if managed(row) && action != Action::Answer {
            return Err(format!("commands: {name} is always answered by vtpmd, as the device keeps running"));
        }
        self.changed.insert(row.code, action);
        Ok(())
    }

    fn action(&self, row: &Row) -> Action {
        self.changed.get(&row.code).copied().unwrap_or(row.action)
    }

    fn protects(&self, handle: u32) -> bool {
        self.protected.iter().any(|range| range.contains(&handle))
    }

    /// Decides about a command, which is whole: its header is there, and its size is right.
    pub(crate) fn decide(&self, code: u32, command: &[u8]) -> Verdict {
        let Some(row) = table::row(code) else {
            return Verdict::Refuse(format!("command 0x{code:x} is unknown"));
        };
        let name = row.name;
        let about = |why: &str| Verdict::Refuse(format!("TPM2_{name}: {why}"));
        let closes_platform = name == "HierarchyChangeAuth" && handle(command, 0) == Some(PLATFORM);
        let answered = || match sessions(command, row) {
            Some((sessions, _)) if can_be_answered(sessions) => Verdict::Success { session: !sessions.is_empty() },
            _ => about("it came with a session that only the device can answer"),
        };
        match self.action(row) {
            Action::Deny => return about(if row.why.is_empty() { "the policy file denies it" } else { row.why }),
            Action::Answer if closes_platform || name != "HierarchyChangeAuth" => return answered(),
            // For other hierarchies success would be a lie.
            Action::Answer => return about(row.why),
            // Nobody in the guest can use the platform hierarchy, which is what its firmware wants.
            Action::Allow if closes_platform && !self.platform => return answered(),
            Action::Allow => {}
        }
        let platform = (0..row.handles).any(|position| handle(command, position) == Some(PLATFORM));
        if platform && !self.platform {
            return about("the platform hierarchy is the host's");
        }
        match changed(command, row) {
            // Too short for its own handles: the device says so.
            None if row.changes == Changes::NewIndex => about("it is too short to see which Index it defines"),
            None => Verdict::Pass,
            Some(handles) => match handles.into_iter().find(|handle| self.protects(*handle)) {
                Some(handle) => about(&format!("handle 0x{handle:08x} is protected")),
                None => Verdict::Pass,
            },
        }
    }

    /// The decisions as a policy file, which says the same when it is read.
    pub(crate) fn to_json(&self) -> String {
        let mut commands = serde_json::Map::new();
        for row in COMMANDS {
            commands.insert(row.name.to_owned(), Value::from(word(self.action(row))));
        }
        let text = |range: &RangeInclusive<u32>| format!("0x{:08x}-0x{:08x}", range.start(), range.end());
        let protect: Vec<Value> = self.protected.iter().map(|range| Value::from(text(range))).collect();
        let mut all = serde_json::Map::new();
        all.insert("platform".to_owned(), Value::from(if self.platform { "allow" } else { "deny" }));
        all.insert("protect".to_owned(), Value::from(protect));
        all.insert("commands".to_owned(), Value::from(commands));
        serde_json::to_string_pretty(&Value::from(all)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;

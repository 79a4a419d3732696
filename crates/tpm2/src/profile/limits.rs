//! What a TPM with a profile has, as sets that are quick to ask.

use super::catalog::{
    ALGORITHMS, ATTRIBUTES, Algorithm, CURVES, FAMILIES, FIXED_COMMANDS, NEWER_COMMANDS, NULL_COMMANDS, WITH_ATTRIBUTES,
};
use super::{List, ProfileFault};
use crate::collections::Codes;
use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::fmt::Write;
use sealwright_core::wire::Accept;

/// Commands, algorithms, curves, key sizes and attributes of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    level: u32,
    algorithms: u128,
    curves: u128,
    /// Which of [`FAMILIES`] are named; that is all that this says, as the curves are in `curves`.
    families: u8,
    commands: Codes,
    /// Smallest keys: algorithm and bits.
    least: Vec<(u16, u16)>,
    attributes: u16,
}

fn bit(set: u128, number: u32) -> bool {
    set.checked_shr(number).is_some_and(|rest| rest & 1 == 1)
}

fn mask(number: u32) -> u128 {
    1u128.checked_shl(number).unwrap_or(0)
}

/// The number of these digits, in hexadecimal after `0x`.
fn number(text: &[u8]) -> Option<u32> {
    let (radix, digits) = match text {
        [b'0', b'x' | b'X', digits @ ..] => (16, digits),
        digits => (10, digits),
    };
    if digits.is_empty() {
        return None;
    }
    digits
        .iter()
        .try_fold(0u32, |value, digit| value.checked_mul(radix)?.checked_add(char::from(*digit).to_digit(radix)?))
}

/// Comma-separated items.
fn items(text: &str) -> impl Iterator<Item = &[u8]> {
    text.as_bytes().split(|byte| *byte == b',')
}

fn shown(item: &[u8]) -> String {
    core::str::from_utf8(item).unwrap_or_default().to_owned()
}

/// The algorithm and the size of `NAME-min-size=SIZE`.
fn least_of(item: &[u8]) -> Option<(&'static Algorithm, u16)> {
    ALGORITHMS.iter().find_map(|algorithm| {
        let size = item.strip_prefix(algorithm.name.as_bytes())?.strip_prefix(b"-min-size=")?;
        let size = number(size).and_then(|size| u16::try_from(size).ok())?;
        algorithm.least.is_some_and(|least| size >= least).then_some((algorithm, size))
    })
}

fn null_commands() -> impl Iterator<Item = u32> {
    NULL_COMMANDS.iter().flat_map(|(first, last)| *first..=*last)
}

/// Every command that a profile can have, with the level that has it.
fn all_commands() -> impl Iterator<Item = (u32, u32)> {
    null_commands().map(|code| (code, 1)).chain(NEWER_COMMANDS)
}

impl Limits {
    /// Everything that a state of this level has.
    pub(super) fn of_level(level: u32) -> Self {
        let algorithms = ALGORITHMS.iter().fold(0, |set, algorithm| set | mask(algorithm.id.into()));
        let curves = CURVES.iter().fold(0, |set, curve| set | mask(curve.id.into()));
        let commands = all_commands().filter(|(_, needed)| *needed <= level).map(|(code, _)| code).collect();
        let families = FAMILIES.iter().fold(0u8, |set, _| set.checked_shl(1).unwrap_or(0) | 1);
        Self { level, algorithms, curves, families, commands, least: Vec::new(), attributes: 0 }
    }

    /// What these lists say, each empty or missing one being everything of the level.
    pub(super) fn of_lists(
        level: u32,
        commands: Option<&str>,
        algorithms: Option<&str>,
        attributes: Option<&str>,
    ) -> Result<Self, ProfileFault> {
        let mut limits = Self::of_level(level);
        if let Some(text) = algorithms {
            limits.set_algorithms(text)?;
        }
        if let Some(text) = commands {
            limits.set_commands(text)?;
        }
        if let Some(text) = attributes {
            limits.set_attributes(text)?;
        }
        Ok(limits)
    }

    fn set_algorithms(&mut self, text: &str) -> Result<(), ProfileFault> {
        (self.algorithms, self.curves, self.families) = (0, 0, 0);
        for item in items(text) {
            let is_family = |(name, _): &(&str, &str)| name.as_bytes() == item;
            if let Some((algorithm, least)) = least_of(item) {
                self.least.retain(|(id, _)| *id != algorithm.id);
                // The least that there is limits nothing, said or not.
                if algorithm.least != Some(least) {
                    self.least.push((algorithm.id, least));
                }
            } else if let Some(family) = FAMILIES.iter().position(is_family) {
                self.families |= 1u8.checked_shl(u32::try_from(family).unwrap_or(u32::MAX)).unwrap_or(0);
                let beginning = FAMILIES.get(family).map_or("", |(_, beginning)| *beginning);
                for curve in CURVES.iter().filter(|curve| curve.name.starts_with(beginning)) {
                    self.curves |= mask(curve.id.into());
                }
            } else if let Some(curve) = CURVES.iter().find(|curve| curve.name.as_bytes() == item) {
                self.curves |= mask(curve.id.into());
            } else {
                let algorithm = ALGORITHMS.iter().find(|algorithm| algorithm.name.as_bytes() == item);
                let algorithm = algorithm.ok_or_else(|| ProfileFault::Algorithm(shown(item)))?;
                self.algorithms |= mask(algorithm.id.into());
            }
        }
        let missing = ALGORITHMS.iter().find(|a| !a.can_be_disabled && !bit(self.algorithms, a.id.into()));
        let missing_curve = CURVES.iter().find(|c| !c.can_be_disabled && !Accept::curve(self, c.id));
        match missing.map(|a| a.name).or(missing_curve.map(|c| c.name)) {
            Some(name) => Err(ProfileFault::Needed(name.to_owned())),
            None => Ok(()),
        }
    }

    fn set_commands(&mut self, text: &str) -> Result<(), ProfileFault> {
        self.commands = Codes::new();
        for item in items(text) {
            let unknown = || ProfileFault::Command(shown(item));
            let mut ends = item.split(|byte| *byte == b'-');
            let first = ends.next().and_then(number).ok_or_else(unknown)?;
            let last = ends.next().map_or(Some(first), number).ok_or_else(unknown)?;
            if first > last || last > 0x1FF {
                return Err(unknown());
            }
            for code in first..=last {
                let (_, needed) = all_commands().find(|(known, _)| *known == code).ok_or_else(unknown)?;
                if needed > self.level {
                    return Err(ProfileFault::Level { item: shown(item), needed, level: self.level });
                }
                self.commands.add(code);
            }
        }
        match FIXED_COMMANDS.iter().find(|code| !self.command(**code)) {
            Some(code) => Err(ProfileFault::NeededCommand(*code)),
            None => Ok(()),
        }
    }

    fn set_attributes(&mut self, text: &str) -> Result<(), ProfileFault> {
        for item in items(text).filter(|item| !item.is_empty()) {
            let (_, bits) = ATTRIBUTES
                .iter()
                .find(|(name, _)| name.as_bytes() == item)
                .ok_or_else(|| ProfileFault::Attribute(shown(item)))?;
            if self.level < WITH_ATTRIBUTES {
                let (needed, level) = (WITH_ATTRIBUTES, self.level);
                return Err(ProfileFault::Level { item: shown(item), needed, level });
            }
            self.attributes |= bits;
        }
        Ok(())
    }

    /// True if the TPM has the command.
    pub(crate) fn command(&self, code: u32) -> bool {
        self.commands.contains(code)
    }

    /// True if the profile has all bits of [`super::attribute`].
    pub(crate) const fn has(&self, attribute: u16) -> bool {
        self.attributes & attribute == attribute
    }

    fn push(out: &mut String, item: &str) {
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(item);
    }

    /// The algorithms of a list.
    pub(super) fn algorithm_list(&self, list: List) -> String {
        let mut out = String::new();
        for algorithm in &ALGORITHMS {
            let enabled = self.algorithm(algorithm.id);
            if list.has(enabled, algorithm.can_be_disabled) {
                Self::push(&mut out, algorithm.name);
                let least = self.least.iter().find(|(id, _)| *id == algorithm.id).map(|(_, least)| *least);
                let least = match list {
                    List::Implemented => algorithm.least,
                    List::Enabled => least.or(algorithm.least),
                    List::CanBeDisabled | List::Disabled => None,
                };
                if let Some(least) = least {
                    let _ = write!(out, ",{}-min-size={least}", algorithm.name);
                }
            }
            if algorithm.id != super::catalog::ECC {
                continue;
            }
            // As libtpms does: the name of a family is in the list if the profile has it, whichever curves it has.
            for ((name, _), number) in FAMILIES.iter().zip(0u32..) {
                if list.has(self.families.checked_shr(number).is_some_and(|rest| rest & 1 == 1), true) {
                    Self::push(&mut out, name);
                }
            }
            for curve in CURVES.iter().filter(|curve| list.has(self.curve(curve.id), curve.can_be_disabled)) {
                Self::push(&mut out, curve.name);
            }
        }
        out
    }

    /// The commands of a list, as ranges.
    pub(super) fn command_list(&self, list: List) -> String {
        let mut out = String::new();
        let mut range: Option<(u32, u32)> = None;
        let mut close = |range: Option<(u32, u32)>| match range {
            Some((first, last)) if first == last => Self::push(&mut out, &hex(first)),
            Some((first, last)) => {
                Self::push(&mut out, &hex(first));
                let _ = write!(out, "-{last:#x}");
            }
            None => {}
        };
        for (code, _) in all_commands() {
            let fixed = FIXED_COMMANDS.contains(&code);
            if !list.has(self.command(code), !fixed) {
                continue;
            }
            range = match range {
                Some((first, last)) if last.checked_add(1) == Some(code) => Some((first, code)),
                other => {
                    close(other);
                    Some((code, code))
                }
            };
        }
        close(range);
        out
    }

    /// The attributes of a list.
    pub(super) fn attribute_list(&self, list: List) -> String {
        let mut out = String::new();
        for (name, bits) in ATTRIBUTES {
            if list.has(self.has(bits), true) {
                Self::push(&mut out, name);
            }
        }
        out
    }
}

fn hex(code: u32) -> String {
    let mut text = String::new();
    let _ = write!(text, "{code:#x}");
    text
}

impl Accept for Limits {
    fn algorithm(&self, id: u16) -> bool {
        // Identifiers of no algorithm are refused where they are read.
        id > 0x7F || bit(self.algorithms, id.into())
    }

    fn curve(&self, id: u16) -> bool {
        let least = self.least.iter().find(|(alg, _)| *alg == super::catalog::ECC).map_or(0, |(_, least)| *least);
        let known = CURVES.iter().find(|curve| curve.id == id);
        known.is_some_and(|curve| curve.bits >= least) && bit(self.curves, id.into())
    }

    fn key_bits(&self, id: u16, bits: u16) -> bool {
        let needed = match (id, bits) {
            (0x01, 3073..) => 8,
            (0x06 | 0x26, 192) => 4,
            _ => 1,
        };
        needed <= self.level && self.least.iter().all(|(alg, least)| *alg != id || bits >= *least)
    }
}

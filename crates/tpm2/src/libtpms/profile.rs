//! The profile of a state in libtpms's format: as JSON text from libtpms 0.10 on. States without one are of libtpms 0.9 or
//! older, or have the `null` profile.

use super::{ExportFault, ImportFault, source::Source};
use crate::collections::Codes;
use crate::profile::catalog::NULL_COMMANDS;
use crate::profile::{NEWEST_LEVEL, Profile, level_of};
use crate::structures::{Parameters, Public};
use alloc::{string::String, vec, vec::Vec};
use sealwright_core::Wire;

/// The command of bit 0 in newer states.
const FIRST_COMMAND: u32 = 0x11F;
/// Bytes of a list of commands in newer states.
const COMMAND_BYTES: usize = 16;

fn null_commands() -> impl Iterator<Item = u32> {
    NULL_COMMANDS.iter().flat_map(|(first, last)| *first..=*last)
}

impl Profile {
    /// Reads the text with its length and the NUL at its end.
    pub(super) fn read(s: &mut Source<'_>) -> Result<Self, ImportFault> {
        let bytes = s.array("profile")?;
        let text = bytes.strip_suffix(&[0]).and_then(|text| core::str::from_utf8(text).ok());
        let text = text.ok_or_else(|| s.bad("profile"))?;
        let found = level_of(text).ok_or_else(|| s.bad("StateFormatLevel"))?;
        if found > NEWEST_LEVEL {
            return Err(ImportFault::FormatLevel { found, known: NEWEST_LEVEL });
        }
        Self::of_text(text).ok_or_else(|| s.bad("profile"))
    }

    /// The text with the NUL at its end.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        let mut text = String::from(self.text()?);
        text.push('\0');
        Some(text.into_bytes())
    }

    /// Refuses an object with algorithms that the profile's level does not have.
    pub(super) fn check_object(&self, handle: u32, public: &Public) -> Result<(), ExportFault> {
        let level = self.level();
        let (symmetric, rsa_bits) = match &public.parameters {
            Parameters::Rsa(p) => (p.symmetric, p.bits),
            Parameters::Ecc(p) => (p.symmetric, 0),
            Parameters::SymCipher(p) => (Some(*p), 0),
            Parameters::KeyedHash(_) => (None, 0),
        };
        // 192-bit AES and Camellia came with level 4 (TDES has 192 bits at any level), RSA-4096 with level 8.
        let tdes = symmetric.is_some_and(|s| s.cipher == sealwright_crypto::BlockCipher::Tdes);
        let new_cipher = symmetric.is_some_and(|s| s.bits == 192) && !tdes;
        if new_cipher && level < 4 || rsa_bits > 3072 && level < 8 {
            return Err(ExportFault::Object { handle });
        }
        Ok(())
    }
}

/// Reads a list of commands: compressed up to version 4 of the structure that has it.
pub(super) fn read_commands(s: &mut Source<'_>, field: &'static str, compressed: bool) -> Result<Codes, ImportFault> {
    let bits = s.array(field)?;
    let is_set = |number: usize| bits.get(number / 8).is_some_and(|byte| byte >> (number % 8) & 1 == 1);
    if compressed {
        let commands = (0..usize::MAX).zip(null_commands()).filter(|(number, _)| is_set(*number));
        return Ok(commands.map(|(_, code)| code).collect());
    }
    let codes = (0..bits.len().saturating_mul(8)).zip(FIRST_COMMAND..u32::MAX);
    Ok(codes.filter(|(number, _)| is_set(*number)).map(|(_, code)| code).collect())
}

/// A list of commands as bits.
pub(super) fn command_bits(commands: &Codes, compressed: bool) -> Result<Vec<u8>, ExportFault> {
    let mut bits = vec![0u8; if compressed { null_commands().count().div_ceil(8) } else { COMMAND_BYTES }];
    for code in commands.keys() {
        let number = if compressed {
            null_commands().position(|c| c == code)
        } else {
            code.checked_sub(FIRST_COMMAND).and_then(|number| usize::try_from(number).ok())
        };
        let place = number.and_then(|number| Some((bits.get_mut(number / 8)?, number % 8)));
        let (byte, bit) = place.ok_or(ExportFault::Command { code })?;
        *byte |= 1 << bit;
    }
    Ok(bits)
}

/// The bytes that a structure has in the TPM's wire format, for comparisons.
pub(super) fn wire_bytes<T: Wire>(value: &T) -> Vec<u8> {
    let mut room = vec![0; T::MAX_SIZE];
    let mut w = sealwright_core::Writer::new(&mut room);
    let len = if value.write(&mut w).is_ok() { w.len() } else { 0 };
    room.truncate(len);
    room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_null_profile_has_110_commands() {
        assert_eq!(null_commands().count(), 110);
        assert_eq!(null_commands().position(|code| code == 0x142), Some(32));
    }

    #[test]
    fn lists_of_commands_come_back() {
        let commands = Codes::from_iter([0x11F, 0x12D, 0x140, 0x197]);
        for compressed in [true, false] {
            let bits = command_bits(&commands, compressed).unwrap();
            assert_eq!(bits.len(), if compressed { 14 } else { 16 });
            let mut bytes = vec![0, u8::try_from(bits.len()).unwrap()];
            bytes.extend(bits);
            assert_eq!(read_commands(&mut Source::new(&bytes, "test"), "list", compressed).unwrap(), commands);
        }
        let newer = Codes::from_iter([0x199]);
        assert_eq!(command_bits(&newer, true), Err(ExportFault::Command { code: 0x199 }));
        assert!(command_bits(&newer, false).is_ok());
        assert_eq!(command_bits(&Codes::from_iter([0x19F]), false), Err(ExportFault::Command { code: 0x19F }));
    }
}

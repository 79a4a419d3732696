//! Names: of a VM, of what is kept for it, of keys, and of one generation.

use crate::error::StateError;
use crate::key::EntropyFault;
use core::fmt;
use sha2::{Digest as _, Sha256};

/// Which VM a state belongs to: a UUID, or whatever text of 1 to 255 bytes the owner knows it by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VmId(String);

/// Why a text is not the name of a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a VM has 1 to 255 bytes and no control characters, best its UUID")]
pub struct VmIdFault;

impl VmId {
    /// The VM of this name.
    pub fn new(text: impl Into<String>) -> Result<Self, VmIdFault> {
        let text = text.into();
        let good = (1..=255).contains(&text.len()) && !text.chars().any(char::is_control);
        if good { Ok(Self(text)) } else { Err(VmIdFault) }
    }

    /// A random UUID (RFC 9562, version 4), for a VM that nobody named.
    pub(crate) fn random() -> Result<Self, StateError> {
        let mut uuid = [0; 16];
        crate::entropy::fill(&mut uuid)?;
        if let Some(byte) = uuid.get_mut(6) {
            *byte = (*byte & 0x0f) | 0x40;
        }
        if let Some(byte) = uuid.get_mut(8) {
            *byte = (*byte & 0x3f) | 0x80;
        }
        Ok(Self::from_uuid(uuid))
    }

    /// The VM of this UUID, written as RFC 9562 says.
    pub fn from_uuid(uuid: [u8; 16]) -> Self {
        let mut text = String::with_capacity(36);
        for (at, byte) in uuid.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            text.push_str(&format!("{byte:02x}"));
        }
        Self(text)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for VmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VmId({})", self.0)
    }
}

/// What is kept for a VM. The number is that of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The state of its TPM.
    Tpm = 1,
    /// Its UEFI variables.
    Nvram = 2,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Tpm, Self::Nvram];

    /// The kind of this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// `tpm` or `nvram`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tpm => "tpm",
            Self::Nvram => "nvram",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of a data key: random, made with the key. Unlike the key it is no secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DataKeyId(pub [u8; 16]);

impl DataKeyId {
    /// Stands where nothing is sealed.
    pub const NONE: Self = Self([0; 16]);

    /// A name for a new data key.
    pub fn random() -> Result<Self, EntropyFault> {
        let mut id = Self::NONE;
        crate::entropy::fill(&mut id.0)?;
        Ok(id)
    }

    /// The name of these 32 hexadecimal digits, as it is printed.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut id = Self::NONE;
        let digits = text.as_bytes();
        (digits.len() == 32 && digits.iter().all(u8::is_ascii_hexdigit)).then_some(())?;
        for (byte, pair) in id.0.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(id)
    }
}

/// SHA-256 over the header and the sealed content of a generation: its name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Stands where there is nothing: the parent of a first generation.
    pub const NONE: Self = Self([0; 32]);

    /// The digest of these parts, one behind the other.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Display for DataKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for DataKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_data_keys() {
        let id = DataKeyId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff]);
        assert_eq!(DataKeyId::from_hex(&id.to_string()), Some(id));
        for bad in ["", "00", "000102030405060708090a0b0c0d0e+f", "0001020304050607080\u{e9}0a0b0c0d0eff"] {
            assert_eq!(DataKeyId::from_hex(bad), None, "{bad}");
        }
        assert_ne!(DataKeyId::random().unwrap(), DataKeyId::random().unwrap());
    }

    #[test]
    fn names_of_vms() {
        let uuid = VmId::from_uuid(*b"\x12\x34\x56\x78\x9a\xbc\xde\xf0\x01\x02\x03\x04\x05\x06\x07\x08");
        assert_eq!(uuid.as_str(), "12345678-9abc-def0-0102-030405060708");
        assert_eq!(VmId::new("web-1").unwrap().to_string(), "web-1");
        assert!(VmId::new("").is_err() && VmId::new("a\nb").is_err() && VmId::new("x".repeat(256)).is_err());
    }
}

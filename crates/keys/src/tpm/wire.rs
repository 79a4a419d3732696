//! Bytes of commands and responses, as Part 2 lays them out: big-endian, TPM2B with a 16-bit size before.

use zeroize::Zeroizing;

use crate::failure::Failure;

/// TPM_ALG_ID and other constants of Part 2 that are used here.
pub(crate) mod constant {
    pub(crate) const ALG_AES: u16 = 0x0006;
    pub(crate) const ALG_KEYEDHASH: u16 = 0x0008;
    pub(crate) const ALG_SHA256: u16 = 0x000B;
    pub(crate) const ALG_NULL: u16 = 0x0010;
    pub(crate) const ALG_ECC: u16 = 0x0023;
    pub(crate) const ALG_CFB: u16 = 0x0043;
    pub(crate) const ECC_NIST_P256: u16 = 0x0003;
    pub(crate) const RH_OWNER: u32 = 0x4000_0001;
    pub(crate) const RH_NULL: u32 = 0x4000_0007;
    pub(crate) const RS_PW: u32 = 0x4000_0009;
}

/// Bytes being put together. What is secret among them is wiped.
#[derive(Default)]
pub(crate) struct Out(pub(crate) Zeroizing<Vec<u8>>);

impl Out {
    /// Room for any command, so that nothing is left behind by growing.
    pub(crate) fn new() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(4096)))
    }

    pub(crate) fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub(crate) fn u16(self, value: u16) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(crate) fn u32(self, value: u32) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A TPM2B. What is put in here is far shorter than 64 KiB; a longer one would be cut and then refused by the TPM.
    pub(crate) fn sized(self, bytes: &[u8]) -> Self {
        let size = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        self.u16(size).bytes(bytes)
    }
}

/// Bytes being taken apart.
#[derive(Clone, Copy)]
pub(crate) struct In<'a>(pub(crate) &'a [u8]);

impl<'a> In<'a> {
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }

    /// A TPM2B.
    pub(crate) fn sized(&mut self) -> Option<&'a [u8]> {
        let n = self.u16()?;
        self.bytes(n.into())
    }
}

/// A TPM's response that ends too early.
pub(crate) fn cut() -> Failure {
    Failure::unavailable("the TPM's answer is too short")
}

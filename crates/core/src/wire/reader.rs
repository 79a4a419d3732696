use super::Wire;
use crate::Fault;

/// Which algorithms, curves and key sizes may stand in what is read, beside being known at all.
pub trait Accept: core::fmt::Debug {
    /// True if the algorithm with this TPM_ALG_ID may.
    fn algorithm(&self, id: u16) -> bool;
    /// True if the curve with this TPM_ECC_CURVE may.
    fn curve(&self, id: u16) -> bool;
    /// True if a key of this size may be one of this algorithm.
    fn key_bits(&self, id: u16, bits: u16) -> bool;
}

/// A cursor over received bytes. Running out of them is TPM_RC_INSUFFICIENT.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    accept: Option<&'a dyn Accept>,
}

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, accept: None }
    }

    /// With a judge of algorithms; without one everything that is known may stand there.
    #[must_use]
    pub const fn accepting(self, accept: Option<&'a dyn Accept>) -> Self {
        Self { accept, ..self }
    }

    /// True if the algorithm with this identifier may stand here.
    pub fn accepts(&self, id: u16) -> bool {
        self.accept.is_none_or(|accept| accept.algorithm(id))
    }

    /// True if the curve with this identifier may stand here.
    pub fn accepts_curve(&self, id: u16) -> bool {
        self.accept.is_none_or(|accept| accept.curve(id))
    }

    /// True if a key of this size may be one of the algorithm.
    pub fn accepts_bits(&self, id: u16, bits: u16) -> bool {
        self.accept.is_none_or(|accept| accept.key_bits(id, bits))
    }

    /// What was not read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// True if everything was read.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Number of bytes not read yet.
    pub const fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Takes the next `n` bytes.
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], Fault> {
        let (head, tail) = self.bytes.split_at_checked(n).ok_or(Fault::INSUFFICIENT)?;
        self.bytes = tail;
        Ok(head)
    }

    /// Takes the next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (head, tail) = self.bytes.split_first_chunk::<N>().ok_or(Fault::INSUFFICIENT)?;
        self.bytes = tail;
        Ok(*head)
    }

    /// Takes a structure.
    pub fn read<T: Wire>(&mut self) -> Result<T, Fault> {
        T::read(self)
    }
}

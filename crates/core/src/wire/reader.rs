use super::Wire;
use crate::Fault;

/// A cursor over received bytes. Running out of them is TPM_RC_INSUFFICIENT.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What was not read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// True if everything was read.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of bytes not read yet.
    pub const fn remaining(&self) -> usize {
        self.0.len()
    }

    /// Takes the next `n` bytes.
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], Fault> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(Fault::INSUFFICIENT)?;
        self.0 = tail;
        Ok(head)
    }

    /// Takes the next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(Fault::INSUFFICIENT)?;
        self.0 = tail;
        Ok(*head)
    }

    /// Takes a structure.
    pub fn read<T: Wire>(&mut self) -> Result<T, Fault> {
        T::read(self)
    }
}

use super::{Reader, Wire, Writer};
use crate::Fault;
use core::{fmt, ops::Deref};
use zeroize::{Zeroize, optimization_barrier};

/// A TPM2B: up to `N` bytes with a 16-bit size in front, held in place. Longer input is TPM_RC_SIZE.
#[derive(Clone, Copy)]
pub struct Buffer<const N: usize> {
    len: u16,
    bytes: [u8; N],
}

impl<const N: usize> Buffer<N> {
    /// No bytes.
    pub const EMPTY: Self = Self { len: 0, bytes: [0; N] };

    /// Copies `bytes`; `None` if they are more than `N`.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut b = Self::EMPTY;
        b.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        b.len = u16::try_from(bytes.len()).ok()?;
        Some(b)
    }

    /// Copies `bytes`; TPM_RC_SIZE if they are more than `N`.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Fault> {
        Self::new(bytes).ok_or(Fault::SIZE)
    }

    /// `len` zeros, or as many as fit.
    pub fn zeros(len: usize) -> Self {
        Self { len: u16::try_from(len.min(N)).unwrap_or(0), bytes: [0; N] }
    }

    /// The bytes, for changes in place.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..usize::from(self.len)).unwrap_or(&mut [])
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

impl<const N: usize> Default for Buffer<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> Deref for Buffer<N> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl<const N: usize> PartialEq for Buffer<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}
impl<const N: usize> Eq for Buffer<N> {}

impl<const N: usize> fmt::Debug for Buffer<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl<const N: usize> Zeroize for Buffer<N> {
    fn zeroize(&mut self) {
        // By words instead of by bytes, as `[u8]::zeroize` does it: some buffers are large, and there are several in a
        // command.
        self.bytes = [0; N];
        self.len = 0;
        optimization_barrier(self);
    }
}

impl<const N: usize> Wire for Buffer<N> {
    const MAX_SIZE: usize = 2 + N;
    const SIZED: bool = true;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let len = usize::from(u16::read(r)?);
        if len > N {
            return Err(Fault::SIZE);
        }
        Self::from_slice(r.bytes(len)?)
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        self.len.write(w)?;
        w.bytes(self)
    }
}

/// A [`Buffer`] that is wiped when dropped, is never printed, and is not copied by accident.
#[derive(Clone, Default)]
pub struct Secret<const N: usize>(Buffer<N>);

impl<const N: usize> Secret<N> {
    /// Copies `bytes`; TPM_RC_SIZE if they are more than `N`.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Fault> {
        Buffer::from_slice(bytes).map(Self)
    }

    /// `len` zeros to be filled in place.
    pub fn zeros(len: usize) -> Self {
        Self(Buffer::zeros(len))
    }

    /// The bytes, for changes in place.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.0.as_mut_slice()
    }

    /// Removes trailing zeros, as is done to every authorization value (Part 1, 17.6.4.3).
    pub fn trim_trailing_zeros(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.len = self.0.len.saturating_sub(1);
        }
    }
}

impl<const N: usize> Deref for Secret<N> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> Zeroize for Secret<N> {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.len())
    }
}

impl<const N: usize> Wire for Secret<N> {
    const MAX_SIZE: usize = 2 + N;
    const SIZED: bool = true;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        Buffer::read(r).map(Self)
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        self.0.write(w)
    }
}

/// A TPM2B around a structure, such as TPM2B_PUBLIC. The size must be that of the structure: else TPM_RC_SIZE; so is
/// an empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sized2b<T>(pub T);

impl<T: Wire> Wire for Sized2b<T> {
    const MAX_SIZE: usize = 2 + T::MAX_SIZE;
    const SIZED: bool = true;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let size = usize::from(u16::read(r)?);
        if size == 0 {
            return Err(Fault::SIZE);
        }
        let before = r.remaining();
        let value = T::read(r)?;
        if before.checked_sub(r.remaining()) == Some(size) { Ok(Self(value)) } else { Err(Fault::SIZE) }
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        let at = w.len();
        0u16.write(w)?;
        self.0.write(w)?;
        let size = w.len().saturating_sub(at).saturating_sub(2);
        w.patch_u16(at, u16::try_from(size).map_err(|_| Fault::SIZE)?)
    }
}

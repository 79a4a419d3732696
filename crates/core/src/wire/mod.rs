//! The wire format of TPM structures (Part 2, 4.8 and annex): big-endian, no padding, in the order of the fields.

mod buffer;
mod list;
mod reader;
mod writer;

pub use buffer::{Buffer, Secret, Sized2b};
pub use list::List;
pub use reader::{Accept, Reader};
pub use writer::Writer;

use crate::Fault;

/// A structure of the wire format. Derive it; see `sealwright-derive`.
pub trait Wire: Sized {
    /// Size in bytes of the largest encoding, summed over the fields at compile time.
    const MAX_SIZE: usize;
    /// True for types that start with a 16-bit size (TPM2B): the only ones that a session may encrypt.
    const SIZED: bool = false;
    /// Takes the structure from the front of `r`.
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault>;
    /// Appends the structure to `w`. Fails only if `w` is full.
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault>;
}

macro_rules! integers {
    ($($int:ty),*) => {$(
        impl Wire for $int {
            const MAX_SIZE: usize = size_of::<$int>();
            fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
                Ok(Self::from_be_bytes(r.array()?))
            }
            fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
                w.bytes(&self.to_be_bytes())
            }
        }
    )*};
}
integers!(u8, u16, u32, u64, i32, i64);

impl Wire for () {
    const MAX_SIZE: usize = 0;
    fn read(_: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(())
    }
    fn write(&self, _: &mut Writer<'_>) -> Result<(), Fault> {
        Ok(())
    }
}

/// TPMI_YES_NO: anything but 0 and 1 is TPM_RC_VALUE.
impl Wire for bool {
    const MAX_SIZE: usize = 1;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        match u8::read(r)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Fault::VALUE),
        }
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        u8::from(*self).write(w)
    }
}

/// An array of fixed length: its items, without a count.
impl<T: Wire + Default + Copy, const N: usize> Wire for [T; N] {
    const MAX_SIZE: usize = N * T::MAX_SIZE;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let mut items = [T::default(); N];
        for item in &mut items {
            *item = T::read(r)?;
        }
        Ok(items)
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        self.iter().try_for_each(|item| item.write(w))
    }
}

/// A 16-bit algorithm identifier whose "+" form also allows TPM_ALG_NULL: `Option` of it is that form.
pub trait Algorithm: Wire {}

/// TPM_ALG_NULL.
const ALG_NULL: u16 = 0x0010;

impl<T: Algorithm> Wire for Option<T> {
    const MAX_SIZE: usize = 2;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let mut ahead = *r;
        if u16::read(&mut ahead)? == ALG_NULL {
            *r = ahead;
            return Ok(None);
        }
        T::read(r).map(Some)
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        match self {
            Some(algorithm) => algorithm.write(w),
            None => ALG_NULL.write(w),
        }
    }
}

/// The larger of two sizes, in constants.
pub const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

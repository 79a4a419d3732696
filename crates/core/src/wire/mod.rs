//! The wire format of TPM structures (Part 2, 4.8 and annex): big-endian, no padding, in the order of the fields.

mod buffer;
mod list;
mod reader;
mod writer;

pub use buffer::{Buffer, Secret, Sized2b};
pub use list::List;
pub use reader::Reader;
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
integers!(u8, u16, u32, u64, i32);

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

/// The larger of two sizes, in constants.
pub const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

//! Reading what libtpms wrote: structures with headers, and blocks that newer versions may have added.

use super::ImportFault;
use sealwright_core::{Fault, Reader, Wire};

/// A structure: its name, magic number and the newest version that is known here.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) magic: u32,
    pub(super) version: u16,
}

/// The first version whose structures end with a block for what later versions add.
const WITH_FUTURE: u16 = 2;

/// A cursor over a state. Every length is checked against what is left, so nothing is allocated on its word alone.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    bytes: Reader<'a>,
    part: &'static str,
}

impl<'a> Source<'a> {
    pub(super) const fn new(bytes: &'a [u8], part: &'static str) -> Self {
        Self { bytes: Reader::new(bytes), part }
    }

    /// Bytes not read yet.
    pub(super) const fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    /// All bytes not read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.bytes.rest()
    }

    /// The fault that blames a field of the structure that is being read.
    pub(super) const fn bad(&self, field: &'static str) -> ImportFault {
        ImportFault::Value { part: self.part, field }
    }

    /// A field in the TPM's wire format.
    pub(super) fn get<T: Wire>(&mut self, field: &'static str) -> Result<T, ImportFault> {
        let part = self.part;
        T::read(&mut self.bytes).map_err(|fault| match fault {
            Fault::INSUFFICIENT => ImportFault::Truncated { part },
            _ => ImportFault::Value { part, field },
        })
    }

    /// A boolean, of which libtpms takes any value but 0 for true.
    pub(super) fn flag(&mut self, field: &'static str) -> Result<bool, ImportFault> {
        Ok(self.get::<u8>(field)? != 0)
    }

    /// The next `len` bytes.
    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8], ImportFault> {
        let part = self.part;
        self.bytes.bytes(len).map_err(|_| ImportFault::Truncated { part })
    }

    /// Bytes after their number.
    pub(super) fn array(&mut self, field: &'static str) -> Result<&'a [u8], ImportFault> {
        let len = self.get::<u16>(field)?;
        self.bytes(usize::from(len))
    }

    /// A number of elements that must be this one.
    pub(super) fn count(&mut self, field: &'static str, needed: usize) -> Result<(), ImportFault> {
        let found = self.get::<u16>(field)?;
        if usize::from(found) == needed { Ok(()) } else { Err(self.bad(field)) }
    }

    /// The header of a structure; its version.
    pub(super) fn header(&mut self, kind: Kind) -> Result<u16, ImportFault> {
        self.part = kind.name;
        let version = self.get::<u16>("version")?;
        let found = self.get::<u32>("magic")?;
        if found != kind.magic {
            return Err(ImportFault::Magic { part: kind.name, found });
        }
        let needed = if version >= WITH_FUTURE { self.get::<u16>("minimum version")? } else { 0 };
        if needed > kind.version {
            return Err(ImportFault::Version { part: kind.name, needed, known: kind.version });
        }
        Ok(version)
    }

    /// The head of a block that must be there; its content follows.
    pub(super) fn block(&mut self, field: &'static str) -> Result<(), ImportFault> {
        if self.optional(field)? { Ok(()) } else { Err(self.bad(field)) }
    }

    /// The head of a block; true if its content follows.
    pub(super) fn optional(&mut self, field: &'static str) -> Result<bool, ImportFault> {
        let present = self.flag(field)?;
        self.get::<u16>(field)?;
        Ok(present)
    }

    /// A block that is not needed, with its content.
    pub(super) fn skip(&mut self) -> Result<(), ImportFault> {
        let present = self.flag("block")?;
        let len = self.get::<u16>("block")?;
        if present {
            self.bytes(usize::from(len))?;
        }
        Ok(())
    }

    /// What versions after the known ones have added to a structure of this version.
    pub(super) fn future(&mut self, version: u16) -> Result<(), ImportFault> {
        if version >= WITH_FUTURE { self.skip() } else { Ok(()) }
    }

    /// Says which structure is read again after an inner one.
    pub(super) const fn within(&mut self, kind: Kind) {
        self.part = kind.name;
    }
}

use super::Wire;
use crate::Fault;

/// A cursor over room for an answer. Writing beyond it is TPM_RC_MEMORY and writes nothing.
#[derive(Debug)]
pub struct Writer<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// Starts at the front of `room`.
    pub const fn new(room: &'a mut [u8]) -> Self {
        Self { room, len: 0 }
    }

    /// Number of bytes written.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True if nothing was written.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What was written.
    pub fn written(&self) -> &[u8] {
        self.room.get(..self.len).unwrap_or(&[])
    }

    /// What was written from `start` on, for changes in place; empty if `start` is beyond the end.
    pub fn written_from(&mut self, start: usize) -> &mut [u8] {
        self.room.get_mut(start..self.len).unwrap_or(&mut [])
    }

    /// Drops what was written after the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Appends `bytes`.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let end = self.len.checked_add(bytes.len()).ok_or(Fault::MEMORY)?;
        self.room.get_mut(self.len..end).ok_or(Fault::MEMORY)?.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    /// Appends a structure.
    pub fn write<T: Wire>(&mut self, value: &T) -> Result<(), Fault> {
        value.write(self)
    }

    /// Overwrites the 16-bit number at `at`, for sizes that are known late.
    pub fn patch_u16(&mut self, at: usize, value: u16) -> Result<(), Fault> {
        self.patch(at, &value.to_be_bytes())
    }

    /// Overwrites the 32-bit number at `at`.
    pub fn patch_u32(&mut self, at: usize, value: u32) -> Result<(), Fault> {
        self.patch(at, &value.to_be_bytes())
    }

    fn patch(&mut self, at: usize, bytes: &[u8]) -> Result<(), Fault> {
        let end = at.checked_add(bytes.len()).filter(|end| *end <= self.len).ok_or(Fault::MEMORY)?;
        self.room.get_mut(at..end).ok_or(Fault::MEMORY)?.copy_from_slice(bytes);
        Ok(())
    }
}

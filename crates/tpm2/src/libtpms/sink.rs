//! Writing what libtpms reads.

use super::{ExportFault, source::Kind};
use alloc::vec::Vec;
use sealwright_core::{Wire, Writer};
use zeroize::{Zeroize, Zeroizing};

/// Collects a state. It is secret, so what was written is wiped when dropped, and growing leaves no copies behind.
pub(super) struct Sink {
    bytes: Vec<u8>,
    failed: bool,
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Not the room behind it, where nothing ever was: that may be much more.
        self.bytes.as_mut_slice().zeroize();
    }
}

impl Sink {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::with_capacity(16 * 1024), failed: false }
    }

    /// Makes room for more bytes.
    fn reserve(&mut self, more: usize) {
        let needed = self.bytes.len().saturating_add(more);
        if needed > self.bytes.capacity() {
            let mut larger = Vec::with_capacity(needed.saturating_mul(2));
            larger.extend_from_slice(&self.bytes);
            self.bytes.as_mut_slice().zeroize();
            self.bytes = larger;
        }
    }

    /// Appends bytes.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a field in the TPM's wire format.
    pub(super) fn put<T: Wire>(&mut self, value: &T) {
        let start = self.bytes.len();
        self.reserve(T::MAX_SIZE);
        self.bytes.resize(start.saturating_add(T::MAX_SIZE), 0);
        let mut w = Writer::new(self.bytes.get_mut(start..).unwrap_or_default());
        self.failed |= value.write(&mut w).is_err();
        let len = w.len();
        self.bytes.truncate(start.saturating_add(len));
    }

    /// Appends a boolean.
    pub(super) fn flag(&mut self, value: bool) {
        self.put(&u8::from(value));
    }

    /// Appends the number of the bytes, then the bytes.
    pub(super) fn array(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.bytes(bytes);
    }

    /// Appends a number of elements.
    pub(super) fn count(&mut self, count: usize) {
        match u16::try_from(count) {
            Ok(count) => self.put(&count),
            Err(_) => self.failed = true,
        }
    }

    /// Appends the header of a structure.
    pub(super) fn header(&mut self, kind: Kind, version: u16, minimum: u16) {
        self.put(&version);
        self.put(&kind.magic);
        self.put(&minimum);
    }

    /// Appends a block with what `content` appends.
    pub(super) fn block(&mut self, content: impl FnOnce(&mut Self)) {
        self.flag(true);
        let at = self.bytes.len();
        self.put(&0u16);
        let start = self.bytes.len();
        content(self);
        let len = u16::try_from(self.bytes.len().saturating_sub(start));
        match (len, self.bytes.get_mut(at..start)) {
            (Ok(len), Some(place)) => crate::collections::copy(place, &len.to_be_bytes()),
            _ => self.failed = true,
        }
    }

    /// Appends a block that is absent.
    pub(super) fn no_block(&mut self) {
        self.flag(false);
        self.put(&0u16);
    }

    /// Appends the block for what later versions add.
    pub(super) fn future(&mut self) {
        self.block(|_| {});
    }

    /// What was collected so far.
    pub(super) fn written(&self) -> &[u8] {
        &self.bytes
    }

    /// Everything collected.
    pub(super) fn finish(self) -> Result<Zeroizing<Vec<u8>>, ExportFault> {
        if self.failed { Err(ExportFault::Room) } else { Ok(Zeroizing::new(self.bytes.clone())) }
    }
}

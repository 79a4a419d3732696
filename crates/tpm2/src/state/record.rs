//! Saved state as numbered fields: any version reads what it knows and skips what it does not.

use alloc::vec::Vec;
use sealwright_core::{Reader, StateFault, Wire, Writer};
use zeroize::{Zeroize, Zeroizing};

const MAGIC: [u8; 4] = *b"SwT2";

/// Kinds of saved state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Permanent = 1,
    Volatile = 2,
}

/// Newest version that this program writes, and the oldest program version that reads it.
const VERSION: u16 = 1;

/// Collects fields. What is in them may be secret, so what was written is wiped when dropped.
pub(super) struct Out(Vec<u8>);

impl Drop for Out {
    fn drop(&mut self) {
        // Not the room behind it, where nothing ever was: wiping that would cost time in each commit.
        self.0.as_mut_slice().zeroize();
    }
}

impl Out {
    /// Begins a record of this kind.
    pub(super) fn new(kind: Kind) -> Self {
        let mut out = Self(Vec::with_capacity(8 * 1024));
        out.0.extend_from_slice(&MAGIC);
        out.0.push(kind as u8);
        out.0.extend_from_slice(&VERSION.to_be_bytes());
        out.0.extend_from_slice(&VERSION.to_be_bytes());
        out
    }

    /// Begins a record that will be a field of another.
    pub(super) fn part() -> Self {
        Self(Vec::with_capacity(512))
    }

    /// Makes room for a field of this size.
    fn reserve(&mut self, size: usize) {
        let needed = self.0.len().saturating_add(size).saturating_add(6);
        if needed > self.0.capacity() {
            // Growing in place would leave copies of secrets behind.
            let mut larger = Vec::with_capacity(needed.saturating_mul(2));
            larger.extend_from_slice(&self.0);
            self.0.as_mut_slice().zeroize();
            self.0 = larger;
        }
    }

    /// Appends a field of bytes.
    pub(super) fn bytes(&mut self, id: u16, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.0.extend_from_slice(&id.to_be_bytes());
        self.0.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// Appends a field.
    pub(super) fn field<T: Wire>(&mut self, id: u16, value: &T) {
        self.reserve(T::MAX_SIZE);
        let at = self.0.len();
        self.0.extend_from_slice(&id.to_be_bytes());
        self.0.extend_from_slice(&[0; 4]);
        let start = self.0.len();
        self.0.resize(start.saturating_add(T::MAX_SIZE), 0);
        let mut w = Writer::new(self.0.get_mut(start..).unwrap_or_default());
        let fits = value.write(&mut w).is_ok();
        let len = w.len();
        if !fits {
            self.0.get_mut(start..).unwrap_or_default().zeroize();
            self.0.truncate(at);
            return;
        }
        self.0.truncate(start.saturating_add(len));
        let size = u32::try_from(len).unwrap_or(0).to_be_bytes();
        if let Some(place) = self.0.get_mut(start.saturating_sub(4)..start) {
            place.iter_mut().zip(size).for_each(|(to, from)| *to = from);
        }
    }

    /// The record.
    pub(super) fn finish(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.clone())
    }
}

/// The fields of a record.
pub(super) struct Fields<'a>(Vec<(u16, &'a [u8])>);

impl<'a> Fields<'a> {
    /// Checks the head of a record and finds its fields.
    pub(super) fn new(kind: Kind, bytes: &'a [u8]) -> Result<Self, StateFault> {
        let mut r = Reader::new(bytes);
        let magic: [u8; 4] = r.array().map_err(|_| StateFault::Format)?;
        let [found] = r.array().map_err(|_| StateFault::Format)?;
        if magic != MAGIC || found != kind as u8 {
            return Err(StateFault::Format);
        }
        let (_, oldest_reader) =
            (u16::read(&mut r).map_err(|_| StateFault::Format)?, u16::read(&mut r).map_err(|_| StateFault::Format)?);
        if oldest_reader > VERSION {
            return Err(StateFault::Version);
        }
        Self::part(r.rest())
    }

    /// Finds the fields of a record without a head.
    pub(super) fn part(bytes: &'a [u8]) -> Result<Self, StateFault> {
        let mut r = Reader::new(bytes);
        let mut fields = Vec::new();
        while !r.is_empty() {
            let id = u16::read(&mut r).map_err(|_| StateFault::Format)?;
            let len = u32::read(&mut r).map_err(|_| StateFault::Format)?;
            let len = usize::try_from(len).map_err(|_| StateFault::Format)?;
            fields.push((id, r.bytes(len).map_err(|_| StateFault::Format)?));
        }
        Ok(Self(fields))
    }

    /// All fields with this number.
    pub(super) fn all(&self, id: u16) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(found, _)| *found == id).map(|(_, bytes)| *bytes)
    }

    /// The bytes of a field; it must be there.
    pub(super) fn bytes(&self, id: u16) -> Result<&'a [u8], StateFault> {
        self.all(id).next().ok_or(StateFault::Format)
    }

    /// The value of a field; it must be there.
    pub(super) fn get<T: Wire>(&self, id: u16) -> Result<T, StateFault> {
        whole(self.bytes(id)?)
    }

    /// The value of a field that older versions did not write.
    pub(super) fn get_or<T: Wire>(&self, id: u16, default: T) -> Result<T, StateFault> {
        self.all(id).next().map_or(Ok(default), whole)
    }
}

/// The value of all the bytes.
pub(super) fn whole<T: Wire>(bytes: &[u8]) -> Result<T, StateFault> {
    let mut r = Reader::new(bytes);
    let value = T::read(&mut r).map_err(|_| StateFault::Format)?;
    if r.is_empty() { Ok(value) } else { Err(StateFault::Format) }
}

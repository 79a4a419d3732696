//! NV Indexes (Part 1, 37; Part 3, 31).

mod access;
mod storage;

pub(crate) use storage::orderly_counter_after_loss;

use crate::structures::{Auth, Name, NvAttributes, NvPublic, NvType};
use alloc::vec::Vec;
use sealwright_core::{Fault, Wire, Writer};
use sealwright_crypto::Crypto;

/// A defined Index.
#[derive(Clone, Debug)]
pub(crate) struct NvIndex {
    pub(crate) public: NvPublic,
    pub(crate) auth: Auth,
    /// As many bytes as the public area says; meaningless until WRITTEN.
    pub(crate) data: Vec<u8>,
}

/// What an Index holds before it is written: NV begins with ones, and RAM, where orderly Indexes are, with zeros.
pub(crate) const fn erased(attributes: NvAttributes) -> u8 {
    let ordinary = matches!(attributes.nv_type(), Some(NvType::Ordinary));
    if attributes.has(NvAttributes::ORDERLY) || !ordinary { 0 } else { 0xFF }
}

impl NvIndex {
    /// True if all bits of `attributes` are set.
    pub(crate) const fn has(&self, attributes: NvAttributes) -> bool {
        self.public.attributes.has(attributes)
    }

    /// Sets or clears attributes.
    pub(crate) const fn set(&mut self, attributes: NvAttributes, on: bool) {
        self.public.attributes = self.public.attributes.with(attributes, on);
    }

    /// True if the Index is of this kind.
    pub(crate) fn is(&self, nv_type: NvType) -> bool {
        self.public.attributes.nv_type() == Some(nv_type)
    }

    /// The Name: name algorithm and digest of the public area, which changes with the attributes.
    pub(crate) fn name(&self, crypto: &Crypto) -> Name {
        let mut bytes = [0; NvPublic::MAX_SIZE];
        let mut w = Writer::new(&mut bytes);
        if self.public.write(&mut w).is_err() {
            return Name::EMPTY;
        }
        let digest = crypto.hash.digest(self.public.name_alg, &[w.written()]);
        let mut name = Vec::with_capacity(66);
        name.extend_from_slice(&self.public.name_alg.id().to_be_bytes());
        name.extend_from_slice(&digest);
        Name::new(&name).unwrap_or_default()
    }

    /// The data as a 64-bit number: counters, bits and PIN counters.
    pub(crate) fn value(&self) -> u64 {
        self.data.first_chunk::<8>().map_or(0, |b| u64::from_be_bytes(*b))
    }

    /// Replaces the data by a 64-bit number and marks it as written.
    pub(crate) fn set_value(&mut self, value: u64) {
        self.data = value.to_be_bytes().to_vec();
        self.set(NvAttributes::WRITTEN, true);
    }

    /// `size` bytes of data from `offset`; TPM_RC_NV_RANGE if there are not as many.
    pub(crate) fn slice(&self, offset: u16, size: u16) -> Result<&[u8], Fault> {
        let (offset, size) = (usize::from(offset), usize::from(size));
        let end = offset.checked_add(size).ok_or(Fault::NV_RANGE)?;
        self.data.get(offset..end).ok_or(Fault::NV_RANGE)
    }
}

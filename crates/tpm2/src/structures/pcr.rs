//! PCR selections (Part 2, 10.6).

use super::{HASH_COUNT, PCR_SELECT};
use sealwright_core::{Fault, List, Reader, Wire, Writer};
use sealwright_crypto::HashAlg;

/// TPMS_PCR_SELECTION: PCR of one bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcrSelection {
    /// The bank.
    pub hash: HashAlg,
    /// Bit map, least significant bit of the first byte is PCR 0.
    pub select: [u8; PCR_SELECT],
}

impl PcrSelection {
    /// True if PCR `pcr` is selected.
    pub fn has(&self, pcr: usize) -> bool {
        self.select.get(pcr / 8).is_some_and(|byte| byte >> (pcr % 8) & 1 == 1)
    }
    /// Selects PCR `pcr`, or not.
    pub fn set(&mut self, pcr: usize, on: bool) {
        if let Some(byte) = self.select.get_mut(pcr / 8) {
            let bit = 1u8 << (pcr % 8);
            *byte = if on { *byte | bit } else { *byte & !bit };
        }
    }
    /// Numbers of the selected PCR, ascending.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..PCR_SELECT * 8).filter(move |pcr| self.has(*pcr))
    }
    /// True if none is selected.
    pub fn is_empty(&self) -> bool {
        self.select.iter().all(|byte| *byte == 0)
    }
}

impl Default for PcrSelection {
    fn default() -> Self {
        Self { hash: HashAlg::Sha1, select: [0; PCR_SELECT] }
    }
}

/// A size of select other than 3 is TPM_RC_VALUE, as this platform has 24 PCR.
impl Wire for PcrSelection {
    const MAX_SIZE: usize = 3 + PCR_SELECT;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let hash = HashAlg::read(r)?;
        if usize::from(u8::read(r)?) != PCR_SELECT {
            return Err(Fault::VALUE);
        }
        Ok(Self { hash, select: r.array()? })
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        self.hash.write(w)?;
        (PCR_SELECT as u8).write(w)?;
        w.bytes(&self.select)
    }
}

/// TPML_PCR_SELECTION.
pub type PcrSelections = List<PcrSelection, HASH_COUNT>;

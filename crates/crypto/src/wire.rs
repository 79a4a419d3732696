//! Hash algorithms and curves on the wire (Part 2, 9.29 and 11.2.5.5).

use crate::{Curve, HashAlg};
use sealwright_core::{Algorithm, Fault, Reader, Wire, Writer};

/// TPMI_ALG_HASH: anything else is TPM_RC_HASH.
impl Wire for HashAlg {
    const MAX_SIZE: usize = 2;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let id = u16::read(r)?;
        Self::from_id(id).filter(|_| r.accepts(id)).ok_or(Fault::HASH)
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        self.id().write(w)
    }
}

/// `Option<HashAlg>` is TPMI_ALG_HASH+.
impl Algorithm for HashAlg {}

/// TPMI_ECC_CURVE: anything else is TPM_RC_CURVE.
impl Wire for Curve {
    const MAX_SIZE: usize = 2;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let id = u16::read(r)?;
        Self::from_id(id).filter(|_| r.accepts_curve(id)).ok_or(Fault::CURVE)
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        self.id().write(w)
    }
}

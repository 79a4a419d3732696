//! `TPM2_ECC_Parameters` (Part 3, 14.6).

use crate::structures::{Alg, Curve, EccParameter, EccScheme};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::{Buffer, Fault, Reader, Wire, Writer};
use sealwright_derive::{Command, Response};

/// The parameters of a curve.
#[derive(Command)]
#[command(code = 0x178, response = EccParametersResponse)]
#[doc(alias = "TPM2_ECC_Parameters")]
pub struct EccParameters {
    /// The curve.
    pub curve: Curve,
}

/// The KDF of a curve: its hash may be one that the engine does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurveKdf(pub Option<u16>);

impl Wire for CurveKdf {
    const MAX_SIZE: usize = 4;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        match Alg::read(r)? {
            Alg::NULL => Ok(Self(None)),
            Alg::KDF1_SP800_56A => Ok(Self(Some(u16::read(r)?))),
            _ => Err(Fault::KDF),
        }
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        match self.0 {
            None => Alg::NULL.write(w),
            Some(hash) => {
                Alg::KDF1_SP800_56A.write(w)?;
                hash.write(w)
            }
        }
    }
}

/// Answer of [`EccParameters`]: TPMS_ALGORITHM_DETAIL_ECC.
#[derive(Response)]
pub struct EccParametersResponse {
    /// The curve.
    pub curve: Curve,
    /// Size of the field in bits.
    pub key_size: u16,
    /// Default KDF.
    pub kdf: CurveKdf,
    /// Scheme that the curve prescribes.
    pub sign: EccScheme,
    /// Prime of the field.
    pub p: EccParameter,
    /// Coefficient of x.
    pub a: EccParameter,
    /// Constant coefficient.
    pub b: EccParameter,
    /// x coordinate of the generator.
    pub g_x: EccParameter,
    /// y coordinate of the generator.
    pub g_y: EccParameter,
    /// Order of the generator.
    pub n: EccParameter,
    /// Cofactor.
    pub h: EccParameter,
}

impl Execute for EccParameters {
    fn execute(self, _: &mut Tpm<'_>) -> Result<EccParametersResponse, Fault> {
        let curve = self.curve;
        let numbers = curve.parameters();
        Ok(EccParametersResponse {
            curve,
            key_size: u16::try_from(curve.bits()).map_err(|_| Fault::FAILURE)?,
            kdf: CurveKdf(numbers.kdf_hash),
            sign: EccScheme::Null,
            p: Buffer::from_slice(numbers.p)?,
            a: Buffer::from_slice(numbers.a)?,
            b: Buffer::from_slice(numbers.b)?,
            g_x: Buffer::from_slice(numbers.gx)?,
            g_y: Buffer::from_slice(numbers.gy)?,
            n: Buffer::from_slice(numbers.n)?,
            h: Buffer::from_slice(numbers.h)?,
        })
    }
}

//! `TPM2_ECDH_ZGen` (Part 3, 14.5).

use crate::signing::ecc::{point_of, wire_point};
use crate::structures::{DhObject, EccPoint, EccScheme, ObjectAttributes, Parameters, Sized2b};
use crate::table::Execute;
use crate::tpm::{Tpm, fault_of};
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// The point that a loaded key shares with another one.
#[derive(Command)]
#[command(code = 0x154, response = EcdhZGenResponse)]
#[doc(alias = "TPM2_ECDH_ZGen")]
pub struct EcdhZGen {
    /// The key.
    #[handle(auth = user)]
    pub key: DhObject,
    /// The other party's public point.
    pub in_point: Sized2b<EccPoint>,
}

/// Answer of [`EcdhZGen`].
#[derive(Response)]
pub struct EcdhZGenResponse {
    /// The shared point.
    pub out_point: Sized2b<EccPoint>,
}

impl Execute for EcdhZGen {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<EcdhZGenResponse, Fault> {
        let key = tpm.object(self.key.0).map_err(|_| Fault::KEY.at_handle(1))?;
        let Parameters::Ecc(ecc) = &key.public.parameters else { return Err(Fault::KEY.at_handle(1)) };
        if key.has(ObjectAttributes::RESTRICTED) || !key.has(ObjectAttributes::DECRYPT) {
            return Err(Fault::ATTRIBUTES.at_handle(1));
        }
        if !matches!(ecc.scheme, EccScheme::Ecdh(_) | EccScheme::Null) {
            return Err(Fault::SCHEME.at_handle(1));
        }
        let sensitive = key.sensitive.as_ref().ok_or(Fault::KEY.at_handle(1))?;
        let point = point_of(&self.in_point.0);
        if !tpm.crypto.ecc.on_curve(ecc.curve, &point) {
            return Err(Fault::ECC_POINT.at_parameter(1));
        }
        let z = tpm.crypto.ecc.mul(ecc.curve, &sensitive.value, &point);
        let z = z.map_err(|error| fault_of(error).at_parameter(1))?;
        Ok(EcdhZGenResponse { out_point: Sized2b(wire_point(&z)?) })
    }
}

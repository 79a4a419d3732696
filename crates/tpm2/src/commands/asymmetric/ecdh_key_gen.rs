//! `TPM2_ECDH_KeyGen` (Part 3, 14.4).

use crate::signing::ecc::{point_of, wire_point};
use crate::structures::{DhObject, EccPoint, Parameters, Sized2b, Unique};
use crate::table::Execute;
use crate::tpm::{Tpm, fault_of};
use sealwright_core::Fault;
use sealwright_crypto::CryptoError;
use sealwright_crypto::ecc::random_scalar;
use sealwright_derive::{Command, Response};

/// Makes an ephemeral key and the point that it shares with a loaded key.
#[derive(Command)]
#[command(code = 0x163, response = EcdhKeyGenResponse)]
#[doc(alias = "TPM2_ECDH_KeyGen")]
pub struct EcdhKeyGen {
    /// The key; its public part is enough.
    #[handle]
    pub key: DhObject,
}

/// Answer of [`EcdhKeyGen`].
#[derive(Response)]
pub struct EcdhKeyGenResponse {
    /// The shared point.
    pub z_point: Sized2b<EccPoint>,
    /// The ephemeral public point.
    pub pub_point: Sized2b<EccPoint>,
}

impl Execute for EcdhKeyGen {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<EcdhKeyGenResponse, Fault> {
        let key = tpm.object(self.key.0).map_err(|_| Fault::KEY.at_handle(1))?;
        let (Parameters::Ecc(ecc), Unique::Ecc(public)) = (&key.public.parameters, &key.public.unique) else {
            return Err(Fault::KEY.at_handle(1));
        };
        let public = point_of(public);
        if !tpm.crypto.ecc.on_curve(ecc.curve, &public) {
            return Err(Fault::KEY.at_handle(1));
        }
        loop {
            let d = random_scalar(ecc.curve, &mut tpm.state.drbg);
            let pub_point = tpm.crypto.ecc.mul_base(ecc.curve, &d).map_err(fault_of)?;
            match tpm.crypto.ecc.mul(ecc.curve, &d, &public) {
                Ok(z) => {
                    let (z_point, pub_point) = (Sized2b(wire_point(&z)?), Sized2b(wire_point(&pub_point)?));
                    return Ok(EcdhKeyGenResponse { z_point, pub_point });
                }
                Err(CryptoError::NoResult) => {}
                Err(error) => return Err(fault_of(error)),
            }
        }
    }
}

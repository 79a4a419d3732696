//! `TPM2_EC_Ephemeral` (Part 3, 19.3).

use crate::signing::ecc::wire_point;
use crate::structures::{Curve, EccPoint, Name, Sized2b};
use crate::table::Execute;
use crate::tpm::{Tpm, fault_of};
use sealwright_core::Fault;
use sealwright_crypto::CryptoError;
use sealwright_derive::{Command, Response};

/// Makes an ephemeral key for a two-phase key exchange.
#[derive(Command)]
#[command(code = 0x18E, response = EcEphemeralResponse)]
#[doc(alias = "TPM2_EC_Ephemeral")]
pub struct EcEphemeral {
    /// The curve.
    pub curve: Curve,
}

/// Answer of [`EcEphemeral`].
#[derive(Response)]
pub struct EcEphemeralResponse {
    /// The public point.
    pub q: Sized2b<EccPoint>,
    /// Counter that names the private part.
    pub counter: u16,
}

impl Execute for EcEphemeral {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<EcEphemeralResponse, Fault> {
        if tpm.has_attribute(crate::profile::attribute::NO_ECC_KEY_DERIVATION) {
            return Err(Fault::TYPE);
        }
        loop {
            let r = tpm.next_r(self.curve, &Name::EMPTY).ok_or(Fault::NO_RESULT)?;
            match tpm.crypto.ecc.mul_base(self.curve, &r) {
                Ok(q) => return Ok(EcEphemeralResponse { q: Sized2b(wire_point(&q)?), counter: tpm.commit() }),
                // Committed all the same, so that the next try takes another number.
                Err(CryptoError::NoResult) => drop(tpm.commit()),
                Err(error) => return Err(fault_of(error)),
            }
        }
    }
}

//! `TPM2_ZGen_2Phase` (Part 3, 14.7).

use crate::signing::ecc::{point_of, wire_point};
use crate::structures::{DhObject, EccPoint, EccScheme, Name, ObjectAttributes, Parameters, Sized2b};
use crate::table::Execute;
use crate::tpm::{Tpm, fault_of};
use sealwright_core::Fault;
use sealwright_crypto::ecc::{ecdh, mqv, sm2};
use sealwright_derive::{Command, Response, Wire};

/// TPMI_ECC_KEY_EXCHANGE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
#[wire(repr = u16, refuse = "SCHEME", algorithm)]
pub enum KeyExchange {
    /// Full unified model.
    Ecdh = 0x0019,
    /// SM2.
    Sm2 = 0x001B,
    /// Full MQV.
    EcMqv = 0x001D,
}

/// Second phase of a key exchange that EC_Ephemeral began.
#[derive(Command)]
#[command(code = 0x18D, response = ZGen2PhaseResponse)]
#[doc(alias = "TPM2_ZGen_2Phase")]
pub struct ZGen2Phase {
    /// The static key.
    #[handle(auth = user)]
    pub key_a: DhObject,
    /// The other party's static point.
    pub in_qs_b: Sized2b<EccPoint>,
    /// The other party's ephemeral point.
    pub in_qe_b: Sized2b<EccPoint>,
    /// The exchange; it must be that of the key if the key has one.
    pub scheme: KeyExchange,
    /// Counter of EC_Ephemeral.
    pub counter: u16,
}

/// Answer of [`ZGen2Phase`].
#[derive(Response)]
pub struct ZGen2PhaseResponse {
    /// First shared point.
    pub out_z1: Sized2b<EccPoint>,
    /// Second shared point, of ECDH only; else an empty one.
    pub out_z2: Sized2b<EccPoint>,
}

impl Execute for ZGen2Phase {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<ZGen2PhaseResponse, Fault> {
        if tpm.has_attribute(crate::profile::attribute::NO_ECC_KEY_DERIVATION) {
            return Err(Fault::TYPE);
        }
        let key = tpm.object(self.key_a.0).map_err(|_| Fault::KEY.at_handle(1))?;
        let Parameters::Ecc(ecc) = &key.public.parameters else { return Err(Fault::KEY.at_handle(1)) };
        if key.has(ObjectAttributes::RESTRICTED) || !key.has(ObjectAttributes::DECRYPT) {
            return Err(Fault::ATTRIBUTES.at_handle(1));
        }
        let fits = match ecc.scheme {
            EccScheme::Null => true,
            EccScheme::Ecdh(_) => self.scheme == KeyExchange::Ecdh,
            EccScheme::Sm2(_) => self.scheme == KeyExchange::Sm2,
            EccScheme::EcMqv(_) => self.scheme == KeyExchange::EcMqv,
            _ => false,
        };
        if !fits {
            return Err(Fault::SCHEME.at_parameter(3));
        }
        let (crypto, curve) = (tpm.crypto, ecc.curve);
        let (static_b, ephemeral_b) = (point_of(&self.in_qs_b.0), point_of(&self.in_qe_b.0));
        if !crypto.ecc.on_curve(curve, &static_b) {
            return Err(Fault::ECC_POINT.at_parameter(1));
        }
        if !crypto.ecc.on_curve(curve, &ephemeral_b) {
            return Err(Fault::ECC_POINT.at_parameter(2));
        }
        let r = tpm.committed_r(self.counter, curve, &Name::EMPTY).ok_or(Fault::VALUE.at_parameter(4))?;
        let d = &key.sensitive.as_ref().ok_or(Fault::KEY.at_handle(1))?.value;
        let points = match self.scheme {
            KeyExchange::Ecdh => ecdh::two_phase(crypto, curve, d, &r, &static_b, &ephemeral_b)
                .map(|(first, second)| (first, Some(second))),
            KeyExchange::EcMqv => mqv::exchange(crypto, curve, d, &r, &static_b, &ephemeral_b).map(|z| (z, None)),
            KeyExchange::Sm2 => sm2::exchange(crypto, curve, d, &r, &static_b, &ephemeral_b).map(|z| (z, None)),
        };
        let (first, second) = points.map_err(fault_of)?;
        let out_z1 = Sized2b(wire_point(&first)?);
        let out_z2 = Sized2b(second.map_or(Ok(EccPoint::default()), |point| wire_point(&point))?);
        tpm.end_commit(self.counter);
        Ok(ZGen2PhaseResponse { out_z1, out_z2 })
    }
}

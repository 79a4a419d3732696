//! `TPM2_Commit` (Part 3, 19.2).

use crate::signing::ecc::{point_of, wire_point};
use crate::structures::{DhObject, EccParameter, EccPoint, EccScheme, Parameters, SensitiveData, Sized2b};
use crate::table::Execute;
use crate::tpm::{Tpm, fault_of};
use alloc::vec::Vec;
use sealwright_core::Fault;
use sealwright_crypto::Point;
use sealwright_derive::{Command, Response};

/// First phase of an anonymous signature.
#[derive(Command)]
#[command(code = 0x18B, response = CommitResponse)]
#[doc(alias = "TPM2_Commit")]
pub struct Commit {
    /// The key, of an anonymous scheme.
    #[handle(auth = user)]
    pub sign: DhObject,
    /// A point, or an empty one.
    pub p1: Sized2b<EccPoint>,
    /// Octets whose hash is the x coordinate of a point, or none.
    pub s2: SensitiveData,
    /// Its y coordinate, or empty.
    pub y2: EccParameter,
}

/// Answer of [`Commit`]; points that were not asked for are empty.
#[derive(Response)]
pub struct CommitResponse {
    /// Private key times the point of `s2`.
    pub k: Sized2b<EccPoint>,
    /// Committed number times the point of `s2`.
    pub l: Sized2b<EccPoint>,
    /// Committed number times `p1`, or times the generator.
    pub e: Sized2b<EccPoint>,
    /// Counter that names the committed number.
    pub counter: u16,
}

/// `number mod modulus` with the size of the modulus; neither is secret.
fn remainder(number: &[u8], modulus: &[u8]) -> Vec<u8> {
    let mut rest = alloc::vec![0u8; modulus.len()];
    for bit in number.iter().flat_map(|byte| (0..8).rev().map(move |shift| byte >> shift & 1)) {
        let mut carry = bit;
        for byte in rest.iter_mut().rev() {
            let out = *byte >> 7;
            *byte = *byte << 1 | carry;
            carry = out;
        }
        if carry == 1 || rest.as_slice() >= modulus {
            let mut borrow = false;
            for (byte, take) in rest.iter_mut().zip(modulus).rev() {
                let (first, under) = byte.overflowing_sub(*take);
                let (second, under_again) = first.overflowing_sub(u8::from(borrow));
                (*byte, borrow) = (second, under || under_again);
            }
        }
    }
    rest
}

impl Execute for Commit {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<CommitResponse, Fault> {
        if tpm.has_attribute(crate::profile::attribute::NO_ECC_KEY_DERIVATION) {
            return Err(Fault::TYPE);
        }
        let key = tpm.object(self.sign.0).map_err(|_| Fault::KEY.at_handle(1))?;
        let Parameters::Ecc(ecc) = &key.public.parameters else { return Err(Fault::KEY.at_handle(1)) };
        if !matches!(ecc.scheme, EccScheme::Ecdaa(..)) {
            return Err(Fault::SCHEME.at_handle(1));
        }
        if self.s2.is_empty() != self.y2.is_empty() {
            return Err(Fault::SIZE.at_parameter(3));
        }
        let curve = ecc.curve;
        let r = tpm.next_r(curve, &key.name).ok_or(Fault::NO_RESULT)?;
        let p2 = if self.s2.is_empty() {
            None
        } else {
            let hash = key.public.name_alg.ok_or(Fault::HASH.at_handle(1))?;
            let x = remainder(&tpm.hash(hash, &[&self.s2]), curve.parameters().p);
            let point = Point { x, y: self.y2.to_vec() };
            if !tpm.crypto.ecc.on_curve(curve, &point) {
                return Err(Fault::ECC_POINT.at_parameter(2));
            }
            Some(point)
        };
        let sensitive = key.sensitive.as_ref().ok_or(Fault::KEY.at_handle(1))?;
        let p1 = if self.p1.0.x.is_empty() && self.p1.0.y.is_empty() { None } else { Some(point_of(&self.p1.0)) };
        if p1.as_ref().is_some_and(|point| !tpm.crypto.ecc.on_curve(curve, point)) {
            return Err(Fault::ECC_POINT.at_parameter(1));
        }
        let times = |scalar: &[u8], point: &Point| {
            tpm.crypto.ecc.mul(curve, scalar, point).map_err(fault_of).and_then(|p| wire_point(&p))
        };
        let (mut k, mut l, mut e) = (EccPoint::default(), EccPoint::default(), EccPoint::default());
        if let Some(p2) = &p2 {
            (k, l) = (times(&sensitive.value, p2)?, times(&r, p2)?);
        }
        match (&p1, &p2) {
            (Some(p1), _) => e = times(&r, p1)?,
            (None, None) => e = wire_point(&tpm.crypto.ecc.mul_base(curve, &r).map_err(fault_of)?)?,
            (None, Some(_)) => {}
        }
        Ok(CommitResponse { k: Sized2b(k), l: Sized2b(l), e: Sized2b(e), counter: tpm.commit() })
    }
}

#[cfg(test)]
mod tests {
    use super::remainder;

    #[test]
    fn remainders() {
        assert_eq!(remainder(&[0xFF, 0xFF], &[0x01, 0x00]), [0x00, 0xFF]);
        assert_eq!(remainder(&[0x12, 0x34, 0x56], &[0xFE, 0xDC]), [0x48, 0xDE]); // 0x123456 mod 0xFEDC
        assert_eq!(remainder(&[5], &[0, 7]), [0, 5]);
        assert_eq!(remainder(&[0xFF; 9], &[0xFF; 8]), [0, 0, 0, 0, 0, 0, 0, 0xFF]);
    }
}

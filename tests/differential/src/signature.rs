//! Verification of what a TPM signed, with the public key it showed.

use crate::codes::*;
use crate::crypto::{digest_info_prefix, hash, mgf1, rsa_public};
use crate::describe::Public;
use crate::ecc::Curve;
use crate::tpm::Tpm;
use crate::wire::{In, Out};
use num_bigint::BigUint;

impl Tpm {
    /// The parameters of a curve, asked without recording.
    pub fn curve(&mut self, curve: u16) -> Option<Curve> {
        let response = self.quiet(&Out::new().u16(ST_NO_SESSIONS).u32(12).u32(0x178).u16(curve).0);
        Curve::parse(response.get(10..)?)
    }

    /// Checks a marshalled TPMT_SIGNATURE over `message` by the key at `handle` and notes a fault in the last step if it is bad.
    /// Schemes with more state (ECDAA, ECSCHNORR) are left to TPM2_VerifySignature of the other side.
    pub fn verify(&mut self, handle: u32, message: &[u8], signature: &[u8]) {
        let public = self.public(handle);
        let good = self.verified(&public, message, signature).unwrap_or(false);
        self.expect(good, "the signature does not verify");
    }

    fn verified(&mut self, public: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
        let key = Public::parse(public)?;
        let (n, y) = key.point_or_modulus()?;
        let mut input = In(signature);
        let (scheme, alg) = (input.u16()?, input.u16()?);
        let digest = hash(alg, &[message]);
        Some(match scheme {
            RSASSA => {
                let opened = rsa_public(n, key.exponent, input.sized()?);
                let info = [digest_info_prefix(alg), &digest].concat();
                let mut expected = vec![0, 1];
                expected.resize(n.len() - info.len() - 1, 0xFF);
                expected.push(0);
                expected.extend(info);
                opened == expected
            }
            RSAPSS => pss(alg, &rsa_public(n, key.exponent, input.sized()?), &digest),
            ECDSA | SM2 => {
                let curve = self.curve(key.curve)?;
                let point = Some((BigUint::from_bytes_be(n), BigUint::from_bytes_be(y)));
                let (r, s) = (BigUint::from_bytes_be(input.sized()?), BigUint::from_bytes_be(input.sized()?));
                if !curve.contains(&point) {
                    return Some(false);
                }
                if scheme == SM2 { curve.sm2(&point, &digest, &r, &s) } else { curve.ecdsa(&point, &digest, &r, &s) }
            }
            _ => true,
        })
    }
}

/// EMSA-PSS verification with any salt length.
fn pss(alg: u16, encoded: &[u8], digest: &[u8]) -> bool {
    let h = digest.len();
    let Some(split) = encoded.len().checked_sub(h + 1) else { return false };
    let (masked, rest) = encoded.split_at(split);
    let (seal, trailer) = rest.split_at(h);
    let mut db: Vec<u8> = masked.iter().zip(mgf1(alg, seal, split)).map(|(a, b)| a ^ b).collect();
    if let Some(first) = db.first_mut() {
        *first &= 0x7F;
    }
    let Some(one) = db.iter().position(|b| *b != 0) else { return false };
    let salt = &db[one + 1..];
    trailer == [0xBC] && db[one] == 1 && hash(alg, &[&[0; 8], digest, salt]) == seal
}

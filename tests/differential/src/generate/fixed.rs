//! Keys known to the test: TPMT_SENSITIVE and TPMT_PUBLIC for LoadExternal.

use crate::codes::*;
use crate::crypto::{hash, left_pad};
use crate::template::*;
use crate::tpm::Tpm;
use crate::wire::Out;
use num_bigint::BigUint;

/// Type, sensitive area, public area.
pub(super) type Key = (u16, Vec<u8>, Vec<u8>);

fn without_size(sized: Out) -> Vec<u8> {
    sized.0.get(2..).unwrap_or_default().to_vec()
}

/// The RSA key of the tests.
pub(super) fn rsa(attributes: u32) -> Key {
    let (n, p) = rsa_key();
    (RSA, without_size(loaded_sensitive(RSA, &[], &[], &p)), rsa_with(attributes, null(), null(), &n))
}

/// A P-256 key with the scalar `d`.
pub(super) fn ecc(t: &mut Tpm, d: &[u8], attributes: u32) -> Key {
    let point = t.curve(3).and_then(|c| c.multiply(&BigUint::from_bytes_be(d), &c.base()));
    let (x, y) = point.unwrap_or_default();
    let pad = |v: &BigUint| left_pad(&v.to_bytes_be(), 32);
    let parameters = null().u16(NULL).u16(3).u16(NULL);
    let area = public(ECC, SHA256, attributes, &[], parameters, Out::new().sized(&pad(&x)).sized(&pad(&y)));
    (ECC, without_size(loaded_sensitive(ECC, &[], &[], d)), area)
}

/// An HMAC or cipher key.
pub(super) fn secret(kind: u16, attributes: u32, parameters: Out, value: &[u8]) -> Key {
    let seed = [0x5A; 32];
    let unique = hash(SHA256, &[&seed, value]);
    let area = public(kind, SHA256, attributes, &[], parameters, Out::new().sized(&unique));
    (kind, without_size(loaded_sensitive(kind, &[], &seed, value)), area)
}

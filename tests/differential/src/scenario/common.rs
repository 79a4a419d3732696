//! Objects that most scenarios begin with.

use crate::codes::*;
use crate::crypto::left_pad;
use crate::template::*;
use crate::tpm::{Reply, Tpm};
use crate::wire::Out;
use num_bigint::BigUint;

/// TPM2_CreatePrimary; the handle, or 0.
pub(super) fn primary(t: &mut Tpm, hierarchy: u32, auth: &[u8], public: &[u8]) -> u32 {
    t.plain("primary", "CreatePrimary", &[hierarchy], &[b""], create(auth, &[], public)).handle
}

/// TPM2_Create under a parent without authValue; the reply holds outPrivate and outPublic.
pub(super) fn child(t: &mut Tpm, label: &str, parent: u32, auth: &[u8], data: &[u8], public: &[u8]) -> Reply {
    t.plain(label, "Create", &[parent], &[b""], create(auth, data, public))
}

/// TPM2_Load of what [`child`] gave; the handle, or 0.
pub(super) fn load(t: &mut Tpm, label: &str, parent: u32, made: &Reply) -> u32 {
    let parameters = Out::new().sized(&made.sized(0)).sized(&made.sized(1));
    t.plain(label, "Load", &[parent], &[b""], parameters).handle
}

/// TPM2_Create and TPM2_Load.
pub(super) fn loaded(t: &mut Tpm, label: &str, parent: u32, auth: &[u8], data: &[u8], public: &[u8]) -> u32 {
    let made = child(t, label, parent, auth, data, public);
    if made.rc == 0 { load(t, label, parent, &made) } else { 0 }
}

fn external(t: &mut Tpm, label: &str, private: Out, public: &[u8], hierarchy: u32) -> u32 {
    let parameters = private.sized(public).u32(hierarchy);
    let handle = t.plain(label, "LoadExternal", &[], &[], parameters).handle;
    if handle != 0 {
        t.fixed.insert(handle);
    }
    handle
}

/// The fixed RSA key with its private part.
pub(super) fn external_rsa(t: &mut Tpm, attributes: u32, scheme: Out) -> u32 {
    let (n, p) = rsa_key();
    let public = rsa_with(attributes, null(), scheme, &n);
    external(t, "fixed RSA key", loaded_sensitive(RSA, &[], &[], &p), &public, RH_NULL)
}

/// The fixed RSA key, public part only, in a hierarchy.
pub(super) fn public_rsa(t: &mut Tpm, attributes: u32, symmetric: Out, scheme: Out, hierarchy: u32) -> u32 {
    let (n, _) = rsa_key();
    external(t, "public RSA key", Out::new().sized(&[]), &rsa_with(attributes, symmetric, scheme, &n), hierarchy)
}

/// The public area of the ECC key with the private scalar `d`.
pub(super) fn ecc_public(t: &mut Tpm, curve: u16, d: &[u8], attributes: u32, symmetric: Out, scheme: Out) -> Vec<u8> {
    let Some(c) = t.curve(curve) else { return Vec::new() };
    let Some((x, y)) = c.multiply(&BigUint::from_bytes_be(d), &c.base()) else { return Vec::new() };
    let unique = Out::new().sized(&left_pad(&x.to_bytes_be(), c.size())).sized(&left_pad(&y.to_bytes_be(), c.size()));
    let parameters = Out::new().raw(&symmetric.0).raw(&scheme.0).u16(curve).u16(NULL);
    public(ECC, SHA256, attributes, &[], parameters, unique)
}

/// An ECC key with the private scalar `d`.
pub(super) fn external_ecc(t: &mut Tpm, curve: u16, d: &[u8], attributes: u32, scheme: Out) -> u32 {
    let public = ecc_public(t, curve, d, attributes, null(), scheme);
    let size = t.curve(curve).map_or(32, |c| c.size());
    let private = loaded_sensitive(ECC, &[], &[], &left_pad(d, size));
    external(t, &format!("fixed ECC key on {curve:#x}"), private, &public, RH_NULL)
}

/// A symmetric or keyed-hash object with known secret: `unique` is the digest of seed and secret.
pub(super) fn external_secret(t: &mut Tpm, kind: u16, attributes: u32, parameters: Out, secret: &[u8]) -> u32 {
    let seed = [0x5A; 32];
    let unique = crate::crypto::hash(SHA256, &[&seed, secret]);
    let area = public(kind, SHA256, attributes, &[], parameters, Out::new().sized(&unique));
    external(t, "fixed secret", loaded_sensitive(kind, &[], &seed, secret), &area, RH_NULL)
}

/// Attributes of an external signing key.
pub(super) const EXTERNAL_SIGN: u32 = USER_WITH_AUTH | NO_DA | KEY_SIGN;
/// Attributes of an external decryption key.
pub(super) const EXTERNAL_DECRYPT: u32 = USER_WITH_AUTH | NO_DA | KEY_DECRYPT;

/// A null ticket of the given tag.
pub(super) fn null_ticket(tag: u16) -> Out {
    Out::new().u16(tag).u32(RH_NULL).sized(&[])
}

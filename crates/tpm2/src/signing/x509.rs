//! Parts of X.509 certificates that the TPM makes and checks for TPM2_CertifyX509 (Part 3, 18.8; RFC 5280, RFC 4055,
//! RFC 5480, RFC 5758).

use super::der::{self, SEQUENCE, bit_string, context, element, integer};
use super::rsa::{pss_salt_size, public_parts};
use crate::object::Object;
use crate::structures::{Curve, HashAlg, ObjectAttributes, Parameters, SigScheme, Unique};
use alloc::vec::Vec;
use sealwright_core::Fault;

/// rsaEncryption, 1.2.840.113549.1.1.1.
const RSA_ENCRYPTION: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
/// id-mgf1, 1.2.840.113549.1.1.8.
const MGF1: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x08];
/// id-RSASSA-PSS, 1.2.840.113549.1.1.10.
const RSASSA_PSS: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A];
/// id-ecPublicKey, 1.2.840.10045.2.1.
const EC_PUBLIC_KEY: &[u8] = &[0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
/// id-ce-keyUsage, 2.5.29.15.
const KEY_USAGE: &[u8] = &[0x06, 0x03, 0x55, 0x1D, 0x0F];
/// TPMA_OBJECT as an extension, 2.23.133.10.1.1.1.
const TPMA_OBJECT: &[u8] = &[0x06, 0x07, 0x67, 0x81, 0x05, 0x0A, 0x01, 0x01, 0x01];
/// NULL.
const NULL: &[u8] = &[0x05, 0x00];

const fn hash_oid(hash: HashAlg) -> &'static [u8] {
    match hash {
        HashAlg::Sha1 => &[0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A],
        HashAlg::Sha256 => &[0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01],
        HashAlg::Sha384 => &[0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02],
        HashAlg::Sha512 => &[0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03],
    }
}

/// The last number of shaXXXWithRSAEncryption, 1.2.840.113549.1.1.x.
const fn rsassa_oid(hash: HashAlg) -> [u8; 11] {
    let last = match hash {
        HashAlg::Sha1 => 0x05,
        HashAlg::Sha256 => 0x0B,
        HashAlg::Sha384 => 0x0C,
        HashAlg::Sha512 => 0x0D,
    };
    [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, last]
}

const fn ecdsa_oid(hash: HashAlg) -> &'static [u8] {
    match hash {
        HashAlg::Sha1 => &[0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x01],
        HashAlg::Sha256 => &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02],
        HashAlg::Sha384 => &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x03],
        HashAlg::Sha512 => &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x04],
    }
}

const fn curve_oid(curve: Curve) -> Option<&'static [u8]> {
    match curve {
        Curve::P192 => Some(&[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x01]),
        Curve::P224 => Some(&[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x21]),
        Curve::P256 => Some(&[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07]),
        Curve::P384 => Some(&[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22]),
        Curve::P521 => Some(&[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23]),
        Curve::Sm2 => Some(&[0x06, 0x08, 0x2A, 0x81, 0x1C, 0xCF, 0x55, 0x01, 0x82, 0x2D]),
        Curve::Bn256 | Curve::Bn638 => None,
    }
}

/// SEQUENCE of an identifier and NULL.
fn with_null(oid: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[oid, NULL])
}

/// SubjectPublicKeyInfo of a key; `None` if there is no identifier for its type or curve.
pub(crate) fn public_key(key: &Object) -> Option<Vec<u8>> {
    match (&key.public.parameters, &key.public.unique) {
        (Parameters::Rsa(_), _) => {
            let (n, e) = public_parts(key).ok()?;
            let numbers = element(SEQUENCE, &[&integer(n), &integer(&e.to_be_bytes())]);
            Some(element(SEQUENCE, &[&with_null(RSA_ENCRYPTION), &bit_string(&[&numbers])]))
        }
        (Parameters::Ecc(ecc), Unique::Ecc(point)) => {
            let algorithm = element(SEQUENCE, &[EC_PUBLIC_KEY, curve_oid(ecc.curve)?]);
            Some(element(SEQUENCE, &[&algorithm, &bit_string(&[&[4], &point.x, &point.y])]))
        }
        _ => None,
    }
}

/// AlgorithmIdentifier of signatures by `key`; `None` if there is no identifier for the scheme.
pub(crate) fn signature_algorithm(key: &Object, scheme: SigScheme) -> Option<Vec<u8>> {
    match scheme {
        SigScheme::Rsassa(hash) => Some(with_null(&rsassa_oid(hash))),
        // All parameters have their defaults, so they must be left out (RFC 4055, 3.1).
        SigScheme::Rsapss(HashAlg::Sha1) => Some(with_null(RSASSA_PSS)),
        SigScheme::Rsapss(hash) => {
            let (n, _) = public_parts(key).ok()?;
            let salt = u8::try_from(pss_salt_size(hash, n.len())).ok()?;
            let hash = with_null(hash_oid(hash));
            let parameters = element(
                SEQUENCE,
                &[
                    &element(context(0), &[&hash]),
                    &element(context(1), &[&element(SEQUENCE, &[MGF1, &hash])]),
                    &element(context(2), &[&integer(&[salt])]),
                ],
            );
            Some(element(SEQUENCE, &[RSASSA_PSS, &parameters]))
        }
        SigScheme::Ecdsa(hash) => Some(element(SEQUENCE, &[ecdsa_oid(hash)])),
        _ => None,
    }
}

/// The bits of the extension with this identifier: `Ok(None)` if it is not there, TPM_RC_VALUE if it or an extension
/// before it is malformed.
fn extension_bits(extensions: &[u8], oid: &[u8]) -> Result<Option<u32>, Fault> {
    let mut rest = extensions;
    while !rest.is_empty() {
        let extension = der::take(&mut rest).filter(|e| e.tag == SEQUENCE).ok_or(Fault::VALUE)?;
        if !extension.content.starts_with(oid) {
            continue;
        }
        let mut fields = extension.content;
        while let Some(field) = der::take(&mut fields).filter(|field| !field.content.is_empty()) {
            if field.tag == der::OCTET_STRING {
                let mut value = field.content;
                let bits = der::take(&mut value).filter(|e| e.tag == der::BIT_STRING);
                return bits.and_then(|e| der::bits(e.content)).map(Some).ok_or(Fault::VALUE);
            }
        }
        return Err(Fault::VALUE);
    }
    Ok(None)
}

/// Bits of KeyUsage (RFC 5280, 4.2.1.3), the first is the highest.
mod usage {
    pub(super) const DIGITAL_SIGNATURE: u32 = 1 << 31;
    pub(super) const NON_REPUDIATION: u32 = 1 << 30;
    pub(super) const KEY_ENCIPHERMENT: u32 = 1 << 29;
    pub(super) const DATA_ENCIPHERMENT: u32 = 1 << 28;
    pub(super) const KEY_AGREEMENT: u32 = 1 << 27;
    pub(super) const KEY_CERT_SIGN: u32 = 1 << 26;
    pub(super) const CRL_SIGN: u32 = 1 << 25;
    pub(super) const ENCIPHER_ONLY: u32 = 1 << 24;
    pub(super) const DECIPHER_ONLY: u32 = 1 << 23;

    pub(super) const SIGN: u32 = DIGITAL_SIGNATURE | KEY_CERT_SIGN | CRL_SIGN;
    pub(super) const DECRYPT: u32 =
        KEY_ENCIPHERMENT | DATA_ENCIPHERMENT | KEY_AGREEMENT | ENCIPHER_ONLY | DECIPHER_ONLY;
    pub(super) const ALL: u32 = SIGN | DECRYPT | NON_REPUDIATION;
}

/// Checks the extensions of a certificate against the attributes of the key (Part 3, 18.8.1): TPM_RC_ATTRIBUTES if a
/// TPMA_OBJECT extension is not that of the key, else TPM_RC_VALUE or TPM_RC_RESERVED_BITS. KeyUsage must be there.
pub(crate) fn check_extensions(key: &Object, extensions: &[u8]) -> Result<(), Fault> {
    let mut outer = extensions;
    let outer = der::take(&mut outer).filter(|e| e.tag == context(3)).ok_or(Fault::VALUE)?;
    let mut inner = outer.content;
    let list = der::take(&mut inner).filter(|e| e.tag == SEQUENCE && inner.is_empty()).ok_or(Fault::VALUE)?;
    if extension_bits(list.content, TPMA_OBJECT)?.is_some_and(|bits| bits != key.public.attributes.0) {
        return Err(Fault::ATTRIBUTES);
    }
    let bits = extension_bits(list.content, KEY_USAGE)?.ok_or(Fault::VALUE)?;
    if bits & !usage::ALL != 0 {
        return Err(Fault::RESERVED_BITS);
    }
    let needs = [
        (usage::SIGN, ObjectAttributes::SIGN),
        (usage::DECRYPT, ObjectAttributes::DECRYPT),
        (usage::NON_REPUDIATION, ObjectAttributes::FIXED_TPM),
        (usage::KEY_ENCIPHERMENT, ObjectAttributes::RESTRICTED),
    ];
    if needs.iter().any(|(wanted, attribute)| bits & wanted != 0 && !key.has(*attribute)) {
        return Err(Fault::VALUE);
    }
    Ok(())
}

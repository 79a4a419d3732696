//! Signatures with RSA keys: RSASSA-PKCS1-v1_5 and RSASSA-PSS (PKCS #1 v2.2, 8).

use crate::object::Object;
use crate::structures::{HashAlg, Parameters, Signature, Unique};
use crate::tpm::fault_of;
use alloc::vec::Vec;
use sealwright_core::Fault;
use sealwright_crypto::kdf::mgf1;
use sealwright_crypto::{Crypto, Random, RsaKey};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The public exponent that 0 in a public area means.
pub(crate) const DEFAULT_EXPONENT: u32 = 65537;

/// Modulus and public exponent of an RSA key.
pub(crate) fn public_parts(key: &Object) -> Result<(&[u8], u32), Fault> {
    match (&key.public.parameters, &key.public.unique) {
        (Parameters::Rsa(rsa), Unique::Rsa(n)) => {
            Ok((n.as_slice(), if rsa.exponent == 0 { DEFAULT_EXPONENT } else { rsa.exponent }))
        }
        _ => Err(Fault::SCHEME),
    }
}

/// The private key of an object.
pub(crate) fn private_part(key: &Object) -> Result<&RsaKey, Fault> {
    key.rsa.as_deref().ok_or(Fault::BINDING)
}

/// DER of DigestInfo up to the digest (PKCS #1, 9.2, note 1).
const fn digest_info(hash: HashAlg) -> &'static [u8] {
    match hash {
        HashAlg::Sha1 => &[0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14],
        HashAlg::Sha256 => &[
            0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
            0x20,
        ],
        HashAlg::Sha384 => &[
            0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04,
            0x30,
        ],
        HashAlg::Sha512 => &[
            0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04,
            0x40,
        ],
    }
}

/// EMSA-PKCS1-v1_5 of a digest: TPM_RC_VALUE if it is not one of the hash, TPM_RC_SIZE if the modulus is too short.
fn pkcs1_encoded(hash: HashAlg, digest: &[u8], size: usize) -> Result<Vec<u8>, Fault> {
    if digest.len() != hash.size() {
        return Err(Fault::VALUE);
    }
    let info = digest_info(hash);
    let fill = size.checked_sub(info.len().saturating_add(digest.len()).saturating_add(3)).filter(|n| *n >= 8);
    let fill = fill.ok_or(Fault::SIZE)?;
    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(&[0, 1]);
    out.resize(fill.saturating_add(2), 0xFF);
    out.push(0);
    out.extend_from_slice(info);
    out.extend_from_slice(digest);
    Ok(out)
}

/// Size of the salt: that of the hash, or as much as fits (Part 4, CryptRsaPssSaltSize).
pub(super) fn pss_salt_size(hash: HashAlg, modulus: usize) -> usize {
    modulus.saturating_sub(hash.size()).saturating_sub(2).min(hash.size())
}

/// Signs with PKCS #1 v1.5 padding.
pub(super) fn sign_pkcs1(
    crypto: &Crypto,
    key: &Object,
    hash: HashAlg,
    digest: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let (n, _) = public_parts(key)?;
    let encoded = pkcs1_encoded(hash, digest, n.len())?;
    crypto.rsa.private(private_part(key)?, &encoded).map_err(fault_of)
}

fn xor(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to ^= from;
    }
}

/// Signs with PSS padding (PKCS #1, 9.1.1).
pub(super) fn sign_pss(
    crypto: &Crypto,
    key: &Object,
    hash: HashAlg,
    digest: &[u8],
    random: &mut dyn Random,
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let (n, _) = public_parts(key)?;
    let mut salt = alloc::vec![0; pss_salt_size(hash, n.len())];
    random.fill(&mut salt);
    let h = crypto.hash.digest(hash, &[&[0; 8], digest, &salt]);
    let db_size = n.len().checked_sub(h.len().saturating_add(1)).ok_or(Fault::SIZE)?;
    let mut out = alloc::vec![0; db_size.checked_sub(salt.len().saturating_add(1)).ok_or(Fault::SIZE)?];
    out.push(1);
    out.extend_from_slice(&salt);
    xor(&mut out, &mgf1(crypto, hash, &h, db_size));
    if let Some(first) = out.first_mut() {
        *first &= 0x7F; // every modulus has a whole number of bytes
    }
    out.extend_from_slice(&h);
    out.push(0xBC);
    crypto.rsa.private(private_part(key)?, &out).map_err(fault_of)
}

/// Checks a signature (Part 4, CryptRsaValidateSignature).
pub(super) fn verify(crypto: &Crypto, key: &Object, digest: &[u8], signature: &Signature) -> Result<(), Fault> {
    let (Signature::Rsassa(value) | Signature::Rsapss(value)) = signature else { return Err(Fault::SCHEME) };
    let (n, e) = public_parts(key)?;
    if value.value.len() != n.len() {
        return Err(Fault::SIGNATURE);
    }
    let opened = crypto.rsa.public(n, e, &value.value).map_err(|_| Fault::SIGNATURE)?;
    let good = match signature {
        Signature::Rsassa(_) => {
            let expected = pkcs1_encoded(value.hash, digest, n.len()).map_err(|_| Fault::SIGNATURE)?;
            bool::from(expected.ct_eq(&opened))
        }
        _ => pss_matches(crypto, value.hash, digest, opened).unwrap_or(false),
    };
    if good { Ok(()) } else { Err(Fault::SIGNATURE) }
}

/// EMSA-PSS verification (PKCS #1, 9.1.2) with a salt of any size; `None` if the parts are not where they must be.
fn pss_matches(crypto: &Crypto, hash: HashAlg, digest: &[u8], encoded: Vec<u8>) -> Option<bool> {
    let mut encoded = encoded;
    if encoded.pop()? != 0xBC || encoded.first()? & 0x80 != 0 {
        return None;
    }
    let db_size = encoded.len().checked_sub(hash.size())?;
    let (db, h) = encoded.split_at_mut_checked(db_size)?;
    xor(db, &mgf1(crypto, hash, h, db.len()));
    *db.first_mut()? &= 0x7F;
    let mark = db.iter().position(|byte| *byte != 0)?;
    let (mark, salt) = db.get(mark..)?.split_first()?;
    let expected = crypto.hash.digest(hash, &[&[0; 8], digest, salt]);
    Some(*mark == 1 && bool::from(expected.ct_eq(&*h)))
}

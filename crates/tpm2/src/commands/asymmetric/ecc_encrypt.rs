//! `TPM2_ECC_Encrypt` (Part 3, 14.8).

use crate::object::Object;
use crate::signing::ecc::{point_of, wire_point};
use crate::structures::{
    Curve, DhObject, Digest, EccPoint, HashAlg, KdfScheme, MaxBuffer, Parameters, Sized2b, Unique,
};
use crate::table::Execute;
use crate::tpm::Tpm;
use alloc::vec::Vec;
use sealwright_core::{Buffer, Fault};
use sealwright_crypto::ecc::random_scalar;
use sealwright_crypto::{Crypto, Point, kdf};
use sealwright_derive::{Command, Response};
use zeroize::Zeroizing;

/// Encrypts with a public elliptic-curve key: an ephemeral key, a stream made of the shared point, and a check value.
#[derive(Command)]
#[command(code = 0x199, response = EccEncryptResponse)]
#[doc(alias = "TPM2_ECC_Encrypt")]
pub struct EccEncrypt {
    /// The key; its public part is enough.
    #[handle]
    pub key: DhObject,
    /// What to encrypt.
    pub plain_text: MaxBuffer,
    /// The KDF, if the key does not say it; only KDF2 can be used.
    pub scheme: KdfScheme,
}

/// Answer of [`EccEncrypt`].
#[derive(Response)]
pub struct EccEncryptResponse {
    /// The ephemeral public point.
    pub c1: Sized2b<EccPoint>,
    /// The encrypted text.
    pub c2: MaxBuffer,
    /// Digest of the shared point and the text.
    pub c3: Digest,
}

/// The KDF of a key and a caller together (Part 4, CryptEccSelectScheme).
pub(super) fn select_kdf(key: KdfScheme, asked: KdfScheme) -> Result<KdfScheme, Fault> {
    match (key, asked) {
        (KdfScheme::Null, KdfScheme::Null) => Err(Fault::SCHEME),
        (KdfScheme::Null, asked) => Ok(asked),
        (key, KdfScheme::Null) => Ok(key),
        (key, asked) if key == asked => Ok(asked),
        _ => Err(Fault::SCHEME),
    }
}

/// Curve and hash for a key: TPM_RC_KEY if it is of another type, TPM_RC_SCHEME if the KDF does not fit (parameter
/// `at`) or is not KDF2.
pub(super) fn curve_and_hash(key: &Object, asked: KdfScheme, at: u8) -> Result<(Curve, HashAlg), Fault> {
    let Parameters::Ecc(ecc) = &key.public.parameters else { return Err(Fault::KEY.at_handle(1)) };
    match select_kdf(ecc.kdf, asked).map_err(|fault| fault.at_parameter(at))? {
        KdfScheme::Kdf2(hash) => Ok((ecc.curve, hash)),
        _ => Err(Fault::SCHEME),
    }
}

/// Adds the stream made of the shared point.
pub(super) fn apply_stream(crypto: &Crypto, hash: HashAlg, z: &Point, text: &mut MaxBuffer) -> Result<(), Fault> {
    let bits = u32::try_from(text.len().saturating_mul(8)).map_err(|_| Fault::SIZE)?;
    let mut secret = Zeroizing::new(Vec::with_capacity(z.x.len().saturating_add(z.y.len())));
    [&z.x, &z.y].iter().for_each(|part| secret.extend_from_slice(part));
    let stream = kdf::kdf2(crypto, hash, &secret, &[], bits);
    text.as_mut_slice().iter_mut().zip(stream.iter()).for_each(|(to, from)| *to ^= from);
    Ok(())
}

/// The check value over the shared point and the text.
pub(super) fn check_value(crypto: &Crypto, hash: HashAlg, z: &Point, text: &MaxBuffer) -> Result<Digest, Fault> {
    Buffer::from_slice(&crypto.hash.digest(hash, &[&z.x, text, &z.y]))
}

impl Execute for EccEncrypt {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<EccEncryptResponse, Fault> {
        let key = tpm.object(self.key.0).map_err(|_| Fault::KEY.at_handle(1))?;
        let (curve, hash) = curve_and_hash(&key, self.scheme, 2)?;
        let Unique::Ecc(public) = &key.public.unique else { return Err(Fault::KEY.at_handle(1)) };
        let d = random_scalar(curve, &mut tpm.state.drbg);
        let crypto = tpm.crypto;
        let c1 = crypto.ecc.mul_base(curve, &d).map_err(|_| Fault::NO_RESULT)?;
        let z = crypto.ecc.mul(curve, &d, &point_of(public)).map_err(|_| Fault::NO_RESULT)?;
        let c3 = check_value(crypto, hash, &z, &self.plain_text)?;
        let mut c2 = self.plain_text;
        apply_stream(crypto, hash, &z, &mut c2)?;
        Ok(EccEncryptResponse { c1: Sized2b(wire_point(&c1)?), c2, c3 })
    }
}

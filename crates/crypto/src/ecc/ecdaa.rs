//! ECDAA signatures (Part 1, C.4.2; TPM_ALG_ECDAA), the second half of a split signature: the first is
//! TPM2_Commit, in [`super::commit`].

use super::schnorr::response;
use super::{Signature, TRIES, random_scalar};
use crate::{Crypto, CryptoError, Curve, HashAlg, Random};

/// Signs `digest` with the private key `d` and the value `r` of the commitment: `T = H(k || digest)`, `s = r + T d`.
///
/// The first number of the signature is the nonce `k` without leading zero bytes: that is how libtpms hashes and
/// returns it. The caller retires the commitment when this succeeds.
pub fn sign(
    crypto: &Crypto,
    curve: Curve,
    hash: HashAlg,
    d: &[u8],
    r: &[u8],
    digest: &[u8],
    random: &mut dyn Random,
) -> Result<Signature, CryptoError> {
    for _ in 0..TRIES {
        let nonce = random_scalar(curve, random);
        let zeros = nonce.iter().take_while(|byte| **byte == 0).count();
        let nonce = nonce.get(zeros..).unwrap_or_default();
        let t = crypto.hash.digest(hash, &[nonce, digest]);
        if let Some(s) = response(curve, r, &t, d) {
            return Ok(Signature { r: nonce.to_vec(), s: s.to_vec() });
        }
    }
    Err(CryptoError::NoResult)
}

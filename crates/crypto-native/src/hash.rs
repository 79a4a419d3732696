//! Hashes and HMAC of AWS-LC: what is around the compressions takes half of the time there, and most hashes of a TPM are of
//! one or two blocks.

use crate::sha::Running;
use sealwright_crypto::{Digest, Hash, HashAlg};
use zeroize::optimization_barrier;

/// The hashes of AWS-LC. Running ones, whose state can be saved, are [`sealwright_crypto::hash::Hasher`].
#[derive(Clone, Copy, Debug, Default)]
pub struct NativeHash;

impl Hash for NativeHash {
    fn digest(&self, alg: HashAlg, parts: &[&[u8]]) -> Digest {
        let mut hash = Running::new(alg);
        hash.update(parts);
        hash.finish()
    }

    fn hmac(&self, alg: HashAlg, key: &[u8], parts: &[&[u8]]) -> Digest {
        let mut block = KeyBlock::new(alg, key);
        let mut hash = Running::new(alg);
        hash.update(&[block.inner(alg)]);
        hash.update(parts);
        let inner = hash.finish();
        hash.restart();
        hash.update(&[block.outer(alg), &inner]);
        hash.finish()
    }

    fn hmac_pair(&self, alg: HashAlg, key: &[u8], first: &[&[u8]], second: &[&[u8]]) -> [Digest; 2] {
        let mut block = KeyBlock::new(alg, key);
        let (mut inner, mut outer) = (Running::new(alg), Running::new(alg));
        inner.update(&[block.inner(alg)]);
        outer.update(&[block.outer(alg)]);
        [first, second].map(|parts| {
            let (mut inner, mut outer) = (inner.clone(), outer.clone());
            inner.update(parts);
            outer.update(&[&inner.finish()]);
            outer.finish()
        })
    }
}

/// A block that a key is in, wiped when dropped (FIPS 198-1, 4).
struct KeyBlock([u8; 128]);

impl Drop for KeyBlock {
    fn drop(&mut self) {
        self.0 = [0; 128];
        optimization_barrier(self);
    }
}

impl KeyBlock {
    fn new(alg: HashAlg, key: &[u8]) -> Self {
        let hashed = (key.len() > alg.block()).then(|| NativeHash.digest(alg, &[key]));
        let key = hashed.as_deref().unwrap_or(key);
        let mut block = Self([0; 128]);
        if let Some(start) = block.0.get_mut(..key.len()) {
            start.copy_from_slice(key);
        }
        block
    }

    /// The block for the inner hash; before the one for the outer hash.
    fn inner(&mut self, alg: HashAlg) -> &[u8] {
        self.xor(alg, 0x36)
    }

    /// The block for the outer hash: takes the constant of the inner one out again.
    fn outer(&mut self, alg: HashAlg) -> &[u8] {
        self.xor(alg, 0x36 ^ 0x5c)
    }

    fn xor(&mut self, alg: HashAlg, constant: u8) -> &[u8] {
        self.0.iter_mut().for_each(|byte| *byte ^= constant);
        self.0.get(..alg.block()).unwrap_or_default()
    }
}

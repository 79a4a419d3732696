//! Key derivation and mask generation (Part 1, 11.4.10 and annex B; PKCS #1, B.2.1; ISO/IEC 18033-2, 6.2).
//!
//! Labels are given without the trailing NUL of the specification's strings; it is added here unless the label, which
//! may come from a caller of TPM2_CreateLoaded, ends with one.

use alloc::vec::Vec;
use core::fmt;

use zeroize::{Zeroize, Zeroizing};

use crate::provider::{Crypto, Digest, HashAlg, Random};

/// KDFa: SP 800-108 in counter mode with HMAC (Part 1, 11.4.10.2). `bits` are made; the unused bits of the first byte
/// are zero.
pub fn kdfa(
    crypto: &Crypto,
    alg: HashAlg,
    key: &[u8],
    label: &[u8],
    context_u: &[u8],
    context_v: &[u8],
    bits: u32,
) -> Zeroizing<Vec<u8>> {
    made_of_blocks(bits, |counter| kdfa_block(crypto, alg, key, label, &[context_u, context_v], bits, counter))
}

/// One block of KDFa; the first has the counter 1.
fn kdfa_block(
    crypto: &Crypto,
    alg: HashAlg,
    key: &[u8],
    label: &[u8],
    [context_u, context_v]: &[&[u8]; 2],
    bits: u32,
    counter: u32,
) -> Digest {
    let parts: [&[u8]; 6] =
        [&counter.to_be_bytes(), label, terminator(label), context_u, context_v, &bits.to_be_bytes()];
    crypto.hash.hmac(alg, key, &parts)
}

/// KDFa of no more bits than the hash has, and the HMAC of `message`, both under `key`, which is prepared once.
pub fn kdfa_and_hmac(
    crypto: &Crypto,
    alg: HashAlg,
    key: &[u8],
    label: &[u8],
    [context_u, context_v]: [&[u8]; 2],
    bits: u32,
    message: &[&[u8]],
) -> (Zeroizing<Vec<u8>>, Digest) {
    let first = 1u32.to_be_bytes();
    let parts: [&[u8]; 6] = [&first, label, terminator(label), context_u, context_v, &bits.to_be_bytes()];
    let [block, mac] = crypto.hash.hmac_pair(alg, key, &parts, message);
    let mut blocks = Some(block);
    (made_of_blocks(bits, |_| blocks.take().unwrap_or_else(|| Digest::new(&[]))), mac)
}

/// KDFe: the one-step derivation of SP 800-56A with a hash (Part 1, 11.4.10.3). `z` is the x coordinate of the shared
/// point, padded to the size of the field.
pub fn kdfe(
    crypto: &Crypto,
    alg: HashAlg,
    z: &[u8],
    label: &[u8],
    party_u: &[u8],
    party_v: &[u8],
    bits: u32,
) -> Zeroizing<Vec<u8>> {
    made_of_blocks(bits, |counter| {
        let parts: [&[u8]; 6] = [&counter.to_be_bytes(), z, label, terminator(label), party_u, party_v];
        crypto.hash.digest(alg, &parts)
    })
}

/// MGF1 (PKCS #1, B.2.1): `size` bytes from `seed`.
pub fn mgf1(crypto: &Crypto, alg: HashAlg, seed: &[u8], size: usize) -> Zeroizing<Vec<u8>> {
    let mut mask = Zeroizing::new(alloc::vec![0; size]);
    let mut counter = 0u32;
    for chunk in mask.chunks_mut(alg.size()) {
        take(chunk, crypto.hash.digest(alg, &[seed, &counter.to_be_bytes()]));
        counter = counter.wrapping_add(1);
    }
    mask
}

/// KDF2 (ISO/IEC 18033-2, 6.2.3; TPM_ALG_KDF2): as [`mgf1`], but the counter starts at 1, and further data follow it.
pub fn kdf2(crypto: &Crypto, alg: HashAlg, z: &[u8], info: &[&[u8]], bits: u32) -> Zeroizing<Vec<u8>> {
    made_of_blocks(bits, |counter| {
        let counter = counter.to_be_bytes();
        let mut parts: Vec<&[u8]> = Vec::with_capacity(info.len().saturating_add(2));
        parts.push(z);
        parts.push(&counter);
        parts.extend(info);
        crypto.hash.digest(alg, &parts)
    })
}

/// The NUL that ends a label, if it has none.
fn terminator(label: &[u8]) -> &'static [u8] {
    if label.last() == Some(&0) { &[] } else { &[0] }
}

/// Concatenates blocks numbered from 1, cuts to `bits`, and clears the unused bits.
fn made_of_blocks(bits: u32, mut block: impl FnMut(u32) -> Digest) -> Zeroizing<Vec<u8>> {
    let size = bits.div_ceil(8) as usize;
    let mut out = Zeroizing::new(Vec::with_capacity(size));
    let mut counter = 0u32;
    while out.len() < size {
        counter = counter.wrapping_add(1);
        let mut made = block(counter);
        if made.is_empty() {
            break;
        }
        let left = size.saturating_sub(out.len());
        out.extend(made.iter().take(left));
        made.zeroize();
    }
    let unused = 8u32.saturating_sub(bits % 8) % 8;
    if let Some(first) = out.first_mut() {
        *first &= 0xffu8 >> unused;
    }
    out
}

/// Moves the start of a digest, and wipes the digest.
fn take(to: &mut [u8], mut digest: Digest) {
    for (to, from) in to.iter_mut().zip(digest.iter()) {
        *to = *from;
    }
    digest.zeroize();
}

/// The stream of KDFa blocks from which TPM2_CreateLoaded derives an object (Part 1, 28; Part 4, DRBG_Generate with a
/// KDF state): the counter runs on, bytes left of a block serve the next request, and every block is made for the
/// same `limit`.
pub struct KdfaRandom<'a> {
    crypto: &'a Crypto,
    alg: HashAlg,
    key: Zeroizing<Vec<u8>>,
    label: Zeroizing<Vec<u8>>,
    context: Zeroizing<Vec<u8>>,
    limit: u32,
    counter: u32,
    residual: Zeroizing<Vec<u8>>,
    exhausted: bool,
}

impl fmt::Debug for KdfaRandom<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KdfaRandom({:?}, block {})", self.alg, self.counter)
    }
}

impl<'a> KdfaRandom<'a> {
    /// The limit of object derivation in bits (TPM_MAX_DERIVATION_BITS).
    pub const MAX_DERIVATION_BITS: u32 = 8192;

    /// A stream of at most `limit` bits under the seed `key` of the derivation parent.
    pub fn new(crypto: &'a Crypto, alg: HashAlg, key: &[u8], label: &[u8], context: &[u8], limit: u32) -> Self {
        Self {
            crypto,
            alg,
            key: Zeroizing::new(key.to_vec()),
            label: Zeroizing::new(label.to_vec()),
            context: Zeroizing::new(context.to_vec()),
            limit,
            counter: 0,
            residual: Zeroizing::new(Vec::new()),
            exhausted: false,
        }
    }

    /// True once more was asked for than the limit allows: bytes given since then are zeros, and no key may be made
    /// of them.
    pub const fn exhausted(&self) -> bool {
        self.exhausted
    }
}

impl Random for KdfaRandom<'_> {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill(0);
        // As libtpms counts: whole blocks already made, not the bytes given out.
        let bytes = u64::from(self.counter).saturating_mul(self.alg.size() as u64).saturating_add(out.len() as u64);
        if self.exhausted || bytes.saturating_mul(8) > u64::from(self.limit) {
            self.exhausted = true;
            return;
        }
        let mut rest = out;
        while !rest.is_empty() {
            if self.residual.is_empty() {
                self.counter = self.counter.saturating_add(1);
                let contexts: [&[u8]; 2] = [&self.context, &[]];
                let mut block =
                    kdfa_block(self.crypto, self.alg, &self.key, &self.label, &contexts, self.limit, self.counter);
                self.residual.extend(block.iter());
                block.zeroize();
            }
            let count = rest.len().min(self.residual.len());
            let Some((now, later)) = rest.split_at_mut_checked(count) else {
                return;
            };
            for (to, mut from) in now.iter_mut().zip(self.residual.drain(..count)) {
                *to = from;
                from.zeroize();
            }
            rest = later;
        }
    }
}

#[cfg(test)]
#[path = "kdf_tests.rs"]
mod tests;

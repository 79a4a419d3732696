//! Running hashes and HMACs whose state can be saved: sequence objects survive TPM2_ContextSave and a migration.

use alloc::vec::Vec;
use core::fmt;

use digest::common::hazmat::{SerializableState, SerializedState};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::provider::{Digest, HashAlg};

/// A running hash, wiped when dropped.
#[derive(Clone)]
pub struct Hasher {
    state: State,
}

#[derive(Clone)]
enum State {
    Sha1(Sha1),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

// Each variant wipes itself when it is dropped (feature `zeroize` of the hash crates).
impl ZeroizeOnDrop for Hasher {}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hasher({:?})", self.alg())
    }
}

/// Sizes of the parts of a hash crate's saved state: chaining words, size of one of them, and block counter.
struct Layout {
    words: usize,
    word: usize,
    counter: usize,
}

const fn layout(alg: HashAlg) -> Layout {
    match alg {
        HashAlg::Sha1 => Layout { words: 20, word: 4, counter: 8 },
        HashAlg::Sha256 => Layout { words: 32, word: 4, counter: 8 },
        HashAlg::Sha384 | HashAlg::Sha512 => Layout { words: 64, word: 8, counter: 16 },
    }
}

impl Hasher {
    /// A hash of nothing yet.
    pub fn new(alg: HashAlg) -> Self {
        let state = match alg {
            HashAlg::Sha1 => State::Sha1(Sha1::new()),
            HashAlg::Sha256 => State::Sha256(Sha256::new()),
            HashAlg::Sha384 => State::Sha384(Sha384::new()),
            HashAlg::Sha512 => State::Sha512(Sha512::new()),
        };
        Self { state }
    }

    /// Its algorithm.
    pub const fn alg(&self) -> HashAlg {
        match self.state {
            State::Sha1(_) => HashAlg::Sha1,
            State::Sha256(_) => HashAlg::Sha256,
            State::Sha384(_) => HashAlg::Sha384,
            State::Sha512(_) => HashAlg::Sha512,
        }
    }

    /// Adds `data`.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.state {
            State::Sha1(s) => s.update(data),
            State::Sha256(s) => s.update(data),
            State::Sha384(s) => s.update(data),
            State::Sha512(s) => s.update(data),
        }
    }

    /// The digest of everything added.
    pub fn finish(self) -> Digest {
        match self.state {
            State::Sha1(s) => Digest::new(&s.finalize()),
            State::Sha256(s) => Digest::new(&s.finalize()),
            State::Sha384(s) => Digest::new(&s.finalize()),
            State::Sha512(s) => Digest::new(&s.finalize()),
        }
    }

    /// The state between two updates, in a form of our own that no dependency can change: the chaining words of
    /// FIPS 180-4 (big-endian; eight also for SHA-384), the number of bytes added (big-endian u64), and the bytes of
    /// the unfinished block. As secret as what was hashed.
    pub fn export(&self) -> Zeroizing<Vec<u8>> {
        match &self.state {
            State::Sha1(s) => from_crate(self.alg(), &mut s.serialize()),
            State::Sha256(s) => from_crate(self.alg(), &mut s.serialize()),
            State::Sha384(s) => from_crate(self.alg(), &mut s.serialize()),
            State::Sha512(s) => from_crate(self.alg(), &mut s.serialize()),
        }
    }

    /// Continues an exported state; `None` if `state` is not one of `alg`.
    pub fn import(alg: HashAlg, state: &[u8]) -> Option<Self> {
        let state = match alg {
            HashAlg::Sha1 => State::Sha1(to_crate(alg, state)?),
            HashAlg::Sha256 => State::Sha256(to_crate(alg, state)?),
            HashAlg::Sha384 => State::Sha384(to_crate(alg, state)?),
            HashAlg::Sha512 => State::Sha512(to_crate(alg, state)?),
        };
        Some(Self { state })
    }
}

/// Rewrites a state of the hash crates (little-endian words, little-endian count of whole blocks, one byte with the
/// number of bytes in the block, and the block), and wipes it.
fn from_crate(alg: HashAlg, saved: &mut [u8]) -> Zeroizing<Vec<u8>> {
    let sizes = layout(alg);
    let mut out = Zeroizing::new(Vec::with_capacity(sizes.words.saturating_add(8).saturating_add(alg.block())));
    let (words, rest) = saved.split_at_checked(sizes.words).unwrap_or_default();
    for word in words.chunks(sizes.word) {
        out.extend(word.iter().rev());
    }
    let (blocks, rest) = rest.split_at_checked(sizes.counter).unwrap_or_default();
    let blocks = blocks.iter().take(8).rev().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
    let (filled, block) = rest.split_first().unwrap_or((&0, &[]));
    let total = blocks.wrapping_mul(alg.block() as u64).wrapping_add(u64::from(*filled));
    out.extend(total.to_be_bytes());
    out.extend(block.iter().take(usize::from(*filled)));
    saved.zeroize();
    out
}

/// The reverse of [`from_crate`].
fn to_crate<S: SerializableState>(alg: HashAlg, state: &[u8]) -> Option<S> {
    let sizes = layout(alg);
    let (words, rest) = state.split_at_checked(sizes.words)?;
    let (total, block) = rest.split_first_chunk::<8>()?;
    let total = u64::from_be_bytes(*total);
    let filled = usize::try_from(total.checked_rem(alg.block() as u64)?).ok()?;
    if block.len() != filled {
        return None;
    }
    let mut saved = SerializedState::<S>::default();
    let (to_words, to_rest) = saved.split_at_mut_checked(sizes.words)?;
    for (to, from) in to_words.chunks_mut(sizes.word).zip(words.chunks(sizes.word)) {
        for (to, from) in to.iter_mut().zip(from.iter().rev()) {
            *to = *from;
        }
    }
    let (to_counter, to_rest) = to_rest.split_at_mut_checked(sizes.counter)?;
    let blocks = total.checked_div(alg.block() as u64)?;
    for (to, from) in to_counter.iter_mut().zip(blocks.to_le_bytes()) {
        *to = from;
    }
    let (to_filled, to_block) = to_rest.split_first_mut()?;
    *to_filled = u8::try_from(filled).ok()?;
    to_block.get_mut(..filled)?.copy_from_slice(block);
    let made = S::deserialize(&saved).ok();
    saved.as_mut_slice().zeroize();
    made
}

/// A running HMAC (FIPS 198-1). The key is kept only as the block that the outer hash takes first.
#[derive(Clone)]
pub struct HmacState {
    inner: Hasher,
    outer: Zeroizing<[u8; MAX_BLOCK]>,
}

impl ZeroizeOnDrop for HmacState {}

impl fmt::Debug for HmacState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HmacState({:?})", self.alg())
    }
}

/// The largest block of a hash.
const MAX_BLOCK: usize = 128;

impl HmacState {
    /// An HMAC of nothing yet under `key` of any length.
    pub fn new(alg: HashAlg, key: &[u8]) -> Self {
        let mut padded = Zeroizing::new([0u8; MAX_BLOCK]);
        let mut hashed = None;
        if key.len() > alg.block() {
            let mut hash = Hasher::new(alg);
            hash.update(key);
            hashed = Some(hash.finish());
        }
        for (to, from) in padded.iter_mut().zip(hashed.as_deref().unwrap_or(key)) {
            *to = *from;
        }
        if let Some(hashed) = &mut hashed {
            hashed.zeroize();
        }
        let mut inner = Hasher::new(alg);
        let block = Zeroizing::new(padded.map(|byte| byte ^ 0x36));
        inner.update(block.get(..alg.block()).unwrap_or_default());
        Self { inner, outer: Zeroizing::new(padded.map(|byte| byte ^ 0x5c)) }
    }

    /// Its hash algorithm.
    pub const fn alg(&self) -> HashAlg {
        self.inner.alg()
    }

    /// Adds `data`.
    pub fn update(&mut self, data: &[u8]) {
        self.inner.update(data);
    }

    /// The code of everything added.
    pub fn finish(self) -> Digest {
        let mut outer = Hasher::new(self.alg());
        outer.update(self.outer_block());
        outer.update(&self.inner.finish());
        outer.finish()
    }

    /// The inner hash: it has taken the key's block for it, and all data so far.
    pub const fn inner(&self) -> &Hasher {
        &self.inner
    }

    /// The key's block for the outer hash. As secret as the key.
    pub fn outer_block(&self) -> &[u8] {
        self.outer.get(..self.alg().block()).unwrap_or_default()
    }

    /// Continues from an inner hash and the key's block for the outer one; `None` if the block has another size.
    pub fn from_parts(inner: Hasher, outer_block: &[u8]) -> Option<Self> {
        let mut outer = Zeroizing::new([0; MAX_BLOCK]);
        if outer_block.len() != inner.alg().block() {
            return None;
        }
        outer.get_mut(..outer_block.len())?.copy_from_slice(outer_block);
        Some(Self { inner, outer })
    }

    /// The state between two updates: the key's block for the outer hash, then the exported inner hash. As secret as
    /// the key.
    pub fn export(&self) -> Zeroizing<Vec<u8>> {
        let inner = self.inner.export();
        let mut out = Zeroizing::new(Vec::with_capacity(MAX_BLOCK.saturating_add(inner.len())));
        out.extend_from_slice(self.outer_block());
        out.extend_from_slice(&inner);
        out
    }

    /// Continues an exported state; `None` if `state` is not one of `alg`.
    pub fn import(alg: HashAlg, state: &[u8]) -> Option<Self> {
        let (outer, inner) = state.split_at_checked(alg.block())?;
        Self::from_parts(Hasher::import(alg, inner)?, outer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Hash;
    use crate::rust::RustHash;
    use crate::testing::hex;

    fn message() -> Vec<u8> {
        (0..1000u32).map(|i| (i.wrapping_mul(31) >> 2) as u8).collect()
    }

    #[test]
    fn a_saved_hash_continues() {
        let message = message();
        for alg in HashAlg::ALL {
            for cut in [0, 1, 55, 63, 64, 65, 127, 128, 129, 999, 1000] {
                let mut first = Hasher::new(alg);
                first.update(&message[..cut]);
                let mut second = Hasher::import(alg, &first.export()).expect("an exported state");
                assert_eq!(second.export(), first.export());
                second.update(&message[cut..]);
                assert_eq!(second.finish(), RustHash.digest(alg, &[&message]));
            }
        }
    }

    #[test]
    fn a_saved_hmac_continues() {
        let message = message();
        for alg in HashAlg::ALL {
            for key in [0, 1, 20, 64, 65, 128, 129, 300] {
                let key = &message[..key];
                let mut first = HmacState::new(alg, key);
                first.update(&message[..100]);
                let mut second = HmacState::import(alg, &first.export()).expect("an exported state");
                second.update(&message[100..]);
                assert_eq!(second.finish(), RustHash.hmac(alg, key, &[&message]));
            }
        }
    }

    /// The format is a promise to saved states: the initial words are those of FIPS 180-4, 5.3.
    #[test]
    fn the_format_is_fixed() {
        let mut hash = Hasher::new(HashAlg::Sha1);
        hash.update(b"abc");
        assert_eq!(*hash.export(), hex("67452301efcdab8998badcfe10325476c3d2e1f0 0000000000000003 616263"));
        let hash = Hasher::new(HashAlg::Sha384);
        assert_eq!(
            *hash.export(),
            hex("cbbb9d5dc1059ed8629a292a367cd5079159015a3070dd17152fecd8f70e5939
                 67332667ffc00b318eb44a8768581511db0c2e0d64f98fa747b5481dbefa4fa4 0000000000000000")
        );
    }

    #[test]
    fn wrong_states_are_refused() {
        for alg in HashAlg::ALL {
            let mut hash = Hasher::new(alg);
            hash.update(b"abc");
            let state = hash.export();
            for len in 0..state.len() {
                assert!(Hasher::import(alg, &state[..len]).is_none());
            }
            let mut long = state.to_vec();
            long.push(0);
            assert!(Hasher::import(alg, &long).is_none());
            assert!(HmacState::import(alg, &state).is_none());
        }
    }
}

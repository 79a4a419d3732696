//! CTR_DRBG with AES-256 (SP 800-90A), with the derivation function that libtpms uses.
//!
//! The derivation function is not the standard's: the chaining of its three blocks and the place of its lengths differ,
//! and primary keys depend on them.

use crate::Random;
use aes::Aes256Enc as Aes256;
use aes::cipher::consts::U16;
use aes::cipher::{Array, BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, KeyInit};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Size of the state: a key of 32 bytes and a counter block of 16.
pub const STATE: usize = 48;
const KEY: usize = 32;
const BLOCK: usize = 16;

/// A deterministic generator of random bits, wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Drbg {
    state: [u8; STATE],
}

impl core::fmt::Debug for Drbg {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Drbg")
    }
}

impl Drbg {
    /// Starts from nothing but the concatenated `parts`.
    pub fn instantiate(parts: &[&[u8]]) -> Self {
        let mut drbg = Self { state: [0; STATE] };
        drbg.reseed(parts);
        drbg
    }

    /// Mixes in the concatenated `parts`.
    pub fn reseed(&mut self, parts: &[&[u8]]) {
        let seed = derive(parts);
        self.update(&seed);
    }

    /// Starts from full entropy alone, as SP 800-90A, 10.2.1.3.1 has it.
    pub fn from_entropy(entropy: &[u8; STATE]) -> Self {
        let mut drbg = Self { state: [0; STATE] };
        drbg.update(entropy);
        drbg
    }

    /// Takes full entropy, and additional input that is mixed in unless empty: SP 800-90A, 10.2.1.4.1, and
    /// TPM2_StirRandom.
    pub fn stir(&mut self, entropy: &[u8; STATE], additional: &[u8]) {
        let mut seed = Zeroizing::new(*entropy);
        if !additional.is_empty() {
            seed.iter_mut().zip(derive(&[additional]).iter()).for_each(|(to, from)| *to ^= from);
        }
        self.update(&seed);
    }

    /// The state, to be kept as secret as what was and will be generated.
    pub fn export(&self) -> Zeroizing<[u8; STATE]> {
        Zeroizing::new(self.state)
    }

    /// Continues from an exported state; `None` if the size is wrong.
    pub fn import(state: &[u8]) -> Option<Self> {
        state.try_into().ok().map(|state| Self { state })
    }

    fn parts(&self) -> ([u8; KEY], u128) {
        let (mut key, mut counter) = ([0; KEY], [0; BLOCK]);
        key.iter_mut().zip(&self.state).for_each(|(to, from)| *to = *from);
        counter.iter_mut().zip(self.state.iter().skip(KEY)).for_each(|(to, from)| *to = *from);
        (key, u128::from_be_bytes(counter))
    }

    /// Writes the key stream to `out`, and what follows it to `next`.
    fn stream(&self, out: &mut [u8], next: &mut [u8; STATE]) {
        let (mut key, counter) = self.parts();
        let aes = Aes256::new(&Array::from(key));
        key.zeroize();
        aes.encrypt_with_backend(KeyStream { counter, out, next });
    }

    fn update(&mut self, data: &[u8; STATE]) {
        let mut next = Zeroizing::new([0; STATE]);
        self.stream(&mut [], &mut next);
        next.iter_mut().zip(data).for_each(|(to, from)| *to ^= from);
        self.state = *next;
    }
}

impl Random for Drbg {
    fn fill(&mut self, out: &mut [u8]) {
        // The update of the state after each request has no data, so the state is the key stream that follows.
        let mut next = Zeroizing::new([0; STATE]);
        self.stream(out, &mut next);
        self.state = *next;
    }
}

/// All blocks of a request, for one set-up of the cipher.
struct KeyStream<'a> {
    counter: u128,
    out: &'a mut [u8],
    next: &'a mut [u8; STATE],
}

impl BlockSizeUser for KeyStream<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for KeyStream<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let mut counter = self.counter;
        for chunk in self.out.chunks_mut(BLOCK).chain(self.next.chunks_mut(BLOCK)) {
            counter = counter.wrapping_add(1);
            let mut block = Array::from(counter.to_be_bytes());
            backend.encrypt_block_inplace(&mut block);
            chunk.iter_mut().zip(&block).for_each(|(to, from)| *to = *from);
            block.as_mut_slice().zeroize();
        }
    }
}

/// The derivation function: any input to 48 bytes.
fn derive(parts: &[&[u8]]) -> Zeroizing<[u8; STATE]> {
    let mut key = [0u8; KEY];
    key.iter_mut().zip(0u8..).for_each(|(k, i)| *k = i);
    let mut chain = Chain { aes: Aes256::new(&Array::from(key)), iv: [[0; BLOCK]; 3], block: [0; BLOCK], filled: 0 };
    chain.iv.iter_mut().zip(0u8..).for_each(|(iv, i)| {
        if let Some(last) = iv.get_mut(3) {
            *last = i;
        }
    });
    chain.compute();
    let length = parts.iter().fold(0usize, |n, p| n.wrapping_add(p.len()));
    let lengths = (u64::try_from(length).unwrap_or(u64::MAX) << 32 | STATE as u64).to_be_bytes();
    if let Some(first) = chain.iv.first_mut() {
        first.iter_mut().zip(lengths).for_each(|(to, from)| *to = from);
    }
    // The first block starts behind a place for a counter, as if it were one block of SP 800-90A's BCC.
    chain.filled = 4;
    parts.iter().flat_map(|p| p.iter()).for_each(|byte| chain.push(*byte));
    chain.push(0x80);
    if chain.filled != 0 {
        chain.compute();
    }
    let mut out = Zeroizing::new([0; STATE]);
    out.iter_mut().zip(chain.iv.iter().flatten()).for_each(|(to, from)| *to = *from);
    out
}

/// Three chaining values and the block that is being filled.
struct Chain {
    aes: Aes256,
    iv: [[u8; BLOCK]; 3],
    block: [u8; BLOCK],
    filled: usize,
}

impl Chain {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.block.get_mut(self.filled) {
            *place = byte;
        }
        self.filled = self.filled.wrapping_add(1);
        if self.filled == BLOCK {
            self.compute();
        }
    }

    /// Takes the block into all three values; what was XORed for one carries over to the next.
    fn compute(&mut self) {
        let mut carried = [0u8; BLOCK];
        for iv in &mut self.iv {
            carried.iter_mut().zip(iv.iter().zip(&self.block)).for_each(|(c, (i, b))| *c ^= i ^ b);
            let mut out = Array::from(carried);
            self.aes.encrypt_block(&mut out);
            iv.iter_mut().zip(&out).for_each(|(to, from)| *to = *from);
        }
        self.block.zeroize();
        self.filled = 0;
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.iv.zeroize();
        self.block.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::testing::hex;

    /// NIST CAVS, CTR_DRBG with AES-256, no derivation function, no prediction resistance, count 0.
    #[test]
    fn nist_vector() {
        let entropy = hex("0d15aa80b16c3a10906cfedb795dae0b5b81041c5c5bfacb373d4440d9120f7e
             3d6cf90986cf52d85d3e947d8c061f91");
        let again = hex("6ee793a33955d72ad12fd80a8a3fcf95ed3b4dac5795fe25cf869f7c27573bbc
             56f1acae13a65042b340093c464a7a22");
        let mut drbg = Drbg::from_entropy(&entropy.try_into().expect("48 bytes"));
        let mut out = [0; 16];
        drbg.fill(&mut out);
        assert_eq!(out[..], hex("28e0ebb8210166508c8f65f2207bd0a3"));
        drbg.stir(&again.try_into().expect("48 bytes"), &[]);
        drbg.fill(&mut out);
        assert_eq!(out[..], hex("946f5182d54510b9461248f571ca06c9"));
    }

    /// How the input is cut into parts does not matter; what it is does. (The derivation function itself is held
    /// against keys that libtpms made, in the tests of RSA key generation.)
    #[test]
    fn parts_are_concatenated() {
        let first = |parts: &[&[u8]]| {
            let mut out = [0; 40];
            Drbg::instantiate(parts).fill(&mut out);
            out
        };
        let whole = first(&[b"a seed of more than one block"]);
        assert_eq!(whole, first(&[b"a seed", b"", b" of more", b" than one block"]));
        assert_ne!(whole, first(&[b"a seed of more than one block\0"]));
        // Twelve bytes fill the first block; eleven and the terminator do too.
        for len in 0..40 {
            assert_ne!(first(&[&vec![1; len]]), first(&[&vec![1; len + 1]]));
        }
    }

    #[test]
    fn each_call_is_a_request() {
        let mut one = Drbg::instantiate(&[b"seed"]);
        let mut two = one.clone();
        let (mut whole, mut half) = ([0; 32], [0; 16]);
        one.fill(&mut whole);
        two.fill(&mut half);
        assert_eq!(whole[..16], half);
        two.fill(&mut half);
        assert_ne!(whole[16..], half);
        assert_ne!(one.export(), two.export());
    }

    #[test]
    fn a_saved_state_continues() {
        let mut one = Drbg::instantiate(&[b"seed"]);
        one.stir(&[7; STATE], b"more");
        let mut two = Drbg::import(&*one.export()).expect("a state");
        let (mut a, mut b) = ([0; 100], [0; 100]);
        one.fill(&mut a);
        two.fill(&mut b);
        assert_eq!(a, b);
        assert!(Drbg::import(&[0; 47]).is_none());
    }
}

//! The commit counter and the random numbers of two-phase schemes (Part 1, C.2.3; Part 4, CryptGenerateR).

use crate::structures::{MAX_COMMITS, Name};
use crate::ticket::CONTEXT_HASH;
use crate::tpm::Tpm;
use alloc::vec::Vec;
use sealwright_crypto::Curve;
use sealwright_crypto::ecc::scalar;
use zeroize::{Zeroize as _, Zeroizing};

/// Bits of a counter that select a place in the commit array.
const INDEX_MASK: u16 = MAX_COMMITS as u16 - 1;

/// After so many hashes the search for a number is given up.
const MAX_ITERATIONS: u32 = 1_000_000;

const _: () = assert!(MAX_COMMITS.is_power_of_two() && MAX_COMMITS <= 0x8000, "an index is the low bits of a counter");

/// Place of a counter in the commit array: byte and bit.
fn place(count: u16) -> (usize, u8) {
    let index = count & INDEX_MASK;
    (usize::from(index / 8), 1 << (index % 8))
}

impl Tpm<'_> {
    /// The number that the next commit will use; `name` is that of the key it belongs to, empty for EC_Ephemeral.
    /// [`Tpm::commit`] makes it the committed one.
    pub(crate) fn next_r(&self, curve: Curve, name: &Name) -> Option<Zeroizing<Vec<u8>>> {
        self.generate_r(self.state.reset.commit_counter, curve, name)
    }

    /// The number that was committed with this counter; `None` if it was not, was used, or is too old.
    pub(crate) fn committed_r(&self, count: u16, curve: Curve, name: &Name) -> Option<Zeroizing<Vec<u8>>> {
        let (byte, bit) = place(count);
        if self.state.reset.commit_array.get(byte)? & bit == 0 {
            return None;
        }
        let mut counter = self.state.reset.commit_counter;
        if count & INDEX_MASK >= counter as u16 & INDEX_MASK {
            counter = counter.wrapping_sub(MAX_COMMITS as u64);
        }
        if counter as u16 & !INDEX_MASK != count & !INDEX_MASK {
            return None;
        }
        self.generate_r((counter & !0xFFFF) | u64::from(count), curve, name)
    }

    /// KDFa over the commit nonce; blocks are numbered on over the tries, and the first is number 2.
    fn generate_r(&self, counter: u64, curve: Curve, name: &Name) -> Option<Zeroizing<Vec<u8>>> {
        let size = curve.size();
        let bits = u32::try_from(size).ok()?.checked_mul(8)?.to_be_bytes();
        let counter = counter.to_be_bytes();
        let mut block = 1u32;
        while block < MAX_ITERATIONS {
            let mut r = Zeroizing::new(Vec::with_capacity(size.saturating_add(CONTEXT_HASH.size())));
            while r.len() < size {
                block = block.saturating_add(1);
                let parts: [&[u8]; 5] = [&block.to_be_bytes(), b"ECDAA Commit\0", name, &counter, &bits];
                let mut made = self.crypto.hash.hmac(CONTEXT_HASH, &self.state.reset.commit_nonce, &parts);
                r.extend_from_slice(&made);
                made.zeroize();
            }
            r.truncate(size);
            // Not below the order, or small: the next try.
            let high = r.get(..=size / 2).unwrap_or_default();
            if scalar::in_range(curve, &r) && !scalar::is_zero(high) {
                return Some(r);
            }
        }
        None
    }

    /// Commits the number of [`Tpm::next_r`] and returns the counter to ask for it with.
    pub(crate) fn commit(&mut self) -> u16 {
        let reset = self.reset_mut();
        let count = reset.commit_counter as u16;
        reset.commit_counter = reset.commit_counter.wrapping_add(1);
        let (byte, bit) = place(count);
        if let Some(byte) = reset.commit_array.get_mut(byte) {
            *byte |= bit;
        }
        count
    }

    /// Ends the use of a committed number.
    pub(crate) fn end_commit(&mut self, count: u16) {
        let (byte, bit) = place(count);
        if let Some(byte) = self.reset_mut().commit_array.get_mut(byte) {
            *byte &= !bit;
        }
    }
}

//! Running hash, MAC and event sequences (Part 1, 32).

use crate::structures::{GENERATED_VALUE, SensitiveValue};
use crate::tpm::fault_of;
use alloc::vec::Vec;
use sealwright_core::Fault;
use sealwright_crypto::hash::{Hasher, HmacState};
use sealwright_crypto::{BlockCipher, CipherMode, Crypto, Digest, HashAlg};

/// A running hash, MAC or event sequence.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    /// Authorization value of the sequence.
    pub(crate) auth: crate::structures::Auth,
    pub(crate) kind: SequenceKind,
}

/// What a sequence computes.
#[derive(Clone, Debug)]
pub(crate) enum SequenceKind {
    /// Hash of data; `ticket` is `None` until the first data, then whether they allow a ticket.
    Hash { hasher: Hasher, ticket: Option<bool> },
    /// One hash for each bank.
    Event { hashers: Vec<Hasher> },
    /// HMAC under a key.
    Hmac { hmac: HmacState },
    /// CMAC under a key: the chaining value so far, and the bytes of the block that is not full (or is the last).
    Cmac { cipher: BlockCipher, key: SensitiveValue, chain: [u8; 16], pending: Vec<u8> },
}

/// Running hashes of nothing, one for each bank.
pub(crate) fn hashers() -> Vec<Hasher> {
    HashAlg::ALL.into_iter().map(Hasher::new).collect()
}

/// True if data that begin so may have a ticket: TPM_GENERATED_VALUE is ruled out (Part 4, TicketIsSafe).
fn allows_ticket(first: &[u8]) -> bool {
    first.len() >= 4 && !first.starts_with(&GENERATED_VALUE.to_be_bytes())
}

impl SequenceKind {
    /// Adds data.
    pub(crate) fn update(&mut self, crypto: &Crypto, data: &[u8]) -> Result<(), Fault> {
        match self {
            Self::Hash { hasher, ticket } => {
                ticket.get_or_insert_with(|| allows_ticket(data));
                hasher.update(data);
            }
            Self::Event { hashers } => hashers.iter_mut().for_each(|hasher| hasher.update(data)),
            Self::Hmac { hmac } => hmac.update(data),
            Self::Cmac { cipher, key, chain, pending } => {
                for byte in data {
                    if pending.len() == cipher.block() {
                        absorb(crypto, *cipher, key, chain, pending)?;
                        pending.clear();
                    }
                    pending.push(*byte);
                }
            }
        }
        Ok(())
    }

    /// The message authentication code; TPM_RC_MODE if this sequence computes none.
    pub(crate) fn finish_code(self, crypto: &Crypto) -> Result<Digest, Fault> {
        match self {
            Self::Hmac { hmac } => Ok(hmac.finish()),
            Self::Cmac { cipher, key, mut chain, mut pending } => {
                let block = cipher.block();
                let mut zero = [0; 16];
                absorb(crypto, cipher, &key, &mut zero, &[])?;
                let mut subkey: Vec<u8> = zero.iter().take(block).copied().collect();
                double(&mut subkey);
                if pending.len() < block {
                    double(&mut subkey);
                    pending.push(0x80);
                    pending.resize(block, 0);
                }
                pending.iter_mut().zip(&subkey).for_each(|(to, from)| *to ^= from);
                absorb(crypto, cipher, &key, &mut chain, &pending)?;
                Ok(Digest::new(chain.get(..block).unwrap_or_default()))
            }
            Self::Hash { .. } | Self::Event { .. } => Err(Fault::MODE),
        }
    }
}

/// One step of CBC: `chain` becomes the encryption of itself XOR `block`.
fn absorb(crypto: &Crypto, cipher: BlockCipher, key: &[u8], chain: &mut [u8; 16], block: &[u8]) -> Result<(), Fault> {
    let chain = chain.get_mut(..cipher.block()).ok_or(Fault::FAILURE)?;
    chain.iter_mut().zip(block).for_each(|(to, from)| *to ^= from);
    crypto.cipher.crypt(cipher, CipherMode::Ecb, true, key, &mut [], chain).map_err(fault_of)
}

/// Doubling in the field of the block (SP 800-38B, 6.1).
fn double(block: &mut [u8]) {
    let reduction = if block.len() == 8 { 0x1B } else { 0x87 };
    let mut carry = 0;
    for byte in block.iter_mut().rev() {
        let out = *byte >> 7;
        *byte = *byte << 1 | carry;
        carry = out;
    }
    if let Some(last) = block.last_mut() {
        *last ^= carry.wrapping_mul(reduction);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sealwright_crypto::RUST;

    #[test]
    fn running_cmac_is_the_cmac() {
        let message: Vec<u8> = (0..100u8).collect();
        for (cipher, size) in [(BlockCipher::Aes, 16), (BlockCipher::Camellia, 32), (BlockCipher::Tdes, 24)] {
            let key: Vec<u8> = (7..).take(size).collect();
            for length in [0, 1, 7, 8, 9, 15, 16, 17, 32, 100] {
                let message = &message[..length];
                for cut in [0, length / 2, length] {
                    let mut kind = SequenceKind::Cmac {
                        cipher,
                        key: SensitiveValue::from_slice(&key).unwrap(),
                        chain: [0; 16],
                        pending: Vec::new(),
                    };
                    kind.update(&RUST, &message[..cut]).unwrap();
                    kind.update(&RUST, &message[cut..]).unwrap();
                    let expected = RUST.cipher.cmac(cipher, &key, &[message]).unwrap();
                    assert_eq!(kind.finish_code(&RUST).unwrap(), expected);
                }
            }
        }
    }

    #[test]
    fn tickets_need_four_safe_bytes_at_once() {
        let ticket = |parts: &[&[u8]]| {
            let mut kind = SequenceKind::Hash { hasher: Hasher::new(HashAlg::Sha256), ticket: None };
            parts.iter().for_each(|part| kind.update(&RUST, part).unwrap());
            let SequenceKind::Hash { ticket, .. } = kind else { panic!("another kind") };
            ticket
        };
        assert_eq!(ticket(&[]), None);
        assert_eq!(ticket(&[b"data"]), Some(true));
        assert_eq!(ticket(&[b"dat", b"a"]), Some(false));
        assert_eq!(ticket(&[b"", b"data"]), Some(false));
        assert_eq!(ticket(&[b"\xffTCG and more"]), Some(false));
    }
}

//! Block ciphers from the RustCrypto crates (AES with AES-NI where the processor has it), and their modes.
//!
//! The modes are written here because TPM2_EncryptDecrypt needs the chaining value after a partial last block, which
//! mode crates do not give: CFB pads it with zeros, OFB and CTR keep the whole block (Part 4, CryptSym.c).

use core::marker::PhantomData;

use aes::cipher::array::ArraySize;
use aes::cipher::{
    Array, BlockCipherDecrypt, BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser,
    KeyInit, ParBlocks,
};
use zeroize::Zeroizing;

use crate::provider::{BlockCipher, Cipher, CipherMode, CryptoError, Digest};

/// The [`Cipher`] part in pure Rust.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustCipher;

/// Size of the largest block.
const MAX_BLOCK: usize = 16;

impl Cipher for RustCipher {
    fn crypt(
        &self,
        cipher: BlockCipher,
        mode: CipherMode,
        encrypt: bool,
        key: &[u8],
        iv: &mut [u8],
        data: &mut [u8],
    ) -> Result<(), CryptoError> {
        match (cipher, key.len(), encrypt || !matches!(mode, CipherMode::Cbc | CipherMode::Ecb)) {
            // Half of the key schedule is enough for what only encrypts blocks.
            (BlockCipher::Aes, 16, true) => encrypting(&made::<aes::Aes128Enc>(key)?, mode, encrypt, iv, data),
            (BlockCipher::Aes, 32, true) => encrypting(&made::<aes::Aes256Enc>(key)?, mode, encrypt, iv, data),
            _ => with_key(cipher, key, |keyed| keyed.crypt(mode, encrypt, iv, data))?,
        }
    }

    fn cmac(&self, cipher: BlockCipher, key: &[u8], parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        with_key(cipher, key, |keyed| keyed.cmac(parts))
    }
}

/// A key schedule.
fn made<C: KeyInit>(key: &[u8]) -> Result<C, CryptoError> {
    C::new_from_slice(key).map_err(|_| CryptoError::InvalidInput)
}

/// Runs `f` with the key schedule of `cipher`.
fn with_key<T>(cipher: BlockCipher, key: &[u8], f: impl FnOnce(&dyn Keyed) -> T) -> Result<T, CryptoError> {
    Ok(match (cipher, key.len()) {
        (BlockCipher::Aes, 16) => f(&made::<aes::Aes128>(key)?),
        (BlockCipher::Aes, 24) => f(&made::<aes::Aes192>(key)?),
        (BlockCipher::Aes, 32) => f(&made::<aes::Aes256>(key)?),
        (BlockCipher::Camellia, 16) => f(&made::<camellia::Camellia128>(key)?),
        (BlockCipher::Camellia, 24) => f(&made::<camellia::Camellia192>(key)?),
        (BlockCipher::Camellia, 32) => f(&made::<camellia::Camellia256>(key)?),
        (BlockCipher::Tdes, 16) => f(&made::<des::TdesEde2>(key)?),
        (BlockCipher::Tdes, 24) => f(&made::<des::TdesEde3>(key)?),
        _ => return Err(CryptoError::InvalidInput),
    })
}

/// A keyed block cipher of any kind.
trait Keyed {
    fn crypt(&self, mode: CipherMode, encrypt: bool, iv: &mut [u8], data: &mut [u8]) -> Result<(), CryptoError>;
    fn cmac(&self, parts: &[&[u8]]) -> Digest;
}

impl<C: BlockCipherEncrypt + BlockCipherDecrypt + BlockSizeUser> Keyed for C {
    fn crypt(&self, mode: CipherMode, encrypt: bool, iv: &mut [u8], data: &mut [u8]) -> Result<(), CryptoError> {
        if encrypt || !matches!(mode, CipherMode::Cbc | CipherMode::Ecb) {
            return encrypting(self, mode, encrypt, iv, data);
        }
        check_sizes(C::block_size(), mode, iv, data)?;
        for chunk in data.chunks_mut(C::block_size()) {
            let mut next = [0; MAX_BLOCK];
            copy(&mut next, chunk);
            decrypt_block(self, chunk);
            // ECB has no chaining value: this changes nothing.
            xor(chunk, iv);
            copy(iv, &next);
        }
        Ok(())
    }

    /// SP 800-38B, 6.2.
    fn cmac(&self, parts: &[&[u8]]) -> Digest {
        let block = C::block_size();
        let mut sum = Zeroizing::new([0; MAX_BLOCK]);
        let mut subkey = Zeroizing::new([0; MAX_BLOCK]);
        let (Some(sum), Some(subkey)) = (sum.get_mut(..block), subkey.get_mut(..block)) else {
            return Digest::new(&[]);
        };
        encrypt_block(self, subkey);
        double(subkey);
        // A block is encrypted only when something follows it: the last one takes a subkey first.
        let mut filled = 0usize;
        for byte in parts.iter().flat_map(|part| part.iter()) {
            if filled == block {
                encrypt_block(self, sum);
                filled = 0;
            }
            if let Some(at) = sum.get_mut(filled) {
                *at ^= byte;
            }
            filled = filled.saturating_add(1);
        }
        if filled < block {
            double(subkey);
            if let Some(at) = sum.get_mut(filled) {
                *at ^= 0x80;
            }
        }
        xor(sum, subkey);
        encrypt_block(self, sum);
        Digest::new(sum)
    }
}

/// Refuses a chaining value that is not one, and parts of blocks where only whole ones can be.
fn check_sizes(block: usize, mode: CipherMode, iv: &[u8], data: &[u8]) -> Result<(), CryptoError> {
    let iv_fits = iv.len() == if mode == CipherMode::Ecb { 0 } else { block };
    let whole = !matches!(mode, CipherMode::Cbc | CipherMode::Ecb) || data.len().checked_rem(block) == Some(0);
    if iv_fits && whole { Ok(()) } else { Err(CryptoError::InvalidInput) }
}

/// Everything that encrypts blocks only: all modes, except for decryption by CBC and ECB.
fn encrypting<C: BlockCipherEncrypt>(
    cipher: &C,
    mode: CipherMode,
    encrypt: bool,
    iv: &mut [u8],
    data: &mut [u8],
) -> Result<(), CryptoError> {
    check_sizes(C::block_size(), mode, iv, data)?;
    cipher.encrypt_with_backend(Encrypting { mode, encrypt, iv, data, block: PhantomData::<C::BlockSize> });
    Ok(())
}

/// A mode over data, for one set-up of the cipher.
struct Encrypting<'a, S> {
    mode: CipherMode,
    encrypt: bool,
    iv: &'a mut [u8],
    data: &'a mut [u8],
    block: PhantomData<S>,
}

impl<S: ArraySize> BlockSizeUser for Encrypting<'_, S> {
    type BlockSize = S;
}

impl<S: ArraySize> BlockCipherEncClosure for Encrypting<'_, S> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = S>>(self, backend: &B) {
        let Self { mode, encrypt, iv, data, .. } = self;
        // Other lengths than whole blocks cannot occur here and are left alone.
        let run = |block: &mut [u8]| {
            if let Ok(block) = <&mut Array<u8, S>>::try_from(block) {
                backend.encrypt_block_inplace(block);
            }
        };
        let data = match (mode, encrypt) {
            (CipherMode::Cfb, true) => encrypt_whole(backend, iv, data),
            (CipherMode::Cfb, false) => decrypt_groups(backend, iv, data),
            _ => data,
        };
        let mut stream = Zeroizing::new(Array::<u8, S>::default());
        for chunk in data.chunks_mut(S::USIZE) {
            match (mode, encrypt) {
                (CipherMode::Ecb, _) => run(chunk),
                (CipherMode::Cbc, _) => {
                    xor(chunk, iv);
                    run(chunk);
                    copy(iv, chunk);
                }
                (CipherMode::Cfb, true) => {
                    run(iv);
                    xor(chunk, iv);
                    iv.fill(0);
                    copy(iv, chunk);
                }
                (CipherMode::Cfb, false) => {
                    copy(&mut stream, iv);
                    backend.encrypt_block_inplace(&mut stream);
                    iv.fill(0);
                    copy(iv, chunk);
                    xor(chunk, &stream);
                }
                (CipherMode::Ofb, _) => {
                    run(iv);
                    xor(chunk, iv);
                }
                (CipherMode::Ctr, _) => {
                    copy(&mut stream, iv);
                    backend.encrypt_block_inplace(&mut stream);
                    xor(chunk, &stream);
                    increment(iv);
                }
            }
        }
    }
}

/// Encrypts the whole blocks of `data` by CFB; gives what is left. With the size known the value that is chained stays in
/// registers.
fn encrypt_whole<'a, B: BlockCipherEncBackend>(backend: &B, iv: &mut [u8], data: &'a mut [u8]) -> &'a mut [u8] {
    let Ok(chained) = <&mut Array<u8, B::BlockSize>>::try_from(iv) else { return data };
    let (blocks, rest) = Array::slice_as_chunks_mut(data);
    for block in blocks {
        backend.encrypt_block_inplace(chained);
        xor(chained, block);
        block.clone_from(chained);
    }
    rest
}

/// Decrypts by CFB as many blocks as the processor encrypts at once, again and again; gives what is left. The blocks to
/// encrypt are all there before the first is done: they are the ciphertext.
fn decrypt_groups<'a, B: BlockCipherEncBackend>(backend: &B, iv: &mut [u8], data: &'a mut [u8]) -> &'a mut [u8] {
    let mut stream = Zeroizing::new(ParBlocks::<B>::default());
    let block = iv.len().max(1);
    let mut groups = data.chunks_exact_mut(block.saturating_mul(stream.len()).max(1));
    for group in groups.by_ref() {
        for (to, from) in stream.iter_mut().zip(core::iter::once(&*iv).chain(group.chunks_exact(block))) {
            copy(to, from);
        }
        if let Some(last) = group.chunks_exact(block).last() {
            copy(iv, last);
        }
        backend.encrypt_par_blocks_inplace(&mut stream);
        for (to, from) in group.chunks_exact_mut(block).zip(stream.iter()) {
            xor(to, from);
        }
    }
    groups.into_remainder()
}

/// Encrypts one whole block; other lengths cannot occur here and are left alone.
fn encrypt_block<C: BlockCipherEncrypt>(cipher: &C, block: &mut [u8]) {
    if let Ok(block) = <&mut Array<u8, C::BlockSize>>::try_from(block) {
        cipher.encrypt_block(block);
    }
}

/// Decrypts one whole block.
fn decrypt_block<C: BlockCipherDecrypt>(cipher: &C, block: &mut [u8]) {
    if let Ok(block) = <&mut Array<u8, C::BlockSize>>::try_from(block) {
        cipher.decrypt_block(block);
    }
}

/// XORs as many bytes as both have.
fn xor(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to ^= from;
    }
}

/// Copies as many bytes as both have.
fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

/// Adds one to a big-endian counter.
fn increment(counter: &mut [u8]) {
    for byte in counter.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            break;
        }
    }
}

/// Multiplies by x in the field of SP 800-38B, 5.3.
fn double(block: &mut [u8]) {
    let reduction = if block.len() == 8 { 0x1b } else { 0x87 };
    let mut carry = 0;
    for byte in block.iter_mut().rev() {
        let next = *byte >> 7;
        *byte = *byte << 1 | carry;
        carry = next;
    }
    if let Some(last) = block.last_mut() {
        *last ^= reduction & 0u8.wrapping_sub(carry);
    }
}

#[cfg(test)]
#[path = "cipher_tests.rs"]
mod tests;

//! Protection of sensitive areas outside the TPM (Part 1, 22 and 23): integrity value and encryption under a parent's
//! seed, and the two wraps of duplication.

use super::{Object, encoding::marshalled, schemes::symmetric_of};
use crate::structures::{Digest, HashAlg, Private, Sensitive, SymCipher};
use crate::tpm::Tpm;
use alloc::vec::Vec;
use sealwright_core::{Buffer, Fault, Reader, Secret, Sized2b, Wire};
use sealwright_crypto::{Crypto, kdf::kdfa, symmetric};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes that are wiped.
pub(crate) type Wiped = Zeroizing<Vec<u8>>;

/// The outer wrap: encrypt-then-MAC with keys that KDFa derives from a seed.
pub(crate) struct OuterWrap<'a> {
    crypto: &'a Crypto,
    hash: HashAlg,
    symmetric: SymCipher,
    seed: &'a [u8],
    name: &'a [u8],
}

fn bits(bytes: usize) -> u32 {
    u32::try_from(bytes.saturating_mul(8)).unwrap_or(u32::MAX)
}

/// A TPM2B of `bytes` in front of `rest`.
fn prefixed(bytes: &[u8], rest: &[u8]) -> Result<Wiped, Fault> {
    let size = u16::try_from(bytes.len()).map_err(|_| Fault::SIZE)?.to_be_bytes();
    let room = bytes.len().saturating_add(rest.len()).saturating_add(size.len());
    let mut out = Zeroizing::new(Vec::with_capacity(room));
    [&size, bytes, rest].iter().for_each(|part| out.extend_from_slice(part));
    Ok(out)
}

impl<'a> OuterWrap<'a> {
    /// The wrap that `protector` gives to an object with this Name, under `seed`. TPM_RC_TYPE if it is no storage key.
    pub(crate) fn new(crypto: &'a Crypto, protector: &Object, seed: &'a [u8], name: &'a [u8]) -> Result<Self, Fault> {
        let hash = protector.public.name_alg.ok_or(Fault::TYPE)?;
        let symmetric = symmetric_of(&protector.public).ok_or(Fault::TYPE)?;
        Ok(Self { crypto, hash, symmetric, seed, name })
    }

    fn cfb(&self, encrypt: bool, iv: Option<&[u8]>, data: &mut [u8]) -> Result<(), Fault> {
        let cipher = self.symmetric.cipher;
        let size = bits(self.symmetric.key_size());
        let key = kdfa(self.crypto, self.hash, self.seed, b"STORAGE", self.name, &[], size);
        symmetric::cfb(self.crypto, cipher, encrypt, &key, iv.unwrap_or(&[0; 16]), data).map_err(|_| Fault::FAILURE)
    }

    fn integrity(&self, data: &[u8]) -> sealwright_crypto::Digest {
        let key = kdfa(self.crypto, self.hash, self.seed, b"INTEGRITY", &[], &[], bits(self.hash.size()));
        self.crypto.hash.hmac(self.hash, &key, &[data, self.name])
    }

    /// Wraps `data`. An IV is put in front of it and is covered by the integrity value; without one it is zero.
    pub(crate) fn wrap(&self, iv: Option<&[u8]>, data: &[u8]) -> Result<Wiped, Fault> {
        let mut encrypted = Zeroizing::new(data.to_vec());
        self.cfb(true, iv, &mut encrypted)?;
        if let Some(iv) = iv {
            encrypted = prefixed(iv, &encrypted)?;
        }
        prefixed(&self.integrity(&encrypted), &encrypted)
    }

    /// What was wrapped. TPM_RC_INTEGRITY if it was changed or is of another parent or object.
    pub(crate) fn unwrap(&self, with_iv: bool, wrapped: &[u8]) -> Result<Wiped, Fault> {
        let mut r = Reader::new(wrapped);
        let integrity = Digest::read(&mut r)?;
        if !bool::from(self.integrity(r.rest()).ct_eq(&integrity)) {
            return Err(Fault::INTEGRITY);
        }
        let iv = if with_iv { Some(Buffer::<16>::read(&mut r)?) } else { None };
        if iv.is_some_and(|iv| iv.len() != self.symmetric.cipher.block()) {
            return Err(Fault::VALUE);
        }
        let mut data = Zeroizing::new(r.rest().to_vec());
        self.cfb(false, iv.as_deref(), &mut data)?;
        Ok(data)
    }
}

/// An authorization value padded to the size of a digest, as sensitive areas carry it.
pub(crate) fn padded_auth<const N: usize>(auth: &Secret<N>, size: usize) -> Result<Secret<N>, Fault> {
    let mut padded = Secret::zeros(size.max(auth.len()));
    padded.as_mut_slice().get_mut(..auth.len()).ok_or(Fault::SIZE)?.copy_from_slice(auth);
    Ok(padded)
}

/// Makes an authorization value of a caller as long as a digest of `name_alg` (the largest one if there is none); false
/// if it is longer (AdjustAuthSize of Part 4).
pub(crate) fn adjust_auth<const N: usize>(auth: &mut Secret<N>, name_alg: Option<HashAlg>) -> bool {
    let size = name_alg.map_or(crate::structures::MAX_DIGEST, HashAlg::size);
    auth.trim_trailing_zeros();
    match padded_auth(auth, size) {
        Ok(padded) if padded.len() == size => {
            *auth = padded;
            true
        }
        _ => false,
    }
}

/// TPM2B_SENSITIVE.
fn sensitive_bytes(sensitive: &Sensitive, name_alg: Option<HashAlg>) -> Result<Wiped, Fault> {
    let mut sensitive = sensitive.clone();
    sensitive.auth = padded_auth(&sensitive.auth, name_alg.map_or(0, HashAlg::size))?;
    marshalled(&Sized2b(sensitive))
}

/// Reads a TPM2B_SENSITIVE that is all of `bytes`; a wrong size is `wrong_size`.
pub(super) fn read_sensitive(bytes: &[u8], wrong_size: Fault) -> Result<Sensitive, Fault> {
    let mut r = Reader::new(bytes);
    let size = u16::read(&mut r)?;
    if usize::from(size) != r.remaining() {
        return Err(wrong_size);
    }
    let sensitive = Sensitive::read(&mut r)?;
    if r.is_empty() { Ok(sensitive) } else { Err(wrong_size) }
}

impl Tpm<'_> {
    /// TPM2B_PRIVATE: the sensitive area of a child of `parent`.
    pub(crate) fn sensitive_to_private(
        &mut self,
        sensitive: &Sensitive,
        name: &[u8],
        parent: &Object,
        name_alg: Option<HashAlg>,
    ) -> Result<Private, Fault> {
        let data = sensitive_bytes(sensitive, name_alg)?;
        let seed = &parent.sensitive.as_ref().ok_or(Fault::TYPE)?.seed;
        let wrap = OuterWrap::new(self.crypto, parent, seed, name)?;
        let iv = self.random_bytes(wrap.symmetric.cipher.block());
        Buffer::from_slice(&wrap.wrap(Some(&iv), &data)?)
    }

    /// The sensitive area in a TPM2B_PRIVATE of a child of `parent`. TPM_RC_SENSITIVE if it is none.
    pub(crate) fn private_to_sensitive(
        &self,
        private: &Private,
        name: &[u8],
        parent: &Object,
    ) -> Result<Sensitive, Fault> {
        let seed = &parent.sensitive.as_ref().ok_or(Fault::TYPE)?.seed;
        let data = OuterWrap::new(self.crypto, parent, seed, name)?.unwrap(true, private)?;
        if data.len() < 2 {
            return Err(Fault::INSUFFICIENT);
        }
        read_sensitive(&data, Fault::SENSITIVE).map_err(|_| Fault::SENSITIVE)
    }

    /// The duplicate of an object: inner wrap if there is `inner` (algorithm and key), then outer wrap if there is
    /// `outer` (new parent and seed).
    pub(crate) fn sensitive_to_duplicate(
        &self,
        sensitive: &Sensitive,
        name: &[u8],
        name_alg: HashAlg,
        inner: Option<(SymCipher, &[u8])>,
        outer: Option<(&Object, &[u8])>,
    ) -> Result<Private, Fault> {
        let mut data = sensitive_bytes(sensitive, Some(name_alg))?;
        if let Some((symmetric, key)) = inner {
            let integrity = self.hash(name_alg, &[&data, name]);
            data = prefixed(&integrity, &data)?;
            symmetric::cfb_zero_iv(self.crypto, symmetric.cipher, true, key, &mut data).map_err(|_| Fault::VALUE)?;
        }
        if let Some((parent, seed)) = outer {
            data = OuterWrap::new(self.crypto, parent, seed, name)?.wrap(None, &data)?;
        }
        Buffer::from_slice(&data)
    }

    /// The sensitive area of a duplicate; the reverse of [`Tpm::sensitive_to_duplicate`].
    pub(crate) fn duplicate_to_sensitive(
        &self,
        duplicate: &Private,
        name: &[u8],
        name_alg: HashAlg,
        inner: Option<(SymCipher, &[u8])>,
        outer: Option<(&Object, &[u8])>,
    ) -> Result<Sensitive, Fault> {
        let mut data = match outer {
            Some((parent, seed)) => OuterWrap::new(self.crypto, parent, seed, name)?.unwrap(false, duplicate)?,
            None => Zeroizing::new(duplicate.to_vec()),
        };
        if let Some((symmetric, key)) = inner {
            symmetric::cfb_zero_iv(self.crypto, symmetric.cipher, false, key, &mut data).map_err(|_| Fault::VALUE)?;
            let mut r = Reader::new(&data);
            let integrity = Digest::read(&mut r)?;
            if !bool::from(self.hash(name_alg, &[r.rest(), name]).ct_eq(&integrity)) {
                return Err(Fault::INTEGRITY);
            }
            data = Zeroizing::new(r.rest().to_vec());
        }
        read_sensitive(&data, Fault::SIZE)
    }
}

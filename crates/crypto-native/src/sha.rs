//! Running hashes of the native library, wiped when dropped.
#![expect(unsafe_code, reason = "calls the C functions of AWS-LC")]

use aws_lc_sys as c;
use sealwright_crypto::{Digest, HashAlg};
use zeroize::optimization_barrier;

const EMPTY1: c::SHA_CTX = c::SHA_CTX { h: [0; 5], Nl: 0, Nh: 0, data: [0; 64], num: 0 };
const EMPTY256: c::SHA256_CTX = c::SHA256_CTX { h: [0; 8], Nl: 0, Nh: 0, data: [0; 64], num: 0, md_len: 0 };
const EMPTY512: c::SHA512_CTX = c::SHA512_CTX { h: [0; 8], Nl: 0, Nh: 0, p: [0; 128], num: 0, md_len: 0 };

/// A hash of what was added so far.
#[derive(Clone)]
pub(crate) enum Running {
    Sha1(c::SHA_CTX),
    Sha256(c::SHA256_CTX),
    Sha384(c::SHA512_CTX),
    Sha512(c::SHA512_CTX),
}

impl Running {
    /// A hash of nothing yet.
    pub(crate) fn new(alg: HashAlg) -> Self {
        let mut made = match alg {
            HashAlg::Sha1 => Self::Sha1(EMPTY1),
            HashAlg::Sha256 => Self::Sha256(EMPTY256),
            HashAlg::Sha384 => Self::Sha384(EMPTY512),
            HashAlg::Sha512 => Self::Sha512(EMPTY512),
        };
        made.restart();
        made
    }

    /// Goes back to a hash of nothing.
    pub(crate) fn restart(&mut self) {
        // SAFETY: each writes the live context of its own type. They refuse nothing.
        unsafe {
            match self {
                Self::Sha1(context) => c::SHA1_Init(context),
                Self::Sha256(context) => c::SHA256_Init(context),
                Self::Sha384(context) => c::SHA384_Init(context),
                Self::Sha512(context) => c::SHA512_Init(context),
            }
        };
    }

    /// Adds all of `parts`.
    pub(crate) fn update(&mut self, parts: &[&[u8]]) {
        for part in parts {
            let (data, length) = (part.as_ptr().cast(), part.len());
            // SAFETY: pointer and length are of one slice, which is only read; the context is of its own type, and `new`
            // has initialized it. They refuse nothing.
            unsafe {
                match self {
                    Self::Sha1(context) => c::SHA1_Update(context, data, length),
                    Self::Sha256(context) => c::SHA256_Update(context, data, length),
                    Self::Sha384(context) => c::SHA384_Update(context, data, length),
                    Self::Sha512(context) => c::SHA512_Update(context, data, length),
                }
            };
        }
    }

    /// The digest of everything added; nothing may be added after it.
    pub(crate) fn finish(&mut self) -> Digest {
        let mut out = [0; 64];
        let to = out.as_mut_ptr();
        // SAFETY: no digest is longer than `out`; the context is of its own type, and `new` has initialized it. They refuse
        // only another size of the digest than `new` has set.
        let (_, alg) = unsafe {
            match self {
                Self::Sha1(context) => (c::SHA1_Final(to, context), HashAlg::Sha1),
                Self::Sha256(context) => (c::SHA256_Final(to, context), HashAlg::Sha256),
                Self::Sha384(context) => (c::SHA384_Final(to, context), HashAlg::Sha384),
                Self::Sha512(context) => (c::SHA512_Final(to, context), HashAlg::Sha512),
            }
        };
        Digest::new(out.get(..alg.size()).unwrap_or_default())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        match self {
            Self::Sha1(context) => *context = EMPTY1,
            Self::Sha256(context) => *context = EMPTY256,
            Self::Sha384(context) | Self::Sha512(context) => *context = EMPTY512,
        }
        optimization_barrier(self);
    }
}

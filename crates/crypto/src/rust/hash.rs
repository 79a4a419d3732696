//! Hashes and HMAC from the RustCrypto crates, which choose SHA instructions at run time.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use crate::provider::{Digest, Hash, HashAlg};

/// The [`Hash`] part in pure Rust.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustHash;

impl Hash for RustHash {
    fn digest(&self, alg: HashAlg, parts: &[&[u8]]) -> Digest {
        match alg {
            HashAlg::Sha1 => digest::<Sha1>(parts),
            HashAlg::Sha256 => digest::<Sha256>(parts),
            HashAlg::Sha384 => digest::<Sha384>(parts),
            HashAlg::Sha512 => digest::<Sha512>(parts),
        }
    }

    fn hmac(&self, alg: HashAlg, key: &[u8], parts: &[&[u8]]) -> Digest {
        let [mac] = hmac(alg, key, [parts]);
        mac
    }

    fn hmac_pair(&self, alg: HashAlg, key: &[u8], first: &[&[u8]], second: &[&[u8]]) -> [Digest; 2] {
        hmac(alg, key, [first, second])
    }
}

fn digest<D: sha2::Digest>(parts: &[&[u8]]) -> Digest {
    let mut hash = D::new();
    for part in parts {
        hash.update(part);
    }
    Digest::new(&hash.finalize())
}

fn hmac<const N: usize>(alg: HashAlg, key: &[u8], messages: [&[&[u8]]; N]) -> [Digest; N] {
    match alg {
        HashAlg::Sha1 => macs(Hmac::<Sha1>::new_from_slice(key), messages),
        HashAlg::Sha256 => macs(Hmac::<Sha256>::new_from_slice(key), messages),
        HashAlg::Sha384 => macs(Hmac::<Sha384>::new_from_slice(key), messages),
        HashAlg::Sha512 => macs(Hmac::<Sha512>::new_from_slice(key), messages),
    }
}

/// `keyed` is a `Result` only because other MACs restrict their key length; HMAC takes any, so the empty digest of the
/// error arm cannot occur.
fn macs<M: Mac + Clone, E, const N: usize>(keyed: Result<M, E>, messages: [&[&[u8]]; N]) -> [Digest; N] {
    let Ok(keyed) = keyed else { return messages.map(|_| Digest::new(&[])) };
    messages.map(|parts| {
        let mut mac = keyed.clone();
        parts.iter().for_each(|part| mac.update(part));
        Digest::new(&mac.finalize().into_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::hex;

    /// FIPS 180-4 examples ("abc", and 448 and 896 bits), as NIST publishes them.
    #[test]
    fn nist_examples() {
        for (alg, message, expected) in [
            (HashAlg::Sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                HashAlg::Sha1,
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
            ),
            (HashAlg::Sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                HashAlg::Sha384,
                "abc",
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            ),
            (
                HashAlg::Sha512,
                "abc",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ] {
            assert_eq!(&*RustHash.digest(alg, &[message.as_bytes()]), hex(expected));
            let (a, b) = message.as_bytes().split_at(2);
            assert_eq!(&*RustHash.digest(alg, &[a, &[], b]), hex(expected));
        }
    }

    /// RFC 4231 test cases 2 and 6 (a key longer than the block) and RFC 2202 test case 2 for SHA-1.
    #[test]
    fn rfc_4231() {
        let what = b"what do ya want for nothing?".as_slice();
        let long = b"Test Using Larger Than Block-Size Key - Hash Key First".as_slice();
        for (alg, key, message, expected) in [
            (HashAlg::Sha1, b"Jefe".as_slice(), what, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (HashAlg::Sha256, b"Jefe", what, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                HashAlg::Sha384,
                b"Jefe",
                what,
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            ),
            (
                HashAlg::Sha512,
                b"Jefe",
                what,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
            (HashAlg::Sha256, &[0xaa; 131], long, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
        ] {
            assert_eq!(&*RustHash.hmac(alg, key, &[message]), hex(expected));
            let pair = RustHash.hmac_pair(alg, key, &[message, message], &[message]);
            assert_eq!(&*pair[0], &*RustHash.hmac(alg, key, &[message, message]));
            assert_eq!(&*pair[1], hex(expected));
        }
    }
}

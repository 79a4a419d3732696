//! Implemented algorithms with their TPMA_ALGORITHM (Part 2, 8.2).

use crate::profile::Limits;
use crate::structures::{Alg, AlgProperty};
use sealwright_core::wire::Accept;

const ASYMMETRIC: u32 = 1 << 0;
const SYMMETRIC: u32 = 1 << 1;
const HASH: u32 = 1 << 2;
const OBJECT: u32 = 1 << 3;
const SIGNING: u32 = 1 << 8;
const ENCRYPTING: u32 = 1 << 9;
const METHOD: u32 = 1 << 10;

/// All of them, ascending by identifier.
const ALGORITHMS: [(Alg, u32); 33] = [
    (Alg::RSA, ASYMMETRIC | OBJECT),
    (Alg::TDES, SYMMETRIC),
    (Alg::SHA1, HASH),
    (Alg::HMAC, HASH | SIGNING),
    (Alg::AES, SYMMETRIC),
    (Alg::MGF1, HASH | METHOD),
    (Alg::KEYEDHASH, HASH | OBJECT | SIGNING | ENCRYPTING),
    (Alg::XOR, SYMMETRIC | HASH),
    (Alg::SHA256, HASH),
    (Alg::SHA384, HASH),
    (Alg::SHA512, HASH),
    (Alg::RSASSA, ASYMMETRIC | SIGNING),
    (Alg::RSAES, ASYMMETRIC | ENCRYPTING),
    (Alg::RSAPSS, ASYMMETRIC | SIGNING),
    (Alg::OAEP, ASYMMETRIC | ENCRYPTING),
    (Alg::ECDSA, ASYMMETRIC | SIGNING),
    (Alg::ECDH, ASYMMETRIC | METHOD),
    (Alg::ECDAA, ASYMMETRIC | SIGNING),
    (Alg::SM2, ASYMMETRIC | SIGNING | METHOD),
    (Alg::ECSCHNORR, ASYMMETRIC | SIGNING),
    (Alg::ECMQV, ASYMMETRIC | METHOD),
    (Alg::KDF1_SP800_56A, HASH | METHOD),
    (Alg::KDF2, HASH | METHOD),
    (Alg::KDF1_SP800_108, HASH | METHOD),
    (Alg::ECC, ASYMMETRIC | OBJECT),
    (Alg::SYMCIPHER, OBJECT),
    (Alg::CAMELLIA, SYMMETRIC),
    (Alg::CMAC, SYMMETRIC | SIGNING),
    (Alg::CTR, SYMMETRIC | ENCRYPTING),
    (Alg::OFB, SYMMETRIC | ENCRYPTING),
    (Alg::CBC, SYMMETRIC | ENCRYPTING),
    (Alg::CFB, SYMMETRIC | ENCRYPTING),
    (Alg::ECB, SYMMETRIC | ENCRYPTING),
];

/// Algorithms from `first` on.
pub(super) fn from(first: u32, limits: Option<&Limits>) -> impl Iterator<Item = AlgProperty> {
    let all = ALGORITHMS.iter().filter(move |(alg, _)| u32::from(alg.0) >= first);
    let all = all.filter(move |(alg, _)| limits.is_none_or(|limits| limits.algorithm(alg.0)));
    all.map(|(alg, attributes)| AlgProperty { alg: *alg, attributes: *attributes })
}

/// True if the TPM has the algorithm.
pub(crate) fn is_implemented(alg: Alg) -> bool {
    ALGORITHMS.iter().any(|(known, _)| *known == alg)
}

//! Known-answer tests of what everything else stands on (Part 1, 12.4). A failure puts the TPM into failure mode.

use crate::structures::{BlockCipher, CipherMode, HashAlg};
use crate::tpm::Tpm;
use sealwright_core::Fault;

/// First bytes of the digests of "abc" (FIPS 180-4 examples).
const ABC: [(HashAlg, [u8; 8]); 4] = [
    (HashAlg::Sha1, [0xA9, 0x99, 0x3E, 0x36, 0x47, 0x06, 0x81, 0x6A]),
    (HashAlg::Sha256, [0xBA, 0x78, 0x16, 0xBF, 0x8F, 0x01, 0xCF, 0xEA]),
    (HashAlg::Sha384, [0xCB, 0x00, 0x75, 0x3F, 0x45, 0xA3, 0x5E, 0x8B]),
    (HashAlg::Sha512, [0xDD, 0xAF, 0x35, 0xA1, 0x93, 0x61, 0x7A, 0xBA]),
];

/// FIPS 197, C.1: AES-128 of 00112233445566778899aabbccddeeff under the key 000102..0f.
const AES_ANSWER: [u8; 16] =
    [0x69, 0xC4, 0xE0, 0xD8, 0x6A, 0x7B, 0x04, 0x30, 0xD8, 0xCD, 0xB7, 0x80, 0x70, 0xB4, 0xC5, 0x5A];

impl Tpm<'_> {
    /// Runs the tests; TPM_RC_FAILURE from now on if one fails.
    pub(crate) fn self_test(&mut self) -> Result<(), Fault> {
        let hashes = ABC.iter().all(|(alg, answer)| self.hash(*alg, &[b"a", b"bc"]).starts_with(answer));
        let mut key = [0; 16];
        key.iter_mut().zip(0u8..).for_each(|(byte, i)| *byte = i);
        let mut block = [0; 16];
        block.iter_mut().zip(0u8..).for_each(|(byte, i)| *byte = i.wrapping_mul(0x11));
        let aes = self.crypto.cipher.crypt(BlockCipher::Aes, CipherMode::Ecb, true, &key, &mut [], &mut block);
        if hashes && aes.is_ok() && block == AES_ANSWER {
            return Ok(());
        }
        self.state.volatile.failure = Some(Fault::NEEDS_TEST.code());
        Err(Fault::FAILURE)
    }
}

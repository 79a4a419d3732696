//! Random public areas: mostly good ones.

use super::policy::Recipe;
use super::world::World;
use crate::codes::*;
use crate::template::{aes_cfb, null, public, scheme};
use crate::wire::Out;

/// A public area, and what must be known to use the object.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) kind: u16,
    pub(super) attributes: u32,
    pub(super) policy: Option<Recipe>,
    pub(super) area: Vec<u8>,
    /// Data to seal, or a key; empty if the TPM makes it.
    pub(super) data: Vec<u8>,
}

impl World<'_> {
    /// A public area for Create or CreatePrimary. `slow` allows RSA keys, which take long to make.
    pub(super) fn template(&mut self, slow: bool) -> Template {
        let always = USER_WITH_AUTH | SENSITIVE_DATA_ORIGIN;
        let name_alg = self.of(&[SHA256, SHA256, SHA256, SHA256, SHA1, SHA384, SHA512]);
        let symmetric = |w: &mut Self| match w.r.below(12) {
            0 => aes_cfb(256),
            1 => Out::new().u16(CAMELLIA).u16(128).u16(CFB),
            2 => Out::new().u16(TDES).u16(192).u16(CFB),
            _ => aes_cfb(128),
        };
        let curve = self.of(&[3u16, 3, 3, 3, 4, 5, 0x10, 0x20]);
        let mut data = Vec::new();
        let (kind, mut attributes, parameters, parts) = match self.r.below(if slow { 20 } else { 18 }) {
            0..=5 => {
                let p = Out::new().raw(&symmetric(self).0).u16(NULL).u16(3).u16(NULL);
                (ECC, always | RESTRICTED | KEY_DECRYPT, p, 2)
            }
            6..=8 => {
                let (restricted, s) = (self.chance(30), self.signing_scheme());
                let p = null().raw(&s.0).u16(curve).u16(NULL);
                (ECC, always | KEY_SIGN | if restricted { RESTRICTED } else { 0 }, p, 2)
            }
            9 => {
                let s = if self.chance(50) { null() } else { scheme(ECDH, SHA256) };
                (ECC, always | KEY_DECRYPT, null().raw(&s.0).u16(curve).u16(NULL), 2)
            }
            10..=12 => {
                let n = self.of(&[1usize, 16, 32, 100, 128]);
                data = self.r.bytes(n);
                (KEYEDHASH, USER_WITH_AUTH, null(), 1)
            }
            13 => {
                let alg = self.of(&[SHA1, SHA256, SHA384, SHA512]);
                (KEYEDHASH, always | KEY_SIGN, scheme(HMAC, alg), 1)
            }
            14 => {
                let p = Out::new().u16(XOR).u16(SHA256).u16(KDF1_SP800_108);
                (KEYEDHASH, always | RESTRICTED | KEY_DECRYPT, p, 1)
            }
            15..=16 => {
                let (alg, bits) = self.of(&[(AES, 128u16), (AES, 256), (CAMELLIA, 128), (TDES, 192)]);
                let mode = self.of(&[CFB, CBC, CTR, OFB, ECB, NULL]);
                (SYMCIPHER, always | KEY_DECRYPT | KEY_SIGN, Out::new().u16(alg).u16(bits).u16(mode), 1)
            }
            17 => (SYMCIPHER, always | RESTRICTED | KEY_DECRYPT, aes_cfb(128), 1),
            18 => {
                let s = self.of(&[RSASSA, RSAPSS]);
                (RSA, always | KEY_SIGN, null().u16(s).u16(SHA256).u16(2048).u32(0), 1)
            }
            _ => {
                let p = Out::new().raw(&aes_cfb(128).0).u16(NULL).u16(2048).u32(0);
                (RSA, always | RESTRICTED | KEY_DECRYPT, p, 1)
            }
        };
        attributes |= match self.r.below(5) {
            0 => 0,
            1 => FIXED_PARENT,
            _ => FIXED_TPM | FIXED_PARENT,
        };
        for (bit, percent) in [(NO_DA, 60), (ST_CLEAR, 6), (ENCRYPTED_DUPLICATION, 5)] {
            if self.chance(percent) {
                attributes |= bit;
            }
        }
        if self.chance(5) {
            let bit = self.of(&[1u32, 2, 4, 5, 6, 7, 10, 11, 16, 17, 18, 19, 0, 8]);
            attributes ^= 1 << bit;
        }
        let policy = self.some_policy(35);
        if policy.as_ref().is_some_and(|p| p.is_for(0x14B)) && self.chance(80) {
            attributes &= !(FIXED_TPM | FIXED_PARENT);
        }
        if policy.is_some() {
            attributes |= if self.chance(30) { ADMIN_WITH_POLICY } else { 0 };
            attributes &= if self.chance(30) { !USER_WITH_AUTH } else { !0 };
        }
        let digest = policy.as_ref().map(|p| p.digest.clone()).unwrap_or_default();
        let unique = if parts == 2 { Out::new().u16(0).u16(0) } else { Out::new().u16(0) };
        let area = public(kind, name_alg, attributes, &digest, parameters, unique);
        Template { kind, attributes, policy, area, data }
    }

    /// A signing scheme of an ECC key, or NULL.
    pub(super) fn signing_scheme(&mut self) -> Out {
        let hash = self.of(&[SHA1, SHA256, SHA256, SHA384, SHA512]);
        match self.r.below(8) {
            0 => null(),
            1 => scheme(ECSCHNORR, hash),
            2 => scheme(ECDAA, hash).u16(0),
            _ => scheme(ECDSA, hash),
        }
    }

    /// An authorization value: none, short, or long.
    pub(super) fn new_auth(&mut self) -> Vec<u8> {
        let n = self.of(&[0usize, 0, 0, 3, 8, 20, 32, 64]);
        self.r.bytes(n)
    }

    /// A PCR selection: mostly valid.
    pub(super) fn selection(&mut self) -> Out {
        let banks = self.r.below(3);
        let mut out = Out::new().u32(banks as u32);
        for _ in 0..banks {
            let (alg, map) = (self.of(&[SHA1, SHA256, SHA256, SHA384, SHA512]), self.r.bytes(3));
            out = out.u16(alg).u8(3).raw(&map);
        }
        out
    }
}

//! Symmetric algorithms and their use (Part 2, 11.1).

use super::Alg;
use sealwright_core::{Algorithm, Fault, Reader, Wire, Writer};
use sealwright_crypto::{BlockCipher, CipherMode, HashAlg};
use sealwright_derive::Wire;

/// TPMI_ALG_SYM_MODE: the mode of a block cipher, CMAC included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
#[wire(repr = u16, refuse = "MODE", algorithm)]
#[expect(missing_docs, reason = "each is TPM_ALG_<name>")]
pub enum SymMode {
    Cmac = 0x003F,
    Ctr = 0x0040,
    Ofb = 0x0041,
    Cbc = 0x0042,
    Cfb = 0x0043,
    Ecb = 0x0044,
}
impl Algorithm for SymMode {}

impl SymMode {
    /// The mode for encryption; `None` for CMAC.
    pub const fn cipher_mode(self) -> Option<CipherMode> {
        match self {
            Self::Cmac => None,
            Self::Ctr => Some(CipherMode::Ctr),
            Self::Ofb => Some(CipherMode::Ofb),
            Self::Cbc => Some(CipherMode::Cbc),
            Self::Cfb => Some(CipherMode::Cfb),
            Self::Ecb => Some(CipherMode::Ecb),
        }
    }
}

/// A block cipher with its key size and mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SymCipher {
    /// The block cipher.
    pub cipher: BlockCipher,
    /// Key size in bits.
    pub bits: u16,
    /// Mode; `None` is TPM_ALG_NULL.
    pub mode: Option<SymMode>,
}

impl SymCipher {
    /// Size of the key in bytes.
    pub const fn key_size(self) -> usize {
        self.bits as usize / 8
    }

    fn read_after(cipher: BlockCipher, r: &mut Reader<'_>) -> Result<Self, Fault> {
        let bits = u16::read(r)?;
        let known = match cipher {
            BlockCipher::Aes | BlockCipher::Camellia => matches!(bits, 128 | 192 | 256),
            BlockCipher::Tdes => matches!(bits, 128 | 192),
        };
        let alg = alg_of_cipher(cipher).0;
        if !r.accepts(alg) {
            return Err(Fault::SYMMETRIC);
        }
        if !known || !r.accepts_bits(alg, bits) {
            return Err(Fault::VALUE);
        }
        Ok(Self { cipher, bits, mode: Wire::read(r)? })
    }
}

const fn cipher_of(id: u16) -> Option<BlockCipher> {
    match Alg(id) {
        Alg::TDES => Some(BlockCipher::Tdes),
        Alg::AES => Some(BlockCipher::Aes),
        Alg::CAMELLIA => Some(BlockCipher::Camellia),
        _ => None,
    }
}

/// The TCG identifier of a block cipher.
pub const fn alg_of_cipher(cipher: BlockCipher) -> Alg {
    match cipher {
        BlockCipher::Tdes => Alg::TDES,
        BlockCipher::Aes => Alg::AES,
        BlockCipher::Camellia => Alg::CAMELLIA,
    }
}

/// TPMT_SYM_DEF_OBJECT without NULL.
impl Wire for SymCipher {
    const MAX_SIZE: usize = 6;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let cipher = cipher_of(u16::read(r)?).ok_or(Fault::SYMMETRIC)?;
        Self::read_after(cipher, r)
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        alg_of_cipher(self.cipher).write(w)?;
        self.bits.write(w)?;
        self.mode.write(w)
    }
}

/// TPMT_SYM_DEF_OBJECT+ .
impl Algorithm for SymCipher {}

/// TPMT_SYM_DEF+: how a session encrypts parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SymDef {
    /// Not at all.
    #[default]
    Null,
    /// XOR with a stream made by KDFa of this hash.
    Xor(HashAlg),
    /// A block cipher; sessions allow CFB only.
    Cipher(SymCipher),
}

impl Wire for SymDef {
    const MAX_SIZE: usize = 6;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        match Alg(u16::read(r)?) {
            Alg::NULL => Ok(Self::Null),
            Alg::XOR => Ok(Self::Xor(HashAlg::read(r)?)),
            Alg(id) => SymCipher::read_after(cipher_of(id).ok_or(Fault::SYMMETRIC)?, r).map(Self::Cipher),
        }
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        match self {
            Self::Null => Alg::NULL.write(w),
            Self::Xor(hash) => {
                Alg::XOR.write(w)?;
                hash.write(w)
            }
            Self::Cipher(cipher) => cipher.write(w),
        }
    }
}

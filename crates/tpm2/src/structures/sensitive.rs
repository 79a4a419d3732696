//! Sensitive areas and what callers give to create them (Part 2, 11.1.13 to 11.1.16, 12.3).

use super::{MAX_DIGEST, MAX_RSA, MAX_SYM_DATA, ObjectType};
use sealwright_core::{Buffer, Fault, Reader, Secret, Wire, Writer, wire::max};
use sealwright_derive::Wire;

/// TPM2B_AUTH.
pub type Auth = Secret<MAX_DIGEST>;
/// TPM2B_DIGEST.
pub type Digest = Buffer<MAX_DIGEST>;
/// TPM2B_NONCE.
pub type Nonce = Buffer<MAX_DIGEST>;
/// TPM2B_DATA.
pub type Data = Buffer<{ MAX_DIGEST + 2 }>;
/// TPM2B_SENSITIVE_DATA.
pub type SensitiveData = Secret<MAX_SYM_DATA>;
/// TPM2B_ENCRYPTED_SECRET.
pub type EncryptedSecret = Buffer<MAX_RSA>;

/// The secret part: a prime, a scalar, a key, or sealed data.
pub type SensitiveValue = Secret<{ MAX_RSA / 2 }>;

/// TPMS_SENSITIVE_CREATE.
#[derive(Clone, Debug, Default, Wire)]
pub struct SensitiveCreate {
    /// Authorization value of the new object.
    pub user_auth: Auth,
    /// Data to seal, or a key to use.
    pub data: SensitiveData,
}

/// TPMT_SENSITIVE.
#[derive(Clone, Debug)]
pub struct Sensitive {
    /// Type; the same as in the public area.
    pub object_type: ObjectType,
    /// Authorization value.
    pub auth: Auth,
    /// Seed of a parent, or obfuscation value.
    pub seed: Auth,
    /// RSA prime, ECC scalar, HMAC key or data, symmetric key.
    pub value: SensitiveValue,
}

impl Wire for Sensitive {
    const MAX_SIZE: usize =
        2 + Auth::MAX_SIZE + Auth::MAX_SIZE + max(SensitiveValue::MAX_SIZE, SensitiveData::MAX_SIZE);
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let (object_type, auth, seed) = (ObjectType::read(r)?, Wire::read(r)?, Wire::read(r)?);
        let most = match object_type {
            ObjectType::Rsa => MAX_RSA / 2,
            ObjectType::Ecc => super::MAX_ECC,
            ObjectType::KeyedHash => MAX_SYM_DATA,
            ObjectType::SymCipher => super::MAX_SYM_KEY,
        };
        // The limit of the type comes before the end of the bytes, as in any TPM2B.
        if usize::from(u16::read(&mut r.clone())?) > most {
            return Err(Fault::SIZE);
        }
        Ok(Self { object_type, auth, seed, value: Wire::read(r)? })
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        self.object_type.write(w)?;
        self.auth.write(w)?;
        self.seed.write(w)?;
        self.value.write(w)
    }
}

/// TPM2B_PRIVATE: integrity value, IV and encrypted sensitive area. It is as large as the type of Part 2 with all values of
/// an RSA key's Chinese remainders, which are never there: other sizes are refused when it is opened.
pub type Private = Buffer<{ 2 * (2 + MAX_DIGEST) + 2 + 2 + 2 * (2 + MAX_DIGEST) + 2 + MAX_RSA * 5 / 2 }>;

/// TPM2B_ID_OBJECT: what MakeCredential makes.
pub type IdObject = Buffer<{ 2 + MAX_DIGEST + 2 + MAX_DIGEST }>;

/// TPM2B_SENSITIVE of LoadExternal: may be empty.
#[derive(Clone, Debug, Default)]
pub struct OptionalSensitive(pub Option<Sensitive>);

impl Wire for OptionalSensitive {
    const MAX_SIZE: usize = 2 + Sensitive::MAX_SIZE;
    const SIZED: bool = true;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let size = usize::from(u16::read(r)?);
        if size == 0 {
            return Ok(Self(None));
        }
        let before = r.remaining();
        let sensitive = Sensitive::read(r)?;
        if before.checked_sub(r.remaining()) == Some(size) { Ok(Self(Some(sensitive))) } else { Err(Fault::SIZE) }
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        match &self.0 {
            None => 0u16.write(w),
            Some(sensitive) => sealwright_core::Sized2b(sensitive.clone()).write(w),
        }
    }
}

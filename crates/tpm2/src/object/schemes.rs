//! Which schemes and symmetric algorithms a public area may have (Part 3, 12.1.1; Part 4, SchemeChecks).

use crate::structures::{
    EccParameters, EccScheme, Kdf, KdfScheme, KeyedHashScheme, ObjectAttributes as A, Parameters, Public,
    RsaParameters, RsaScheme, SymCipher, SymMode,
};
use sealwright_core::Fault;

/// What matters of the scheme of an asymmetric key.
struct Asymmetric {
    null: bool,
    signs: bool,
    decrypts: bool,
    symmetric: Option<SymCipher>,
}

impl Asymmetric {
    const fn of_rsa(p: &RsaParameters) -> Self {
        Self {
            null: matches!(p.scheme, RsaScheme::Null),
            signs: matches!(p.scheme, RsaScheme::Rsassa(_) | RsaScheme::Rsapss(_)),
            decrypts: matches!(p.scheme, RsaScheme::Rsaes | RsaScheme::Oaep(_)),
            symmetric: p.symmetric,
        }
    }

    const fn of_ecc(p: &EccParameters) -> Self {
        use EccScheme::{EcMqv, EcSchnorr, Ecdaa, Ecdh, Ecdsa, Null, Sm2};
        Self {
            null: matches!(p.scheme, Null),
            signs: matches!(p.scheme, Ecdsa(_) | Ecdaa(..) | Sm2(_) | EcSchnorr(_)),
            decrypts: matches!(p.scheme, Ecdh(_) | Sm2(_) | EcMqv(_)),
            symmetric: p.symmetric,
        }
    }

    fn check(&self, attributes: A) -> Result<(), Fault> {
        let (sign, decrypt) = (attributes.has(A::SIGN), attributes.has(A::DECRYPT));
        let restricted = attributes.has(A::RESTRICTED);
        let fits = match (sign, decrypt) {
            (true, false) => self.signs || self.null && !restricted,
            (false, true) => self.null || self.decrypts && !restricted,
            _ => self.null,
        };
        if !fits {
            return Err(Fault::SCHEME);
        }
        // Only a storage key uses a symmetric algorithm.
        if !(restricted && decrypt) && self.symmetric.is_some() {
            return Err(Fault::SYMMETRIC);
        }
        Ok(())
    }
}

fn check_keyed_hash(scheme: &KeyedHashScheme, attributes: A) -> Result<(), Fault> {
    let fits = match (attributes.has(A::SIGN), attributes.has(A::DECRYPT)) {
        (true, false) => matches!(scheme, KeyedHashScheme::Hmac(_)),
        (false, true) => match scheme {
            KeyedHashScheme::Xor(_, kdf) => !attributes.has(A::RESTRICTED) || *kdf == Some(Kdf::Sp800_108),
            _ => false,
        },
        _ => matches!(scheme, KeyedHashScheme::Null),
    };
    if fits { Ok(()) } else { Err(Fault::SCHEME) }
}

/// The symmetric algorithm with which an object protects its children, if it may have children.
pub(crate) const fn symmetric_of(public: &Public) -> Option<SymCipher> {
    match &public.parameters {
        Parameters::Rsa(p) => p.symmetric,
        Parameters::Ecc(p) => p.symmetric,
        Parameters::SymCipher(p) => Some(*p),
        Parameters::KeyedHash(_) => None,
    }
}

/// Refuses schemes that do not fit the type and attributes, or the parent.
pub(crate) fn check_schemes(parent: Option<&Public>, public: &Public) -> Result<(), Fault> {
    let attributes = public.attributes;
    match &public.parameters {
        Parameters::SymCipher(p) => {
            if attributes.has(A::DECRYPT) && p.mode == Some(SymMode::Cmac) {
                return Err(Fault::SCHEME);
            }
        }
        Parameters::KeyedHash(scheme) => return check_keyed_hash(scheme, attributes),
        Parameters::Rsa(p) => Asymmetric::of_rsa(p).check(attributes)?,
        Parameters::Ecc(p) => {
            Asymmetric::of_ecc(p).check(attributes)?;
            if p.kdf != KdfScheme::Null {
                return Err(Fault::KDF);
            }
        }
    }
    if !attributes.has(A::RESTRICTED | A::DECRYPT) {
        return Ok(());
    }
    // The mode is not checked, as in libtpms: children are protected with CFB whatever it is.
    let symmetric = symmetric_of(public).ok_or(Fault::SYMMETRIC)?;
    if let Some(parent) = parent
        && attributes.has(A::FIXED_PARENT)
    {
        if public.name_alg != parent.name_alg {
            return Err(Fault::HASH);
        }
        if symmetric_of(parent) != Some(symmetric) {
            return Err(Fault::SYMMETRIC);
        }
    }
    Ok(())
}

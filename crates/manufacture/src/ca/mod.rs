//! Certificate authorities: a local one that is made when it is first needed, or an operator's.

mod create;
mod exponent;
mod key;
mod legacy;
mod local;
mod pem;
mod pkcs11;
mod settings;

pub use key::SigningKey;
pub use local::LocalCa;
pub use settings::Settings;

use crate::failure::{Failure, failure};
use der::DecodePem;
use sealwright_crypto::HashAlg;
use std::path::Path;
use x509_cert::Certificate;
use x509_cert::ext::pkix::SubjectKeyIdentifier;

/// A CA: its certificate and its key.
#[derive(Debug)]
pub struct Issuer {
    certificate: Certificate,
    key: SigningKey,
}

impl Issuer {
    /// The CA of this certificate and key, which must belong together.
    pub fn new(certificate: Certificate, key: SigningKey) -> Result<Self, Failure> {
        let named = certificate.tbs_certificate().subject_public_key_info();
        if key.public() != named {
            return Err(failure!("the signing key is not the one of the issuer certificate"));
        }
        Ok(Self { certificate, key })
    }

    /// The CA of a file with its certificate.
    pub fn open(certificate: &Path, key: SigningKey) -> Result<Self, Failure> {
        Self::new(read_certificate(certificate)?, key)
            .map_err(|Failure(why)| failure!("{}: {why}", certificate.display()))
    }

    /// The CA of a file with its certificate, and of a key in a hardware security module.
    pub fn of_token(certificate: &Path, uri: &str, pin: Option<&str>) -> Result<Self, Failure> {
        let certificate = read_certificate(certificate)?;
        let public = certificate.tbs_certificate().subject_public_key_info();
        let key = pkcs11::open(uri, pin, &[], public)?;
        Self::new(certificate, key)
    }

    /// Its certificate.
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Its key.
    pub const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The identifier of its key: what its certificate says, else the SHA-1 of the key (RFC 5280, 4.2.1.2).
    pub fn key_identifier(&self) -> Result<Vec<u8>, Failure> {
        let content = self.certificate.tbs_certificate();
        let named = content.get_extension::<SubjectKeyIdentifier>();
        let named = named.map_err(|error| failure!("the issuer certificate cannot be read: {error}"))?;
        Ok(match named {
            Some((_, identifier)) => identifier.0.as_bytes().to_vec(),
            None => key_identifier(content.subject_public_key_info()),
        })
    }
}

/// The usual identifier of a key: SHA-1 of its bits.
fn key_identifier(key: &x509_cert::spki::SubjectPublicKeyInfoOwned) -> Vec<u8> {
    sealwright_crypto_native::NATIVE.hash.digest(HashAlg::Sha1, &[key.subject_public_key.raw_bytes()]).to_vec()
}

/// The first certificate of a PEM file.
pub(crate) fn read_certificate(path: &Path) -> Result<Certificate, Failure> {
    let text = crate::file::read(path)?;
    let text =
        pem::first(&text, "CERTIFICATE").ok_or_else(|| failure!("{} has no certificate in PEM", path.display()))?;
    Certificate::from_pem(text).map_err(|error| failure!("Could not read certificate from {}: {error}", path.display()))
}

#[cfg(test)]
mod tests;

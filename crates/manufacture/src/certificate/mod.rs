//! Certificates of TPMs and their keys, as the TCG's profiles have them and swtpm writes them.
//!
//! EK and platform certificates are those of the TCG EK Credential Profile; IAK and IDevID certificates those of TPM 2.0
//! Keys for Device Identity and Attestation. The certificates of a TPM 1.2 have no subject and are signed with SHA-1.

mod attributes;
mod public_key;
mod serial;
mod subject;

pub(crate) use public_key::curve_oid;
pub use public_key::{PublicKey, curve_named, from_hex, from_pem, is_ecc, is_rsa, post_quantum};
pub use serial::Serial;
pub use subject::{parse as parse_subject, single as single_subject};

use crate::ca::{Issuer, SigningKey};
use crate::failure::{Failure, failure};
use crate::vtpm::Purpose;
use core::time::Duration;
use der::asn1::{BitString, OctetString, Uint};
use der::oid::AssociatedOid;
use der::pem::LineEnding;
use der::{Decode, Encode, EncodePem, Sequence};
use sealwright_crypto::HashAlg;
use std::time::SystemTime;
use x509_cert::Certificate;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages};
use x509_cert::ext::{Extension, Extensions};
use x509_cert::name::Name;
use x509_cert::spki::{AlgorithmIdentifierOwned, ObjectIdentifier, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};

/// tcg-kp-EKCertificate and tcg-kp-PlatformAttributeCertificate.
const EK_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.8.1");
const PLATFORM_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.8.2");

/// Maker, product and version, of a TPM or a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// The maker.
    pub manufacturer: String,
    /// The product.
    pub model: String,
    /// Its version.
    pub version: String,
}

/// The specification of a TPM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Specification {
    /// Family, such as `2.0`.
    pub family: String,
    /// Level.
    pub level: u32,
    /// Revision.
    pub revision: u32,
}

/// What a certificate says.
#[derive(Clone, Debug)]
pub struct Content {
    /// What it is of.
    pub purpose: Purpose,
    /// For a TPM 2.0, not a TPM 1.2.
    pub tpm2: bool,
    /// Its number.
    pub serial: Serial,
    /// Days until it expires; `None` is never.
    pub days: Option<u32>,
    /// The subject.
    pub subject: Name,
    /// The subject's key.
    pub key: SubjectPublicKeyInfoOwned,
    /// The TPM; not needed for attestation keys and identities.
    pub tpm: Option<Product>,
    /// The platform, in its certificate.
    pub platform: Option<Product>,
    /// The TPM's specification, in the certificate of an endorsement key.
    pub specification: Option<Specification>,
    /// The TPM's serial number, in those of attestation keys and identities.
    pub device_serial: Option<String>,
    /// Bits of the key usage.
    pub usages: KeyUsage,
}

/// RFC 5280, 4.1. The type of x509-cert cannot be filled by others, nor have the largest serial numbers of swtpm.
#[derive(Sequence)]
struct ToBeSigned {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial: Uint,
    signature: AlgorithmIdentifierOwned,
    issuer: Name,
    validity: Validity,
    subject: Name,
    key: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Extensions,
}

#[derive(Sequence)]
struct Signed {
    content: ToBeSigned,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

/// An extension with this value.
fn extension<T: Encode + AssociatedOid>(critical: bool, value: &T) -> Result<Extension, Failure> {
    Ok(Extension { extn_id: T::OID, critical, extn_value: OctetString::new(value.to_der()?)? })
}

/// The key usages of an endorsement key or a platform, or of a key that signs.
pub fn key_usages(purpose: Purpose, tpm2: bool, usage: crate::vtpm::EkUse, agreement: Agreement) -> KeyUsage {
    if matches!(purpose, Purpose::Iak | Purpose::Idevid) {
        return KeyUsage(KeyUsages::DigitalSignature.into());
    }
    if !tpm2 {
        return KeyUsage(KeyUsages::KeyEncipherment.into());
    }
    let mut usages = der::flagset::FlagSet::default();
    if usage.signing {
        usages |= KeyUsages::DigitalSignature;
    }
    if !usage.signing || usage.decryption {
        usages |= match agreement {
            Agreement::Encipherment => KeyUsages::KeyEncipherment.into(),
            Agreement::Agreement => KeyUsages::KeyAgreement.into(),
            Agreement::Both => KeyUsages::KeyEncipherment | KeyUsages::KeyAgreement,
        };
    }
    KeyUsage(usages)
}

/// How a key that decrypts is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// Keys are encrypted to it, as with RSA.
    Encipherment,
    /// Keys are agreed upon with it, as with elliptic curves.
    Agreement,
    /// Both are said.
    Both,
}

/// The extensions in swtpm's order.
fn extensions(content: &Content, issuer: &Issuer) -> Result<Extensions, Failure> {
    let mut list = Extensions::new();
    let is_device = matches!(content.purpose, Purpose::Iak | Purpose::Idevid);
    list.push(extension(!is_device, &attributes::alternative_name(content)?)?);
    list.push(extension(true, &BasicConstraints { ca: false, path_len_constraint: None })?);
    if content.purpose == Purpose::Ek {
        let specification = content.specification.as_ref();
        let specification = specification.ok_or_else(|| failure!("the TPM's specification is missing"))?;
        list.push(extension(false, &attributes::directory_attributes(specification)?)?);
    }
    let key_identifier = Some(OctetString::new(issuer.key_identifier()?)?);
    list.push(extension(false, &AuthorityKeyIdentifier { key_identifier, ..AuthorityKeyIdentifier::default() })?);
    list.push(extension(true, &content.usages)?);
    let extended = match content.purpose {
        Purpose::Ek => Some(EK_USAGE),
        Purpose::Platform => Some(PLATFORM_USAGE),
        Purpose::Iak | Purpose::Idevid => None,
    };
    if let Some(usage) = extended {
        list.push(extension(false, &ExtendedKeyUsage(vec![usage]))?);
    }
    Ok(list)
}

/// From now on, for so many days or for ever.
fn validity(days: Option<u32>) -> Result<Validity, Failure> {
    let now = Time::try_from(SystemTime::now())?;
    let end = match days {
        None => Time::INFINITY,
        Some(days) => {
            let length = Duration::from_secs(u64::from(days).saturating_mul(86_400));
            let end = SystemTime::now().checked_add(length).and_then(|end| Time::try_from(end).ok());
            end.ok_or_else(|| failure!("{days} days are too far in the future"))?
        }
    };
    Ok(Validity::new(now, end))
}

/// A signed certificate of any content, as DER: number and days, subject and its key. TPM 1.2 wants SHA-1.
fn signed(
    (key, hash): (&SigningKey, HashAlg),
    issuer: &Name,
    (serial, days): (&Serial, Option<u32>),
    (subject, public): (&Name, &SubjectPublicKeyInfoOwned),
    extensions: Extensions,
) -> Result<Vec<u8>, Failure> {
    let algorithm = key.algorithm(hash)?;
    let content = ToBeSigned {
        version: 2,
        serial: Uint::new(serial.bytes())?,
        signature: algorithm.clone(),
        issuer: issuer.clone(),
        validity: validity(days)?,
        subject: subject.clone(),
        key: public.clone(),
        extensions,
    };
    let signature = BitString::from_bytes(&key.sign(hash, &content.to_der()?)?)?;
    Ok(Signed { content, algorithm, signature }.to_der()?)
}

/// A certificate of any content, signed with the usual hash of the key.
pub(crate) fn sign_with(
    key: &SigningKey,
    issuer: &Name,
    validity: (&Serial, Option<u32>),
    subject: (&Name, &SubjectPublicKeyInfoOwned),
    extensions: Extensions,
) -> Result<Vec<u8>, Failure> {
    signed((key, key.hash()), issuer, validity, subject, extensions)
}

/// Issues a certificate; returns it as DER.
pub fn issue(content: &Content, issuer: &Issuer) -> Result<Vec<u8>, Failure> {
    let subject = if content.tpm2 { content.subject.clone() } else { Name::default() };
    let name = issuer.certificate().tbs_certificate().subject();
    let list = extensions(content, issuer)?;
    let hash = if content.tpm2 { issuer.key().hash() } else { HashAlg::Sha1 };
    signed((issuer.key(), hash), name, (&content.serial, content.days), (&subject, &content.key), list)
}

/// The serial number of a TPM for certificates of its device keys, of its vendor and its EK certificate: the CA's key
/// identifier and the certificate's number make it unique.
pub fn device_serial(vendor: &str, ek_certificate: &[u8]) -> Result<String, Failure> {
    let unreadable = |why: String| failure!("the EK certificate cannot be read: {why}");
    let certificate = Certificate::from_der(ek_certificate).map_err(|error| unreadable(error.to_string()))?;
    let content = certificate.tbs_certificate();
    let identifier =
        content.get_extension::<AuthorityKeyIdentifier>().map_err(|error| unreadable(error.to_string()))?;
    let identifier = identifier.and_then(|(_, identifier)| identifier.key_identifier);
    let identifier = identifier.ok_or_else(|| unreadable("it has no identifier of its CA's key".to_owned()))?;
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let serial = content.serial_number().as_bytes();
    let serial = serial.get(serial.iter().take_while(|byte| **byte == 0).count()..).unwrap_or_default();
    Ok(format!("{vendor}:{}:{}", hex(identifier.as_bytes()), hex(serial)))
}

/// A certificate of DER as PEM.
pub fn to_pem(der: &[u8]) -> Result<String, Failure> {
    Ok(Certificate::from_der(der)?.to_pem(LineEnding::LF)?)
}

#[cfg(test)]
mod tests;

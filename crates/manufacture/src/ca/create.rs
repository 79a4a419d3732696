//! A local CA: a root, and under it the key that signs.

use super::local::Lock;
use super::settings::Settings;
use super::{Issuer, SigningKey, key_identifier, read_certificate};
use crate::Log;
use crate::certificate::{self, Serial};
use crate::failure::{Failure, failure};
use crate::file::{Waiting, folder_of, read, sweep};
use der::asn1::OctetString;
use der::oid::AssociatedOid;
use der::pem::LineEnding;
use der::{Decode, Encode, EncodePem};
use std::path::Path;
use x509_cert::Certificate;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::ext::{Extension, Extensions};
use zeroize::Zeroizing;

const ROOT_NAME: &str = "swtpm-localca-rootca";
const NAME: &str = "swtpm-localca";
const ROOT_KEY: &str = "swtpm-localca-rootca-privkey.pem";
const ROOT_CERTIFICATE: &str = "swtpm-localca-rootca-cert.pem";
/// The password of the root's key comes from here.
const ROOT_PASSWORD: &str = "SWTPM_ROOTCA_PASSWORD";
const BITS: u16 = 3072;
/// A hundred years.
const DAYS: u32 = 36_500;
/// Keys are for their user and the group; certificates for everybody.
const KEY_MODE: u32 = 0o640;
const CERTIFICATE_MODE: u32 = 0o644;

fn extension<T: Encode + AssociatedOid>(critical: bool, value: &T) -> Result<Extension, Failure> {
    Ok(Extension { extn_id: T::OID, critical, extn_value: OctetString::new(value.to_der()?)? })
}

/// The extensions of a CA's certificate.
fn extensions(key: &SigningKey, issuer: &SigningKey) -> Result<Extensions, Failure> {
    let key_identifier_of = |key: &SigningKey| OctetString::new(key_identifier(key.public()));
    Ok(vec![
        extension(true, &BasicConstraints { ca: true, path_len_constraint: None })?,
        extension(true, &KeyUsage(KeyUsages::KeyCertSign.into()))?,
        extension(false, &SubjectKeyIdentifier(key_identifier_of(key)?))?,
        extension(
            false,
            &AuthorityKeyIdentifier {
                key_identifier: Some(key_identifier_of(issuer)?),
                ..AuthorityKeyIdentifier::default()
            },
        )?,
    ])
}

/// The root: the one that is there, or a new one with its files, which wait to be put in their places.
fn root(folder: &Path) -> Result<(Issuer, Vec<Waiting>), Failure> {
    let (key_path, certificate_path) = (folder.join(ROOT_KEY), folder.join(ROOT_CERTIFICATE));
    let password = std::env::var(ROOT_PASSWORD).ok().filter(|password| !password.is_empty()).map(Zeroizing::new);
    let password = password.as_ref().map(|password| password.as_bytes());
    if key_path.exists() && certificate_path.exists() {
        // Those who trust it go on trusting what is made under it.
        let key = SigningKey::from_pem(&read(&key_path)?, password);
        let key = key.map_err(|Failure(why)| {
            failure!(
                "{}: {why}; give the password in {ROOT_PASSWORD}, or move the root CA's files away",
                key_path.display()
            )
        })?;
        return Ok((Issuer::open(&certificate_path, key)?, Vec::new()));
    }
    let key = SigningKey::generate_rsa(BITS)?;
    let subject = certificate::single_subject("CN", ROOT_NAME)?;
    let pem = key.to_pem(password)?;
    let list = extensions(&key, &key)?;
    let public = key.public().clone();
    let signed = certificate::sign_with(&key, &subject, (&Serial::random()?, Some(DAYS)), (&subject, &public), list)?;
    let made = Certificate::from_der(&signed)?;
    let files = vec![
        Waiting::write(&key_path, pem.as_bytes(), KEY_MODE)?,
        Waiting::write(&certificate_path, made.to_pem(LineEnding::LF)?.as_bytes(), CERTIFICATE_MODE)?,
    ];
    Ok((Issuer::new(made, key)?, files))
}

/// True if this certificate was made here, and not by an operator.
fn is_own(certificate: &Path) -> bool {
    let found = read_certificate(certificate);
    found.is_ok_and(|found| {
        let content = found.tbs_certificate();
        content.issuer().to_string() == format!("CN={ROOT_NAME}")
            && content.subject().to_string() == format!("CN={NAME}")
    })
}

/// Makes a local CA, unless there is one now. Whole or not at all: the signing key is put in its place last.
pub(super) fn local_ca(key_path: &Path, settings: &Settings, _: &Lock, log: &Log) -> Result<(), Failure> {
    let certificate_path = &settings.certificate;
    match (key_path.exists(), certificate_path.exists()) {
        // Somebody was faster.
        (true, true) => return Ok(()),
        (true, false) => {
            return Err(failure!(
                "there is a signing key {} but no issuer certificate {}; put the certificate there, or move the key away to have a local CA made",
                key_path.display(),
                certificate_path.display()
            ));
        }
        (false, true) if !is_own(certificate_path) => {
            return Err(failure!(
                "there is an issuer certificate {} but no signing key {}; put the key there, or move the certificate away to have a local CA made",
                certificate_path.display(),
                key_path.display()
            ));
        }
        (false, _) => {}
    }
    log.say("Creating root CA and a local CA's signing key and issuer cert.");
    // Files of a run that was killed. Nobody else is at it: the lock is held.
    let folder = folder_of(key_path);
    for place in [&folder.join(ROOT_KEY), &folder.join(ROOT_CERTIFICATE), key_path, certificate_path] {
        sweep(place);
    }
    let (root, mut files) = root(folder)?;
    let key = SigningKey::generate_rsa(BITS)?;
    let subject = certificate::single_subject("CN", NAME)?;
    let list = extensions(&key, root.key())?;
    let issuer = root.certificate().tbs_certificate().subject();
    let public = key.public().clone();
    let signed =
        certificate::sign_with(root.key(), issuer, (&Serial::random()?, Some(DAYS)), (&subject, &public), list)?;
    let made = Certificate::from_der(&signed)?.to_pem(LineEnding::LF)?;
    let password = settings.password.as_ref().map(|password| password.as_bytes());
    files.push(Waiting::write(certificate_path, made.as_bytes(), CERTIFICATE_MODE)?);
    files.push(Waiting::write(key_path, key.to_pem(password)?.as_bytes(), KEY_MODE)?);
    files.into_iter().try_for_each(Waiting::place)
}

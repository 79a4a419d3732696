//! `TPM2_CertifyX509` (Part 3, 18.8).

use crate::signing::der::{self, Element, SEQUENCE, context, element, header, integer};
use crate::signing::{is_signing_key, x509};
use crate::structures::{Data, DhObject, DhObjectOrNull, Digest, MaxBuffer, SigScheme, Signature};
use crate::table::Execute;
use crate::tpm::Tpm;
use alloc::vec::Vec;
use sealwright_core::{Buffer, Fault};
use sealwright_derive::{Command, Response};

/// Largest serial number in bytes (RFC 5280, 4.1.2.2).
const SERIAL_SIZE: usize = 20;

/// Completes and signs an X.509 certificate for a loaded key.
#[derive(Command)]
#[command(code = 0x197, response = CertifyX509Response)]
#[doc(alias = "TPM2_CertifyX509")]
pub struct CertifyX509 {
    /// The key that the certificate is for.
    #[handle(auth = admin)]
    pub object: DhObject,
    /// The signing key.
    #[handle(auth = user)]
    pub sign: DhObjectOrNull,
    /// Must be empty.
    pub reserved: Data,
    /// How to sign; NULL takes the scheme of the key.
    pub scheme: SigScheme,
    /// DER of a SEQUENCE: signature algorithm (optional), issuer, validity, subject, extensions.
    pub partial_certificate: MaxBuffer,
}

/// Answer of [`CertifyX509`].
#[derive(Response)]
pub struct CertifyX509Response {
    /// DER of a SEQUENCE: version, serial number, signature algorithm if it was missing, public key.
    pub added_to_certificate: MaxBuffer,
    /// What was signed.
    pub tbs_digest: Digest,
    /// The signature.
    pub signature: Signature,
}

/// The caller's parts of a certificate: three or four SEQUENCEs, and the extensions.
fn split(partial: &[u8]) -> Result<(Vec<Element<'_>>, Element<'_>), Fault> {
    if partial.is_empty() {
        return Err(Fault::VALUE);
    }
    let mut rest = partial;
    let outer = der::take(&mut rest).filter(|e| e.tag == SEQUENCE && rest.is_empty()).ok_or(Fault::SIZE)?;
    let (mut sequences, mut extensions) = (Vec::new(), None);
    let mut rest = outer.content;
    while !rest.is_empty() {
        let part = der::take(&mut rest).ok_or(Fault::VALUE)?;
        if part.tag == SEQUENCE {
            sequences.push(part);
        } else if part.tag != context(3) || extensions.replace(part).is_some() {
            return Err(Fault::VALUE);
        }
    }
    match extensions {
        Some(extensions) if matches!(sequences.len(), 3 | 4) => Ok((sequences, extensions)),
        _ => Err(Fault::VALUE),
    }
}

impl Execute for CertifyX509 {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<CertifyX509Response, Fault> {
        if !self.reserved.is_empty() {
            return Err(Fault::SIZE.at_parameter(1));
        }
        let key = tpm.object(self.sign.0).map_err(|_| Fault::KEY.at_handle(2))?;
        if !is_signing_key(&key) {
            return Err(Fault::KEY.at_handle(2));
        }
        let scheme = tpm.select_sign_scheme(&key, self.scheme).map_err(|fault| fault.at_parameter(2))?;
        let hash = scheme.hash().ok_or(Fault::SCHEME.at_parameter(2))?;
        let object = tpm.object(self.object.0).map_err(|_| Fault::ASYMMETRIC.at_handle(1))?;
        let public_key = x509::public_key(&object).ok_or(Fault::ASYMMETRIC.at_handle(1))?;
        let (sequences, extensions) = split(&self.partial_certificate).map_err(|fault| fault.at_parameter(3))?;
        let made_algorithm = if sequences.len() == 3 {
            x509::signature_algorithm(&key, scheme).ok_or(Fault::SCHEME.at_handle(2))?
        } else {
            Vec::new()
        };
        x509::check_extensions(&object, extensions.whole)
            .map_err(|fault| if fault == Fault::ATTRIBUTES { fault.at_handle(1) } else { fault.at_parameter(3) })?;

        // Everything from the signature algorithm on; an algorithm that the caller gave is the first sequence.
        let mut body = made_algorithm.clone();
        sequences.iter().for_each(|part| body.extend_from_slice(part.whole));
        body.extend_from_slice(&public_key);
        body.extend_from_slice(extensions.whole);

        let serial_hash = key.public.name_alg.ok_or(Fault::HASH.at_handle(2))?;
        let serial = tpm.hash(serial_hash, &[&body, &key.name, &object.name]);
        let serial = integer(serial.get(..SERIAL_SIZE).unwrap_or(&serial));
        let version = element(context(0), &[&integer(&[2])]);
        let size = [version.len(), serial.len(), body.len()].iter().fold(0usize, |sum, n| sum.saturating_add(*n));
        let digest = tpm.hash(hash, &[&header(SEQUENCE, size), &version, &serial, &body]);
        let added = element(SEQUENCE, &[&version, &serial, &made_algorithm, &public_key]);
        Ok(CertifyX509Response {
            added_to_certificate: Buffer::new(&added).ok_or(Fault::FAILURE)?,
            tbs_digest: Buffer::from_slice(&digest)?,
            signature: tpm.sign(&key, scheme, &digest)?,
        })
    }
}

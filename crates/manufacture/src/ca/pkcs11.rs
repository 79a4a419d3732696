//! A CA's key in a hardware security module, by its URI (RFC 7512), through its vendor's library.

use super::SigningKey;
use super::key::{Sort, ecdsa_value};
use crate::failure::{Failure, failure};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use der::Decode;
use der::asn1::UintRef;
use sealwright_crypto::ecc::{Signature, ecdsa};
use sealwright_crypto::rsa::pkcs1;
use sealwright_crypto::{Curve, HashAlg, Point};
use sealwright_crypto_native::NATIVE;
use std::path::PathBuf;
use x509_cert::spki::{ObjectIdentifier, SubjectPublicKeyInfoOwned};
use zeroize::Zeroizing;

/// Variables that name the library, as OpenSSL's providers have them.
const MODULE_VARIABLES: [&str; 2] = ["PKCS11_PROVIDER_MODULE", "PKCS11_MODULE_PATH"];
/// The library that brings together all that are set up on this host.
const PROXIES: [&str; 2] = ["p11-kit-proxy.so", "libp11-kit.so.0"];
/// The PIN comes from here, if the configuration has none.
const PIN_VARIABLE: &str = "SWTPM_PKCS11_PIN";

/// What a URI says. All that is given must match.
#[derive(Default)]
struct Uri {
    token: Option<String>,
    manufacturer: Option<String>,
    model: Option<String>,
    serial: Option<String>,
    slot: Option<u64>,
    object: Option<String>,
    id: Option<Vec<u8>>,
    module: Option<PathBuf>,
    pin: Option<Zeroizing<String>>,
}

/// It may be a PIN.
fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
        out.push(u8::try_from(high << 4 | low).ok()?);
    }
    Some(out)
}

impl Uri {
    fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| failure!("the signing key's PKCS#11 URI has {what}");
        let rest = text.strip_prefix("pkcs11:").ok_or_else(|| wrong("another scheme"))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::default();
        let attributes = path.split(';').chain(query.split('&')).filter(|attribute| !attribute.is_empty());
        for attribute in attributes {
            let (name, value) = attribute.split_once('=').ok_or_else(|| wrong("an attribute without a value"))?;
            let bytes = decode(value).ok_or_else(|| wrong(&format!("a value of {name} that is not valid")))?;
            let text = core::str::from_utf8(&bytes).map(str::to_owned);
            let text = text.map_err(|_| wrong(&format!("a value of {name} that is no text")));
            match name {
                "token" => uri.token = Some(text?),
                "manufacturer" => uri.manufacturer = Some(text?),
                "model" => uri.model = Some(text?),
                "serial" => uri.serial = Some(text?),
                "slot-id" => uri.slot = Some(value.parse().map_err(|_| wrong("a slot-id that is no number"))?),
                "object" => uri.object = Some(text?),
                "id" => uri.id = Some(bytes.to_vec()),
                "module-path" => uri.module = Some(text?.into()),
                "pin-value" => uri.pin = Some(Zeroizing::new(text?)),
                "pin-source" => {
                    let source = text?;
                    let file =
                        source.strip_prefix("file://").or_else(|| source.strip_prefix("file:")).unwrap_or(&source);
                    let pin = crate::file::read(file.as_ref())?;
                    let pin = core::str::from_utf8(&pin).map_err(|_| failure!("{file} has a PIN that is no text"))?;
                    uri.pin = Some(Zeroizing::new(pin.lines().next().unwrap_or_default().to_owned()));
                }
                // What is known of others does not tell keys apart; unknown ones are to be ignored (RFC 7512, 2.3).
                _ => {}
            }
        }
        if uri.object.is_none() && uri.id.is_none() {
            return Err(wrong("neither object= nor id=, and so names no key"));
        }
        Ok(uri)
    }
}

/// The key in an issuer's certificate, with which each signature is checked.
enum Check {
    Rsa { modulus: Vec<u8>, exponent: u32 },
    Ecc { curve: Curve, point: Point },
}

/// A private key that stays in its module.
pub(super) struct TokenKey {
    session: Session,
    key: ObjectHandle,
    check: Check,
}

fn refused(error: &cryptoki::error::Error) -> Failure {
    failure!("the PKCS#11 module says: {error}")
}

fn library(uri: &Uri, environment: &[(String, String)]) -> Result<Pkcs11, Failure> {
    let variable = |name: &&str| {
        let given = environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        given.or_else(|| std::env::var(name).ok()).filter(|value| !value.is_empty())
    };
    let named = uri.module.clone().or_else(|| MODULE_VARIABLES.iter().find_map(variable).map(PathBuf::from));
    let library = match &named {
        Some(path) => Pkcs11::new(path)
            .map_err(|error| failure!("the PKCS#11 library {} cannot be loaded: {error}", path.display()))?,
        None => PROXIES.iter().find_map(|name| Pkcs11::new(name).ok()).ok_or_else(|| {
            failure!("no PKCS#11 library is known: add module-path=/path/of/library.so to the URI, or install p11-kit")
        })?,
    };
    library
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .map_err(|error| failure!("the PKCS#11 library does not start: {error}"))?;
    Ok(library)
}

/// What checks the signatures of a certificate's key.
fn check_of(public: &SubjectPublicKeyInfoOwned) -> Result<Check, Failure> {
    #[derive(der::Sequence)]
    struct RsaPublicKey<'a> {
        modulus: UintRef<'a>,
        exponent: u32,
    }
    let bits = public.subject_public_key.raw_bytes();
    if crate::certificate::is_rsa(public) {
        let key = RsaPublicKey::from_der(bits)?;
        return Ok(Check::Rsa { modulus: key.modulus.as_bytes().to_vec(), exponent: key.exponent });
    }
    let oid = public.algorithm.parameters.as_ref().and_then(|oid| oid.decode_as::<ObjectIdentifier>().ok());
    let curve = [Curve::P256, Curve::P384, Curve::P521]
        .into_iter()
        .find(|curve| oid.is_some() && crate::certificate::curve_oid(*curve) == oid)
        .ok_or_else(|| failure!("the issuer certificate has a key that is neither RSA nor of a known curve"))?;
    match bits.split_first() {
        Some((4, point)) if point.len() == curve.size().saturating_mul(2) => {
            let (x, y) = point.split_at_checked(curve.size()).unwrap_or_default();
            Ok(Check::Ecc { curve, point: Point { x: x.to_vec(), y: y.to_vec() } })
        }
        _ => Err(failure!("the issuer certificate has a point that is compressed or damaged")),
    }
}

/// Opens the private key of this URI, which is to be the one of this public key.
pub(super) fn open(
    uri: &str,
    pin: Option<&str>,
    environment: &[(String, String)],
    public: &SubjectPublicKeyInfoOwned,
) -> Result<SigningKey, Failure> {
    let uri = Uri::parse(uri)?;
    let library = library(&uri, environment)?;
    let same = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found.trim_end());
    let slots = library.get_slots_with_token().map_err(|error| refused(&error))?;
    let mut fitting = slots.into_iter().filter(|slot| {
        library.get_token_info(*slot).is_ok_and(|info| {
            same(&uri.token, info.label())
                && same(&uri.manufacturer, info.manufacturer_id())
                && same(&uri.model, info.model())
                && same(&uri.serial, info.serial_number())
                && uri.slot.is_none_or(|wanted| wanted == slot.id())
        })
    });
    let slot = match (fitting.next(), fitting.next()) {
        (Some(slot), None) => slot,
        (None, _) => return Err(failure!("no PKCS#11 token fits the signing key's URI; is it plugged in and set up?")),
        _ => return Err(failure!("several PKCS#11 tokens fit the signing key's URI; add serial= to it")),
    };
    let session = library.open_ro_session(slot).map_err(|error| refused(&error))?;
    let from_environment = std::env::var(PIN_VARIABLE).ok().map(Zeroizing::new);
    let pin = uri.pin.as_ref().map(|pin| pin.as_str()).or(pin).or(from_environment.as_ref().map(|pin| pin.as_str()));
    if let Some(pin) = pin {
        let login = session.login(UserType::User, Some(&AuthPin::new(pin.into())));
        login.map_err(|error| failure!("the PKCS#11 token does not accept the PIN: {error}"))?;
    }
    let mut template = vec![Attribute::Class(ObjectClass::PRIVATE_KEY)];
    template.extend(uri.object.as_ref().map(|label| Attribute::Label(label.clone().into_bytes())));
    template.extend(uri.id.clone().map(Attribute::Id));
    let found = session.find_objects(&template).map_err(|error| refused(&error))?;
    let key = match found.as_slice() {
        [key] => *key,
        [] => return Err(failure!("the PKCS#11 token has no such private key, or wants a PIN ({PIN_VARIABLE}) first")),
        _ => return Err(failure!("several private keys of the PKCS#11 token fit the URI; name one by id=")),
    };
    Ok(SigningKey::of_token(TokenKey { session, key, check: check_of(public)? }, public.clone()))
}

/// DigestInfo (RFC 8017, A.2.4) up to the digest.
const fn digest_info(hash: HashAlg) -> &'static [u8] {
    match hash {
        HashAlg::Sha1 => &[0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A, 0x05, 0x00, 0x04, 0x14],
        HashAlg::Sha256 => &[0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20],
        HashAlg::Sha384 => &[0x30, 0x41, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2, 5, 0, 4, 0x30],
        HashAlg::Sha512 => &[0x30, 0x51, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3, 5, 0, 4, 0x40],
    }
}

impl TokenKey {
    pub(super) const fn sort(&self) -> Sort {
        match &self.check {
            Check::Rsa { .. } => Sort::Rsa,
            Check::Ecc { curve, .. } => Sort::Ecc(*curve),
        }
    }

    /// Signs a digest; a signature that is not the certificate's key's does not leave.
    pub(super) fn sign(&self, hash: HashAlg, digest: &[u8]) -> Result<Vec<u8>, Failure> {
        let other = |_| failure!("the PKCS#11 key is not the one of the issuer certificate");
        let sign = |mechanism: &Mechanism<'_>, data: &[u8]| {
            self.session.sign(mechanism, self.key, data).map_err(|error| refused(&error))
        };
        match &self.check {
            Check::Rsa { modulus, exponent } => {
                let made = sign(&Mechanism::RsaPkcs, &[digest_info(hash), digest].concat())?;
                pkcs1::verify(&NATIVE, modulus, *exponent, hash, digest, &made).map_err(other)?;
                Ok(made)
            }
            Check::Ecc { curve, point } => {
                let made = sign(&Mechanism::Ecdsa, digest)?;
                let (r, s) = made.split_at_checked(made.len() / 2).unwrap_or_default();
                let signature = Signature { r: r.to_vec(), s: s.to_vec() };
                ecdsa::verify(&NATIVE, *curve, point, digest, &signature).map_err(other)?;
                ecdsa_value(r, s)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_read() {
        let uri = Uri::parse("pkcs11:model=S;token=my%20token;id=%01%ff;object=key;type=private?module-path=/l.so&x=1");
        let uri = uri.unwrap();
        assert_eq!((uri.token.as_deref(), uri.id.as_deref()), (Some("my token"), Some(&[1, 255][..])));
        assert_eq!((uri.object.as_deref(), uri.module), (Some("key"), Some("/l.so".into())));
        for wrong in ["file:x", "pkcs11:token=t", "pkcs11:object=%zz", "pkcs11:object"] {
            assert!(Uri::parse(wrong).is_err(), "{wrong}");
        }
    }
}

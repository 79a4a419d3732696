use super::*;
use crate::vtpm::EkUse;
use sealwright_crypto::Curve;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// A CA with a key that is quick to make.
fn issuer() -> Issuer {
    let key = SigningKey::generate_rsa(2048).unwrap();
    let name = single_subject("CN", "test CA").unwrap();
    let public = key.public().clone();
    let serial = Serial::parse("1").unwrap();
    let signed = sign_with(&key, &name, (&serial, Some(1)), (&name, &public), vec![]).unwrap();
    Issuer::new(Certificate::from_der(&signed).unwrap(), key).unwrap()
}

fn point() -> PublicKey {
    let generator = sealwright_crypto_native::NATIVE.ecc.mul_base(Curve::P256, &[1]).unwrap();
    PublicKey::of_coordinates(Curve::P256, &generator.x, &generator.y).unwrap()
}

fn content(purpose: Purpose, tpm2: bool) -> Content {
    let product = |name: &str| {
        Some(Product { manufacturer: name.to_owned(), model: "model".to_owned(), version: "2.1".to_owned() })
    };
    Content {
        purpose,
        tpm2,
        serial: Serial::parse("1461501637330902918203684832716283019655932542975").unwrap(),
        days: None,
        subject: parse_subject("CN=vm:1,O=test").unwrap(),
        key: point().info().unwrap(),
        tpm: product("IBM"),
        platform: product("Fedora"),
        specification: Some(Specification { family: "2.0".to_owned(), level: 0, revision: 164 }),
        device_serial: Some("IBM:aa:01".to_owned()),
        usages: key_usages(purpose, tpm2, EkUse::default(), Agreement::Agreement),
    }
}

#[test]
fn certificates_say_what_the_profiles_want() {
    let issuer = issuer();
    for purpose in [Purpose::Ek, Purpose::Platform, Purpose::Iak, Purpose::Idevid] {
        let der = issue(&content(purpose, true), &issuer).unwrap();
        let read = Certificate::from_der(&der).unwrap();
        let tbs = read.tbs_certificate();
        assert_eq!(tbs.subject().to_string(), "O=test,CN=vm:1");
        assert_eq!(tbs.serial_number().as_bytes(), [&[0][..], &[0xFF; 20]].concat());
        assert_eq!(tbs.validity().not_after.to_string(), "9999-12-31T23:59:59Z");
        let (critical, alternative) = tbs.get_extension::<SubjectAltName>().unwrap().unwrap();
        let is_device = matches!(purpose, Purpose::Iak | Purpose::Idevid);
        assert_eq!(critical, !is_device);
        let GeneralName::DirectoryName(name) = &alternative.0[0] else { panic!("no name") };
        let first = name.iter().next().unwrap().oid.to_string();
        let wanted = match purpose {
            Purpose::Ek => "2.23.133.2.1",
            Purpose::Platform => "2.23.133.5.1.1",
            _ => "1.3.6.1.5.5.7.8.4",
        };
        assert_eq!(first, wanted);
        assert_eq!(alternative.0.len(), if is_device { 2 } else { 1 });
        let (_, identifier) = tbs.get_extension::<AuthorityKeyIdentifier>().unwrap().unwrap();
        assert_eq!(identifier.key_identifier.unwrap().as_bytes(), issuer.key_identifier().unwrap());
        let (_, usages) = tbs.get_extension::<KeyUsage>().unwrap().unwrap();
        assert_eq!(usages.digital_signature(), is_device);
        assert_eq!(usages.key_agreement(), !is_device);
        let usage = tbs.get_extension::<ExtendedKeyUsage>().unwrap().map(|(_, usage)| usage.0[0]);
        let wanted = [Some(EK_USAGE), Some(PLATFORM_USAGE), None, None];
        assert_eq!(usage, wanted[purpose as usize]);
        assert_eq!(device_serial("IBM", &der).unwrap().matches(':').count(), 2);
    }
}

#[test]
fn a_tpm_1_2_has_no_subject_and_sha1() {
    let read = Certificate::from_der(&issue(&content(Purpose::Platform, false), &issuer()).unwrap()).unwrap();
    assert!(read.tbs_certificate().subject().is_empty());
    assert_eq!(read.signature_algorithm().oid.to_string(), "1.2.840.113549.1.1.5");
    let (_, alternative) = read.tbs_certificate().get_extension::<SubjectAltName>().unwrap().unwrap();
    let GeneralName::DirectoryName(name) = &alternative.0[0] else { panic!("no name") };
    assert_eq!(name.len(), 6);
}

#[test]
fn what_is_missing_is_named() {
    let issuer = issuer();
    let mut wanting = content(Purpose::Ek, true);
    wanting.specification = None;
    assert!(issue(&wanting, &issuer).unwrap_err().0.contains("specification"));
    wanting.tpm = None;
    assert!(issue(&wanting, &issuer).unwrap_err().0.contains("TPM"));
    let mut wanting = content(Purpose::Iak, true);
    wanting.device_serial = None;
    assert!(issue(&wanting, &issuer).unwrap_err().0.contains("serial"));
}

#[test]
fn key_usages_follow_what_the_key_may() {
    let usages = |signing, decryption| {
        let usages = key_usages(Purpose::Ek, true, EkUse { signing, decryption }, Agreement::Encipherment);
        (usages.digital_signature(), usages.key_encipherment())
    };
    assert_eq!(usages(false, false), (false, true));
    assert_eq!(usages(true, false), (true, false));
    assert_eq!(usages(true, true), (true, true));
    assert_eq!(usages(false, true), (false, true));
}

#[test]
fn keys_are_read_as_swtpm_writes_them() {
    let key = point();
    assert_eq!(PublicKey::parse(&key.argument()).unwrap(), key);
    let rsa = PublicKey::Rsa { modulus: vec![0x80; 256], exponent: 65537 };
    assert_eq!(PublicKey::parse(&rsa.argument()).unwrap(), rsa);
    assert!(is_rsa(&rsa.info().unwrap()) && is_ecc(&key.info().unwrap()));
    for wrong in ["", "abc", "xy", "x=01", "x=01,y=01", "x=01,y=02,id=secp224r1", "z=1"] {
        assert!(PublicKey::parse(wrong).is_err(), "{wrong}");
    }
    assert!(post_quantum("ml-kem-512", &[0; 800]).is_ok());
    assert!(post_quantum("ml-kem-512", &[0; 799]).is_err());
    assert!(post_quantum("ml-kem-513", &[0; 800]).is_err());
}

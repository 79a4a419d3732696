use super::*;
use crate::Log;
use sealwright_crypto::{Curve, HashAlg};
use sealwright_tpm2::profile::Choice;

const ALL: [KeyAlgorithm; 6] = [
    KeyAlgorithm::Rsa(2048),
    KeyAlgorithm::Rsa(3072),
    KeyAlgorithm::Rsa(4096),
    KeyAlgorithm::Ecc(Curve::P256),
    KeyAlgorithm::Ecc(Curve::P384),
    KeyAlgorithm::Ecc(Curve::P521),
];

/// Makes certificates of nothing but a name.
struct Names(Vec<String>);

impl Certifier for Names {
    fn certify(&mut self, wanted: &Wanted<'_>) -> Result<Vec<u8>, Failure> {
        self.0.push(format!("{} {}", wanted.purpose.name(), wanted.key.argument()));
        Ok(vec![7; 1500])
    }
}

fn v2() -> Profile {
    Profile::of_choice(&Choice { name: "default-v2", ..Choice::default() }).unwrap()
}

fn quiet() -> (Log, std::path::PathBuf) {
    let path = std::env::temp_dir().join(format!("sealwright-vtpm-{:?}", std::thread::current().id()));
    (Log::new(Some(&path)).unwrap(), path)
}

#[test]
fn the_policy_of_endorsement_keys_is_policy_secret_of_the_hierarchy() {
    // Part 3, 23.4: the digest of the old policy, the command and the name, then of that and no reference.
    let digest = |parts: &[&[u8]]| sealwright_crypto::RUST.hash.digest(HashAlg::Sha256, parts);
    let once = digest(&[&[0; 32], &0x151u32.to_be_bytes(), &0x4000_000Bu32.to_be_bytes()]);
    let policy = digest(&[&once]);
    let template = Template::ek(KeyAlgorithm::Rsa(2048), EkUse::default()).0;
    assert_eq!(template[10..42], *policy);
    // Type, hash, attributes of the profile's template L-1, and 256 bytes of zeros at its end.
    assert_eq!(template[..8], [0, 1, 0, 0xB, 0, 3, 0, 0xB2]);
    assert_eq!(template.len(), 10 + 32 + 6 + 2 + 2 + 4 + 2 + 256);
}

#[test]
fn all_kinds_of_keys_are_made() {
    for algorithm in ALL {
        let mut tpm = Vtpm::new(v2()).unwrap();
        let (log, path) = quiet();
        let order = Order {
            eks: vec![algorithm, algorithm],
            storage: Some(algorithm).filter(|_| algorithm != KeyAlgorithm::Rsa(4096)),
            pcr_banks: Some(vec!["sha1".to_owned(), "sha384".to_owned(), "sm3".to_owned()]),
            usage: EkUse { signing: true, decryption: true },
            lock_nv: true,
            ..Order::default()
        };
        let mut names = Names(Vec::new());
        assert!(make(&mut tpm, &order, &mut names, &log).unwrap().is_empty());
        let said = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        let handle = algorithm.places().handle;
        let wanted = format!("Successfully created {} EK with handle {handle:#x}.", algorithm.title());
        assert_eq!(said.matches(&wanted).count(), 1, "{said}");
        assert!(
            said.contains("Successfully activated PCR banks sha1,sha384 among sha1,sha256,sha384,sha512."),
            "{said}"
        );
        let state = tpm.finish().unwrap();
        let mut again = Vtpm::of_libtpms(&state).unwrap();
        assert!(again.profile().contains("default-v2"));
        // The key is there, at its handle.
        let mut answer = again.run("TPM2_ReadPublic", Request::new(0x173).u32(handle)).unwrap();
        assert_eq!(answer.sized().unwrap()[..2], Template::ek(algorithm, order.usage).0[..2]);
    }
}

#[test]
fn certificates_are_stored_and_locked() {
    let mut tpm = Vtpm::new(Profile::null()).unwrap();
    let (log, path) = quiet();
    let order = Order {
        eks: vec![KeyAlgorithm::Ecc(Curve::P256), KeyAlgorithm::Ecc(Curve::P384)],
        ek_certificates: true,
        platform_certificate: true,
        lock_nv: true,
        ..Order::default()
    };
    let mut names = Names(Vec::new());
    let copies = make(&mut tpm, &order, &mut names, &log).unwrap();
    std::fs::remove_file(path).unwrap();
    let files: Vec<&str> = copies.iter().map(|copy| copy.file.as_str()).collect();
    assert_eq!(files, ["ek-secp256r1.crt", "ek-secp384r1.crt"]);
    let kinds: Vec<&str> = names.0.iter().filter_map(|name| name.split(' ').next()).collect();
    assert_eq!(kinds, ["ek", "platform", "ek"]);
    for index in [0x01C0_000A, 0x01C0_8000, 0x01C0_0016u32] {
        let mut answer = tpm.run("TPM2_NV_ReadPublic", Request::new(0x169).u32(index)).unwrap();
        let public = answer.sized().unwrap().to_vec();
        // Written and locked, beside the attributes it was defined with.
        assert_eq!(public[6..10], (0x6207_2001u32 | 1 << 11).to_be_bytes(), "{public:02x?}");
        assert_eq!(public[12..14], 1500u16.to_be_bytes());
        let write = Request::authorized(0x137, &[0x4000_000C, index]).sized(&[1]).u16(0);
        assert!(tpm.run("TPM2_NV_Write", write).is_err());
    }
    // A device key needs the serial number of an EK certificate.
    let order = Order { iak: Some(KeyAlgorithm::Ecc(Curve::P256)), ..Order::default() };
    assert!(make(&mut tpm, &order, &mut names, &Log::default()).unwrap_err().0.contains("EK certificate"));
}

#[test]
fn the_null_profile_has_no_rsa_4096() {
    let mut tpm = Vtpm::new(Profile::null()).unwrap();
    let order = Order { eks: vec![KeyAlgorithm::Rsa(4096)], ..Order::default() };
    let made = make(&mut tpm, &order, &mut Names(Vec::new()), &Log::default());
    assert!(made.is_err() || tpm.finish().is_err());
}

#[test]
fn a_profile_without_sha1_has_no_bank_of_it() {
    let algorithms = sealwright_tpm2::libtpms::ALL_ALGORITHMS.replace(",sha1", "");
    let choice = Choice { name: "custom", algorithms: Some(&algorithms), ..Choice::default() };
    let mut tpm = Vtpm::new(Profile::of_choice(&choice).unwrap()).unwrap();
    let (log, path) = quiet();
    set_pcr_banks(&mut tpm, &["sha256".to_owned()], &log).unwrap();
    let said = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    assert!(said.contains("PCR banks sha256 among sha256,sha384,sha512."), "{said}");
    let state = tpm.finish().unwrap();
    assert_eq!(Vtpm::of_libtpms(&state).unwrap().pcr_banks().unwrap(), ["sha256", "sha384", "sha512"]);
}

#[test]
fn pcr_banks_that_do_not_exist_are_refused() {
    let mut tpm = Vtpm::new(Profile::null()).unwrap();
    let refused = set_pcr_banks(&mut tpm, &["sm3".to_owned()], &Log::default()).unwrap_err();
    assert!(refused.0.contains("No PCR banks could be allocated"), "{refused}");
}

#[test]
fn the_description_is_of_the_properties() {
    let description = Vtpm::new(Profile::null()).unwrap().description().unwrap();
    assert_eq!((description.family.as_str(), description.level, description.vendor.as_str()), ("2.0", 0, "IBM"));
    assert_eq!(description.version, "id:20240125");
}

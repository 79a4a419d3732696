//! Tests of signing, the commit counter and attestation.

use super::*;
use crate::structures::{Attest, Attested, Data, DhObjectOrNull, Digest, EccSignature, Name, Reader, Wire as _, rh};
use crate::testing::{ecc, hmac, key, rsa, template, with_tpm};
use sealwright_core::Buffer;
use sealwright_crypto::Curve;
use sealwright_crypto::ecc::scalar;

const SIGN: ObjectAttributes = ObjectAttributes::SIGN;
const H: HashAlg = HashAlg::Sha256;

#[test]
fn every_scheme_verifies_its_own() {
    let cases = [
        (rsa(RsaScheme::Null), SigScheme::Rsassa(H)),
        (rsa(RsaScheme::Null), SigScheme::Rsapss(H)),
        (rsa(RsaScheme::Null), SigScheme::Rsapss(HashAlg::Sha512)),
        (ecc(Curve::P256, EccScheme::Null), SigScheme::Ecdsa(H)),
        (ecc(Curve::P521, EccScheme::Null), SigScheme::Ecdsa(HashAlg::Sha512)),
        (ecc(Curve::P192, EccScheme::Null), SigScheme::Ecdsa(H)),
        (ecc(Curve::Bn638, EccScheme::Null), SigScheme::EcSchnorr(H)),
        (ecc(Curve::P224, EccScheme::Null), SigScheme::EcSchnorr(H)),
        (ecc(Curve::Sm2, EccScheme::Null), SigScheme::Sm2(H)),
        (hmac(), SigScheme::Hmac(H)),
    ];
    with_tpm(|tpm| {
        for (parameters, scheme) in cases {
            let (handle, key) = key(tpm, &template(parameters, SIGN), rh::OWNER);
            let digest = tpm.hash(scheme.hash().unwrap(), &[b"message"]);
            assert_eq!(tpm.select_sign_scheme(&key, scheme), Ok(scheme));
            let signature = tpm.sign(&key, scheme, &digest).unwrap();
            assert_eq!(tpm.verify_signature(handle, &digest, &signature), Ok(()), "{scheme:?}");
            let other = tpm.hash(scheme.hash().unwrap(), &[b"another"]);
            assert_eq!(tpm.verify_signature(handle, &other, &signature), Err(Fault::SIGNATURE), "{scheme:?}");
            assert_eq!(tpm.verify_signature(handle, &digest, &Signature::Null), Err(Fault::SIGNATURE));
            tpm.flush_slot(handle);
        }
    });
}

#[test]
fn a_signature_of_another_kind_of_key_is_a_wrong_scheme() {
    with_tpm(|tpm| {
        let (rsa, _) = key(tpm, &template(rsa(RsaScheme::Null), SIGN), rh::OWNER);
        let (mac, mac_key) = key(tpm, &template(hmac(), SIGN), rh::OWNER);
        let signature = tpm.sign(&mac_key, SigScheme::Hmac(H), &[1; 32]).unwrap();
        assert_eq!(tpm.verify_signature(rsa, &[1; 32], &signature), Err(Fault::SCHEME));
        let Signature::Hmac(value) = signature else { panic!("not an HMAC") };
        let ecdsa = EccSignature { hash: H, r: Buffer::zeros(32), s: Buffer::zeros(32) };
        assert_eq!(tpm.verify_signature(mac, &[1; 32], &Signature::Ecdsa(ecdsa)), Err(Fault::SCHEME));
        assert_eq!(tpm.verify_signature(mac, &[1; 32], &Signature::Hmac(value)), Ok(()));
        let mut public_only = (*mac_key).clone();
        public_only.sensitive = None;
        tpm.replace_slot(mac, crate::object::Slot::Object(alloc::sync::Arc::new(public_only)));
        assert_eq!(tpm.verify_signature(mac, &[1; 32], &Signature::Hmac(value)), Err(Fault::HANDLE));
    });
}

#[test]
fn schemes_are_selected_as_the_specification_says() {
    with_tpm(|tpm| {
        let fixed = template(ecc(Curve::P256, EccScheme::Ecdsa(H)), SIGN);
        let (_, fixed) = key(tpm, &fixed, rh::OWNER);
        let (_, free) = key(tpm, &template(ecc(Curve::P256, EccScheme::Null), SIGN), rh::OWNER);
        let (_, split) = key(tpm, &template(ecc(Curve::P256, EccScheme::Ecdaa(H, 0)), SIGN), rh::OWNER);
        let select = |key: &Object, scheme| tpm.select_sign_scheme(key, scheme);
        assert_eq!(select(&fixed, SigScheme::Null), Ok(SigScheme::Ecdsa(H)));
        assert_eq!(select(&fixed, SigScheme::Ecdsa(HashAlg::Sha384)), Err(Fault::SCHEME));
        assert_eq!(select(&fixed, SigScheme::EcSchnorr(H)), Err(Fault::SCHEME));
        assert_eq!(select(&free, SigScheme::Null), Err(Fault::SCHEME));
        assert_eq!(select(&free, SigScheme::Rsassa(H)), Err(Fault::SCHEME));
        assert_eq!(select(&split, SigScheme::Null), Err(Fault::SCHEME));
        assert_eq!(select(&split, SigScheme::Ecdaa(H, 7)), Ok(SigScheme::Ecdaa(H, 7)));
    });
}

/// `s G - T Q = r G`, where `T` is the hash of the nonce and the digest (Part 1, C.4.2).
#[test]
fn ecdaa_answers_its_commitment_once() {
    with_tpm(|tpm| {
        let curve = Curve::Bn256;
        let (_, key) = key(tpm, &template(ecc(curve, EccScheme::Ecdaa(H, 0)), SIGN), rh::OWNER);
        let r = tpm.next_r(curve, &key.name).unwrap();
        let count = tpm.commit();
        assert_eq!(tpm.committed_r(count, curve, &key.name).unwrap(), r);
        assert_ne!(tpm.next_r(curve, &key.name).unwrap(), r);

        let Signature::Ecdaa(signature) = tpm.sign(&key, SigScheme::Ecdaa(H, count), &[7; 32]).unwrap() else {
            panic!("not ECDAA")
        };
        let t = tpm.hash(H, &[&signature.r, &[7; 32]]);
        let crate::structures::Unique::Ecc(q) = &key.public.unique else { panic!("no point") };
        let minus_t = scalar::sub(curve, &[0], &t);
        let left = tpm.crypto.ecc.mul_add(curve, &signature.s, &minus_t, &ecc::point_of(q)).unwrap();
        assert_eq!(left, tpm.crypto.ecc.mul_base(curve, &r).unwrap());

        assert_eq!(tpm.sign(&key, SigScheme::Ecdaa(H, count), &[7; 32]), Err(Fault::VALUE));
        assert_eq!(tpm.sign(&key, SigScheme::Ecdaa(H, count + 1), &[7; 32]), Err(Fault::VALUE));
    });
}

#[test]
fn a_commitment_is_forgotten_after_128_others() {
    with_tpm(|tpm| {
        let first = tpm.commit();
        assert!(tpm.committed_r(first, Curve::P256, &Name::EMPTY).is_some());
        for _ in 0..127 {
            tpm.commit();
        }
        assert!(tpm.committed_r(first, Curve::P256, &Name::EMPTY).is_some());
        tpm.commit();
        assert!(tpm.committed_r(first, Curve::P256, &Name::EMPTY).is_none());
        assert!(tpm.committed_r(first.wrapping_add(128), Curve::P256, &Name::EMPTY).is_some());
    });
}

fn attested(tpm: &mut Tpm<'_>, handle: u32, scheme: SigScheme) -> (Attest, alloc::vec::Vec<u8>, Signature) {
    let signer = tpm.signer(DhObjectOrNull(handle), 1, scheme, 2).unwrap();
    let what = Attested::Creation { object_name: Name::EMPTY, creation_hash: Digest::EMPTY };
    let data = Data::from_slice(b"nonce").unwrap();
    let (bytes, signature) = tpm.attest(&signer, &data, what).unwrap();
    (Attest::read(&mut Reader::new(&bytes)).unwrap(), bytes.to_vec(), signature)
}

#[test]
fn attestation_is_signed_and_obfuscated_outside_endorsement() {
    with_tpm(|tpm| {
        let template = template(ecc(Curve::P256, EccScheme::Null), SIGN);
        let (ek, ek_key) = key(tpm, &template, rh::ENDORSEMENT);
        let (sk, sk_key) = key(tpm, &template, rh::OWNER);
        let (plain, bytes, signature) = attested(tpm, ek, SigScheme::Ecdsa(H));
        assert_eq!(plain.qualified_signer, ek_key.qualified_name);
        assert_eq!(*plain.extra_data, *b"nonce");
        assert_eq!(plain.firmware_version, tpm.firmware_version());
        assert_eq!(plain.clock_info, tpm.time_info().clock_info);
        let digest = tpm.hash(H, &[&bytes]);
        assert_eq!(tpm.verify_signature(ek, &digest, &signature), Ok(()));

        let (hidden, ..) = attested(tpm, sk, SigScheme::Ecdsa(H));
        assert_eq!(hidden.qualified_signer, sk_key.qualified_name);
        assert_ne!(hidden.firmware_version, plain.firmware_version);
        assert_ne!(hidden.clock_info.reset_count, plain.clock_info.reset_count);
        assert_eq!(hidden.clock_info.clock, plain.clock_info.clock);

        let (nobody, _, signature) = attested(tpm, rh::NULL, SigScheme::Ecdsa(H));
        assert_eq!(*nobody.qualified_signer, rh::NULL.to_be_bytes());
        assert_eq!(signature, Signature::Null);
        let fault = tpm.signer(DhObjectOrNull(sk), 2, SigScheme::Null, 3).map(|_| ()).unwrap_err();
        assert_eq!(fault, Fault::SCHEME.at_parameter(3));
    });
}

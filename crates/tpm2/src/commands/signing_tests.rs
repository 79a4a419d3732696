//! Tests of the commands of chapters 14, 15, 17, 18 and 20 on a TPM, without the dispatcher.

use super::asymmetric::{
    ecc_decrypt::EccDecrypt, ecc_encrypt::EccEncrypt, ecdh_key_gen::EcdhKeyGen, ecdh_z_gen::EcdhZGen,
    rsa_decrypt::RsaDecrypt, rsa_encrypt::RsaEncrypt, z_gen_2_phase::KeyExchange, z_gen_2_phase::ZGen2Phase,
};
use super::attestation::certify_x509::CertifyX509;
use super::ephemeral::ec_ephemeral::EcEphemeral;
use super::sequences::{
    event_sequence_complete::EventSequenceComplete, hash_sequence_start::HashSequenceStart,
    sequence_complete::SequenceComplete, sequence_update::SequenceUpdate,
};
use super::signing::{sign::Sign, verify_signature::VerifySignature};
use super::symmetric::{encrypt_decrypt2::EncryptDecrypt2, hash::Hash};
use crate::signing::der::{SEQUENCE, context, element};
use crate::structures::{
    BlockCipher, Curve, Data, DhObject, DhObjectOrNull, DhPcrOrNull, EccScheme, HashAlg, HashcheckTicket, KdfScheme,
    MaxBuffer, ObjectAttributes as A, Parameters, RhHierarchy, RsaDecryptScheme, RsaModulus, RsaScheme, SigScheme,
    Sized2b, SymCipher, SymMode, Unique, rh,
};
use crate::table::Execute as _;
use crate::testing::{ecc, key, rsa, template, with_tpm};
use alloc::vec::Vec;
use sealwright_core::{Buffer, Fault, Secret};

const H: HashAlg = HashAlg::Sha256;

fn buffer(bytes: &[u8]) -> MaxBuffer {
    Buffer::from_slice(bytes).unwrap()
}

#[test]
fn rsa_round_trips() {
    with_tpm(|tpm| {
        let (handle, _) = key(tpm, &template(rsa(RsaScheme::Null), A::DECRYPT), rh::OWNER);
        let label = Data::from_slice(b"label\0").unwrap();
        for scheme in [RsaDecryptScheme::Oaep(H), RsaDecryptScheme::Rsaes, RsaDecryptScheme::Null] {
            let message = RsaModulus::from_slice(b"secret").unwrap();
            let made = RsaEncrypt { key: DhObject(handle), message, scheme, label }.execute(tpm).unwrap();
            let cipher_text = made.out_data;
            let opened = RsaDecrypt { key: DhObject(handle), cipher_text, scheme, label }.execute(tpm).unwrap();
            assert!(opened.message.ends_with(b"secret"), "{scheme:?}");
            assert!(scheme == RsaDecryptScheme::Null || opened.message.len() == 6);
        }
        let bad = Data::from_slice(b"label").unwrap();
        let message = RsaModulus::EMPTY;
        let scheme = RsaDecryptScheme::Null;
        let fault = RsaEncrypt { key: DhObject(handle), message, scheme, label: bad }.execute(tpm).map(|_| ());
        assert_eq!(fault, Err(Fault::VALUE.at_parameter(3)));
    });
}

#[test]
fn ecc_round_trips() {
    with_tpm(|tpm| {
        let (handle, _) = key(tpm, &template(ecc(Curve::P256, EccScheme::Null), A::DECRYPT), rh::OWNER);
        let made = EcdhKeyGen { key: DhObject(handle) }.execute(tpm).unwrap();
        let opened = EcdhZGen { key: DhObject(handle), in_point: made.pub_point }.execute(tpm).unwrap();
        assert_eq!(opened.out_point, made.z_point);

        let (plain_text, scheme) = (buffer(b"some text, longer than a digest of thirty-two"), KdfScheme::Kdf2(H));
        let made = EccEncrypt { key: DhObject(handle), plain_text, scheme }.execute(tpm).unwrap();
        let decrypt = |c2| EccDecrypt { key: DhObject(handle), c1: made.c1.clone(), c2, c3: made.c3, scheme };
        assert_eq!(decrypt(made.c2).execute(tpm).unwrap().plain_text, plain_text);
        assert_eq!(decrypt(plain_text).execute(tpm).map(|_| ()), Err(Fault::VALUE));
        let scheme = KdfScheme::Mgf1(H);
        let fault = EccEncrypt { key: DhObject(handle), plain_text, scheme }.execute(tpm).map(|_| ());
        assert_eq!(fault, Err(Fault::SCHEME));
    });
}

#[test]
fn two_phase_exchanges_agree() {
    for (curve, scheme) in
        [(Curve::P256, KeyExchange::Ecdh), (Curve::P384, KeyExchange::EcMqv), (Curve::Sm2, KeyExchange::Sm2)]
    {
        with_tpm(|tpm| {
            let template = template(ecc(curve, EccScheme::Null), A::DECRYPT);
            let (a, a_key) = key(tpm, &template, rh::OWNER);
            let (b, b_key) = key(tpm, &template, rh::OWNER);
            let (Unique::Ecc(a_point), Unique::Ecc(b_point)) = (&a_key.public.unique, &b_key.public.unique) else {
                panic!("no points")
            };
            let a_eph = EcEphemeral { curve }.execute(tpm).unwrap();
            let b_eph = EcEphemeral { curve }.execute(tpm).unwrap();
            let mut exchange = |own, counter, point, eph: &Sized2b<_>| {
                let (in_qs_b, in_qe_b) = (Sized2b(point), eph.clone());
                ZGen2Phase { key_a: DhObject(own), in_qs_b, in_qe_b, scheme, counter }.execute(tpm)
            };
            let first = exchange(a, a_eph.counter, *b_point, &b_eph.q).unwrap();
            let second = exchange(b, b_eph.counter, *a_point, &a_eph.q).unwrap();
            assert_eq!((&first.out_z1, &first.out_z2), (&second.out_z1, &second.out_z2), "{scheme:?}");
            assert_eq!(first.out_z2.0.x.is_empty(), scheme != KeyExchange::Ecdh);
            let again = exchange(a, a_eph.counter, *b_point, &b_eph.q).map(|_| ());
            assert_eq!(again, Err(Fault::VALUE.at_parameter(4)));
        });
    }
}

#[test]
fn symmetric_round_trips() {
    with_tpm(|tpm| {
        let sym = SymCipher { cipher: BlockCipher::Aes, bits: 128, mode: Some(SymMode::Cbc) };
        let (handle, _) = key(tpm, &template(Parameters::SymCipher(sym), A::SIGN | A::DECRYPT), rh::OWNER);
        let command = |decrypt, in_data, iv: &[u8]| EncryptDecrypt2 {
            key: DhObject(handle),
            in_data,
            decrypt,
            mode: None,
            iv_in: Buffer::from_slice(iv).unwrap(),
        };
        let data = buffer(&[5; 48]);
        let made = command(false, data, &[9; 16]).execute(tpm).unwrap();
        assert_eq!(*made.iv_out, made.out_data[32..]);
        assert_eq!(command(true, made.out_data, &[9; 16]).execute(tpm).unwrap().out_data, data);
        let fault = command(false, buffer(&[5; 47]), &[9; 16]).execute(tpm).map(|_| ());
        assert_eq!(fault, Err(Fault::SIZE.at_parameter(1)));
        let fault = command(false, data, &[9; 8]).execute(tpm).map(|_| ());
        assert_eq!(fault, Err(Fault::SIZE.at_parameter(4)));
    });
}

#[test]
fn sequences_hash_and_extend() {
    with_tpm(|tpm| {
        let start = HashSequenceStart { auth: Secret::default(), hash: Some(H) };
        let sequence = DhObject(start.execute(tpm).unwrap().sequence.0);
        SequenceUpdate { sequence, buffer: buffer(b"hello ") }.execute(tpm).unwrap();
        let hierarchy = RhHierarchy(rh::OWNER);
        let done = SequenceComplete { sequence, buffer: buffer(b"world"), hierarchy }.execute(tpm).unwrap();
        let whole = Hash { data: buffer(b"hello world"), hash: H, hierarchy }.execute(tpm).unwrap();
        assert_eq!((done.result, done.validation), (whole.out_hash, whole.validation));
        assert!(!whole.validation.digest.is_empty());
        assert!(tpm.slot(sequence.0).is_none());

        let start = HashSequenceStart { auth: Secret::default(), hash: None };
        let sequence = DhObject(start.execute(tpm).unwrap().sequence.0);
        let fault = SequenceComplete { sequence, buffer: MaxBuffer::EMPTY, hierarchy }.execute(tpm).map(|_| ());
        assert_eq!(fault, Err(Fault::MODE.at_handle(1)));
        let before = tpm.state.pcrs.value(H, 16).to_vec();
        let complete = EventSequenceComplete { pcr: DhPcrOrNull(16), sequence, buffer: buffer(b"event") };
        let results = complete.execute(tpm).unwrap().results;
        let digest = tpm.hash(H, &[b"event"]);
        assert_eq!(results.iter().find(|value| value.hash == H).unwrap().bytes(), &*digest);
        assert_eq!(*tpm.state.pcrs.value(H, 16), *tpm.hash(H, &[&before, &digest]));
    });
}

#[test]
fn restricted_keys_sign_what_the_tpm_hashed() {
    with_tpm(|tpm| {
        let public = template(ecc(Curve::P256, EccScheme::Ecdsa(H)), A::SIGN | A::RESTRICTED);
        let (handle, _) = key(tpm, &public, rh::OWNER);
        let hierarchy = RhHierarchy(rh::OWNER);
        let sign = |digest, validation| Sign { key: DhObject(handle), digest, scheme: SigScheme::Null, validation };
        let good = Hash { data: buffer(b"fine data"), hash: H, hierarchy }.execute(tpm).unwrap();
        let signature = sign(good.out_hash, good.validation).execute(tpm).unwrap().signature;
        let verify = VerifySignature {
            key: DhObject(handle),
            digest: good.out_hash,
            signature: crate::structures::GivenSignature(signature),
        };
        assert!(!verify.execute(tpm).unwrap().validation.digest.is_empty());
        let fault = sign(good.out_hash, HashcheckTicket::null()).execute(tpm).map(|_| ());
        assert_eq!(fault, Err(Fault::TICKET.at_parameter(3)));
        let claimed = Hash { data: buffer(b"\xffTCG quote"), hash: H, hierarchy }.execute(tpm).unwrap();
        assert!(claimed.validation.digest.is_empty());
        let fault = sign(claimed.out_hash, claimed.validation).execute(tpm).map(|_| ());
        assert_eq!(fault, Err(Fault::TICKET.at_parameter(3)));
    });
}

/// A partial certificate with these bits of KeyUsage: issuer, validity and subject are not looked into.
fn partial(usage: &[u8]) -> Vec<u8> {
    let bits = element(0x03, &[usage]);
    let extension = element(SEQUENCE, &[&[0x06, 3, 0x55, 0x1D, 0x0F], &[1, 1, 0xFF], &element(0x04, &[&bits])]);
    let extensions = element(context(3), &[&element(SEQUENCE, &[&extension])]);
    let field = element(SEQUENCE, &[b"\x05\x00"]);
    element(SEQUENCE, &[&field, &field, &field, &extensions])
}

#[test]
fn certificates_are_completed_and_signed() {
    with_tpm(|tpm| {
        let (handle, _) = key(tpm, &template(ecc(Curve::P256, EccScheme::Null), A::SIGN), rh::OWNER);
        let mut certify = |certificate: &[u8]| {
            let command = CertifyX509 {
                object: DhObject(handle),
                sign: DhObjectOrNull(handle),
                reserved: Data::EMPTY,
                scheme: SigScheme::Ecdsa(H),
                partial_certificate: buffer(certificate),
            };
            let made = command.execute(tpm)?;
            tpm.verify_signature(handle, &made.tbs_digest, &made.signature)?;
            Ok(made.added_to_certificate)
        };
        let added = certify(&partial(&[7, 0x80])).unwrap();
        // SEQUENCE of version 3 (the number is 2), a serial number, ecdsa-with-SHA256, and the key.
        assert_eq!(added[3..8], [0xA0, 3, 2, 1, 2]);
        assert_eq!(added[8], 2);
        let after_serial = &added[10 + usize::from(added[9])..];
        assert_eq!(after_serial[..12], [0x30, 10, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2]);
        assert_eq!(after_serial[12..14], [0x30, 0x59]);
        // keyAgreement needs a key that decrypts; reserved bits are none of X.509.
        assert_eq!(certify(&partial(&[3, 0x08])), Err(Fault::VALUE.at_parameter(3)));
        assert_eq!(certify(&partial(&[0, 0x80, 0x01])), Err(Fault::RESERVED_BITS.at_parameter(3)));
        assert_eq!(certify(&[]), Err(Fault::VALUE.at_parameter(3)));
        assert_eq!(certify(&[0x30, 5, 0]), Err(Fault::SIZE.at_parameter(3)));
        assert_eq!(certify(&[0x30, 2, 5, 0]), Err(Fault::VALUE.at_parameter(3)));
    });
}

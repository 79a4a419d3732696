use super::*;
use crate::HashAlg;
use crate::rust::RUST;
use crate::testing::{Fixed, hex};
use alloc::string::String;
use alloc::vec;

/// Counts up: a random source that never repeats.
struct Counter(u32);

impl Random for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            self.0 += 1;
            let block = RUST.hash.digest(HashAlg::Sha256, &[&self.0.to_be_bytes()]);
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

/// Random bytes from which [`random_scalar`] makes `k`, for `k` below half of the order.
fn drawing(curve: Curve, k: &[u8]) -> Fixed {
    Fixed([&[0; 8], &scalar::sub(curve, k, &[1])[..]].concat())
}

fn curve(name: &str) -> Curve {
    Curve::ALL.into_iter().find(|curve| alloc::format!("{curve:?}") == name).expect("a curve")
}

/// Curve and numbers of the lines of a vector file.
fn lines(text: &str) -> impl Iterator<Item = (Curve, Vec<Vec<u8>>)> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut words = line.split(' ');
        (curve(words.next().expect("a curve")), words.map(hex).collect())
    })
}

/// Compares points as numbers: vectors have no leading zeros.
fn same(point: &Point, x: &[u8], y: &[u8]) -> bool {
    let equal = |a: &[u8], b: &[u8]| a.iter().skip_while(|v| **v == 0).eq(b.iter().skip_while(|v| **v == 0));
    equal(&point.x, x) && equal(&point.y, y)
}

#[test]
fn multiples() {
    for (curve, v) in lines(include_str!("../../vectors/multiples.txt")) {
        let first = times_g(curve, &v[0]);
        assert!(same(&first, &v[1], &v[2]), "{curve:?}");
        let second = RUST.ecc.mul(curve, &v[0], &first).unwrap();
        assert!(same(&second, &v[3], &v[4]), "{curve:?}");
    }
}

fn times_g(curve: Curve, k: &[u8]) -> Point {
    RUST.ecc.mul_base(curve, k).unwrap()
}

#[test]
fn parameters_are_those_of_libtpms() {
    let sized = |out: &mut Vec<u8>, number: &[u8]| {
        out.extend_from_slice(&u16::try_from(number.len()).unwrap().to_be_bytes());
        out.extend_from_slice(number);
    };
    let mut seen = 0;
    for (curve, v) in lines(include_str!("../../vectors/ecc-parameters.txt")) {
        let p = curve.parameters();
        let mut out = vec![];
        out.extend_from_slice(&curve.id().to_be_bytes());
        out.extend_from_slice(&u16::try_from(curve.bits()).unwrap().to_be_bytes());
        match p.kdf_hash {
            Some(hash) => out.extend_from_slice(&[[0x00, 0x20], hash.to_be_bytes()].concat()),
            None => out.extend_from_slice(&[0x00, 0x10]),
        }
        out.extend_from_slice(&[0x00, 0x10]);
        for number in [p.p, p.a, p.b, p.gx, p.gy, p.n, p.h] {
            sized(&mut out, number);
        }
        assert_eq!(out, v[0], "{curve:?}");
        seen += 1;
    }
    assert_eq!(seen, Curve::ALL.len());
}

#[test]
fn ecdsa_verifies_signatures_of_openssl() {
    let mut seen = 0;
    for (curve, v) in lines(include_str!("../../vectors/ecdsa-openssl.txt")) {
        let public = Point { x: v[0].clone(), y: v[1].clone() };
        let good = Signature { r: v[3].clone(), s: v[4].clone() };
        assert_eq!(ecdsa::verify(&RUST, curve, &public, &v[2], &good), Ok(()), "{curve:?}");
        let mut digest = v[2].clone();
        digest[0] ^= 0x80;
        let bad = ecdsa::verify(&RUST, curve, &public, &digest, &good);
        assert_eq!(bad, Err(CryptoError::Mismatch), "{curve:?}");
        seen += 1;
    }
    assert_eq!(seen, 20);
}

/// RFC 6979, A.2.5: P-256, SHA-256, message "sample".
#[test]
fn ecdsa_signs_as_rfc_6979() {
    let d = hex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721");
    let k = hex("a6e3c57dd01abe90086538398355dd4c3b17aa873382b0f24d6129493d8aad60");
    let digest = RUST.hash.digest(HashAlg::Sha256, &[b"sample"]);
    let signature = ecdsa::sign(&RUST, Curve::P256, &d, &digest, &mut drawing(Curve::P256, &k)).unwrap();
    assert_eq!(signature.r, hex("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"));
    assert_eq!(signature.s, hex("f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"));
}

/// GB/T 32918.5-2017, A.2: the signature example on the recommended curve.
#[test]
fn sm2_signs_as_the_standard() {
    let d = hex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8");
    let k = hex("59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21");
    let e = hex("f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640");
    let public = times_g(Curve::Sm2, &d);
    assert_eq!(public.x, hex("09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"));
    assert_eq!(public.y, hex("ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"));
    let signature = sm2::sign(&RUST, Curve::Sm2, &d, &e, &mut drawing(Curve::Sm2, &k)).unwrap();
    assert_eq!(signature.r, hex("f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"));
    assert_eq!(signature.s, hex("b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"));
    assert_eq!(sm2::verify(&RUST, Curve::Sm2, &public, &e, &signature), Ok(()));
}

/// The verifier of each scheme accepts its own signature and refuses any change.
#[test]
fn schemes_refuse_changes() {
    type Verify = fn(Curve, &Point, &[u8], &Signature) -> Result<(), CryptoError>;
    let mut random = Counter(0);
    for curve in Curve::ALL {
        let key = generate_key(&RUST, curve, &mut random).unwrap();
        let other = generate_key(&RUST, curve, &mut random).unwrap();
        for hash in HashAlg::ALL {
            let digest = RUST.hash.digest(hash, &[b"message"]);
            let signed: [(Signature, Verify); 3] = [
                (ecdsa::sign(&RUST, curve, &key.private, &digest, &mut random).unwrap(), |c, q, m, s| {
                    ecdsa::verify(&RUST, c, q, m, s)
                }),
                (
                    schnorr::sign(&RUST, curve, HashAlg::Sha256, &key.private, &digest, &mut random).unwrap(),
                    |c, q, m, s| schnorr::verify(&RUST, c, HashAlg::Sha256, q, m, s),
                ),
                (sm2::sign(&RUST, curve, &key.private, &digest, &mut random).unwrap(), |c, q, m, s| {
                    sm2::verify(&RUST, c, q, m, s)
                }),
            ];
            for (signature, verify) in signed {
                assert_eq!((signature.r.len(), signature.s.len()), (curve.size(), curve.size()), "{curve:?}");
                assert_eq!(verify(curve, &key.public, &digest, &signature), Ok(()), "{curve:?}");
                let mut bad = signature.clone();
                bad.r[curve.size() - 1] ^= 1;
                assert_eq!(verify(curve, &key.public, &digest, &bad), Err(CryptoError::Mismatch), "{curve:?}");
                let mut bad = signature.clone();
                bad.s[curve.size() - 1] ^= 1;
                assert_eq!(verify(curve, &key.public, &digest, &bad), Err(CryptoError::Mismatch), "{curve:?}");
                let bad = Signature { r: vec![0], s: signature.s.clone() };
                assert_eq!(verify(curve, &key.public, &digest, &bad), Err(CryptoError::Mismatch), "{curve:?}");
                // s + n is the same residue, but not in range.
                let mut wide = curve.parameters().n.to_vec();
                let mut carry = 0;
                for (to, from) in wide.iter_mut().rev().zip(signature.s.iter().rev()) {
                    carry += u16::from(*to) + u16::from(*from);
                    *to = carry.to_be_bytes()[1];
                    carry >>= 8;
                }
                let wide = [&[carry as u8], &wide[..]].concat();
                let bad = Signature { r: signature.r.clone(), s: wide };
                assert_eq!(verify(curve, &key.public, &digest, &bad), Err(CryptoError::Mismatch), "{curve:?}");
                assert_eq!(verify(curve, &other.public, &digest, &signature), Err(CryptoError::Mismatch), "{curve:?}");
            }
        }
    }
}

/// The verifier's equation of ECDAA: `s G - T Q = r G`, the point `E` of the commitment.
#[test]
fn ecdaa_matches_its_commitment() {
    let mut random = Counter(100);
    for curve in Curve::ALL {
        let key = generate_key(&RUST, curve, &mut random).unwrap();
        let r = random_scalar(curve, &mut random);
        let e = commit::compute(&RUST, curve, &key.private, &r, None, None).unwrap().e.unwrap();
        // Bytes that make the nonce 5: it is returned and hashed without its leading zeros.
        let mut nonce = drawing(curve, &[5]);
        let signature = ecdaa::sign(&RUST, curve, HashAlg::Sha256, &key.private, &r, b"digest", &mut nonce).unwrap();
        assert_eq!(signature.r, [5], "{curve:?}");
        let t = RUST.hash.digest(HashAlg::Sha256, &[&[5], b"digest"]);
        let minus = scalar::sub(curve, &[], &t);
        let point = RUST.ecc.mul_add(curve, &signature.s, &minus, &key.public).unwrap();
        assert_eq!(point, e, "{curve:?}");
    }
}

#[test]
fn commitments() {
    let mut random = Counter(200);
    for curve in Curve::ALL {
        let (d, r) = (random_scalar(curve, &mut random), random_scalar(curve, &mut random));
        let p1 = times_g(curve, &[7]);
        // A preimage whose hash is the x coordinate of a point would need the square root; try the check instead.
        let refused = commit::second_point(&RUST, curve, HashAlg::Sha256, b"s2", &[1]);
        assert_eq!(refused, Err(CryptoError::InvalidInput), "{curve:?}");
        let p2 = times_g(curve, &[9]);
        let all = commit::compute(&RUST, curve, &d, &r, Some(&p1), Some(&p2)).unwrap();
        assert_eq!(all.k, Some(times_g(curve, &scalar::mul(curve, &d, &[9]))), "{curve:?}");
        assert_eq!(all.l, Some(times_g(curve, &scalar::mul(curve, &r, &[9]))), "{curve:?}");
        assert_eq!(all.e, Some(times_g(curve, &scalar::mul(curve, &r, &[7]))), "{curve:?}");
        let second = commit::compute(&RUST, curve, &d, &r, None, Some(&p2)).unwrap();
        assert_eq!((second.k.is_some(), second.l.is_some(), second.e), (true, true, None), "{curve:?}");
        let zero = commit::compute(&RUST, curve, &d, &[0], None, None);
        assert_eq!(zero, Err(CryptoError::InvalidInput), "{curve:?}");
    }
}

/// BN-P256 is `y^2 = x^3 + 3`, and `SHA-256("s2-1")` is the x coordinate of a point on it; the root was computed with
/// Python integers.
#[test]
fn second_point_of_a_commitment() {
    let y2 = hex("36a4a80ab05d85f9b83ec87ff15189b10b306ed01a6fd8c4406eb192d4792c20");
    let point = commit::second_point(&RUST, Curve::Bn256, HashAlg::Sha256, b"s2-1", &y2).unwrap();
    assert_eq!(point.x.len(), 32);
    assert!(RUST.ecc.on_curve(Curve::Bn256, &point));
}

#[test]
fn commit_values_skip_candidates_out_of_range() {
    for curve in Curve::ALL {
        let mut small = vec![0; curve.size()];
        small[curve.size() / 2 + 1] = 1;
        let mut good = small.clone();
        good[curve.size() / 2] = 1;
        let mut queue = vec![good.clone(), small, curve.parameters().n.to_vec(), vec![0xff; curve.size()]];
        let value = commit::commit_value(curve, &mut || zeroize::Zeroizing::new(queue.pop().unwrap())).unwrap();
        assert_eq!(*value, good, "{curve:?}");
    }
}

/// Two parties with swapped roles get the same points.
#[test]
fn key_agreements_agree() {
    type Exchange = fn(&Crypto, Curve, &[u8], &[u8], &Point, &Point) -> Result<Point, CryptoError>;
    let mut random = Counter(300);
    for curve in Curve::ALL {
        let keys: Vec<KeyPair> = (0..4).map(|_| generate_key(&RUST, curve, &mut random).unwrap()).collect();
        let [sa, ea, sb, eb] = &keys[..] else { unreachable!("four keys") };
        for exchange in [mqv::exchange as Exchange, sm2::exchange] {
            let a = exchange(&RUST, curve, &sa.private, &ea.private, &sb.public, &eb.public).unwrap();
            let b = exchange(&RUST, curve, &sb.private, &eb.private, &sa.public, &ea.public).unwrap();
            assert_eq!(a, b, "{curve:?}");
        }
        let a = ecdh::two_phase(&RUST, curve, &sa.private, &ea.private, &sb.public, &eb.public).unwrap();
        let b = ecdh::two_phase(&RUST, curve, &sb.private, &eb.private, &sa.public, &ea.public).unwrap();
        assert_eq!(a, b, "{curve:?}");
        assert_eq!(a.0, ecdh::z(&RUST, curve, &sa.private, &sb.public).unwrap(), "{curve:?}");
    }
}

#[test]
fn associated_values() {
    let x = hex("ffeeddccbbaa99887766554433221100");
    assert_eq!(mqv::associated_value(&x, 12), [0x11, 0x00]);
    assert_eq!(mqv::associated_value(&x, 13), [0x31, 0x00]);
    assert_eq!(mqv::associated_value(&x, 16), [0x01, 0x11, 0x00]);
    assert_eq!(mqv::associated_value(&[0x7f], 14), [0x40, 0x7f]);
}

#[test]
fn debug_hides_private_keys() {
    let key = generate_key(&RUST, Curve::P256, &mut Counter(1)).unwrap();
    let text: String = alloc::format!("{:?}", key.private);
    assert_eq!(text, "Private(..)");
}

#[test]
fn signatures_of_libtpms_verify() {
    let text = include_str!("../../vectors/signatures-libtpms.txt");
    let mut seen = [0; 4];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let curve = curve(words[0]);
        let hash = HashAlg::from_id(u16::from_str_radix(words[2], 16).unwrap()).unwrap();
        let v: Vec<Vec<u8>> = words[3..].iter().map(|word| hex(word)).collect();
        let public = Point { x: v[0].clone(), y: v[1].clone() };
        let signature = Signature { r: v[3].clone(), s: v[4].clone() };
        match words[1] {
            "ecdsa" => {
                seen[0] += 1;
                assert_eq!(ecdsa::verify(&RUST, curve, &public, &v[2], &signature), Ok(()), "{line}");
            }
            "schnorr" => {
                seen[1] += 1;
                assert_eq!(schnorr::verify(&RUST, curve, hash, &public, &v[2], &signature), Ok(()), "{line}");
            }
            "sm2" => {
                seen[2] += 1;
                assert_eq!(sm2::verify(&RUST, curve, &public, &v[2], &signature), Ok(()), "{line}");
            }
            _ => {
                seen[3] += 1;
                let t = RUST.hash.digest(hash, &[&signature.r, &v[2]]);
                let minus = scalar::sub(curve, &[], &t);
                let point = RUST.ecc.mul_add(curve, &signature.s, &minus, &public).unwrap();
                assert!(same(&point, &v[5], &v[6]), "{line}");
            }
        }
    }
    assert_eq!(seen, [16; 4]);
}

/// The TPM of the vectors is one party, this crate is the other.
#[test]
fn key_agreement_with_libtpms() {
    let mut seen = 0;
    for line in include_str!("../../vectors/two-phase-libtpms.txt").lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let curve = curve(words[0]);
        let v: Vec<Vec<u8>> = words[2..].iter().map(|word| hex(word)).collect();
        let point = |at: usize| Point { x: v[at].clone(), y: v[at + 1].clone() };
        let (zs, ze) = ecdh::two_phase(&RUST, curve, &v[0], &v[1], &point(2), &point(4)).unwrap();
        assert!(same(&zs, &v[6], &v[7]) && same(&ze, &v[8], &v[9]), "{line}");
        seen += 1;
    }
    assert_eq!(seen, Curve::ALL.len());
}

/// GB/T 32918.5-2017, A.3: the key agreement example on the recommended curve; the point U = V.
#[test]
fn sm2_agrees_as_the_standard() {
    let da = hex("81eb26e941bb5af16df116495f90695272ae2cd63d6c4ae1678418be48230029");
    let ra = hex("d4de15474db74d06491c440d305e012400990f3e390c7e87153c12db2ea60bb3");
    let db = hex("785129917d45a9ea5437a59356b82338eaadda6ceb199088f14ae10defa229b5");
    let rb = hex("7e07124814b309489125eaed101113164ebf0f3458c5bd88335c1f9d596243d6");
    let [static_b, ephemeral_b] = [&db, &rb].map(|k| times_g(Curve::Sm2, k));
    let point = sm2::exchange(&RUST, Curve::Sm2, &da, &ra, &static_b, &ephemeral_b).unwrap();
    assert_eq!(point.x, hex("c558b44bee5301d9f52b44d939bb59584d75b9034dd6a9fc826872109a65739f"));
    assert_eq!(point.y, hex("3252b35b191d8ae01cd122c025204334c5eacf68a0cb4854c6a7d367ecad4de7"));
}

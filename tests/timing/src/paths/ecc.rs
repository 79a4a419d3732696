//! Multiplications by secret scalars, and signatures with secret keys and nonces.

use super::{Path, flat, leaks};
use crate::subject::{Random, Subject, choose};
use core::hint::black_box;
use sealwright_crypto::ecc::{ecdsa, generate_key};
use sealwright_crypto::{Crypto, Curve, Point, RUST};
use sealwright_crypto_native::NATIVE;

/// What is done with the scalar.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Job {
    /// Times the generator.
    Base,
    /// Times another point.
    Point,
    /// The sum of two products that verification of signatures takes, where nothing is secret.
    Public,
}

/// The scalar of the first class.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fixed {
    /// Any.
    Any,
    /// 3, with zeros before it: short scalars are what attacks on signatures look for (TPM-FAIL, Minerva).
    Short,
}

fn fixed(of: Fixed, size: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = random.bytes(size);
    if of == Fixed::Short {
        bytes.fill(0);
        bytes.extend([3]);
        bytes.remove(0);
    }
    bytes
}

struct Multiply {
    crypto: &'static Crypto,
    curve: Curve,
    job: Job,
    point: Point,
    fixed: Vec<u8>,
    scalar: Vec<u8>,
}

impl Subject for Multiply {
    fn prepare(&mut self, class: bool, random: &mut Random) {
        let fresh = random.bytes(self.scalar.len());
        choose(class, &self.fixed, &fresh, &mut self.scalar);
    }
    fn run(&mut self) {
        let (ecc, k) = (self.crypto.ecc, black_box(&self.scalar));
        let _ = black_box(match self.job {
            Job::Base => ecc.mul_base(self.curve, k),
            Job::Point => ecc.mul(self.curve, k, &self.point),
            Job::Public => ecc.mul_add(self.curve, k, &[5], &self.point),
        });
    }
}

fn multiply(
    crypto: &'static Crypto,
    curve: Curve,
    job: Job,
    of: Fixed,
    random: &mut Random,
) -> Result<Box<dyn Subject>, String> {
    let size = curve.size();
    let point = generate_key(crypto, curve, random).map_err(|e| format!("no key: {e:?}"))?.public;
    let fixed = fixed(of, size, random);
    Ok(Box::new(Multiply { crypto, curve, job, point, fixed, scalar: vec![0; size] }))
}

/// Random numbers that were chosen before: the nonce of a signature.
struct Nonce(Vec<u8>);

impl sealwright_crypto::Random for Nonce {
    fn fill(&mut self, out: &mut [u8]) {
        for (to, from) in out.iter_mut().zip(self.0.iter().chain(core::iter::repeat(&0))) {
            *to = *from;
        }
    }
}

/// What of a signature differs between the classes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secret {
    Key,
    Nonce,
}

struct Sign {
    crypto: &'static Crypto,
    curve: Curve,
    secret: Secret,
    fixed: Vec<u8>,
    /// In the size of what random scalars are drawn from.
    short: Vec<u8>,
    key: Vec<u8>,
    nonce: Nonce,
    digest: Vec<u8>,
}

impl Subject for Sign {
    fn prepare(&mut self, class: bool, random: &mut Random) {
        let (key, nonce) = (random.bytes(self.key.len()), random.bytes(self.nonce.0.len()));
        choose(class && self.secret == Secret::Key, &self.fixed, &key, &mut self.key);
        choose(class && self.secret == Secret::Nonce, &self.short, &nonce, &mut self.nonce.0);
    }
    fn run(&mut self) {
        let _ = black_box(ecdsa::sign(
            self.crypto,
            self.curve,
            black_box(&self.key),
            &self.digest,
            black_box(&mut self.nonce),
        ));
    }
}

fn sign(crypto: &'static Crypto, curve: Curve, secret: Secret, random: &mut Random) -> Box<dyn Subject> {
    let size = curve.size();
    Box::new(Sign {
        crypto,
        curve,
        secret,
        fixed: random.bytes(size),
        short: fixed(Fixed::Short, size + 8, random),
        key: vec![0; size],
        nonce: Nonce(vec![0; size + 8]),
        digest: random.bytes(32),
    })
}

/// All tests of one curve.
fn curve(crypto: &'static Crypto, curve: Curve, name: &str, count: usize) -> Vec<Path> {
    let name = |what: &str| format!("{name}, {} provider: {what}", crypto.name);
    let any = "one scalar, random ones";
    let short = "the scalar 3, random ones";
    let scalar = move |job, of| move |random: &mut Random| multiply(crypto, curve, job, of, random);
    let signature = move |secret| move |random: &mut Random| Ok(sign(crypto, curve, secret, random));
    vec![
        flat(name("times the generator"), any, count, scalar(Job::Base, Fixed::Any)),
        flat(name("times the generator"), short, count, scalar(Job::Base, Fixed::Short)),
        flat(name("times a point"), any, count, scalar(Job::Point, Fixed::Any)),
        flat(name("times a point"), short, count, scalar(Job::Point, Fixed::Short)),
        flat(name("ECDSA"), "one key, random ones", count, signature(Secret::Key)),
        flat(name("ECDSA"), "the nonce 4, random ones", count, signature(Secret::Nonce)),
    ]
}

pub(super) fn paths() -> Vec<Path> {
    let public = |random: &mut Random| multiply(&RUST, Curve::P256, Job::Public, Fixed::Short, random);
    let name = "control: P-256, rust provider: the sum of products of a verification";
    let mut all = vec![leaks(name, "the scalar 3, random ones", 30_000, public)];
    all.extend(curve(&NATIVE, Curve::P256, "P-256", 50_000));
    all.extend(curve(&NATIVE, Curve::P384, "P-384", 30_000));
    all.extend(curve(&NATIVE, Curve::P521, "P-521", 15_000));
    all.extend(curve(&RUST, Curve::P256, "P-256", 30_000));
    all.extend(curve(&RUST, Curve::P384, "P-384", 15_000));
    all.extend(curve(&RUST, Curve::Bn256, "BN-P256", 15_000));
    all
}

//! Primary, ordinary and derived objects are those that libtpms makes of the same seeds.

use super::{
    Object,
    creation::{Source, create, level_of},
    load::Parts,
    protect::{OuterWrap, read_sensitive},
};
use crate::structures::{Derive, KeyedHashScheme, Name, Parameters, Public, Secret, SensitiveCreate, rh};
use alloc::{collections::BTreeMap, vec::Vec};
use sealwright_core::{Fault, Reader, Wire};
use sealwright_crypto::{RUST, drbg::Drbg, kdf::KdfaRandom};

const VECTORS: &str = include_str!("../../tests/vectors/swtpm-primary-objects.txt");

fn hex(text: &str) -> Vec<u8> {
    let digit = |i: usize| u8::from_str_radix(&text[i..i + 2], 16).unwrap();
    if text == "-" { Vec::new() } else { (0..text.len()).step_by(2).map(digit).collect() }
}

fn public(bytes: &[u8]) -> Public {
    let mut r = Reader::new(bytes);
    let public = Public::read(&mut r).unwrap();
    assert!(r.is_empty());
    public
}

/// The object of a primary template, as the command makes it.
fn primary(
    seeds: &BTreeMap<u32, Vec<u8>>,
    proofs: &[Vec<u8>; 2],
    hierarchy: u32,
    template: &Public,
    data: &[u8],
) -> Object {
    let name = super::name::public_name(&RUST, template).unwrap();
    let drbg = Drbg::instantiate(&[&seeds[&hierarchy], b"Primary Object Creation\0", &name, data]);
    let proofs = (hierarchy == rh::ENDORSEMENT)
        .then(|| [Secret::from_slice(&proofs[0]).unwrap(), Secret::from_slice(&proofs[1]).unwrap()]);
    let sensitive = SensitiveCreate { user_auth: Secret::default(), data: Secret::from_slice(data).unwrap() };
    object(create(&RUST, template, &sensitive, Source::Primary(drbg, proofs), level_of(1), &mut || false).unwrap())
}

fn object(parts: Parts) -> Object {
    let Parts { public, sensitive, name, rsa } = parts;
    Object {
        public,
        sensitive,
        name,
        qualified_name: Name::EMPTY,
        hierarchy: rh::OWNER,
        external: false,
        primary: true,
        temporary: false,
        st_clear: false,
        evict: None,
        seed_compat: 1,
        rsa,
    }
}

/// Opens what libtpms wrapped for `parent`: right only if the seed value is the same.
fn check_child(parent: &Object, private: &[u8], public: &Public) {
    let name = super::name::public_name(&RUST, public).unwrap();
    let seed = &parent.sensitive.as_ref().unwrap().seed;
    let data = OuterWrap::new(&RUST, parent, seed, &name).unwrap().unwrap(true, private).unwrap();
    let sensitive = read_sensitive(&data, Fault::SENSITIVE).unwrap();
    assert_eq!(&*sensitive.value, b"sealed by swtpm");
    let mut auth = sensitive.auth.clone();
    auth.trim_trailing_zeros();
    assert_eq!(&*auth, b"pw");
}

/// What a derivation parent makes of a template that ends in label and context.
fn derived(parent: &Object, template: &[u8]) -> Public {
    let (template, Derive { label, context }) = Public::read_derivation(&mut Reader::new(template)).unwrap();
    let Parameters::KeyedHash(KeyedHashScheme::Xor(hash, _)) = parent.public.parameters else { panic!("no parent") };
    let key = &parent.sensitive.as_ref().unwrap().value;
    let stream = KdfaRandom::new(&RUST, hash, key, &label, &context, KdfaRandom::MAX_DERIVATION_BITS);
    let none = SensitiveCreate::default();
    create(&RUST, &template, &none, Source::Derived(stream), level_of(1), &mut || false).unwrap().public
}

#[test]
fn objects_are_those_of_libtpms() {
    let mut seeds = BTreeMap::new();
    let mut proofs = [Vec::new(), Vec::new()];
    let mut last: Option<Object> = None;
    let mut derivation: Option<Object> = None;
    let mut checked = 0;
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        match line.split(" | ").collect::<Vec<_>>()[..] {
            ["seed", hierarchy, seed] => {
                seeds.insert(u32::from_str_radix(hierarchy, 16).unwrap(), hex(seed));
            }
            ["proofs", owner, endorsement] => proofs = [hex(owner), hex(endorsement)],
            ["primary", name, hierarchy, template, data, made] => {
                let hierarchy = u32::from_str_radix(hierarchy, 16).unwrap();
                let new = primary(&seeds, &proofs, hierarchy, &public(&hex(template)), &hex(data));
                assert_eq!(new.public, public(&hex(made)), "{name}");
                if new.is_derivation_parent() {
                    derivation = Some(new.clone());
                }
                last = Some(new);
                checked += 1;
            }
            ["child", _, private, made] => {
                check_child(last.as_ref().unwrap(), &hex(private), &public(&hex(made)));
                checked += 1;
            }
            ["derived", name, template, made] => {
                assert_eq!(derived(derivation.as_ref().unwrap(), &hex(template)), public(&hex(made)), "{name}");
                checked += 1;
            }
            _ => panic!("a line of no known kind: {line}"),
        }
    }
    assert_eq!(checked, 20);
}

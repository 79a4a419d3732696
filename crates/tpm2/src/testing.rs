//! A started TPM for unit tests, and keys in it.

use crate::engine::Tpm2;
use crate::object::load::Under;
use crate::object::{Object, Slot};
use crate::session::CommandSessions;
use crate::structures::{
    Buffer, EccParameters, EccPoint, EccScheme, HashAlg, KdfScheme, KeyedHashScheme, ObjectAttributes, Parameters,
    Public, RsaParameters, RsaScheme, SensitiveCreate, Unique,
};
use crate::tpm::Tpm;
use alloc::{sync::Arc, vec};
use sealwright_core::{Engine as _, Platform, PlatformFault};
use sealwright_crypto::{Crypto, Curve, RUST};

/// A host whose entropy is a counter and whose store keeps nothing.
pub(crate) struct Host {
    count: u8,
    /// Milliseconds of its clock.
    pub(crate) now: u64,
}

impl Default for Host {
    fn default() -> Self {
        Self { count: 0, now: 1000 }
    }
}

impl Platform for Host {
    fn entropy(&mut self, out: &mut [u8]) -> Result<(), PlatformFault> {
        out.iter_mut().for_each(|byte| {
            self.count = self.count.wrapping_add(1);
            *byte = self.count;
        });
        Ok(())
    }
    fn now(&mut self) -> u64 {
        self.now
    }
    fn commit(&mut self, _: &[u8]) -> Result<(), PlatformFault> {
        Ok(())
    }
}

/// Runs a test with a TPM after Startup(CLEAR), on each crypto provider.
pub(crate) fn with_tpm(test: impl Fn(&mut Tpm<'_>)) {
    with_tpm_on(&RUST, &test);
    with_tpm_on(&sealwright_crypto_native::NATIVE, &test);
}

fn with_tpm_on(crypto: &'static Crypto, test: impl Fn(&mut Tpm<'_>)) {
    let mut host = Host::default();
    let mut engine = Tpm2::manufacture(crypto, &mut host).expect("the host refuses nothing");
    engine.power_on(&mut host);
    let mut response = vec![0; 4096];
    engine.execute(&mut host, 0, &[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0], &mut response);
    assert_eq!(response[6..10], [0; 4], "Startup");
    test(&mut Tpm {
        crypto: engine.crypto,
        platform: &mut host,
        state: &mut engine.state,
        locality: 0,
        command: CommandSessions::default(),
    });
}

/// A template with these parameters; the key may sign and decrypt unless `attributes` say more.
pub(crate) fn template(parameters: Parameters, attributes: ObjectAttributes) -> Public {
    let unique = match parameters {
        Parameters::Rsa(_) => Unique::Rsa(Buffer::EMPTY),
        Parameters::Ecc(_) => Unique::Ecc(EccPoint::default()),
        Parameters::KeyedHash(_) | Parameters::SymCipher(_) => Unique::Digest(Buffer::EMPTY),
    };
    let always = ObjectAttributes::SENSITIVE_DATA_ORIGIN | ObjectAttributes::USER_WITH_AUTH;
    let attributes = attributes | always;
    Public { name_alg: Some(HashAlg::Sha256), attributes, auth_policy: Buffer::EMPTY, parameters, unique }
}

/// Parameters of an RSA-1024 key.
pub(crate) fn rsa(scheme: RsaScheme) -> Parameters {
    Parameters::Rsa(RsaParameters { symmetric: None, scheme, bits: 1024, exponent: 0 })
}

/// Parameters of an elliptic-curve key.
pub(crate) fn ecc(curve: Curve, scheme: EccScheme) -> Parameters {
    Parameters::Ecc(EccParameters { symmetric: None, scheme, curve, kdf: KdfScheme::Null })
}

/// Parameters of an HMAC key that names no hash.
pub(crate) fn hmac() -> Parameters {
    Parameters::KeyedHash(KeyedHashScheme::Null)
}

/// Makes a key in a hierarchy and returns its handle with it.
pub(crate) fn key(tpm: &mut Tpm<'_>, template: &Public, hierarchy: u32) -> (u32, Arc<Object>) {
    let parts = tpm.create_ordinary(template, &SensitiveCreate::default()).expect("a good template");
    let object = Arc::new(tpm.loaded(parts, Under::Hierarchy(hierarchy), 1).expect("a good object"));
    let handle = tpm.insert_slot(Slot::Object(Arc::clone(&object))).expect("a free slot");
    (handle, object)
}

//! Creation of objects (Part 1, 27; Part 4, CryptCreateObject): keys and seeds from a source of random numbers.

use super::{load::Parts, name::public_name};
use crate::state::Seed;
use crate::structures::{
    EccParameter, EccPoint, HashAlg, KeyedHashScheme, ObjectAttributes as A, ObjectType, Parameters, Public, Sensitive,
    SensitiveCreate, SensitiveValue, SymCipher, Unique, rh,
};
use crate::tpm::Tpm;
use alloc::sync::Arc;
use sealwright_core::{Buffer, Fault, Secret};
use sealwright_crypto::{
    Crypto, CryptoError, Random, RsaKey, drbg::Drbg, ecc, kdf::KdfaRandom, primes::SeedCompatLevel, rsa, symmetric,
};

/// What the numbers of a primary object are derived with; the NUL belongs to it.
const PRIMARY_OBJECT_CREATION: &[u8] = b"Primary Object Creation\0";

/// Where the random numbers of a new object come from.
#[derive(Debug)]
pub(crate) enum Source<'a> {
    /// The TPM's generator.
    Tpm(&'a mut Drbg),
    /// A primary seed; in the endorsement hierarchy with the proofs of owner and endorsement, which make the seed of
    /// the object go when the owner clears the TPM.
    Primary(Drbg, Option<[Secret<{ crate::structures::PRIMARY_SEED }>; 2]>),
    /// A derivation parent.
    Derived(KdfaRandom<'a>),
}

impl Random for Source<'_> {
    fn fill(&mut self, out: &mut [u8]) {
        match self {
            Self::Tpm(drbg) => drbg.fill(out),
            Self::Primary(drbg, _) => drbg.fill(out),
            Self::Derived(stream) => stream.fill(out),
        }
    }
}

impl Source<'_> {
    /// To be called between the key and its seed.
    fn before_seed(&mut self) {
        if let Self::Primary(drbg, Some([owner, endorsement])) = self {
            drbg.reseed(&[owner]);
            drbg.reseed(&[endorsement]);
        }
    }

    fn check(&self) -> Result<(), Fault> {
        match self {
            Self::Derived(stream) if stream.exhausted() => Err(Fault::NO_RESULT),
            _ => Ok(()),
        }
    }
}

/// `unique` of KEYEDHASH and SYMCIPHER objects: digest of seed and value; of parents, HMAC of the value under the seed.
pub(super) fn symmetric_unique(
    crypto: &Crypto,
    public: &Public,
    name_alg: HashAlg,
    seed: &[u8],
    value: &[u8],
) -> sealwright_crypto::Digest {
    if public.has(A::RESTRICTED | A::DECRYPT) {
        crypto.hash.hmac(name_alg, seed, &[value])
    } else {
        crypto.hash.digest(name_alg, &[seed, value])
    }
}

const fn fault_of_creation(error: CryptoError) -> Fault {
    match error {
        CryptoError::Cancelled => Fault::CANCELED,
        CryptoError::NoResult => Fault::NO_RESULT,
        _ => Fault::VALUE,
    }
}

fn new_keyed_hash(
    public: &Public,
    scheme: KeyedHashScheme,
    name_alg: HashAlg,
    data: &[u8],
    source: &mut Source<'_>,
) -> Result<SensitiveValue, Fault> {
    let hash = match scheme {
        KeyedHashScheme::Hmac(hash) | KeyedHashScheme::Xor(hash, _) => hash,
        KeyedHashScheme::Null => name_alg,
    };
    if data.is_empty() {
        let mut value = Secret::zeros(hash.size());
        source.fill(value.as_mut_slice());
        return Ok(value);
    }
    // A key may be short, as a password is; one that is longer than a block would be hashed first.
    let is_key = public.has(A::SIGN) || public.has(A::DECRYPT);
    if is_key && data.len() > hash.block() {
        return Err(Fault::SIZE);
    }
    Secret::from_slice(data)
}

fn new_symmetric(symmetric: SymCipher, data: &[u8], source: &mut Source<'_>) -> Result<SensitiveValue, Fault> {
    if data.is_empty() {
        let key = symmetric::generate_key(symmetric.cipher, symmetric.bits, source).map_err(fault_of_creation)?;
        return Secret::from_slice(&key);
    }
    if data.len() != symmetric.key_size() {
        return Err(Fault::KEY_SIZE);
    }
    if !symmetric::key_is_valid(symmetric.cipher, data) {
        return Err(Fault::KEY);
    }
    Secret::from_slice(data)
}

/// Makes the object of a template that was checked. `create.user_auth` has its final size. `poll` is asked now and
/// then; when it returns true, the result is TPM_RC_CANCELED.
pub(crate) fn create(
    crypto: &Crypto,
    template: &Public,
    create: &SensitiveCreate,
    mut source: Source<'_>,
    level: SeedCompatLevel,
    poll: &mut dyn FnMut() -> bool,
) -> Result<Parts, Fault> {
    let mut public = *template;
    let name_alg = public.name_alg.ok_or(Fault::HASH)?;
    let data: &[u8] = if public.has(A::SENSITIVE_DATA_ORIGIN) { &[] } else { &create.data };
    let mut key: Option<Arc<RsaKey>> = None;
    let value: SensitiveValue = match public.parameters {
        Parameters::Rsa(p) => {
            if !rsa::exponent_is_valid(p.exponent) {
                return Err(Fault::RANGE);
            }
            let new = rsa::generate(crypto, p.bits, p.exponent, &mut source, level, poll).map_err(fault_of_creation)?;
            public.unique = Unique::Rsa(Buffer::from_slice(&new.n)?);
            let value = Secret::from_slice(&new.p)?;
            key = Some(Arc::new(new));
            value
        }
        Parameters::Ecc(p) => {
            let pair = ecc::generate_key(crypto, p.curve, &mut source).map_err(fault_of_creation)?;
            let (x, y) = (EccParameter::from_slice(&pair.public.x)?, EccParameter::from_slice(&pair.public.y)?);
            public.unique = Unique::Ecc(EccPoint { x, y });
            Secret::from_slice(&pair.private)?
        }
        Parameters::SymCipher(p) => new_symmetric(p, data, &mut source)?,
        Parameters::KeyedHash(scheme) => new_keyed_hash(&public, scheme, name_alg, data, &mut source)?,
    };
    source.check()?;
    source.before_seed();
    let mut seed = Secret::zeros(name_alg.size());
    source.fill(seed.as_mut_slice());
    source.check()?;
    let object_type = public.object_type();
    if matches!(object_type, ObjectType::SymCipher | ObjectType::KeyedHash) {
        public.unique =
            Unique::Digest(Buffer::from_slice(&symmetric_unique(crypto, &public, name_alg, &seed, &value))?);
    } else if public.has(A::SIGN) || !public.has(A::RESTRICTED) {
        // Only storage keys need one.
        seed = Secret::default();
    }
    let name = public_name(crypto, &public)?;
    let sensitive = Sensitive { object_type, auth: create.user_auth.clone(), seed, value };
    Ok(Parts { public, sensitive: Some(sensitive), name, rsa: key })
}

/// The level with this number in a state; what is not known is the newest.
pub(crate) fn level_of(number: u8) -> SeedCompatLevel {
    SeedCompatLevel::from_number(number).unwrap_or_default()
}

impl Tpm<'_> {
    /// The primary seed of a hierarchy.
    pub(crate) fn primary_seed(&self, hierarchy: u32) -> &Seed {
        match hierarchy {
            rh::OWNER => &self.state.permanent.sp_seed,
            rh::ENDORSEMENT => &self.state.permanent.ep_seed,
            rh::PLATFORM => &self.state.permanent.pp_seed,
            _ => &self.state.reset.null_seed,
        }
    }

    /// Makes the primary object of a template in a hierarchy. Returns it with the level of the seed.
    pub(crate) fn create_primary(
        &mut self,
        hierarchy: u32,
        template: &Public,
        sensitive: &SensitiveCreate,
    ) -> Result<(Parts, u8), Fault> {
        let name = public_name(self.crypto, template)?;
        let seed = self.primary_seed(hierarchy);
        let compat = seed.compat;
        let drbg = Drbg::instantiate(&[&seed.bytes, PRIMARY_OBJECT_CREATION, &name, &sensitive.data]);
        let proofs = (hierarchy == rh::ENDORSEMENT)
            .then(|| [self.state.permanent.sh_proof.clone(), self.state.permanent.eh_proof.clone()]);
        let platform = &mut *self.platform;
        let parts =
            create(self.crypto, template, sensitive, Source::Primary(drbg, proofs), level_of(compat), &mut || {
                platform.cancelled()
            })?;
        Ok((parts, compat))
    }

    /// Makes an ordinary object of a template.
    pub(crate) fn create_ordinary(&mut self, template: &Public, sensitive: &SensitiveCreate) -> Result<Parts, Fault> {
        let platform = &mut *self.platform;
        let source = Source::Tpm(&mut self.state.drbg);
        let level = SeedCompatLevel::default();
        create(self.crypto, template, sensitive, source, level, &mut || platform.cancelled())
    }
}

//! The life of objects through commands: created, loaded, made persistent, duplicated, and used for credentials.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod host;
mod providers;

use host::Host;
use sealwright_core::Engine;
use sealwright_crypto::{Crypto, HashAlg, RUST};
use sealwright_tpm2::Tpm2;

providers::both!(
    sealed_data_come_back,
    keys_of_callers_for_hmac,
    primary_objects_are_the_same_again_and_persist,
    credentials_open,
    created_and_loaded_at_once,
    objects_of_others_are_rewrapped_and_imported,
);

const OWNER: u32 = 0x4000_0001;
const NULL: u32 = 0x4000_0007;
const STORAGE: u32 = 0x0003_0072;

struct Machine {
    tpm: Tpm2,
    host: Host,
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// Takes a TPM2B from the front.
fn take(bytes: &mut &[u8]) -> Vec<u8> {
    let size = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    let (head, rest) = bytes[2..].split_at(size);
    *bytes = rest;
    head.to_vec()
}

fn take_handle(bytes: &mut &[u8]) -> u32 {
    let (head, rest) = bytes.split_at(4);
    *bytes = rest;
    u32::from_be_bytes(head.try_into().unwrap())
}

impl Machine {
    fn new(crypto: &'static Crypto) -> Self {
        let mut host = Host::default();
        let tpm = Tpm2::manufacture(crypto, &mut host).unwrap();
        let mut machine = Self { tpm, host };
        machine.tpm.power_on(&mut machine.host);
        machine.run(0x144, &[], &[], &[0, 0]).unwrap();
        machine
    }

    /// Runs a command with a password for each of the first handles; the answer is without parameter size.
    fn run(&mut self, code: u32, handles: &[u32], passwords: &[&[u8]], parameters: &[u8]) -> Result<Vec<u8>, u32> {
        let mut body: Vec<u8> = handles.iter().flat_map(|handle| handle.to_be_bytes()).collect();
        if !passwords.is_empty() {
            let session = |p: &&[u8]| [&[0x40, 0, 0, 9, 0, 0, 1][..], &sized(p)].concat();
            let area: Vec<u8> = passwords.iter().flat_map(session).collect();
            body.extend(u32::try_from(area.len()).unwrap().to_be_bytes());
            body.extend(area);
        }
        body.extend(parameters);
        let tag: u16 = if passwords.is_empty() { 0x8001 } else { 0x8002 };
        let size = u32::try_from(body.len() + 10).unwrap();
        let command = [&tag.to_be_bytes()[..], &size.to_be_bytes(), &code.to_be_bytes(), &body].concat();
        let mut answer = [0; 4096];
        let len = self.tpm.execute(&mut self.host, 0, &command, &mut answer);
        let code = u32::from_be_bytes(answer[6..10].try_into().unwrap());
        if code == 0 { Ok(answer[10..len].to_vec()) } else { Err(code) }
    }

    fn primary(&mut self, hierarchy: u32, template: &[u8]) -> u32 {
        let parameters = [sized(&[0; 4]), sized(template), sized(&[]), vec![0; 4]].concat();
        let answer = self.run(0x131, &[hierarchy], &[b""], &parameters).unwrap();
        take_handle(&mut &answer[..])
    }

    /// Private and public area of a new child.
    fn create(&mut self, parent: u32, auth: &[u8], data: &[u8], template: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let sensitive = sized(&[sized(auth), sized(data)].concat());
        let parameters = [sensitive, sized(template), sized(&[]), vec![0; 4]].concat();
        let answer = self.run(0x153, &[parent], &[b""], &parameters).unwrap();
        let mut rest = &answer[4..];
        (take(&mut rest), take(&mut rest))
    }

    fn load(&mut self, parent: u32, private: &[u8], public: &[u8]) -> Result<u32, u32> {
        let answer = self.run(0x157, &[parent], &[b""], &[sized(private), sized(public)].concat())?;
        Ok(take_handle(&mut &answer[..]))
    }

    fn unseal(&mut self, item: u32, auth: &[u8]) -> Result<Vec<u8>, u32> {
        let answer = self.run(0x15E, &[item], &[auth], &[])?;
        Ok(take(&mut &answer[4..]))
    }

    fn flush(&mut self, handle: u32) {
        self.run(0x165, &[], &[], &handle.to_be_bytes()).unwrap();
    }
}

/// A P-256 key with the attributes of a storage parent, or others.
fn storage(attributes: u32) -> Vec<u8> {
    let tail = [0, 0, 0, 6, 0, 128, 0, 0x43, 0, 0x10, 0, 3, 0, 0x10, 0, 0, 0, 0];
    [&[0, 0x23, 0, 0x0B][..], &attributes.to_be_bytes(), &tail].concat()
}

fn sealed(attributes: u32) -> Vec<u8> {
    [&[0, 8, 0, 0x0B][..], &attributes.to_be_bytes(), &[0, 0, 0, 0x10, 0, 0]].concat()
}

fn sealed_data_come_back(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    let parent = m.primary(OWNER, &storage(STORAGE));
    let (mut private, public) = m.create(parent, b"pw", b"secret", &sealed(0x52));
    let item = m.load(parent, &private, &public).unwrap();
    assert_eq!(m.unseal(item, b"pw").unwrap(), b"secret");
    // ObjectChangeAuth changes what is loaded later.
    let answer = m.run(0x150, &[item, parent], &[b"pw"], &sized(b"new")).unwrap();
    let changed = take(&mut &answer[4..]);
    m.flush(item);
    let item = m.load(parent, &changed, &public).unwrap();
    assert_eq!(m.unseal(item, b"new").unwrap(), b"secret");
    *private.last_mut().unwrap() ^= 1;
    assert_eq!(m.load(parent, &private, &public), Err(0x1DF), "TPM_RC_INTEGRITY, parameter 1");
    // Data neither given nor made by the TPM.
    let parameters = [sized(&[0; 4]), sized(&sealed(0x52)), sized(&[]), vec![0; 4]].concat();
    assert_eq!(m.run(0x153, &[parent], &[b""], &parameters), Err(0x2C2), "TPM_RC_ATTRIBUTES, parameter 2");
}

/// A key that is given may be of any length up to a block of the hash (Part 3, TPM2_Create).
fn keys_of_callers_for_hmac(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    let parent = m.primary(OWNER, &storage(STORAGE));
    // A signing key for HMAC with SHA-256.
    let template = [&[0, 8, 0, 0x0B][..], &0x0004_0052u32.to_be_bytes(), &[0, 0, 0, 5, 0, 0x0B, 0, 0]].concat();
    // RFC 4231, test case 2.
    let (private, public) = m.create(parent, b"", b"Jefe", &template);
    let key = m.load(parent, &private, &public).unwrap();
    let answer = m.run(0x155, &[key], &[b""], &[sized(b"what do ya want for nothing?"), vec![0, 0x0B]].concat());
    let expected: [u8; 32] = [
        0x5B, 0xDC, 0xC1, 0x46, 0xBF, 0x60, 0x75, 0x4E, 0x6A, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xC7, 0x5A, 0x00,
        0x3F, 0x08, 0x9D, 0x27, 0x39, 0x83, 0x9D, 0xEC, 0x58, 0xB9, 0x64, 0xEC, 0x38, 0x43,
    ];
    assert_eq!(take(&mut &answer.unwrap()[4..]), expected);
    m.create(parent, b"", &[7; 64], &template);
    let sensitive = sized(&[sized(b""), sized(&[7; 65])].concat());
    let parameters = [sensitive, sized(&template), sized(&[]), vec![0; 4]].concat();
    assert_eq!(m.run(0x153, &[parent], &[b""], &parameters), Err(0x95), "TPM_RC_SIZE");
}

fn primary_objects_are_the_same_again_and_persist(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    let parent = m.primary(OWNER, &storage(STORAGE));
    let first = m.run(0x173, &[parent], &[], &[]).unwrap();
    m.flush(parent);
    let parent = m.primary(OWNER, &storage(STORAGE));
    assert_eq!(m.run(0x173, &[parent], &[], &[]).unwrap(), first);
    let evict =
        |m: &mut Machine, object: u32, handle: u32| m.run(0x120, &[OWNER, object], &[b""], &handle.to_be_bytes());
    assert_eq!(evict(&mut m, parent, 0x8180_0000), Err(0x1CD), "TPM_RC_RANGE, parameter 1");
    for i in 0..65 {
        evict(&mut m, parent, 0x8100_0001 + i).unwrap();
    }
    assert_eq!(evict(&mut m, parent, 0x8100_0001), Err(0x14C), "TPM_RC_NV_DEFINED");
    assert_eq!(evict(&mut m, parent, 0x8100_0100), Err(0x14B), "TPM_RC_NV_SPACE");
    assert_eq!(m.run(0x173, &[0x8100_0041], &[], &[]).unwrap(), first);
    evict(&mut m, 0x8100_0041, 0x8100_0041).unwrap();
    evict(&mut m, parent, 0x8100_0100).unwrap();
}

fn credentials_open(crypto: &'static Crypto) {
    let rsa =
        [&[0, 1, 0, 0x0B, 0, 3, 0, 0x72][..], &[0, 0, 0, 6, 0, 128, 0, 0x43, 0, 0x10, 8, 0, 0, 0, 0, 0, 0, 0]].concat();
    check_credential(crypto, &rsa);
    check_credential(crypto, &storage(STORAGE));
}

fn check_credential(crypto: &'static Crypto, template: &[u8]) {
    let mut m = Machine::new(crypto);
    let key = m.primary(OWNER, template);
    let public = m.run(0x173, &[key], &[], &[]).unwrap();
    let mut rest = &public[..];
    let (area, name) = (take(&mut rest), take(&mut rest));
    assert_eq!(name[..2], [0, 0x0B]);
    let made = m.run(0x168, &[key], &[], &[sized(b"credential"), sized(&name)].concat()).unwrap();
    let opened = m.run(0x147, &[key, key], &[b"", b""], &made).unwrap();
    assert_eq!(take(&mut &opened[4..]), b"credential");
    let mut broken = made;
    broken[20] ^= 1;
    assert_eq!(m.run(0x147, &[key, key], &[b"", b""], &broken), Err(0x1DF), "TPM_RC_INTEGRITY, parameter 1");
    // The public area alone loads into any hierarchy.
    let load = [sized(&[]), sized(&area), OWNER.to_be_bytes().to_vec()].concat();
    m.run(0x167, &[], &[], &load).unwrap();
}

fn created_and_loaded_at_once(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    let parent = m.primary(NULL, &storage(STORAGE));
    let parameters = [sized(&[sized(b""), sized(b"data")].concat()), sized(&sealed(0x52))].concat();
    let answer = m.run(0x191, &[parent], &[b""], &parameters).unwrap();
    let item = take_handle(&mut &answer[..]);
    let mut rest = &answer[8..];
    let (private, public) = (take(&mut rest), take(&mut rest));
    assert_eq!(m.unseal(item, b"").unwrap(), b"data");
    let again = m.load(parent, &private, &public).unwrap();
    assert_eq!(m.unseal(again, b"").unwrap(), b"data");
    // No slot is left.
    assert_eq!(m.load(parent, &private, &public), Err(0x902), "TPM_RC_OBJECT_MEMORY");
    // Objects of the NULL hierarchy do not persist.
    let parameters = 0x8100_0001u32.to_be_bytes();
    assert_eq!(m.run(0x120, &[OWNER, item], &[b""], &parameters), Err(0x282), "TPM_RC_ATTRIBUTES, handle 2");
}

fn objects_of_others_are_rewrapped_and_imported(crypto: &'static Crypto) {
    let mut m = Machine::new(crypto);
    let parent = m.primary(OWNER, &storage(STORAGE));
    let (seed, value) = ([7; 32], b"from elsewhere");
    let unique = RUST.hash.digest(HashAlg::Sha256, &[&seed, value]);
    let mut public = sealed(0x40);
    public.truncate(public.len() - 2);
    public.extend(sized(&unique));
    let name = [&[0, 0x0B], &*RUST.hash.digest(HashAlg::Sha256, &[&public])].concat();
    let area = |auth: &[u8]| sized(&[&[0, 8][..], &sized(auth), &sized(&seed), &sized(value)].concat());
    let duplicate = area(b"pw");
    let import = |m: &mut Machine, duplicate: &[u8], seed: &[u8]| {
        let parameters = [sized(&[]), sized(&public), sized(duplicate), sized(seed), vec![0, 0x10]].concat();
        let answer = m.run(0x156, &[parent], &[b""], &parameters)?;
        Ok::<_, u32>(take(&mut &answer[4..]))
    };
    // Without any wrap.
    let private = import(&mut m, &duplicate, &[]).unwrap();
    let item = m.load(parent, &private, &public).unwrap();
    assert_eq!(m.unseal(item, b"pw").unwrap(), value);
    m.flush(item);
    // With an outer wrap, put on by Rewrap.
    let parameters = [sized(&duplicate), sized(&name), sized(&[])].concat();
    let wrapped = m.run(0x152, &[NULL, parent], &[b""], &parameters).unwrap();
    let mut rest = &wrapped[4..];
    let (mut duplicate, seed) = (take(&mut rest), take(&mut rest));
    let private = import(&mut m, &duplicate, &seed).unwrap();
    let item = m.load(parent, &private, &public).unwrap();
    assert_eq!(m.unseal(item, b"pw").unwrap(), value);
    // And taken off again.
    let parameters = [sized(&duplicate), sized(&name), sized(&seed)].concat();
    let plain = m.run(0x152, &[parent, NULL], &[b""], &parameters).unwrap();
    assert_eq!(take(&mut &plain[4..])[..4], area(b"pw")[..4]);
    duplicate[40] ^= 1;
    assert_eq!(import(&mut m, &duplicate, &seed), Err(0x3DF), "TPM_RC_INTEGRITY, parameter 3");
}

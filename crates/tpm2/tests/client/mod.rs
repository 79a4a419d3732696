//! A TPM with power, and the few lines that make commands for it.
#![allow(dead_code, reason = "each test file uses a part")]

use crate::host::Host;
use sealwright_core::Engine;
use sealwright_crypto::{Crypto, HashAlg, RUST};
use sealwright_tpm2::Tpm2;
use sealwright_tpm2::profile::{Choice, Profile};

pub(crate) const NULL: u32 = 0x4000_0007;
pub(crate) const OWNER: u32 = 0x4000_0001;
pub(crate) const PLATFORM: u32 = 0x4000_000C;

pub(crate) struct Machine {
    tpm: Tpm2,
    host: Host,
}

impl Machine {
    /// A new TPM after Startup(CLEAR).
    pub(crate) fn new(crypto: &'static Crypto) -> Self {
        Self::with_profile(crypto, Profile::default())
    }

    /// One with a profile that has a name.
    pub(crate) fn of_profile(crypto: &'static Crypto, name: &str) -> Self {
        Self::with_profile(crypto, Profile::of_choice(&Choice { name, ..Choice::default() }).unwrap())
    }

    fn with_profile(crypto: &'static Crypto, profile: Profile) -> Self {
        let mut host = Host::default();
        let tpm = Tpm2::manufacture_with(crypto, &mut host, profile).unwrap();
        let mut machine = Self { tpm, host };
        machine.power_cycle();
        machine
    }

    /// A power cut, and Startup(CLEAR).
    pub(crate) fn power_cycle(&mut self) {
        self.tpm.power_on(&mut self.host);
        assert_eq!(code(&self.plain(0x144, &[&[0, 0]])), 0);
    }

    fn send(&mut self, tag: u16, cc: u32, body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len() + 10).unwrap();
        let command = [&tag.to_be_bytes()[..], &size.to_be_bytes(), &cc.to_be_bytes(), body].concat();
        let mut response = [0; 4096];
        let len = self.tpm.execute(&mut self.host, 0, &command, &mut response);
        assert_eq!(u32_at(&response, 2) as usize, len);
        response[..len].to_vec()
    }

    /// A command without sessions; the parts are handles and parameters.
    pub(crate) fn plain(&mut self, cc: u32, parts: &[&[u8]]) -> Vec<u8> {
        self.send(0x8001, cc, &parts.concat())
    }

    /// A command with an authorization area.
    pub(crate) fn with(&mut self, cc: u32, handles: &[u32], auths: &[Vec<u8>], parameters: &[u8]) -> Vec<u8> {
        let mut body: Vec<u8> = handles.iter().flat_map(|h| h.to_be_bytes()).collect();
        let area = auths.concat();
        body.extend(u32::try_from(area.len()).unwrap().to_be_bytes());
        body.extend(area);
        body.extend(parameters);
        self.send(0x8002, cc, &body)
    }

    /// An unbound session of SHA-256: its handle and the TPM's nonce. The caller's is 32 times 7.
    pub(crate) fn session(&mut self, kind: u8, symmetric: &[u8]) -> (u32, Vec<u8>) {
        let (null, nonce) = (NULL.to_be_bytes(), sized(&[7; 32]));
        let parts = [&null[..], &null, &nonce, &[0, 0], &[kind], symmetric, &[0, 0x0B]];
        let response = self.plain(0x176, &parts);
        assert_eq!(code(&response), 0, "{response:02x?}");
        (u32_at(&response, 10), response[16..48].to_vec())
    }

    /// policyDigest of a session.
    pub(crate) fn digest(&mut self, session: u32) -> Vec<u8> {
        let response = self.plain(0x189, &[&session.to_be_bytes()]);
        assert_eq!(code(&response), 0);
        response[12..].to_vec()
    }

    /// The value of a property.
    pub(crate) fn property(&mut self, property: u32) -> u32 {
        let response = self.plain(0x17A, &[&6u32.to_be_bytes(), &property.to_be_bytes(), &1u32.to_be_bytes()]);
        assert_eq!((code(&response), u32_at(&response, 19)), (0, property));
        u32_at(&response, 23)
    }

    /// NV_DefineSpace by the owner with the authorization value `nv`.
    pub(crate) fn define(&mut self, index: u32, attributes: u32, size: u16) {
        let public = [&index.to_be_bytes()[..], &[0, 0x0B], &attributes.to_be_bytes(), &[0, 0], &size.to_be_bytes()];
        let parameters = [sized(b"nv"), sized(&public.concat())].concat();
        assert_eq!(code(&self.with(0x12A, &[OWNER], &[password(b"")], &parameters)), 0);
    }

    /// NV_Write by the owner.
    pub(crate) fn write(&mut self, index: u32, data: &[u8]) {
        let parameters = [sized(data), vec![0, 0]].concat();
        assert_eq!(code(&self.with(0x137, &[OWNER, index], &[password(b"")], &parameters)), 0);
    }

    /// NV_Read by the Index itself.
    pub(crate) fn read(&mut self, index: u32, size: u16, offset: u16) -> Vec<u8> {
        let parameters = [size.to_be_bytes(), offset.to_be_bytes()].concat();
        self.with(0x14E, &[index, index], &[password(b"nv")], &parameters)
    }
}

pub(crate) fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

pub(crate) fn code(response: &[u8]) -> u32 {
    u32_at(response, 6)
}

/// One entry of an authorization area.
pub(crate) fn auth(handle: u32, nonce: &[u8], attributes: u8, hmac: &[u8]) -> Vec<u8> {
    [&handle.to_be_bytes()[..], &sized(nonce), &[attributes], &sized(hmac)].concat()
}

pub(crate) fn password(value: &[u8]) -> Vec<u8> {
    auth(0x4000_0009, &[], 1, value)
}

pub(crate) fn sha256(parts: &[&[u8]]) -> Vec<u8> {
    RUST.hash.digest(HashAlg::Sha256, parts).to_vec()
}

/// The TPM2B at the front of `bytes`, and what follows it.
pub(crate) fn take(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes[2..].split_at(usize::from(u16::from_be_bytes([bytes[0], bytes[1]])))
}

//! `tpm:/dev/tpmrm0`: the TPM of this host. A fresh secret is sealed under its storage key, and optionally to PCRs and an
//! authorization value; only this TPM can unseal it.
//!
//! The few commands are spoken here: the structures are those of Part 2, and a client library would bring C. The storage
//! key is made anew each time from the owner's seed (its template never changes, so it is the same key), or is a persistent
//! one that `parent=` names.

use core::time::Duration;
use std::path::PathBuf;
use std::sync::Mutex;

use sealwright_state::key::{KeyContext, KeyId, KeyManager};
use zeroize::Zeroizing;

use super::Scheme;
use crate::address::{Address, AddressFault};
use crate::failure::Failure;
use crate::keeper::{Claim, Envelope, Keeper, Kept};
use crate::local::Stretch;
use crate::secret::Secret;
use crate::tpm::session::{Code, Entity, Hidden, Session, Sort, plain};
use crate::tpm::transport::Transport;
use crate::tpm::wire::constant::{ALG_KEYEDHASH, ALG_NULL, ALG_SHA256, RH_OWNER};
use crate::tpm::wire::{In, Out, cut};
use crate::tpm::{Parent, auth_value, device, flush, handle_option, with_key};

pub(super) static SCHEMES: &[Scheme] = &[Scheme {
    name: "tpm",
    about: "the TPM of this host",
    example: "tpm:/dev/tpmrm0?pcrs=sha256:7",
    open: Some(open),
}];

/// fixedTPM and fixedParent, userWithAuth, noDA (Part 2, 8.3).
const FIXED: u32 = 1 << 1 | 1 << 4;
const USER_WITH_AUTH: u32 = 1 << 6;
const NO_DA: u32 = 1 << 10;
/// The first byte of the token.
const TOKEN: u8 = 1;

fn open(address: &mut Address) -> Result<Box<dyn KeyManager>, AddressFault> {
    let path = device(address)?;
    let pcrs = match address.take("pcrs") {
        None => None,
        Some(text) => Some(Pcrs::parse(&text).ok_or_else(|| {
            address.fault(format!("has pcrs={text}; write BANK:NUMBER+NUMBER, as in sha256:4+7, with the bank sha1, sha256, sha384 or sha512"))
        })?),
    };
    let parent = handle_option(address, "parent", (0x81, "persistent handle", "0x81000001"))?.unwrap_or(0);
    let auth = address.take_path("auth-file");
    let timeout = address.take_timeout()?;
    Ok(Box::new(Envelope(Tpm { path, timeout, pcrs, parent, auth, one: Mutex::new(()) })))
}

/// Some PCRs of one bank, as TPML_PCR_SELECTION.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pcrs {
    bank: u16,
    bits: [u8; 3],
}

impl Pcrs {
    /// `sha256:4+7`
    fn parse(text: &str) -> Option<Self> {
        let (bank, numbers) = text.split_once(':')?;
        let banks = [("sha1", 0x0004), ("sha256", ALG_SHA256), ("sha384", 0x000C), ("sha512", 0x000D)];
        let bank = banks.iter().find(|(name, _)| *name == bank)?.1;
        let mut bits = [0; 3];
        for number in numbers.split('+') {
            let number: usize = number.parse().ok()?;
            *bits.get_mut(number / 8)? |= 1 << (number % 8);
        }
        Some(Self { bank, bits })
    }

    fn encode(&self) -> Vec<u8> {
        Out::new().u32(1).u16(self.bank).u8(3).bytes(&self.bits).0.to_vec()
    }
}

struct Tpm {
    path: PathBuf,
    timeout: Duration,
    pcrs: Option<Pcrs>,
    /// A persistent handle, or 0 for the primary key.
    parent: u32,
    auth: Option<PathBuf>,
    /// One at a time: a TPM without a resource manager has room for three objects.
    one: Mutex<()>,
}

/// What the token holds.
struct Token<'a> {
    parent: u32,
    name: &'a [u8],
    pcrs: Option<Pcrs>,
    has_auth: bool,
    public: &'a [u8],
    private: &'a [u8],
}

impl<'a> Token<'a> {
    fn encode(&self) -> Vec<u8> {
        let out = Out::new().u8(TOKEN).u8(self.has_auth.into()).u32(self.parent).sized(self.name);
        let (bank, bits) = self.pcrs.as_ref().map_or((0, [0; 3]), |p| (p.bank, p.bits));
        out.u16(bank).bytes(&bits).sized(self.public).sized(self.private).0.to_vec()
    }

    fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = In(bytes);
        let (TOKEN, has_auth @ 0..=1) = (rest.u8()?, rest.u8()?) else { return None };
        let (parent, name) = (rest.u32()?, rest.sized()?);
        let (bank, bits) = (rest.u16()?, rest.array::<3>()?);
        let pcrs = (bank != 0).then_some(Pcrs { bank, bits });
        let (public, private) = (rest.sized()?, rest.sized()?);
        rest.0.is_empty().then_some(Self { parent, name, pcrs, has_auth: has_auth == 1, public, private })
    }
}

impl Tpm {
    /// Loads the storage key, does the work, and unloads what is left.
    fn with_parent<T>(
        &self,
        handle: u32,
        work: impl FnOnce(&Transport, &Parent) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let _one = self.one.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        with_key(&Transport::open(&self.path, self.timeout)?, if handle == 0 { RH_OWNER } else { handle }, work)
    }

    /// The authorization value: the digest of what the file holds, so that it may be of any length.
    fn auth(&self, wanted: bool) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let path = match (&self.auth, wanted) {
            (_, false) => return Ok(Zeroizing::new(Vec::new())),
            (None, true) => return Err(Failure::unusable("it was sealed with an authorization value; give auth-file=")),
            (Some(path), true) => path,
        };
        auth_value(path)
    }
}

/// Puts the session through the policy: PCRs, then the authorization value.
fn satisfy(transport: &Transport, session: &mut Session, pcrs: &Pcrs, has_auth: bool) -> Result<(), Failure> {
    let parameters = Out::new().sized(&[]).bytes(&pcrs.encode());
    plain(transport, Code::PolicyPcr, &[session.handle], &parameters.0)?;
    if has_auth {
        plain(transport, Code::PolicyAuthValue, &[session.handle], &[])?;
        session.auth_value = true;
    }
    Ok(())
}

/// The digest that [`satisfy`] leads to with the PCRs as they are now.
fn policy(transport: &Transport, parent: &Parent, pcrs: &Pcrs, has_auth: bool) -> Result<Vec<u8>, Failure> {
    let mut trial = Session::start(transport, parent.handle, &parent.point, Sort::Trial)?;
    let made = satisfy(transport, &mut trial, pcrs, has_auth)
        .and_then(|()| plain(transport, Code::PolicyGetDigest, &[trial.handle], &[]));
    flush(transport, trial.handle);
    let made = made?;
    Ok(In(&made).sized().ok_or_else(cut)?.to_vec())
}

impl Keeper for Tpm {
    fn name(&self) -> &'static str {
        "tpm"
    }

    fn key(&self, _context: &KeyContext) -> KeyId {
        KeyId::new(self.path.display().to_string()).unwrap_or_default()
    }

    fn keep(&self, _context: &KeyContext) -> Result<Kept, Failure> {
        let secret = Secret::random::<32>()?;
        let has_auth = self.auth.is_some();
        let auth = self.auth(has_auth)?;
        self.with_parent(self.parent, |transport, parent| {
            let policy = match &self.pcrs {
                Some(pcrs) => policy(transport, parent, pcrs, has_auth)?,
                None => Vec::new(),
            };
            let attributes = FIXED
                | if policy.is_empty() { USER_WITH_AUTH } else { 0 }
                // Only what a person chose needs the TPM's protection against guessing.
                | if has_auth { 0 } else { NO_DA };
            let public = Out::new().u16(ALG_KEYEDHASH).u16(ALG_SHA256).u32(attributes).sized(&policy);
            let public = public.u16(ALG_NULL).sized(&[]);
            let sensitive = Out::new().sized(&auth).sized(secret.bytes());
            let parameters = Out::new().sized(&sensitive.0).sized(&public.0).sized(&[]).u32(0);
            let session = Session::start(transport, parent.handle, &parent.point, Sort::Hmac)?;
            let entity = Entity { handle: parent.handle, name: &parent.name, auth: &[] };
            let (_, made) = session.run(transport, Code::Create, &[entity], &parameters.0, Some(Hidden::Command), 0)?;
            let mut made = In(&made);
            let (private, public) = (made.sized().ok_or_else(cut)?, made.sized().ok_or_else(cut)?);
            let name = &parent.name;
            let token = Token { parent: self.parent, name, pcrs: self.pcrs.clone(), has_auth, public, private }.encode();
            let short: String = name.iter().take(10).map(|byte| format!("{byte:02x}")).collect();
            let key = KeyId::new(format!("storage key {short}")).unwrap_or_default();
            Ok(Kept { key, version: 0, secret, stretch: Stretch::Key, token })
        })
    }

    fn recover(&self, claim: &Claim<'_>) -> Result<Secret, Failure> {
        let token = Token::decode(claim.token).ok_or_else(|| Failure::damaged("the sealed secret is not complete"))?;
        let auth = self.auth(token.has_auth)?;
        self.with_parent(token.parent, |transport, parent| {
            if parent.name != token.name {
                return Err(Failure::not_found("another TPM sealed it, or this one was cleared since"));
            }
            let parameters = Out::new().sized(token.private).sized(token.public);
            let session = Session::start(transport, parent.handle, &parent.point, Sort::Hmac)?;
            let entity = Entity { handle: parent.handle, name: &parent.name, auth: &[] };
            let (handles, loaded) = session.run(transport, Code::Load, &[entity], &parameters.0, None, 1)?;
            let object = handles.first().copied().ok_or_else(cut)?;
            let name = In(&loaded).sized().map(<[u8]>::to_vec).ok_or_else(cut);
            let unsealed = name.and_then(|name| {
                let sort = if token.pcrs.is_some() { Sort::Policy } else { Sort::Hmac };
                let mut session = Session::start(transport, parent.handle, &parent.point, sort)?;
                let entity = Entity { handle: object, name: &name, auth: &auth };
                if let Some(pcrs) = &token.pcrs {
                    satisfy(transport, &mut session, pcrs, token.has_auth)
                        .inspect_err(|_| flush(transport, session.handle))?;
                }
                session.run(transport, Code::Unseal, &[entity], &[], Some(Hidden::Response), 0)
            });
            flush(transport, object);
            let (_, unsealed) = unsealed?;
            let secret = In(&unsealed).sized().filter(|secret| secret.len() == 32).ok_or_else(cut)?;
            Ok(Secret::new(secret.to_vec()))
        })
    }

    fn destroy(&self, key: &KeyId) -> Result<(), Failure> {
        Err(Failure::unsupported(format!(
            "destroy the {key}, because all that this TPM sealed would be lost; to shred one VM, delete its wrapped keys"
        )))
    }
}

#[cfg(test)]
mod tests;

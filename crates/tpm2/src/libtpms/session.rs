//! Sessions: in a volatile state (SESSION_SLOT, SESSION), and as the memory of a 64-bit little-endian host, which is
//! what libtpms puts into saved contexts.

use super::{
    ImportFault,
    profile::wire_bytes,
    sink::Sink,
    source::{Kind, Source},
};
use crate::session::{BindValue, BoundHash, Policy, Session};
use crate::structures::{Auth, Digest, HashAlg, Nonce, SymDef};
use alloc::{vec, vec::Vec};
use sealwright_core::{Buffer, Reader, Wire};
use zeroize::Zeroizing;

const SESSION_SLOT: Kind = Kind { name: "SESSION_SLOT", magic: 0x3664_AEBC, version: 2 };
const SESSION: Kind = Kind { name: "SESSION", magic: 0x44BE_9F45, version: 2 };

/// Bits of the attributes of a session.
mod attribute {
    pub(super) const POLICY: u32 = 1 << 0;
    pub(super) const AUDIT: u32 = 1 << 1;
    pub(super) const BOUND: u32 = 1 << 2;
    pub(super) const CP_HASH: u32 = 1 << 3;
    pub(super) const AUTH_VALUE: u32 = 1 << 4;
    pub(super) const PASSWORD: u32 = 1 << 5;
    pub(super) const PP: u32 = 1 << 6;
    pub(super) const TRIAL: u32 = 1 << 7;
    pub(super) const DA_BOUND: u32 = 1 << 8;
    pub(super) const LOCKOUT_BOUND: u32 = 1 << 9;
    pub(super) const CHECK_WRITTEN: u32 = 1 << 11;
    pub(super) const WRITTEN: u32 = 1 << 12;
    pub(super) const TEMPLATE: u32 = 1 << 13;
    pub(super) const NAMES: u32 = 1 << 14;
    pub(super) const PARAMETERS: u32 = 1 << 15;
}

/// A session as libtpms keeps it: the two unions are as wide as their largest member.
struct Fields {
    attributes: u32,
    pcr_counter: u32,
    start_time: u64,
    timeout: u64,
    epoch: u32,
    command_code: u32,
    hash: HashAlg,
    locality: u8,
    symmetric: SymDef,
    key: Auth,
    nonce_tpm: Nonce,
    /// Bound entity; cpHash, nameHash or templateHash of a policy.
    bound: BindValue,
    /// Audit digest; policy digest.
    digest: Digest,
}

impl Fields {
    fn of(session: &Session) -> Option<Self> {
        let policy = session.policy.as_ref();
        let of_policy = |test: fn(&Policy) -> bool| policy.is_some_and(test);
        let bound_hash = policy.and_then(|p| p.bound.as_ref());
        let of_bound = |test: fn(&BoundHash) -> bool| bound_hash.is_some_and(test);
        let flags = [
            (policy.is_some(), attribute::POLICY),
            (session.audit_digest.is_some(), attribute::AUDIT),
            (session.bound.is_some(), attribute::BOUND),
            (of_bound(|b| matches!(b, BoundHash::Command(_))), attribute::CP_HASH),
            (of_bound(|b| matches!(b, BoundHash::Template(_))), attribute::TEMPLATE),
            (of_bound(|b| matches!(b, BoundHash::Names(_))), attribute::NAMES),
            (of_bound(|b| matches!(b, BoundHash::Parameters(_))), attribute::PARAMETERS),
            (of_policy(|p| p.auth_value_needed), attribute::AUTH_VALUE),
            (of_policy(|p| p.password_needed), attribute::PASSWORD),
            (of_policy(|p| p.pp_required), attribute::PP),
            (of_policy(|p| p.trial), attribute::TRIAL),
            (session.da_bound, attribute::DA_BOUND),
            (session.lockout_bound, attribute::LOCKOUT_BOUND),
            (of_policy(|p| p.nv_written.is_some()), attribute::CHECK_WRITTEN),
            (of_policy(|p| p.nv_written == Some(true)), attribute::WRITTEN),
        ];
        let bound = match (&session.bound, bound_hash) {
            (_, Some(hash)) => BindValue::from_slice(hash.digest()).ok()?,
            (Some(bound), None) => bound.clone(),
            (None, None) => BindValue::default(),
        };
        Some(Self {
            attributes: flags.iter().filter(|(on, _)| *on).fold(0, |bits, (_, bit)| bits | bit),
            pcr_counter: policy.map_or(0, |p| p.pcr_counter),
            start_time: policy.map_or(0, |p| p.start_time),
            timeout: policy.map_or(0, |p| p.timeout),
            epoch: policy.map_or(0, |p| p.epoch),
            command_code: policy.map_or(0, |p| p.command_code),
            hash: session.hash,
            locality: policy.map_or(0, |p| p.locality),
            symmetric: session.symmetric,
            key: session.key.clone(),
            nonce_tpm: session.nonce_tpm,
            bound,
            digest: policy.map(|p| p.digest).or(session.audit_digest).unwrap_or_default(),
        })
    }

    fn session(self) -> Option<Session> {
        let has = |bit: u32| self.attributes & bit != 0;
        let is_policy = has(attribute::POLICY);
        let policy = if is_policy {
            let hash = || Buffer::from_slice(&self.bound).ok();
            let bound = if self.bound.is_empty() {
                None
            } else if has(attribute::CP_HASH) {
                Some(BoundHash::Command(hash()?))
            } else if has(attribute::TEMPLATE) {
                Some(BoundHash::Template(hash()?))
            } else if has(attribute::PARAMETERS) {
                Some(BoundHash::Parameters(hash()?))
            } else {
                // Older versions have no flag for it.
                Some(BoundHash::Names(hash()?))
            };
            Some(Policy {
                trial: has(attribute::TRIAL),
                digest: self.digest,
                start_time: self.start_time,
                epoch: self.epoch,
                timeout: self.timeout,
                command_code: self.command_code,
                locality: self.locality,
                bound,
                pcr_counter: self.pcr_counter,
                pp_required: has(attribute::PP),
                auth_value_needed: has(attribute::AUTH_VALUE),
                password_needed: has(attribute::PASSWORD),
                nv_written: has(attribute::CHECK_WRITTEN).then_some(has(attribute::WRITTEN)),
            })
        } else {
            None
        };
        Some(Session {
            hash: self.hash,
            symmetric: self.symmetric,
            nonce_tpm: self.nonce_tpm,
            key: self.key,
            bound: (!is_policy && has(attribute::BOUND)).then_some(self.bound),
            da_bound: has(attribute::DA_BOUND),
            lockout_bound: has(attribute::LOCKOUT_BOUND),
            audit_digest: (!is_policy && has(attribute::AUDIT)).then_some(self.digest),
            policy,
        })
    }
}

/// Reads a slot of a loaded session.
pub(super) fn read_slot(s: &mut Source<'_>) -> Result<Option<Session>, ImportFault> {
    let slot_version = s.header(SESSION_SLOT)?;
    if !s.flag("occupied")? {
        // Nothing follows, not even the block of later versions.
        return Ok(None);
    }
    let version = s.header(SESSION)?;
    let attributes = s.get("attributes")?;
    let pcr_counter = s.get("pcrCounter")?;
    let (start_time, timeout) = (s.get("startTime")?, s.get("timeout")?);
    if s.get::<u8>("clock size")? != 4 {
        return Err(s.bad("clock size"));
    }
    let fields = Fields {
        attributes,
        pcr_counter,
        start_time,
        timeout,
        epoch: s.get("epoch")?,
        command_code: s.get("commandCode")?,
        hash: s.get("authHashAlg")?,
        locality: s.get("commandLocality")?,
        symmetric: s.get("symmetric")?,
        key: s.get("sessionKey")?,
        nonce_tpm: s.get("nonceTPM")?,
        bound: s.get("boundEntity")?,
        digest: s.get("auditDigest")?,
    };
    let session = fields.session().ok_or_else(|| s.bad("boundEntity"))?;
    s.future(version)?;
    s.within(SESSION_SLOT);
    s.future(slot_version)?;
    Ok(Some(session))
}

/// Writes a slot of a loaded session.
pub(super) fn write_slot(s: &mut Sink, session: Option<&Session>) {
    s.header(SESSION_SLOT, 2, 1);
    let Some(f) = session.and_then(Fields::of) else {
        s.flag(false);
        return;
    };
    s.flag(true);
    s.header(SESSION, 2, 1);
    s.put(&f.attributes);
    s.put(&f.pcr_counter);
    s.put(&f.start_time);
    s.put(&f.timeout);
    s.put(&4u8);
    s.put(&f.epoch);
    s.put(&f.command_code);
    s.put(&f.hash);
    s.put(&f.locality);
    s.put(&f.symmetric);
    s.put(&f.key);
    s.put(&f.nonce_tpm);
    s.put(&f.bound);
    s.put(&f.digest);
    s.future();
    s.future();
}

/// Bytes of a session in memory.
const NATIVE_SIZE: usize = 312;
/// Room for a Name in memory, and for other values.
const NATIVE_NAME: usize = 68;
const NATIVE_DIGEST: usize = 64;

/// A TPM2B in memory: its size, then room for the largest.
fn native_2b(out: &mut Vec<u8>, bytes: &[u8], room: usize) {
    out.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(0).to_le_bytes());
    out.extend_from_slice(bytes);
    out.resize(out.len().saturating_add(room.saturating_sub(bytes.len())), 0);
}

/// The session as the memory of a 64-bit little-endian host; `None` if its parts have sizes that cannot be.
pub(crate) fn to_native(session: &Session) -> Option<Zeroizing<Vec<u8>>> {
    let f = Fields::of(session)?;
    let mut out = Zeroizing::new(Vec::with_capacity(NATIVE_SIZE));
    out.extend_from_slice(&f.attributes.to_le_bytes());
    out.extend_from_slice(&f.pcr_counter.to_le_bytes());
    out.extend_from_slice(&f.start_time.to_le_bytes());
    out.extend_from_slice(&f.timeout.to_le_bytes());
    out.extend_from_slice(&f.epoch.to_le_bytes());
    out.extend_from_slice(&f.command_code.to_le_bytes());
    out.extend_from_slice(&f.hash.id().to_le_bytes());
    out.extend_from_slice(&[f.locality, 0]);
    // Three numbers, as many as the algorithm has.
    let symmetric = wire_bytes(&f.symmetric);
    let (numbers, _) = symmetric.as_chunks::<2>();
    for place in 0..3 {
        let number = numbers.get(place).map_or(0, |n| u16::from_be_bytes(*n));
        out.extend_from_slice(&number.to_le_bytes());
    }
    native_2b(&mut out, &f.key, NATIVE_DIGEST);
    native_2b(&mut out, &f.nonce_tpm, NATIVE_DIGEST);
    native_2b(&mut out, &f.bound, NATIVE_NAME);
    native_2b(&mut out, &f.digest, NATIVE_DIGEST);
    out.resize(NATIVE_SIZE, 0);
    Some(out)
}

/// A cursor over little-endian memory.
struct Native<'a>(Reader<'a>);

impl<'a> Native<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.0.array().ok()
    }
    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }
    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
    fn sized(&mut self, room: usize) -> Option<&'a [u8]> {
        let len = usize::from(self.u16()?);
        self.0.bytes(room).ok()?.get(..len)
    }
}

/// The session of the memory of a 64-bit little-endian host.
pub(crate) fn from_native(memory: &[u8]) -> Option<Session> {
    if memory.len() != NATIVE_SIZE {
        return None;
    }
    let mut n = Native(Reader::new(memory));
    let (attributes, pcr_counter) = (n.u32()?, n.u32()?);
    let (start_time, timeout) = (n.u64()?, n.u64()?);
    let (epoch, command_code) = (n.u32()?, n.u32()?);
    let id = n.u16()?;
    let [locality, _] = n.array()?;
    let mut symmetric = vec![];
    for _ in 0..3 {
        symmetric.extend_from_slice(&n.u16()?.to_be_bytes());
    }
    Fields {
        attributes,
        pcr_counter,
        start_time,
        timeout,
        epoch,
        command_code,
        hash: HashAlg::ALL.into_iter().find(|hash| hash.id() == id)?,
        locality,
        symmetric: SymDef::read(&mut Reader::new(&symmetric)).ok()?,
        key: Auth::from_slice(n.sized(NATIVE_DIGEST)?).ok()?,
        nonce_tpm: Nonce::from_slice(n.sized(NATIVE_DIGEST)?).ok()?,
        bound: BindValue::from_slice(n.sized(NATIVE_NAME)?).ok()?,
        digest: Digest::from_slice(n.sized(NATIVE_DIGEST)?).ok()?,
    }
    .session()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions() -> [Session; 3] {
        let policy = Policy {
            digest: Buffer::from_slice(&[3; 32]).unwrap(),
            start_time: 5,
            epoch: 6,
            timeout: 7,
            command_code: 0x15E,
            locality: 1,
            bound: Some(BoundHash::Names(Buffer::from_slice(&[4; 32]).unwrap())),
            pcr_counter: 9,
            nv_written: Some(false),
            password_needed: true,
            ..Policy::default()
        };
        let plain = Session {
            hash: HashAlg::Sha256,
            symmetric: SymDef::Xor(HashAlg::Sha256),
            nonce_tpm: Buffer::from_slice(&[1; 32]).unwrap(),
            key: Auth::from_slice(&[2; 32]).unwrap(),
            bound: Some(BindValue::from_slice(&[8; 34]).unwrap()),
            da_bound: true,
            lockout_bound: false,
            audit_digest: None,
            policy: None,
        };
        let audit =
            Session { bound: None, audit_digest: Some(Digest::zeros(32)), symmetric: SymDef::Null, ..plain.clone() };
        [Session { policy: Some(policy), bound: None, ..plain.clone() }, plain, audit]
    }

    #[test]
    fn sessions_come_back_from_memory() {
        for session in sessions() {
            let memory = to_native(&session).unwrap();
            assert_eq!(memory.len(), NATIVE_SIZE);
            assert_eq!(from_native(&memory).unwrap().encode(), session.encode());
            assert!(from_native(&memory[1..]).is_none());
        }
    }

    #[test]
    fn sessions_come_back_from_slots() {
        for session in sessions() {
            let mut sink = Sink::new();
            write_slot(&mut sink, Some(&session));
            write_slot(&mut sink, None);
            let bytes = sink.finish().unwrap();
            let mut source = Source::new(&bytes, "test");
            assert_eq!(read_slot(&mut source).unwrap().unwrap().encode(), session.encode());
            assert!(read_slot(&mut source).unwrap().is_none());
            assert_eq!(source.remaining(), 0);
        }
    }
}

//! Sessions as bytes, for saved contexts and volatile state. The first byte is the version of the format.

use super::{BindValue, BoundHash, Policy, Session};
use crate::structures::{Auth, Digest, HashAlg, Nonce, SymDef};
use alloc::vec;
use alloc::vec::Vec;
use sealwright_core::{Fault, Reader, Wire, Writer};
use zeroize::Zeroizing;

const VERSION: u8 = 1;

/// More than any session takes.
const ROOM: usize = 1024;

/// Bits of the flags of a session.
mod flag {
    pub(super) const BOUND: u16 = 1 << 0;
    pub(super) const DA_BOUND: u16 = 1 << 1;
    pub(super) const LOCKOUT_BOUND: u16 = 1 << 2;
    pub(super) const AUDIT: u16 = 1 << 3;
    pub(super) const POLICY: u16 = 1 << 4;
    pub(super) const TRIAL: u16 = 1 << 5;
    pub(super) const PP: u16 = 1 << 6;
    pub(super) const AUTH_VALUE: u16 = 1 << 7;
    pub(super) const PASSWORD: u16 = 1 << 8;
    pub(super) const CHECK_WRITTEN: u16 = 1 << 9;
    pub(super) const WRITTEN: u16 = 1 << 10;
    pub(super) const ALL: u16 = (1 << 11) - 1;
}

impl Session {
    fn flags(&self) -> u16 {
        let policy = self.policy.as_ref();
        let of_policy = |test: fn(&Policy) -> bool| policy.is_some_and(test);
        [
            (self.bound.is_some(), flag::BOUND),
            (self.da_bound, flag::DA_BOUND),
            (self.lockout_bound, flag::LOCKOUT_BOUND),
            (self.audit_digest.is_some(), flag::AUDIT),
            (policy.is_some(), flag::POLICY),
            (of_policy(|p| p.trial), flag::TRIAL),
            (of_policy(|p| p.pp_required), flag::PP),
            (of_policy(|p| p.auth_value_needed), flag::AUTH_VALUE),
            (of_policy(|p| p.password_needed), flag::PASSWORD),
            (of_policy(|p| p.nv_written.is_some()), flag::CHECK_WRITTEN),
            (of_policy(|p| p.nv_written == Some(true)), flag::WRITTEN),
        ]
        .iter()
        .fold(0, |flags, (on, bit)| if *on { flags | bit } else { flags })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        VERSION.write(w)?;
        self.flags().write(w)?;
        self.hash.write(w)?;
        self.symmetric.write(w)?;
        self.nonce_tpm.write(w)?;
        self.key.write(w)?;
        if let Some(bound) = &self.bound {
            bound.write(w)?;
        }
        if let Some(digest) = &self.audit_digest {
            digest.write(w)?;
        }
        self.policy.as_ref().map_or(Ok(()), |policy| policy.write(w))
    }

    /// The session as bytes. They are as secret as the session.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut room = Zeroizing::new(vec![0; ROOM]);
        let mut w = Writer::new(&mut room);
        // It always fits; if not, nothing is better than half.
        let len = self.write(&mut w).map_or(0, |()| w.len());
        room.truncate(len);
        room
    }

    /// The session of bytes that [`Session::encode`] of this or an older version made.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut r = Reader::new(bytes);
        let session = Self::read(&mut r).ok()?;
        r.is_empty().then_some(session)
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        if u8::read(r)? != VERSION {
            return Err(Fault::VALUE);
        }
        let flags = u16::read(r)?;
        if flags & !flag::ALL != 0 {
            return Err(Fault::VALUE);
        }
        let has = |bit: u16| flags & bit != 0;
        let (hash, symmetric) = (HashAlg::read(r)?, SymDef::read(r)?);
        let (nonce_tpm, key) = (Nonce::read(r)?, Auth::read(r)?);
        let bound = if has(flag::BOUND) { Some(BindValue::read(r)?) } else { None };
        let audit_digest = if has(flag::AUDIT) { Some(Digest::read(r)?) } else { None };
        let policy = if has(flag::POLICY) { Some(Policy::read(flags, r)?) } else { None };
        Ok(Self {
            hash,
            symmetric,
            nonce_tpm,
            key,
            bound,
            da_bound: has(flag::DA_BOUND),
            lockout_bound: has(flag::LOCKOUT_BOUND),
            audit_digest,
            policy,
        })
    }
}

impl Policy {
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        self.digest.write(w)?;
        self.start_time.write(w)?;
        self.epoch.write(w)?;
        self.timeout.write(w)?;
        self.command_code.write(w)?;
        self.locality.write(w)?;
        self.pcr_counter.write(w)?;
        match &self.bound {
            None => 0u8.write(w),
            Some(bound) => {
                let kind: u8 = match bound {
                    BoundHash::Command(_) => 1,
                    BoundHash::Names(_) => 2,
                    BoundHash::Parameters(_) => 3,
                    BoundHash::Template(_) => 4,
                };
                kind.write(w)?;
                bound.digest().write(w)
            }
        }
    }

    fn read(flags: u16, r: &mut Reader<'_>) -> Result<Self, Fault> {
        let has = |bit: u16| flags & bit != 0;
        let digest = Digest::read(r)?;
        let (start_time, epoch, timeout) = (u64::read(r)?, u32::read(r)?, u64::read(r)?);
        let (command_code, locality, pcr_counter) = (u32::read(r)?, u8::read(r)?, u32::read(r)?);
        let bound = match u8::read(r)? {
            0 => None,
            1 => Some(BoundHash::Command(Wire::read(r)?)),
            2 => Some(BoundHash::Names(Wire::read(r)?)),
            3 => Some(BoundHash::Parameters(Wire::read(r)?)),
            4 => Some(BoundHash::Template(Wire::read(r)?)),
            _ => return Err(Fault::VALUE),
        };
        Ok(Self {
            trial: has(flag::TRIAL),
            digest,
            start_time,
            epoch,
            timeout,
            command_code,
            locality,
            bound,
            pcr_counter,
            pp_required: has(flag::PP),
            auth_value_needed: has(flag::AUTH_VALUE),
            password_needed: has(flag::PASSWORD),
            nv_written: has(flag::CHECK_WRITTEN).then_some(has(flag::WRITTEN)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sealwright_core::Buffer;

    fn session() -> Session {
        Session {
            hash: HashAlg::Sha384,
            symmetric: SymDef::Xor(HashAlg::Sha256),
            nonce_tpm: Buffer::zeros(48),
            key: Auth::zeros(48),
            bound: Some(BindValue::zeros(68)),
            da_bound: true,
            lockout_bound: false,
            audit_digest: Some(Buffer::zeros(48)),
            policy: Some(Policy {
                trial: true,
                digest: Buffer::zeros(48),
                timeout: 77,
                command_code: 0x15E,
                bound: Some(BoundHash::Template(Buffer::zeros(48))),
                nv_written: Some(false),
                ..Policy::default()
            }),
        }
    }

    #[test]
    fn a_session_comes_back() {
        let bytes = session().encode();
        let back = Session::decode(&bytes).unwrap();
        assert_eq!(back.encode(), bytes);
        assert_eq!(back.policy().unwrap().nv_written, Some(false));
        assert_eq!(back.policy().unwrap().timeout, 77);
        assert!(back.da_bound && !back.lockout_bound);
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let bytes = session().encode();
        for len in 0..bytes.len() {
            assert!(Session::decode(&bytes[..len]).is_none(), "cut to {len}");
        }
        let mut other = bytes.to_vec();
        other[0] = 99;
        assert!(Session::decode(&other).is_none());
    }
}

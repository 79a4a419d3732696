//! The first block of a journal: whose it is, and the wrapped data key.

use super::{BLOCK, VERSION, pad};
use crate::error::StateError;
use crate::identity::{DataKeyId, Digest, Kind, VmId};
use crate::key::WrappedKey;
use crate::reader::{Reader, put_sized};
use crate::seal::{CHECK, MAC, Sealer};
use subtle::ConstantTimeEq;

/// How a journal begins.
pub(crate) const MAGIC: [u8; 8] = *b"SEALWRIT";
/// More than any header: a wrapped key has at most 16 KiB.
const MAX_HEADER: usize = 64 * 1024;
const DIGEST: usize = 32;

/// The wrapped data key, as the header has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sealing {
    pub(crate) key: DataKeyId,
    pub(crate) check: [u8; CHECK],
    pub(crate) wrapped: WrappedKey,
}

/// A journal's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) vm: VmId,
    pub(crate) kind: Kind,
    /// The bytes that the journal has with the zeros at its end; 0 if it grows.
    pub(crate) area: u64,
    /// `None` if the state is not sealed.
    pub(crate) sealing: Option<Sealing>,
}

/// A header that was read, with what is needed to authenticate it.
pub(crate) struct Found {
    pub(crate) header: Header,
    mac: [u8; MAC],
    authenticated: Vec<u8>,
    /// Bytes up to the first frame.
    pub(crate) length: usize,
}

impl Found {
    /// True if the code in the header is that of the data key.
    pub(crate) fn is_authentic(&self, sealer: &Sealer) -> bool {
        sealer.mac(&self.authenticated).ct_eq(&self.mac).into()
    }
}

impl Header {
    /// The header's blocks. `sealer` is the one of the data key in it; `None` if a field is too long.
    pub(crate) fn encode(&self, sealer: Option<&Sealer>) -> Option<Vec<u8>> {
        let mut out = MAGIC.to_vec();
        out.extend(VERSION.to_be_bytes());
        out.extend([self.kind as u8, u8::from(self.sealing.is_some())]);
        let mut rest = self.area.to_be_bytes().to_vec();
        let sealing = self.sealing.as_ref();
        rest.extend(sealing.map_or(DataKeyId::NONE, |s| s.key).0);
        rest.extend(sealing.map_or([0; CHECK], |s| s.check));
        put_sized(&mut rest, self.vm.as_str().as_bytes())?;
        put_sized(&mut rest, &sealing.map_or(Some(Vec::new()), |s| s.wrapped.encode())?)?;
        let length = out.len().checked_add(4)?.checked_add(rest.len())?.checked_add(MAC)?.checked_add(DIGEST)?;
        out.extend(u32::try_from(length).ok()?.to_be_bytes());
        out.append(&mut rest);
        let mac = sealer.map_or([0; MAC], |s| s.mac(&out));
        out.extend(mac);
        let digest = Digest::of(&[&out]);
        out.extend(digest.0);
        pad(&mut out);
        Some(out)
    }

    /// How many of the first bytes of a journal the header takes, as it says itself in its first block.
    pub(crate) fn length(block: &[u8]) -> usize {
        let mut r = Reader(block);
        let length = r.bytes(MAGIC.len() + 4).and_then(|_| r.u32()).and_then(|n| usize::try_from(n).ok());
        length.map_or(BLOCK, |length| length.clamp(BLOCK, MAX_HEADER))
    }

    /// Reads the header of the journal in `bytes`.
    pub(crate) fn decode(place: &str, kind: Kind, bytes: &[u8]) -> Result<Found, StateError> {
        let place = || place.to_owned();
        let damaged = |why: &str| StateError::Damaged { place: place(), why: why.to_owned() };
        if bytes.iter().take(BLOCK).all(|b| *b == 0) {
            return Err(StateError::Empty { place: place() });
        }
        let torn = || StateError::Torn { place: place(), why: "its header is not complete".to_owned() };
        let foreign =
            |found: String| StateError::Foreign { place: place(), expected: format!("a {kind} state"), found };
        let mut r = Reader(bytes);
        let begins = bytes.len().min(MAGIC.len());
        if bytes.get(..begins) != MAGIC.get(..begins) {
            return Err(foreign("something that is not a state of this program".to_owned()));
        }
        r.bytes(MAGIC.len()).ok_or_else(torn)?;
        let version = r.u16().ok_or_else(torn)?;
        if version > VERSION {
            return Err(StateError::Version { place: place(), found: version, known: VERSION });
        }
        let found_kind = r.u8().ok_or_else(torn)?;
        let sealed = r.u8().ok_or_else(torn)?;
        let length = r.u32().and_then(|n| usize::try_from(n).ok()).ok_or_else(torn)?;
        if length > MAX_HEADER {
            return Err(damaged("the length of its header is impossible"));
        }
        let whole = bytes.get(..length).ok_or_else(torn)?;
        let split = length.checked_sub(DIGEST).and_then(|n| whole.split_at_checked(n));
        let (before, digest) = split.ok_or_else(|| damaged("the length of its header is impossible"))?;
        if Digest::of(&[before]).0 != *digest {
            return Err(damaged("the checksum of its header is wrong"));
        }
        if found_kind != kind as u8 {
            let found = Kind::from_number(found_kind)
                .map_or("a state of an unknown kind".to_owned(), |k| format!("a {k} state"));
            return Err(foreign(found));
        }
        let header = fields(before, kind, sealed == 1);
        let (header, mac) =
            header.filter(|_| sealed <= 1 && version > 0).ok_or_else(|| damaged("its header makes no sense"))?;
        let authenticated = before.split_last_chunk::<MAC>().map(|(fields, _)| fields.to_vec()).unwrap_or_default();
        Ok(Found { header, mac, authenticated, length: super::blocks(length) })
    }
}

/// The fields behind the length; the checksum was right.
fn fields(before: &[u8], kind: Kind, sealed: bool) -> Option<(Header, [u8; MAC])> {
    let mut r = Reader(before);
    r.bytes(16)?;
    let area = r.u64()?;
    let key = DataKeyId(r.array()?);
    let check = r.array()?;
    let vm = VmId::new(r.text()?).ok()?;
    let wrapped = r.sized()?;
    let mac = r.array()?;
    r.0.is_empty().then_some(())?;
    let sealing = if sealed { Some(Sealing { key, check, wrapped: WrappedKey::decode(wrapped)? }) } else { None };
    (sealed || wrapped.is_empty()).then_some((Header { vm, kind, area, sealing }, mac))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{DataKey, KeyId};

    fn sealed() -> (Header, Sealer) {
        let sealer = Sealer::new(&DataKey::new([5; 32]));
        let wrapped =
            WrappedKey { manager: "m".to_owned(), key_id: KeyId::new("k").unwrap(), version: 1, bytes: vec![9; 40] };
        let sealing = Sealing { key: DataKeyId([3; 16]), check: sealer.check(), wrapped };
        (Header { vm: VmId::new("vm").unwrap(), kind: Kind::Tpm, area: 8192, sealing: Some(sealing) }, sealer)
    }

    #[test]
    fn comes_back_and_every_change_is_found() {
        let (header, sealer) = sealed();
        let plain = Header { sealing: None, ..header.clone() };
        for (header, sealer) in [(header, Some(&sealer)), (plain, None)] {
            let bytes = header.encode(sealer).unwrap();
            assert_eq!(bytes.len(), BLOCK);
            let found = Header::decode("x", Kind::Tpm, &bytes).unwrap();
            assert_eq!((&found.header, found.length), (&header, BLOCK));
            assert!(sealer.is_none_or(|s| found.is_authentic(s)));
            let used = bytes.iter().rposition(|b| *b != 0).unwrap() + 1;
            for at in 0..used {
                let mut bad = bytes.clone();
                bad[at] ^= 1;
                assert!(Header::decode("x", Kind::Tpm, &bad).is_err(), "byte {at}");
                assert!(Header::decode("x", Kind::Tpm, &bytes[..at]).is_err(), "cut at {at}");
            }
        }
    }

    #[test]
    fn each_fault_has_its_name() {
        let (header, sealer) = sealed();
        let bytes = header.encode(Some(&sealer)).unwrap();
        let fault = |kind, bytes: &[u8]| Header::decode("x", kind, bytes).map(|_| ()).unwrap_err();
        assert!(matches!(fault(Kind::Tpm, b""), StateError::Empty { .. }));
        assert!(matches!(fault(Kind::Tpm, &[0; 9000]), StateError::Empty { .. }));
        assert!(matches!(fault(Kind::Tpm, b"SEALWR"), StateError::Torn { .. }));
        assert!(matches!(fault(Kind::Tpm, b"\x02\x01\0\x0aswtpm"), StateError::Foreign { .. }));
        assert!(matches!(fault(Kind::Nvram, &bytes), StateError::Foreign { .. }));
        let mut newer = bytes.clone();
        newer[9] = 2;
        assert!(matches!(fault(Kind::Tpm, &newer), StateError::Version { found: 2, known: 1, .. }));
        let forged = Header { area: 4096, ..header }.encode(Some(&Sealer::new(&DataKey::new([6; 32])))).unwrap();
        assert!(!Header::decode("x", Kind::Tpm, &forged).unwrap().is_authentic(&sealer));
    }
}

//! The envelope of swtpm's files: a header and tagged parts.

use super::cipher;
use super::tlv::{self, Tag};
use super::{MAX_BLOB, SwtpmError, SwtpmKey};
use sealwright_crypto::{HashAlg, RUST};
use zeroize::Zeroizing;

/// Bytes of the header.
const HEADER: usize = 10;
/// Version that is written, and the least one that reads it.
const VERSION: u8 = 2;
const LEAST: u8 = 1;
/// The name of the layer in messages.
pub(super) const STATE: &str = "state key";

/// Bits of the flags.
pub(super) mod flag {
    pub(in super::super) const ENCRYPTED: u16 = 1 << 0;
    pub(in super::super) const MIGRATION_ENCRYPTED: u16 = 1 << 1;
    pub(in super::super) const MIGRATION: u16 = 1 << 2;
    pub(in super::super) const KEY_256: u16 = 1 << 3;
    pub(in super::super) const MIGRATION_KEY_256: u16 = 1 << 4;
}

/// What an envelope says of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Nobody's.
    Plain,
    /// Encrypted with a key of this size.
    Encrypted(super::KeySize),
}

/// The parts of an envelope.
pub(super) struct Opened<'a> {
    pub(super) version: u8,
    pub(super) flags: u16,
    pub(super) content: &'a [u8],
}

/// Checks the header.
pub(super) fn header(bytes: &[u8]) -> Result<Opened<'_>, SwtpmError> {
    if bytes.len() > MAX_BLOB {
        return Err(SwtpmError::TooLarge { what: "the state", size: bytes.len(), most: MAX_BLOB });
    }
    let (head, _) = bytes.split_first_chunk::<HEADER>().ok_or_else(|| SwtpmError::damaged("the header is cut off"))?;
    let [version, least, s1, s0, f1, f0, t3, t2, t1, t0] = *head;
    if least > VERSION {
        return Err(SwtpmError::Version { needed: least, known: VERSION });
    }
    let size = usize::from(u16::from_be_bytes([s1, s0]));
    let total = usize::try_from(u32::from_be_bytes([t3, t2, t1, t0])).unwrap_or(usize::MAX);
    if total != bytes.len() {
        return Err(SwtpmError::damaged(format!("there are {} bytes and the header says {total}", bytes.len())));
    }
    // Later versions may have longer headers.
    let content = if size >= HEADER { bytes.get(size..) } else { None };
    let content = content.ok_or_else(|| SwtpmError::damaged("the size of the header is wrong"))?;
    Ok(Opened { version, flags: u16::from_be_bytes([f1, f0]), content })
}

/// The envelope of this content.
pub(super) fn enclose(flags: u16, content: &[u8]) -> Result<Zeroizing<Vec<u8>>, SwtpmError> {
    let size = HEADER.saturating_add(content.len());
    if size > MAX_BLOB {
        return Err(SwtpmError::TooLarge { what: "the state", size, most: MAX_BLOB });
    }
    let mut out = Zeroizing::new(Vec::with_capacity(size));
    out.extend_from_slice(&[VERSION, LEAST]);
    out.extend_from_slice(&u16::try_from(HEADER).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(&flags.to_be_bytes());
    out.extend_from_slice(&u32::try_from(size).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(content);
    Ok(out)
}

/// The key, if there is one and it has the size that the header says.
pub(super) fn key_for<'k>(
    key: Option<&'k SwtpmKey>,
    is_256: bool,
    what: &'static str,
) -> Result<&'k SwtpmKey, SwtpmError> {
    let key = key.ok_or(SwtpmError::KeyMissing { what })?;
    if key.is_256() == is_256 {
        return Ok(key);
    }
    Err(SwtpmError::KeySize { what, needed: if is_256 { 256 } else { 128 }, given: key.bits() })
}

/// How a file is protected, by its header, which nothing authenticates.
pub fn protection(bytes: &[u8]) -> Result<Protection, SwtpmError> {
    let flags = header(bytes)?.flags;
    Ok(match (flags & flag::ENCRYPTED != 0, flags & flag::KEY_256 != 0) {
        (false, _) => Protection::Plain,
        (true, false) => Protection::Encrypted(super::KeySize::Aes128),
        (true, true) => Protection::Encrypted(super::KeySize::Aes256),
    })
}

/// The blob of the engine in a file of swtpm's. A key that is given must be needed.
pub fn open(bytes: &[u8], key: Option<&SwtpmKey>) -> Result<Zeroizing<Vec<u8>>, SwtpmError> {
    let opened = match header(bytes) {
        Ok(opened) => opened,
        Err(fault) => return open_bare(bytes, key).ok_or(fault),
    };
    if opened.flags & (flag::MIGRATION | flag::MIGRATION_ENCRYPTED) != 0 {
        return Err(SwtpmError::damaged("it is a blob of a migration, not a file"));
    }
    open_parts(&opened, key)
}

/// First versions of swtpm wrote files without a header: a blob of libtpms, or one encrypted as in version 1.
fn open_bare(bytes: &[u8], key: Option<&SwtpmKey>) -> Option<Zeroizing<Vec<u8>>> {
    /// Magic numbers of the permanent and the volatile state, after their version.
    const BLOBS: [[u8; 4]; 2] = [[0xAB, 0x36, 0x47, 0x23], [0x45, 0x63, 0x78, 0x89]];
    if bytes.len() > MAX_BLOB {
        return None;
    }
    match key {
        None => {
            let is_blob = bytes.first() == Some(&0) && BLOBS.iter().any(|magic| bytes.get(2..6) == Some(magic));
            is_blob.then(|| Zeroizing::new(bytes.to_vec()))
        }
        Some(key) => decrypt_old(key, STATE, bytes).ok(),
    }
}

/// The blob of the engine in the parts of the state.
pub(super) fn open_parts(opened: &Opened<'_>, key: Option<&SwtpmKey>) -> Result<Zeroizing<Vec<u8>>, SwtpmError> {
    let encrypted = opened.flags & flag::ENCRYPTED != 0;
    if !encrypted && key.is_some() {
        return Err(SwtpmError::NotEncrypted);
    }
    if opened.version < 2 {
        return open_old(opened, key);
    }
    if !encrypted {
        let data = tlv::find(opened.content, Tag::Data)?;
        return data.map(|data| Zeroizing::new(data.to_vec())).ok_or_else(|| SwtpmError::damaged("there is no data"));
    }
    let key = key_for(key, opened.flags & flag::KEY_256 != 0, STATE)?;
    let needed = |tag| tlv::find(opened.content, tag)?.ok_or_else(|| SwtpmError::damaged("there is no data"));
    let iv = tlv::find(opened.content, Tag::DataIv)?;
    cipher::decrypt(key, STATE, needed(Tag::EncryptedData)?, iv, needed(Tag::Hmac)?)
}

/// Version 1 had no parts: data, or what [`decrypt_old`] reads.
fn open_old(opened: &Opened<'_>, key: Option<&SwtpmKey>) -> Result<Zeroizing<Vec<u8>>, SwtpmError> {
    if opened.flags & flag::ENCRYPTED == 0 {
        return Ok(Zeroizing::new(opened.content.to_vec()));
    }
    decrypt_old(key_for(key, opened.flags & flag::KEY_256 != 0, STATE)?, STATE, opened.content)
}

/// The encrypted form of version 1: SHA-256 digest and data, with no IV.
pub(super) fn decrypt_old(
    key: &SwtpmKey,
    what: &'static str,
    encrypted: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SwtpmError> {
    let plain = cipher::decrypt_unchecked(key, encrypted, &[0; 16]).unwrap_or_default();
    match plain.split_at_checked(32) {
        Some((digest, data)) if *RUST.hash.digest(HashAlg::Sha256, &[data]) == *digest => {
            Ok(Zeroizing::new(data.to_vec()))
        }
        _ => Err(SwtpmError::WrongKey { what }),
    }
}

/// A file of swtpm's with this blob of the engine, encrypted if a key is given.
pub fn seal(blob: &[u8], key: Option<&SwtpmKey>) -> Result<Zeroizing<Vec<u8>>, SwtpmError> {
    let (flags, content) = seal_parts(blob, key)?;
    enclose(flags, &content)
}

/// The flags and the parts of the state.
pub(super) fn seal_parts(blob: &[u8], key: Option<&SwtpmKey>) -> Result<(u16, Zeroizing<Vec<u8>>), SwtpmError> {
    let mut content = Zeroizing::new(Vec::new());
    let Some(key) = key else {
        tlv::put(&mut content, Tag::Data, blob);
        return Ok((0, content));
    };
    let encrypted = cipher::encrypt(key, blob)?;
    tlv::put(&mut content, Tag::EncryptedData, &encrypted.data);
    tlv::put(&mut content, Tag::Hmac, &encrypted.hmac);
    tlv::put(&mut content, Tag::DataIv, &encrypted.iv);
    Ok((flag::ENCRYPTED | if key.is_256() { flag::KEY_256 } else { 0 }, content))
}

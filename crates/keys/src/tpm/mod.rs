//! The host's TPM: its commands with salted sessions, spoken here for the key manager and the anchor that use it.

#[cfg(test)]
pub(crate) mod double;
pub(crate) mod session;
pub(crate) mod transport;
pub(crate) mod wire;

use std::path::{Path, PathBuf};

use sealwright_crypto::Point;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use self::session::{Code, empty_password, plain};
use self::transport::Transport;
use self::wire::constant::{ALG_AES, ALG_CFB, ALG_ECC, ALG_NULL, ALG_SHA256, ECC_NIST_P256};
use self::wire::{In, Out, cut};
use crate::address::{Address, AddressFault};
use crate::failure::Failure;
use crate::secret::Secret;

/// fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, decrypt (Part 2, 8.3).
const STORAGE_KEY: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 10 | 1 << 16 | 1 << 17;

/// The device or socket that an address names, or the usual device.
pub(crate) fn device(address: &Address) -> Result<PathBuf, AddressFault> {
    let path = address.plain_place()?;
    let path = PathBuf::from(if path.is_empty() { "/dev/tpmrm0" } else { &path });
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(address.fault("must have the absolute path of a device or socket, as in tpm:/dev/tpmrm0"))
    }
}

/// The value of an option that is a handle with this first byte.
pub(crate) fn handle_option(
    address: &mut Address,
    name: &'static str,
    (first, what, example): (u32, &str, &str),
) -> Result<Option<u32>, AddressFault> {
    let Some(text) = address.take(name) else { return Ok(None) };
    let digits = text.strip_prefix("0x").unwrap_or(&text);
    let handle = u32::from_str_radix(digits, 16).ok().filter(|handle| handle >> 24 == first);
    let handle = handle.ok_or_else(|| address.fault(format!("has {name}={text}, which is no {what}, as {example} is")));
    handle.map(Some)
}

/// An authorization value: the digest of what a file holds, so that it may be of any length.
pub(crate) fn auth_value(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let secret = Secret::read_file(path)?;
    Ok(without_zeros(Sha256::digest(secret.line()).to_vec()))
}

/// A value as the TPM keeps it: without zeros at its end.
pub(crate) fn without_zeros(bytes: Vec<u8>) -> Zeroizing<Vec<u8>> {
    let mut value = Zeroizing::new(bytes);
    while value.last() == Some(&0) {
        value.pop();
    }
    value
}

/// The storage key, loaded.
pub(crate) struct Parent {
    pub(crate) handle: u32,
    pub(crate) name: Vec<u8>,
    pub(crate) point: Point,
}

/// Loads a storage key, does the work, and unloads what is left. `root` is the handle of a persistent key, or of the
/// hierarchy whose primary key it is.
pub(crate) fn with_key<T>(
    transport: &Transport,
    root: u32,
    work: impl FnOnce(&Transport, &Parent) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let is_persistent = root >> 24 == 0x81;
    let parent = if is_persistent { persistent(transport, root)? } else { primary(transport, root)? };
    let done = work(transport, &parent);
    if !is_persistent {
        flush(transport, parent.handle);
    }
    done
}

/// TPMT_PUBLIC of the storage key: ECC P-256, AES-128-CFB, SHA-256; the template of the TCG's provisioning guidance.
fn template() -> Out {
    let out = Out::new().u16(ALG_ECC).u16(ALG_SHA256).u32(STORAGE_KEY).sized(&[]);
    let out = out.u16(ALG_AES).u16(128).u16(ALG_CFB).u16(ALG_NULL).u16(ECC_NIST_P256).u16(ALG_NULL);
    out.sized(&[0; 32]).sized(&[0; 32])
}

/// The Name of an object or NV Index with a SHA-256 name algorithm (Part 1, clause 14).
pub(crate) fn name_of(public: &[u8]) -> Vec<u8> {
    let digest = Sha256::digest(public);
    [&ALG_SHA256.to_be_bytes()[..], &digest].concat()
}

/// The point of a storage key such as [`template`] describes.
fn point_of(public: &[u8]) -> Option<Point> {
    let mut rest = In(public);
    let (ALG_ECC, ALG_SHA256) = (rest.u16()?, rest.u16()?) else { return None };
    let attributes = rest.u32()?;
    if attributes & (1 << 16 | 1 << 17) != 1 << 16 | 1 << 17 {
        return None;
    }
    rest.sized()?;
    let (_, _, _, ALG_NULL, ECC_NIST_P256, ALG_NULL) =
        (rest.u16()?, rest.u16()?, rest.u16()?, rest.u16()?, rest.u16()?, rest.u16()?)
    else {
        return None;
    };
    Some(Point { x: rest.sized()?.to_vec(), y: rest.sized()?.to_vec() })
}

/// TPM2_FlushContext (Part 3, 28.4).
pub(crate) fn flush(transport: &Transport, handle: u32) {
    // If this fails the connection's end does it, or a resource manager.
    drop(plain(transport, Code::FlushContext, &[], &handle.to_be_bytes()));
}

/// TPM2_CreatePrimary (Part 3, 24.1).
fn primary(transport: &Transport, hierarchy: u32) -> Result<Parent, Failure> {
    let sensitive = Out::new().sized(&[]).sized(&[]);
    let parameters = Out::new().sized(&sensitive.0).sized(&template().0).sized(&[]).u32(0);
    let answer = empty_password(transport, Code::CreatePrimary, hierarchy, &parameters.0);
    let answer = answer.map_err(|failure| match failure.is_refusal() {
        true => Failure::refused(
            "the TPM's owner has a password; make a persistent ECC storage key and name it with parent=",
        ),
        false => failure,
    })?;
    let mut answer = In(&answer);
    let handle = answer.u32().ok_or_else(cut)?;
    let _size = answer.u32();
    let public = answer.sized().ok_or_else(cut)?;
    let point = point_of(public).ok_or_else(cut)?;
    Ok(Parent { handle, name: name_of(public), point })
}

/// TPM2_ReadPublic (Part 3, 12.4).
fn persistent(transport: &Transport, handle: u32) -> Result<Parent, Failure> {
    let answer = plain(transport, Code::ReadPublic, &[handle], &[])?;
    let public = In(&answer).sized().ok_or_else(cut)?;
    let wrong = || {
        Failure::unusable(format!(
            "the key at {handle:#x} is no storage key on the curve P-256; make one, or leave parent= out"
        ))
    };
    Ok(Parent { handle, name: name_of(public), point: point_of(public).ok_or_else(wrong)? })
}

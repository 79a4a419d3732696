//! Protection of saved contexts (Part 1, 30.3; Part 4, Context_spt.c): encrypted, and bound to the proof of the
//! hierarchy, the number of resets and everything in the clear.

use crate::structures::{Context, MAX_CONTEXT};
use crate::ticket::CONTEXT_HASH;
use crate::tpm::{Tpm, fault_of};
use alloc::vec::Vec;
use sealwright_core::{Buffer, Fault, Reader, Wire, Writer};
use sealwright_crypto::{
    BlockCipher,
    kdf::{kdfa, kdfa_and_hmac},
    symmetric::cfb,
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes of the AES-256 key of a context.
const KEY: usize = 32;
/// Bytes of the key and the IV together, in bits.
const KEY_AND_IV_BITS: u32 = 256 + 128;
/// Label of the derivation.
const LABEL: &[u8] = b"CONTEXT";
/// Bytes of the sequence number before the plain text.
const SEQUENCE: usize = 8;
/// What the handle of a saved object with stClear says.
pub(super) const ST_CLEAR: u32 = 0x8000_0002;

/// What encrypts a context: KDFa of its sequence number and handle. They are as libtpms on a little-endian host has them
/// in memory, so that contexts can be loaded after a migration.
fn kdf_context(context: &Context) -> ([u8; 8], [u8; 4]) {
    (context.sequence.to_le_bytes(), context.saved_handle.0.to_le_bytes())
}

/// Encrypts or decrypts in place.
fn crypt(tpm: &Tpm<'_>, key_and_iv: &[u8], encrypt: bool, data: &mut [u8]) -> Result<(), Fault> {
    let (key, iv) = key_and_iv.split_at_checked(KEY).ok_or(Fault::FAILURE)?;
    cfb(tpm.crypto, BlockCipher::Aes, encrypt, key, iv, data).map_err(fault_of)
}

/// What the integrity value is of, without the encrypted data.
struct Covered {
    resets: [u8; 8],
    clears: Option<[u8; 4]>,
    sequence: [u8; 8],
    handle: [u8; 4],
}

impl Covered {
    fn of(tpm: &Tpm<'_>, context: &Context) -> Self {
        Self {
            resets: tpm.state.permanent.total_reset_count.to_be_bytes(),
            clears: (context.saved_handle.0 == ST_CLEAR).then(|| tpm.state.reset.clear_count.to_be_bytes()),
            sequence: context.sequence.to_be_bytes(),
            handle: context.saved_handle.0.to_be_bytes(),
        }
    }

    fn with<'a>(&'a self, encrypted: &'a [u8]) -> [&'a [u8]; 5] {
        let clears: &[u8] = self.clears.as_ref().map_or(&[], |clears| clears);
        [&self.resets, clears, &self.sequence, &self.handle, encrypted]
    }
}

/// Fills in the blob: integrity value, then the encrypted sequence number and plain text.
pub(super) fn seal(tpm: &Tpm<'_>, context: &mut Context, plain: &[u8]) -> Result<(), Fault> {
    let mut data = Zeroizing::new(Vec::with_capacity(plain.len().saturating_add(8)));
    data.extend_from_slice(&context.sequence.to_le_bytes());
    data.extend_from_slice(plain);
    let (proof, (sequence, handle)) = (tpm.proof(context.hierarchy.0), kdf_context(context));
    let made = kdfa(tpm.crypto, CONTEXT_HASH, proof, LABEL, &sequence, &handle, KEY_AND_IV_BITS);
    crypt(tpm, &made, true, &mut data)?;
    let mac = tpm.crypto.hash.hmac(CONTEXT_HASH, proof, &Covered::of(tpm, context).with(&data));
    let mac: Buffer<64> = Buffer::from_slice(&mac)?;
    let mut room = [0u8; MAX_CONTEXT];
    let mut blob = Writer::new(&mut room);
    mac.write(&mut blob)?;
    blob.bytes(&data)?;
    context.context_blob = Buffer::from_slice(blob.written())?;
    Ok(())
}

/// The plain text of a blob, behind its sequence number, if it is one of this TPM and of this reset.
pub(super) fn open(tpm: &Tpm<'_>, context: &Context) -> Result<Opened, Fault> {
    let mut blob = Reader::new(&context.context_blob);
    let mac = Buffer::<64>::read(&mut blob)?;
    if mac.len() != CONTEXT_HASH.size() || blob.remaining() < SEQUENCE {
        return Err(Fault::SIZE.at_parameter(1));
    }
    let (proof, (sequence, handle)) = (tpm.proof(context.hierarchy.0), kdf_context(context));
    let (covered, uv) = (Covered::of(tpm, context), [sequence.as_slice(), &handle]);
    let covered = covered.with(blob.rest());
    let (made, expected) = kdfa_and_hmac(tpm.crypto, CONTEXT_HASH, proof, LABEL, uv, KEY_AND_IV_BITS, &covered);
    if !bool::from(mac.as_slice().ct_eq(&expected)) {
        return Err(Fault::INTEGRITY.at_parameter(1));
    }
    let mut data = Zeroizing::new(blob.rest().to_vec());
    crypt(tpm, &made, false, &mut data)?;
    if data.get(..SEQUENCE) != Some(&context.sequence.to_le_bytes()) {
        return Err(Fault::INTEGRITY.at_parameter(1));
    }
    Ok(Opened(data))
}

/// What was in a context that was opened.
pub(super) struct Opened(Zeroizing<Vec<u8>>);

impl Opened {
    /// The plain text.
    pub(super) fn plain(&self) -> &[u8] {
        self.0.get(SEQUENCE..).unwrap_or_default()
    }
}

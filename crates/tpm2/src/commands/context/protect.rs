//! Protection of saved contexts (Part 1, 30.3; Part 4, Context_spt.c): encrypted, and bound to the proof of the
//! hierarchy, the number of resets and everything in the clear.

use crate::structures::{Context, MAX_CONTEXT};
use crate::ticket::CONTEXT_HASH;
use crate::tpm::{Tpm, fault_of};
use alloc::vec::Vec;
use sealwright_core::{Buffer, Fault, Reader, Wire, Writer};
use sealwright_crypto::{BlockCipher, kdf::kdfa, symmetric::cfb};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes of the AES-256 key of a context.
const KEY: usize = 32;
/// Bytes of the key and the IV together, in bits.
const KEY_AND_IV_BITS: u32 = 256 + 128;
/// What the handle of a saved object with stClear says.
pub(super) const ST_CLEAR: u32 = 0x8000_0002;

/// Encrypts or decrypts in place.
fn crypt(tpm: &Tpm<'_>, context: &Context, encrypt: bool, data: &mut [u8]) -> Result<(), Fault> {
    let proof = tpm.proof(context.hierarchy.0);
    // As libtpms on a little-endian host has them in memory, so that contexts can be loaded after a migration.
    let (sequence, handle) = (context.sequence.to_le_bytes(), context.saved_handle.0.to_le_bytes());
    let made = kdfa(tpm.crypto, CONTEXT_HASH, proof, b"CONTEXT", &sequence, &handle, KEY_AND_IV_BITS);
    let (key, iv) = made.split_at_checked(KEY).ok_or(Fault::FAILURE)?;
    cfb(tpm.crypto, BlockCipher::Aes, encrypt, key, iv, data).map_err(fault_of)
}

fn integrity(tpm: &Tpm<'_>, context: &Context, encrypted: &[u8]) -> sealwright_crypto::Digest {
    let resets = tpm.state.permanent.total_reset_count.to_be_bytes();
    let clears = tpm.state.reset.clear_count.to_be_bytes();
    let clears: &[u8] = if context.saved_handle.0 == ST_CLEAR { &clears } else { &[] };
    let (sequence, handle) = (context.sequence.to_be_bytes(), context.saved_handle.0.to_be_bytes());
    let parts: [&[u8]; 5] = [&resets, clears, &sequence, &handle, encrypted];
    tpm.crypto.hash.hmac(CONTEXT_HASH, tpm.proof(context.hierarchy.0), &parts)
}

/// Fills in the blob: integrity value, then the encrypted sequence number and plain text.
pub(super) fn seal(tpm: &Tpm<'_>, context: &mut Context, plain: &[u8]) -> Result<(), Fault> {
    let mut data = Zeroizing::new(Vec::with_capacity(plain.len().saturating_add(8)));
    data.extend_from_slice(&context.sequence.to_le_bytes());
    data.extend_from_slice(plain);
    crypt(tpm, context, true, &mut data)?;
    let mac: Buffer<64> = Buffer::from_slice(&integrity(tpm, context, &data))?;
    let mut room = [0u8; MAX_CONTEXT];
    let mut blob = Writer::new(&mut room);
    mac.write(&mut blob)?;
    blob.bytes(&data)?;
    context.context_blob = Buffer::from_slice(blob.written())?;
    Ok(())
}

/// The plain text of a blob, if it is one of this TPM and of this reset.
pub(super) fn open(tpm: &Tpm<'_>, context: &Context) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let mut blob = Reader::new(&context.context_blob);
    let mac = Buffer::<64>::read(&mut blob)?;
    if mac.len() != CONTEXT_HASH.size() || blob.remaining() < 8 {
        return Err(Fault::SIZE.at_parameter(1));
    }
    if !bool::from(mac.as_slice().ct_eq(&integrity(tpm, context, blob.rest()))) {
        return Err(Fault::INTEGRITY.at_parameter(1));
    }
    let mut data = Zeroizing::new(blob.rest().to_vec());
    crypt(tpm, context, false, &mut data)?;
    let mut plain = Reader::new(&data);
    if u64::from_le_bytes(plain.array()?) != context.sequence {
        return Err(Fault::INTEGRITY.at_parameter(1));
    }
    Ok(Zeroizing::new(plain.rest().to_vec()))
}

//! The TPM commands that are sent here, as bytes.

use sealwright_differential::codes::*;
use sealwright_differential::daemon::Machine;
use sealwright_differential::session::password;
use sealwright_differential::template::{create, pcrs, storage_parent};
use sealwright_differential::tpm::{Call, marshal};
use sealwright_differential::wire::{In, Out};

/// What an EK certificate's place in NV is to a real TPM: an index of a kilobyte.
const INDEX: u32 = 0x0150_0000;
/// A persistent storage key.
pub(crate) const PERSISTENT: u32 = 0x8100_0001;
/// Bytes in the index.
pub(crate) const INDEX_SIZE: u16 = 1024;
/// The most that one read gives.
const CHUNK: u16 = 512;

/// A command with passwords.
fn command(name: &'static str, handles: &[u32], auths: &[&[u8]], parameters: Out) -> Vec<u8> {
    let uses: Vec<_> = auths.iter().map(|auth| password(auth)).collect();
    marshal(&Call { name, handles: handles.to_vec(), uses, parameters: parameters.0 })
}

/// Sends one command that has to succeed.
pub(crate) fn run(tpm: &mut dyn Machine, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let response = tpm.execute(bytes).map_err(|e| format!("no answer: {e}"))?;
    match response.get(6..10) {
        Some(&[0, 0, 0, 0]) => Ok(response),
        // TPM_RC_RETRY: a first use of an algorithm that swtpm tests itself on.
        Some(&[0, 0, 9, 0x22]) => run(tpm, bytes),
        _ => Err(format!("refused: command {:02x?}, response {response:02x?}", bytes.get(6..10))),
    }
}

pub(crate) fn startup() -> Vec<u8> {
    command("Startup", &[], &[], Out::new().u16(0))
}

pub(crate) fn shutdown() -> Vec<u8> {
    command("Shutdown", &[], &[], Out::new().u16(0))
}

pub(crate) fn random() -> Vec<u8> {
    command("GetRandom", &[], &[], Out::new().u16(32))
}

/// PCR 16 in four banks.
pub(crate) fn extend() -> Vec<u8> {
    let banks = [SHA1, SHA256, SHA384, SHA512];
    let each = |out: Out, bank: &u16| out.u16(*bank).raw(&vec![7; digest_size(*bank)]);
    let parameters = banks.iter().fold(Out::new().u32(banks.len() as u32), each);
    command("PCR_Extend", &[16], &[b""], parameters)
}

/// Eight PCRs of SHA-256.
pub(crate) fn read_pcrs() -> Vec<u8> {
    command("PCR_Read", &[], &[], pcrs(SHA256, [0xFF, 0, 0]))
}

/// A part of the index.
pub(crate) fn read(offset: u16) -> Vec<u8> {
    command("NV_Read", &[INDEX, INDEX], &[b""], Out::new().u16(CHUNK).u16(offset))
}

/// The storage key of P-256 that a guest makes at its first boot.
pub(crate) fn primary() -> Vec<u8> {
    command("CreatePrimary", &[RH_OWNER], &[b""], create(b"", b"", &storage_parent()))
}

/// Makes a primary key and forgets it.
pub(crate) fn make_key(tpm: &mut dyn Machine) -> Result<(), String> {
    let key = handle(&run(tpm, &primary())?);
    flush(tpm, key)
}

pub(crate) fn handle(response: &[u8]) -> u32 {
    In(response.get(10..).unwrap_or(&[])).u32().unwrap_or(0)
}

fn flush(tpm: &mut dyn Machine, key: u32) -> Result<(), String> {
    run(tpm, &command("FlushContext", &[], &[], Out::new().u32(key))).map(drop)
}

/// Fills a TPM as a guest's life does: an index with these bytes, and a key that stays.
pub(crate) fn furnish(tpm: &mut dyn Machine, content: &[u8]) -> Result<(), String> {
    let attributes = NV_AUTHWRITE | NV_AUTHREAD | NV_OWNERREAD | NV_OWNERWRITE;
    let public = Out::new().u32(INDEX).u16(SHA256).u32(attributes).sized(&[]).u16(INDEX_SIZE);
    run(tpm, &command("NV_DefineSpace", &[RH_OWNER], &[b""], Out::new().sized(b"").sized(&public.0)))?;
    for (part, offset) in content.chunks(CHUNK.into()).zip((0..).step_by(CHUNK.into())) {
        run(tpm, &command("NV_Write", &[INDEX, INDEX], &[b""], Out::new().sized(part).u16(offset)))?;
    }
    let key = handle(&run(tpm, &primary())?);
    run(tpm, &command("EvictControl", &[RH_OWNER, key], &[b""], Out::new().u32(PERSISTENT)))?;
    flush(tpm, key)
}

/// What tells this TPM from others: the bytes of its index, and the public part and name of its key.
pub(crate) fn identity(tpm: &mut dyn Machine) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    for offset in (0..INDEX_SIZE).step_by(CHUNK.into()) {
        // Header, size of the parameters, and the size before the bytes.
        all.extend(run(tpm, &read(offset))?.get(16..).unwrap_or_default().iter().take(CHUNK.into()));
    }
    let public = command("ReadPublic", &[PERSISTENT], &[], Out::new());
    all.extend(run(tpm, &public)?.get(10..).unwrap_or_default());
    Ok(all)
}

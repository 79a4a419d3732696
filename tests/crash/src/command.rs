//! The commands of the campaign, by password with empty authorization values.

use crate::contents::{BITS, COMING, COUNTER, EXTEND, LARGE, LARGE_SIZE, ORDINARY, Operation, PERSISTENT, large};
use sealwright_differential::codes::{
    NULL, NV_AUTHREAD, NV_AUTHWRITE, NV_BITS, NV_COUNTER, NV_EXTEND, NV_NO_DA, NV_OWNERREAD, NV_OWNERWRITE, RH_LOCKOUT,
    RH_OWNER, SHA256,
};
use sealwright_differential::session::password;
use sealwright_differential::template::{SIGNING, create, ecc};
use sealwright_differential::tpm::{Call, marshal};
use sealwright_differential::wire::{In, Out};

/// Where the first transient object is loaded.
const TRANSIENT: u32 = 0x8000_0000;

fn command(name: &'static str, handles: &[u32], authorized: usize, parameters: Out) -> Vec<u8> {
    let uses = (0..authorized).map(|_| password(b"")).collect();
    marshal(&Call { name, handles: handles.to_vec(), uses, parameters: parameters.0 })
}

/// True if the response says success.
pub(crate) fn succeeded(answer: &[u8]) -> bool {
    answer.get(6..10) == Some(&[0; 4])
}

/// The parameters of a successful response to a command with a session and without a response handle.
pub(crate) fn parameters(answer: &[u8]) -> Option<&[u8]> {
    let mut input = In(answer.get(10..).filter(|_| succeeded(answer))?);
    let size = input.u32()? as usize;
    input.raw(size)
}

/// TPM2_Startup(CLEAR).
pub(crate) fn startup() -> Vec<u8> {
    command("Startup", &[], 0, Out::new().u16(0))
}

/// TPM2_NV_Read of a whole Index.
pub(crate) fn nv_read(index: u32, size: u16) -> Vec<u8> {
    command("NV_Read", &[index, index], 1, Out::new().u16(size).u16(0))
}

/// TPM2_NV_ReadPublic.
pub(crate) fn nv_read_public(index: u32) -> Vec<u8> {
    command("NV_ReadPublic", &[index], 0, Out::new())
}

/// TPM2_ReadPublic.
pub(crate) fn read_public(handle: u32) -> Vec<u8> {
    command("ReadPublic", &[handle], 0, Out::new())
}

/// TPM2_GetCapability of one TPM property.
pub(crate) fn property(property: u32) -> Vec<u8> {
    command("GetCapability", &[], 0, Out::new().u32(6).u32(property).u32(1))
}

/// TPM2_CreatePrimary of a P-256 key.
pub(crate) fn create_primary() -> Vec<u8> {
    let template = ecc(SIGNING, Out::new().u16(NULL), Out::new().u16(NULL), 3);
    command("CreatePrimary", &[RH_OWNER], 1, create(b"", b"", &template))
}

fn define(index: u32, kind: u32, size: u16) -> Vec<u8> {
    let attributes = NV_OWNERWRITE | NV_OWNERREAD | NV_AUTHWRITE | NV_AUTHREAD | NV_NO_DA | kind;
    let public = Out::new().u32(index).u16(SHA256).u32(attributes).sized(b"").u16(size);
    command("NV_DefineSpace", &[RH_OWNER], 1, Out::new().sized(b"").sized(&public.0))
}

/// What the first start does: all Indexes are made and written once.
pub(crate) fn preparation() -> Vec<Vec<u8>> {
    let mut all = vec![
        define(ORDINARY, 0, 8),
        define(LARGE, 0, LARGE_SIZE),
        define(COUNTER, NV_COUNTER, 8),
        define(EXTEND, NV_EXTEND, 32),
        define(BITS, NV_BITS, 8),
    ];
    let writes = [
        Operation::Write(0),
        Operation::WriteLarge(0),
        Operation::Increment,
        Operation::Extend(0),
        Operation::SetBits(0),
    ];
    all.extend(writes.iter().map(bytes));
    all
}

/// The bytes of an operation.
pub(crate) fn bytes(operation: &Operation) -> Vec<u8> {
    let write = |index, data: &[u8]| command("NV_Write", &[index, index], 1, Out::new().sized(data).u16(0));
    match operation {
        Operation::Write(value) => write(ORDINARY, &value.to_be_bytes()),
        Operation::WriteLarge(value) => write(LARGE, &large(*value)),
        Operation::Increment => command("NV_Increment", &[COUNTER, COUNTER], 1, Out::new()),
        Operation::Extend(value) => command("NV_Extend", &[EXTEND, EXTEND], 1, Out::new().sized(&value.to_be_bytes())),
        Operation::SetBits(bits) => command("NV_SetBits", &[BITS, BITS], 1, Out::new().u64(*bits)),
        Operation::Define => define(COMING, 0, 64),
        Operation::Undefine => command("NV_UndefineSpace", &[RH_OWNER, COMING], 1, Out::new()),
        Operation::Persist => command("EvictControl", &[RH_OWNER, TRANSIENT], 1, Out::new().u32(PERSISTENT)),
        Operation::Evict => command("EvictControl", &[RH_OWNER, PERSISTENT], 1, Out::new().u32(PERSISTENT)),
        Operation::MaxAuthFail(value) => {
            command("DictionaryAttackParameters", &[RH_LOCKOUT], 1, Out::new().u32(*value).u32(1000).u32(1000))
        }
        Operation::Read => nv_read(LARGE, LARGE_SIZE),
    }
}

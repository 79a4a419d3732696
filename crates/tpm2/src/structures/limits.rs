//! Sizes of this implementation (Part 2, annex A; as libtpms has them).

/// Largest command and response in bytes.
pub const MAX_COMMAND_SIZE: usize = 4096;
/// Largest digest, nonce and authorization value.
pub const MAX_DIGEST: usize = 64;
/// Largest data of TPM2B_MAX_BUFFER.
pub const MAX_BUFFER: usize = 1024;
/// Largest data of one NV read or write.
pub const MAX_NV_BUFFER: usize = 1024;
/// Largest data of an NV Index.
pub const MAX_NV_INDEX: usize = 2048;
/// Largest RSA modulus in bytes.
pub const MAX_RSA: usize = 512;
/// Largest coordinate of a point in bytes (BN-P638).
pub const MAX_ECC: usize = 80;
/// Largest symmetric key in bytes.
pub const MAX_SYM_KEY: usize = 32;
/// Largest data that can be sealed.
pub const MAX_SYM_DATA: usize = 128;
/// Loaded transient objects and sequences.
pub const MAX_LOADED_OBJECTS: usize = 3;
/// Loaded sessions.
pub const MAX_LOADED_SESSIONS: usize = 3;
/// Loaded and saved sessions.
pub const MAX_ACTIVE_SESSIONS: usize = 64;
/// Sessions of one command.
pub const MAX_SESSIONS: usize = 3;
/// Handles of one command.
pub const MAX_HANDLES: usize = 3;
/// PCR of each bank.
pub const PCR_COUNT: usize = 24;
/// Bytes of a PCR selection bit map.
pub const PCR_SELECT: usize = 3;
/// Hash algorithms, and so PCR banks.
pub const HASH_COUNT: usize = 4;
/// Size of a seed and a proof in bytes.
pub const PRIMARY_SEED: usize = 64;
/// Digests of TPML_DIGEST.
pub const MAX_DIGEST_LIST: usize = 8;
/// Bytes of TPM2B_CONTEXT_DATA.
pub const MAX_CONTEXT: usize = 3400;
/// Split-signing counters.
pub const MAX_COMMITS: usize = 128;

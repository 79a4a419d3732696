//! The same TPM 2.0 commands to two daemons, compared answer by answer. Nothing here uses the engine's own code: the
//! marshalling, sessions, names and signature checks are written a second time, so that a mistake in the engine cannot
//! hide behind the same mistake in its test.

pub mod codes;
pub mod compare;
pub mod crypto;
pub mod daemon;
pub mod describe;
pub mod ecc;
pub mod expected;
pub mod generate;
pub mod meeting;
pub mod mutate;
pub mod scenario;
pub mod session;
pub mod signature;
pub mod table;
pub mod template;
pub mod tpm;
pub mod wire;

//! Attestation and creation data, clock and time (Part 2, 10.11, 10.12, 15).

use super::{Alg, Data, Digest, GENERATED_VALUE, Name, NvBuffer, PcrSelections, st};
use sealwright_core::{Buffer, Fault, Reader, Wire, Writer};
use sealwright_derive::Wire;

/// TPMS_CLOCK_INFO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Wire)]
pub struct ClockInfo {
    /// Milliseconds while powered, since the last Clear.
    pub clock: u64,
    /// TPM Resets since the last Clear.
    pub reset_count: u32,
    /// Restarts and resumes since the last reset.
    pub restart_count: u32,
    /// True if no value above `clock` was reported before.
    pub safe: bool,
}

/// TPMS_TIME_INFO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Wire)]
pub struct TimeInfo {
    /// Milliseconds since the last start of the clock.
    pub time: u64,
    /// Clock.
    pub clock_info: ClockInfo,
}

/// TPMU_ATTEST with its tag (TPM_ST_ATTEST_*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
#[wire(tag = u16, refuse = "SELECTOR")]
#[expect(clippy::large_enum_variant, reason = "one at a time, on the stack: a box would only cost an allocation")]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum Attested {
    #[wire(value = st::ATTEST_NV)]
    Nv { index_name: Name, offset: u16, contents: NvBuffer },
    #[wire(value = st::ATTEST_COMMAND_AUDIT)]
    CommandAudit { counter: u64, hash: Alg, audit_digest: Digest, command_digest: Digest },
    #[wire(value = st::ATTEST_SESSION_AUDIT)]
    SessionAudit { exclusive: bool, digest: Digest },
    #[wire(value = st::ATTEST_CERTIFY)]
    Certify { name: Name, qualified_name: Name },
    #[wire(value = st::ATTEST_QUOTE)]
    Quote { select: PcrSelections, digest: Digest },
    #[wire(value = st::ATTEST_TIME)]
    Time { time: TimeInfo, firmware_version: u64 },
    #[wire(value = st::ATTEST_CREATION)]
    Creation { object_name: Name, creation_hash: Digest },
    #[wire(value = st::ATTEST_NV_DIGEST)]
    NvDigest { index_name: Name, digest: Digest },
}

/// TPMS_ATTEST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attest {
    /// Qualified Name of the signing key.
    pub qualified_signer: Name,
    /// The caller's qualifying data.
    pub extra_data: Data,
    /// Clock; obfuscated for keys outside the endorsement and platform hierarchies.
    pub clock_info: ClockInfo,
    /// Firmware version; obfuscated in the same way.
    pub firmware_version: u64,
    /// What is attested.
    pub attested: Attested,
}

impl Wire for Attest {
    const MAX_SIZE: usize = 6 + Name::MAX_SIZE + Data::MAX_SIZE + ClockInfo::MAX_SIZE + 8 + Attested::MAX_SIZE;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        if u32::read(r)? != GENERATED_VALUE {
            return Err(Fault::VALUE);
        }
        let tag = u16::read(r)?;
        Ok(Self {
            qualified_signer: Wire::read(r)?,
            extra_data: Wire::read(r)?,
            clock_info: Wire::read(r)?,
            firmware_version: Wire::read(r)?,
            attested: Attested::read_body(tag, r)?,
        })
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        GENERATED_VALUE.write(w)?;
        self.attested.tag().write(w)?;
        self.qualified_signer.write(w)?;
        self.extra_data.write(w)?;
        self.clock_info.write(w)?;
        self.firmware_version.write(w)?;
        self.attested.write_body(w)
    }
}

/// TPM2B_ATTEST.
pub type AttestBuffer = Buffer<{ Attest::MAX_SIZE }>;

/// TPMS_CREATION_DATA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Wire)]
pub struct CreationData {
    /// PCR that were selected.
    pub pcr_select: PcrSelections,
    /// Digest of their values.
    pub pcr_digest: Digest,
    /// Locality of the command, as a bit.
    pub locality: u8,
    /// Name algorithm of the parent.
    pub parent_name_alg: Alg,
    /// Name of the parent.
    pub parent_name: Name,
    /// Qualified Name of the parent.
    pub parent_qualified_name: Name,
    /// The caller's data.
    pub outside_info: Data,
}

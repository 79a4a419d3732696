//! Certificates and templates in NV.

use super::Vtpm;
use super::request::Request;
use crate::failure::{Failure, failure};

/// TPMA_NV: PPWRITE, WRITEDEFINE, PPREAD, OWNERREAD, AUTHREAD, NO_DA, PLATFORMCREATE.
const ATTRIBUTES: u32 = 1 | 1 << 13 | 1 << 16 | 1 << 17 | 1 << 18 | 1 << 25 | 1 << 30;
const PLATFORM: u32 = 0x4000_000C;
const SHA256: u16 = 0x000B;
/// What one TPM2_NV_Write takes (TPM_PT_NV_BUFFER_MAX).
const PIECE: usize = 1024;

impl Vtpm {
    /// Defines an Index of the platform with this content. `lock` makes it one that cannot be written any more.
    pub(super) fn store(&mut self, index: u32, content: &[u8], lock: bool, what: &str) -> Result<(), Failure> {
        let size = u16::try_from(content.len()).map_err(|_| failure!("{what} has {} bytes", content.len()))?;
        let public = [&index.to_be_bytes()[..], &SHA256.to_be_bytes(), &ATTRIBUTES.to_be_bytes(), &[0, 0]].concat();
        let public = [&public[..], &size.to_be_bytes()].concat();
        self.run("TPM2_NV_DefineSpace", Request::authorized(0x12A, &[PLATFORM]).sized(&[]).sized(&public))
            .map_err(|fault| failure!("Could not create NVRAM area {index:#x} for {what} of {size} bytes: {fault}"))?;
        let mut offset = 0u16;
        for piece in content.chunks(PIECE) {
            let request = Request::authorized(0x137, &[PLATFORM, index]).sized(piece).u16(offset);
            self.run("TPM2_NV_Write", request)
                .map_err(|fault| failure!("Could not write {what} into NVRAM area {index:#x}: {fault}"))?;
            offset = offset.saturating_add(u16::try_from(piece.len()).unwrap_or(u16::MAX));
        }
        if lock {
            self.run("TPM2_NV_WriteLock", Request::authorized(0x138, &[PLATFORM, index]))
                .map_err(|fault| failure!("Could not lock NVRAM area {index:#x}: {fault}"))?;
        }
        Ok(())
    }
}

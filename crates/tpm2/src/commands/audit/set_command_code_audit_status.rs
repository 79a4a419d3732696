//! `TPM2_SetCommandCodeAuditStatus` (Part 3, 21.2).

use crate::structures::{Digest, HashAlg, List, RhProvision};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::{Buffer, Fault};
use sealwright_derive::Command;

/// A shutdown cannot be audited: the digest does not outlive it.
const SHUTDOWN: u32 = 0x145;
/// This command is always audited.
const SET_COMMAND_CODE_AUDIT_STATUS: u32 = 0x140;

/// Changes which commands are audited, or the hash of the audit.
#[derive(Command)]
#[command(code = 0x140, nv)]
#[doc(alias = "TPM2_SetCommandCodeAuditStatus")]
pub struct SetCommandCodeAuditStatus {
    /// Owner or platform.
    #[handle(auth = user)]
    pub auth: RhProvision,
    /// New hash of the audit; NULL to keep it.
    pub audit_alg: Option<HashAlg>,
    /// Commands to be audited.
    pub set_list: List<u32, 254>,
    /// Commands not to be audited any more.
    pub clear_list: List<u32, 254>,
}

impl Execute for SetCommandCodeAuditStatus {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        if self.audit_alg.is_some() && self.audit_alg != tpm.state.permanent.audit_hash {
            if !self.set_list.is_empty() || !self.clear_list.is_empty() {
                return Err(Fault::VALUE.at_parameter(1));
            }
            tpm.permanent_mut().audit_hash = self.audit_alg;
            // A single byte tells the audit that this command is not part of the digest that begins.
            let begun: Digest = Buffer::zeros(1);
            tpm.reset_mut().command_audit_digest = begun;
            return Ok(());
        }
        for code in self.set_list.iter().copied().filter(|code| *code != SHUTDOWN) {
            if tpm.has_command(code) && !tpm.state.permanent.audit_commands.contains(code) {
                tpm.permanent_mut().audit_commands.add(code);
            }
        }
        for code in self.clear_list.iter().copied().filter(|code| *code != SET_COMMAND_CODE_AUDIT_STATUS) {
            if tpm.state.permanent.audit_commands.contains(code) {
                tpm.permanent_mut().audit_commands.remove(code);
            }
        }
        Ok(())
    }
}

//! `TPM2_PP_Commands` (Part 3, 26.2).

use crate::structures::{List, RhPlatform};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Command;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Sets which commands need physical presence.
#[derive(Command)]
#[command(code = 0x12D, nv)]
#[doc(alias = "TPM2_PP_Commands")]
pub struct PpCommands {
    /// PLATFORM; with physical presence.
    #[handle(auth = user)]
    pub auth: RhPlatform,
    /// Commands that shall need it.
    pub set_list: List<u32, 254>,
    /// Commands that shall not.
    pub clear_list: List<u32, 254>,
}

impl Execute for PpCommands {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        for code in self.set_list.iter().copied().filter(|code| crate::commands::may_need_presence(*code)) {
            if tpm.has_command(code) {
                tpm.permanent_mut().pp_commands.add(code);
            }
        }
        let permanent = tpm.permanent_mut();
        for code in self.clear_list.iter().filter(|code| **code != <Self as Command>::SPEC.code) {
            permanent.pp_commands.remove(*code);
        }
        Ok(())
    }
}

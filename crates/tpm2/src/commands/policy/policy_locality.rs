//! `TPM2_PolicyLocality` (Part 3, 23.8).

use crate::structures::{Locality, ShPolicy};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Limits a policy to localities.
#[derive(Command)]
#[command(code = 0x16F)]
#[doc(alias = "TPM2_PolicyLocality")]
pub struct PolicyLocality {
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
    /// Localities that are allowed.
    pub locality: Locality,
}

impl Execute for PolicyLocality {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let session = self.policy_session.0;
        let wanted = self.locality.0;
        let refused = Err(Fault::RANGE.at_parameter(1));
        let before = tpm.policy(session)?.1.locality;
        if wanted == 0 || (before != 0 && (before < 32) != (wanted < 32)) {
            return refused;
        }
        let next = match before {
            0 => wanted,
            _ if wanted < 32 => before & wanted,
            _ if before == wanted => wanted,
            _ => 0,
        };
        if next == 0 {
            return refused;
        }
        tpm.extend_policy(session, &[&0x16Fu32.to_be_bytes(), &[wanted]])?;
        tpm.policy_mut(session)?.locality = next;
        Ok(())
    }
}

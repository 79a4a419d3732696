//! `TPM2_PolicyPcr` (Part 3, 23.7).

use crate::structures::{Digest, PcrSelections, ShPolicy};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_core::{Wire, Writer};
use sealwright_derive::Command;

/// Binds a policy to values of PCR.
#[derive(Command)]
#[command(code = 0x17F)]
#[doc(alias = "TPM2_PolicyPcr")]
pub struct PolicyPcr {
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
    /// Digest of the values; empty for the present ones.
    pub pcr_digest: Digest,
    /// The PCR.
    pub pcrs: PcrSelections,
}

impl Execute for PolicyPcr {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let session = self.policy_session.0;
        let (hash, policy) = tpm.policy(session)?;
        let (trial, seen) = (policy.trial, policy.pcr_counter);
        let mut pcrs = self.pcrs;
        let mut digest = tpm.pcr_digest(hash, &mut pcrs);
        let counter = tpm.state.reset.pcr_counter;
        if trial {
            if !self.pcr_digest.is_empty() {
                digest = self.pcr_digest;
            }
        } else {
            if seen != 0 && seen != counter {
                return Err(Fault::PCR_CHANGED);
            }
            if !self.pcr_digest.is_empty() && self.pcr_digest != digest {
                return Err(Fault::VALUE.at_parameter(1));
            }
        }
        let mut room = [0; PcrSelections::MAX_SIZE];
        let mut selection = Writer::new(&mut room);
        pcrs.write(&mut selection)?;
        tpm.extend_policy(session, &[&0x17Fu32.to_be_bytes(), selection.written(), &digest])?;
        if !trial {
            tpm.policy_mut(session)?.pcr_counter = counter;
        }
        Ok(())
    }
}

//! `TPM2_PolicyNV` (Part 3, 23.9).

use super::condition::holds;
use crate::structures::{Digest, Eo, RhNvAuth, RhNvIndex, ShPolicy};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Binds a policy to the contents of an Index.
#[derive(Command)]
#[command(code = 0x149)]
#[doc(alias = "TPM2_PolicyNV")]
pub struct PolicyNv {
    /// Who may read the Index.
    #[handle(auth = user)]
    pub auth_handle: RhNvAuth,
    /// The Index.
    #[handle]
    pub nv_index: RhNvIndex,
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
    /// Second operand.
    pub operand_b: Digest,
    /// Place of the first operand in the Index.
    pub offset: u16,
    /// The comparison.
    pub operation: Eo,
}

impl Execute for PolicyNv {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let (session, index) = (self.policy_session.0, self.nv_index.0);
        let (hash, policy) = tpm.policy(session)?;
        if !policy.trial {
            let found = tpm.nv_index(index)?;
            tpm.nv_read_access_check(self.auth_handle.0, index, &found)?;
            let rest = usize::from(found.public.data_size).checked_sub(self.offset.into());
            let rest = rest.ok_or(Fault::VALUE.at_parameter(2))?;
            if rest < self.operand_b.len() {
                return Err(Fault::SIZE.at_parameter(1));
            }
            let data = found.data.get(usize::from(self.offset)..).and_then(|d| d.get(..self.operand_b.len()));
            if !holds(self.operation, data.ok_or(Fault::NV_RANGE)?, &self.operand_b) {
                return Err(Fault::POLICY);
            }
        }
        let (offset, operation) = (self.offset.to_be_bytes(), self.operation.value().to_be_bytes());
        let arguments = tpm.hash(hash, &[&self.operand_b, &offset, &operation]);
        let name = tpm.entity_name(index)?;
        tpm.extend_policy(session, &[&0x149u32.to_be_bytes(), &arguments, &name])
    }
}

//! `TPM2_PolicyDuplicationSelect` (Part 3, 23.15).

use crate::session::BoundHash;
use crate::structures::{Name, ShPolicy};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Buffer;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// TPM_CC_Duplicate.
const DUPLICATE: u32 = 0x14B;

/// Limits a policy to the duplication of one object, to one parent.
#[derive(Command)]
#[command(code = 0x188)]
#[doc(alias = "TPM2_PolicyDuplicationSelect")]
pub struct PolicyDuplicationSelect {
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
    /// Name of the object.
    pub object_name: Name,
    /// Name of the new parent.
    pub new_parent_name: Name,
    /// True if the Name of the object is part of the policy.
    pub include_object: bool,
}

impl Execute for PolicyDuplicationSelect {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let session = self.policy_session.0;
        let (hash, policy) = tpm.policy(session)?;
        if policy.bound.is_some() {
            return Err(Fault::CPHASH);
        }
        if policy.command_code != 0 {
            return Err(Fault::COMMAND_CODE);
        }
        let names = Buffer::from_slice(&tpm.hash(hash, &[&self.object_name, &self.new_parent_name]))?;
        let object: &[u8] = if self.include_object { &self.object_name } else { &[] };
        let include = [u8::from(self.include_object)];
        tpm.extend_policy(session, &[&0x188u32.to_be_bytes(), object, &self.new_parent_name, &include])?;
        let policy = tpm.policy_mut(session)?;
        policy.bound = Some(BoundHash::Names(names));
        policy.command_code = DUPLICATE;
        Ok(())
    }
}

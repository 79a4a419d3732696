//! `TPM2_PolicyCounterTimer` (Part 3, 23.10).

use super::condition::holds;
use crate::structures::{Digest, Eo, ShPolicy, TimeInfo};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::{Fault, Wire, Writer};
use sealwright_derive::Command;

/// Binds a policy to TPMS_TIME_INFO.
#[derive(Command)]
#[command(code = 0x16D)]
#[doc(alias = "TPM2_PolicyCounterTimer")]
pub struct PolicyCounterTimer {
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
    /// Second operand.
    pub operand_b: Digest,
    /// Place of the first operand in the structure.
    pub offset: u16,
    /// The comparison.
    pub operation: Eo,
}

impl Execute for PolicyCounterTimer {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let session = self.policy_session.0;
        let mut room = [0; TimeInfo::MAX_SIZE];
        let mut info = Writer::new(&mut room);
        tpm.time_info().write(&mut info)?;
        let from = info.written().get(usize::from(self.offset)..).ok_or(Fault::VALUE.at_parameter(2))?;
        let operand_a = from.get(..self.operand_b.len()).ok_or(Fault::RANGE)?;
        let (hash, policy) = tpm.policy(session)?;
        if !policy.trial && !holds(self.operation, operand_a, &self.operand_b) {
            return Err(Fault::POLICY);
        }
        let (offset, operation) = (self.offset.to_be_bytes(), self.operation.value().to_be_bytes());
        let arguments = tpm.hash(hash, &[&self.operand_b, &offset, &operation]);
        tpm.extend_policy(session, &[&0x16Du32.to_be_bytes(), &arguments])
    }
}

//! `TPM2_PolicyCapability` (Part 3, 23.23).

use super::condition::holds;
use crate::commands::capability::get_capability::GetCapability;
use crate::structures::{AskedCapability, Capability, Digest, Eo, ShPolicy};
use crate::table::Execute;
use crate::tpm::Tpm;
use alloc::vec::Vec;
use sealwright_core::{Fault, Reader, Wire, Writer};
use sealwright_derive::Command;

/// Binds a policy to a capability of the TPM.
#[derive(Command)]
#[command(code = 0x19B)]
#[doc(alias = "TPM2_PolicyCapability")]
pub struct PolicyCapability {
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
    /// Second operand.
    pub operand_b: Digest,
    /// Place of the first operand in the capability.
    pub offset: u16,
    /// The comparison.
    pub operation: Eo,
    /// Group of capabilities.
    pub capability: Capability,
    /// The capability.
    pub property: u32,
}

/// The bytes of exactly this capability; empty if there is none.
fn property(tpm: &mut Tpm<'_>, capability: Capability, property: u32) -> Result<Vec<u8>, Fault> {
    let found =
        GetCapability { capability: AskedCapability(Some(capability)), property, property_count: 1 }.execute(tpm)?;
    let mut room = [0u8; 128];
    let mut w = Writer::new(&mut room);
    found.capability_data.write(&mut w)?;
    // After the group and the count comes the item, which begins with its number.
    let mut item = Reader::new(w.written());
    let (_, count) = (u32::read(&mut item)?, u32::read(&mut item)?);
    if count == 0 {
        return Ok(Vec::new());
    }
    let bytes = item.rest().to_vec();
    let number = match capability {
        Capability::Algs | Capability::EccCurves => u32::from(u16::read(&mut item)?),
        // TPMA_CC: the number of the command is in the lower half.
        Capability::Commands => u32::read(&mut item)? & 0xFFFF,
        _ => u32::read(&mut item)?,
    };
    Ok(if number == property { bytes } else { Vec::new() })
}

impl Execute for PolicyCapability {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let session = self.policy_session.0;
        let (hash, policy) = tpm.policy(session)?;
        if !policy.trial {
            if matches!(self.capability, Capability::Pcrs | Capability::Act) {
                return Err(Fault::VALUE.at_parameter(4));
            }
            let found = property(tpm, self.capability, self.property).map_err(|fault| fault.at_parameter(5))?;
            if found.is_empty() {
                if self.operation != Eo::Neq {
                    return Err(Fault::POLICY);
                }
            } else {
                let from = found.get(usize::from(self.offset)..).ok_or(Fault::VALUE.at_parameter(2))?;
                let operand_a = from.get(..self.operand_b.len()).ok_or(Fault::SIZE.at_parameter(1))?;
                if !holds(self.operation, operand_a, &self.operand_b) {
                    return Err(Fault::POLICY);
                }
            }
        }
        let (offset, operation) = (self.offset.to_be_bytes(), self.operation.value().to_be_bytes());
        let (capability, property) = (self.capability.value().to_be_bytes(), self.property.to_be_bytes());
        let arguments = tpm.hash(hash, &[&self.operand_b, &offset, &operation, &capability, &property]);
        tpm.extend_policy(session, &[&0x19Bu32.to_be_bytes(), &arguments])
    }
}

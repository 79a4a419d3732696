//! `TPM2_PolicyOr` (Part 3, 23.6).

use crate::structures::{Digest, List, MAX_DIGEST_LIST, ShPolicy};
use crate::table::Execute;
use crate::tpm::Tpm;
use alloc::{vec, vec::Vec};
use sealwright_core::{Fault, Reader, Wire, Writer};
use sealwright_derive::Command;

/// TPML_DIGEST with two digests at least.
#[derive(Clone, Debug)]
pub struct Branches(pub List<Digest, MAX_DIGEST_LIST>);

impl Wire for Branches {
    const MAX_SIZE: usize = List::<Digest, MAX_DIGEST_LIST>::MAX_SIZE;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        if u32::read(&mut r.clone())? < 2 {
            return Err(Fault::SIZE);
        }
        List::read(r).map(Self)
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        self.0.write(w)
    }
}

/// Replaces the policy by the OR of several, of which the present one must be one.
#[derive(Command)]
#[command(code = 0x171)]
#[doc(alias = "TPM2_PolicyOr")]
pub struct PolicyOr {
    /// The policy session.
    #[handle]
    pub policy_session: ShPolicy,
    /// The policies, two at least.
    pub p_hash_list: Branches,
}

impl Execute for PolicyOr {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let session = self.policy_session.0;
        let branches = self.p_hash_list.0;
        let (_, policy) = tpm.policy(session)?;
        if !policy.trial && !branches.contains(&policy.digest) {
            return Err(Fault::VALUE.at_parameter(1));
        }
        tpm.clear_policy_digest(session)?;
        let code = 0x171u32.to_be_bytes();
        let mut parts: Vec<&[u8]> = vec![&code];
        parts.extend(branches.iter().map(|digest| digest.as_slice()));
        tpm.extend_policy(session, &parts)
    }
}

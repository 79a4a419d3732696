//! Proofs of hierarchies and the tickets made with them (Part 2, 10.7; Part 4, Ticket.c).

use crate::structures::{Digest, HashAlg, Name, PRIMARY_SEED, RhHierarchy, Secret, Ticket, rh, st};
use crate::tpm::Tpm;
use sealwright_core::{Buffer, Fault};

/// The hash of tickets, contexts and credentials inside the TPM (TPM_PT_CONTEXT_HASH).
pub(crate) const CONTEXT_HASH: HashAlg = HashAlg::Sha512;

impl Tpm<'_> {
    /// The proof of a hierarchy; that of NULL changes at each reset.
    pub(crate) fn proof(&self, hierarchy: u32) -> &Secret<PRIMARY_SEED> {
        match hierarchy {
            rh::OWNER => &self.state.permanent.sh_proof,
            rh::ENDORSEMENT => &self.state.permanent.eh_proof,
            rh::PLATFORM => &self.state.permanent.ph_proof,
            _ => &self.state.reset.null_proof,
        }
    }

    /// HMAC of the parts under the proof of a hierarchy.
    pub(crate) fn ticket_digest(&self, hierarchy: u32, tag: u16, parts: &[&[u8]]) -> Result<Digest, Fault> {
        let tag = tag.to_be_bytes();
        let mut all: alloc::vec::Vec<&[u8]> = alloc::vec![&tag];
        all.extend_from_slice(parts);
        Buffer::from_slice(&self.crypto.hash.hmac(CONTEXT_HASH, self.proof(hierarchy), &all))
    }

    /// TPMT_TK_VERIFIED: this key verified a signature over this digest.
    pub(crate) fn verified_ticket(
        &self,
        hierarchy: u32,
        digest: &[u8],
        key: &Name,
    ) -> Result<Ticket<{ st::VERIFIED }>, Fault> {
        let mac = self.ticket_digest(hierarchy, st::VERIFIED, &[digest, key])?;
        Ok(Ticket { tag: st::VERIFIED, hierarchy: RhHierarchy(hierarchy), digest: mac })
    }

    /// TPMT_TK_HASHCHECK: this TPM hashed data that did not begin with TPM_GENERATED_VALUE. NULL hierarchy: NULL ticket.
    pub(crate) fn hashcheck_ticket(
        &self,
        hierarchy: u32,
        hash: HashAlg,
        digest: &[u8],
    ) -> Result<Ticket<{ st::HASHCHECK }>, Fault> {
        let mac = self.ticket_digest(hierarchy, st::HASHCHECK, &[&hash.id().to_be_bytes(), digest])?;
        Ok(Ticket { tag: st::HASHCHECK, hierarchy: RhHierarchy(hierarchy), digest: mac })
    }

    /// TPMT_TK_CREATION: this TPM created this object with these creation data.
    pub(crate) fn creation_ticket(
        &self,
        hierarchy: u32,
        name: &Name,
        creation_hash: &[u8],
    ) -> Result<Ticket<{ st::CREATION }>, Fault> {
        let mac = self.ticket_digest(hierarchy, st::CREATION, &[name, creation_hash])?;
        Ok(Ticket { tag: st::CREATION, hierarchy: RhHierarchy(hierarchy), digest: mac })
    }

    /// TPMT_TK_AUTH (AUTH_SIGNED or AUTH_SECRET): an authorization that a policy may use until `timeout`.
    #[expect(clippy::too_many_arguments, reason = "what the ticket is made of (Part 2, 10.7.5)")]
    pub(crate) fn auth_ticket(
        &self,
        tag: u16,
        hierarchy: u32,
        timeout: &[u8],
        epoch: u32,
        cp_hash: &[u8],
        policy_ref: &[u8],
        entity: &Name,
    ) -> Result<crate::structures::AuthTicket, Fault> {
        let epoch = epoch.to_be_bytes();
        let lengths = [timeout.len(), cp_hash.len(), policy_ref.len()].map(|n| n.to_be_bytes());
        let [a, b, c] = &lengths;
        let mac = self.ticket_digest(hierarchy, tag, &[a, timeout, &epoch, b, cp_hash, c, policy_ref, entity])?;
        Ok(crate::structures::AuthTicket { tag, hierarchy: RhHierarchy(hierarchy), digest: mac })
    }
}

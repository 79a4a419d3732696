//! Tickets: proofs that the TPM did something (Part 2, 10.7).

use super::{Digest, RhHierarchy, st};
use sealwright_core::{Fault, Reader, Wire, Writer};

/// A ticket of any kind: TPMT_TK_CREATION, _VERIFIED, _AUTH, _HASHCHECK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket<const A: u16, const B: u16 = A> {
    /// Tag: `A` or `B`.
    pub tag: u16,
    /// Hierarchy whose proof made the digest.
    pub hierarchy: RhHierarchy,
    /// The HMAC, or empty for a NULL ticket.
    pub digest: Digest,
}

/// TPMT_TK_CREATION.
pub type CreationTicket = Ticket<{ st::CREATION }>;
/// TPMT_TK_VERIFIED.
pub type VerifiedTicket = Ticket<{ st::VERIFIED }>;
/// TPMT_TK_AUTH.
pub type AuthTicket = Ticket<{ st::AUTH_SIGNED }, { st::AUTH_SECRET }>;
/// TPMT_TK_HASHCHECK.
pub type HashcheckTicket = Ticket<{ st::HASHCHECK }>;

impl<const A: u16, const B: u16> Ticket<A, B> {
    /// The NULL ticket.
    pub fn null() -> Self {
        Self { tag: A, hierarchy: RhHierarchy(super::rh::NULL), digest: Digest::EMPTY }
    }
}

impl<const A: u16, const B: u16> Wire for Ticket<A, B> {
    const MAX_SIZE: usize = 6 + Digest::MAX_SIZE;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let tag = u16::read(r)?;
        if tag != A && tag != B {
            return Err(if st::is_known(tag) { Fault::TAG } else { Fault::VALUE });
        }
        Ok(Self { tag, hierarchy: Wire::read(r)?, digest: Wire::read(r)? })
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        self.tag.write(w)?;
        self.hierarchy.write(w)?;
        self.digest.write(w)
    }
}

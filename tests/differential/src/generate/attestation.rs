//! Attestation by any key, audits, and questions about the TPM.

use super::world::{Object, World};
use crate::codes::*;
use crate::template::null;
use crate::wire::Out;

impl World<'_> {
    fn signer(&mut self) -> (super::world::Entity, Out) {
        let key: Option<Object> = match self.r.below(10) {
            0 => self.some_object(),
            1..=2 => None,
            _ => self.some_of(&[ECC, RSA, KEYEDHASH], KEY_SIGN),
        };
        let chosen = if self.chance(75) { null() } else { self.signing_scheme() };
        match key {
            Some(object) => (object.entity, chosen),
            None => (self.hierarchy(RH_NULL), chosen),
        }
    }

    /// One attestation.
    pub(super) fn attest(&mut self) {
        let (signer, chosen) = self.signer();
        let n = self.of(&[0usize, 8, 32, 64]);
        let q = Out::new().sized(&self.r.bytes(n)).raw(&chosen.0);
        let endorsement = self.hierarchy(RH_ENDORSEMENT);
        match self.r.below(8) {
            0 => {
                let select = self.selection();
                self.act("Quote", &[signer], &[], q.raw(&select.0));
            }
            1..=2 => {
                if let Some(object) = self.some_object() {
                    self.act("Certify", &[object.entity, signer], &[], q);
                }
            }
            3 => {
                let all: Vec<Object> = self.objects.iter().filter(|o| o.creation.is_some()).cloned().collect();
                if let Some(object) = self.one(&all)
                    && let Some((hash, ticket)) = object.creation.clone()
                {
                    let p = Out::new().sized(b"q").sized(&hash).raw(&chosen.0).raw(&ticket);
                    self.act("CertifyCreation", &[signer], &[object.entity.handle], p);
                }
            }
            4 => drop(self.act("GetTime", &[endorsement, signer], &[], q)),
            5 => drop(self.act("GetCommandAuditDigest", &[endorsement, signer], &[], q)),
            6 => {
                let all: Vec<u32> = self.sessions.iter().copied().filter(|s| s >> 24 == 2).collect();
                if let Some(session) = self.one(&all) {
                    self.act("GetSessionAuditDigest", &[endorsement, signer], &[session], q);
                }
            }
            _ => {
                if let Some(index) = self.one(&self.indexes.clone()) {
                    let by = self.index_authority(&index);
                    let size = self.r.below(usize::from(index.size) + 2) as u16;
                    self.act("NV_Certify", &[signer, by], &[index.entity.handle], q.u16(size).u16(0));
                }
            }
        }
    }

    /// One command that asks something and changes nothing, or nearly so.
    pub(super) fn question(&mut self) {
        match self.r.below(9) {
            0..=2 => {
                let (capability, first) = self.of(&[
                    (0u32, 0u32),
                    (0, 0x18),
                    (1, 0x0100_0000),
                    (1, 0x8100_0000),
                    (1, 0x0200_0000),
                    (1, 0x0300_0000),
                    (4, 0),
                    (3, 0),
                    (6, 0x200),
                    (7, 0),
                    (8, 0),
                    (9, 0),
                ]);
                let count = self.of(&[0u32, 1, 2, 10, 127, 1000]);
                self.bare("GetCapability", &[], Out::new().u32(capability).u32(first).u32(count));
            }
            3 => {
                let n = self.of(&[0u16, 1, 20, 48, 64, 65, 1000]);
                self.bare("GetRandom", &[], Out::new().u16(n));
            }
            4 => {
                let n = self.of(&[0usize, 1, 64, 128, 129]);
                let data = self.r.bytes(n);
                self.bare("StirRandom", &[], Out::new().sized(&data));
            }
            5 => drop(self.bare("ReadClock", &[], Out::new())),
            6 => {
                let (data, alg) = (self.r.bytes(100), self.of(&[SHA1, SHA256, SHA384, SHA512, SM3, NULL]));
                let hierarchy = self.of(&[RH_OWNER, RH_PLATFORM, RH_NULL, RH_LOCKOUT]);
                self.bare("Hash", &[], Out::new().sized(&data).u16(alg).u32(hierarchy));
            }
            7 => {
                let area = self.template(false).area;
                // TestParms takes the type and the parameters: what is before `unique`, without names and policy.
                let kind = area.get(..2).unwrap_or_default().to_vec();
                self.bare("TestParms", &[], Out::new().raw(&kind).u16(AES).u16(128).u16(CFB));
            }
            _ => self.sequence(),
        }
    }
}

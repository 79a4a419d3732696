//! What an operator may know of a TPM's permanent state: what is in it and what changed, never a secret.

use crate::engine::Tpm2;
use crate::nv::NvIndex;
use crate::state::Hierarchy;
use crate::structures::{HashAlg, NvAttributes, NvType, ObjectType};
use alloc::{string::String, vec::Vec};
use sealwright_core::{Engine as _, Platform, PlatformFault};
use sealwright_crypto::Crypto;

/// A digest of something that is only compared, never shown.
type Fingerprint = [u8; 32];

/// An NV Index without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NvSummary {
    /// Handle, 0x01......
    pub index: u32,
    /// TPMA_NV.
    pub attributes: u32,
    /// The kind: `ordinary`, `counter`, `bits`, `extend`, `pin-fail`, `pin-pass`.
    pub kind: &'static str,
    /// Bytes of data.
    pub size: u16,
    /// The count of a counter that was written.
    pub count: Option<u64>,
    content: Fingerprint,
    auth: Fingerprint,
}

/// A persistent object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectSummary {
    /// Handle, 0x81......
    pub handle: u32,
    /// `rsa`, `ecc`, `keyedhash` or `symcipher`.
    pub kind: &'static str,
    /// The Name: algorithm identifier and digest of the public area.
    pub name: Vec<u8>,
    content: Fingerprint,
}

/// A permanent state as an operator sees it. Two of them tell what changed in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// TPM_PT_FIRMWARE_VERSION_1 and 2.
    pub firmware: [u32; 2],
    /// TPM Resets since it was made.
    pub total_resets: u64,
    /// TPM Resets since the last TPM2_Clear.
    pub resets: u32,
    /// Clock in milliseconds, when it was last stored.
    pub clock: u64,
    /// True if TPM2_Clear is switched off.
    pub clear_disabled: bool,
    /// Failed authorizations that count against the lockout, of how many, and after how many seconds one is forgotten.
    pub failed_tries: (u32, u32, u32),
    /// The banks of PCR that are allocated.
    pub banks: Vec<&'static str>,
    /// NV Indexes, ascending.
    pub nv: Vec<NvSummary>,
    /// Persistent objects, ascending.
    pub persistent: Vec<ObjectSummary>,
    /// Commands whose use is audited.
    pub audited: usize,
    /// Owner, endorsement, lockout: digests of authorization values and policies.
    hierarchies: [(&'static str, Fingerprint); 3],
    /// Seeds and proofs of owner, endorsement and platform.
    seeds: [(&'static str, Fingerprint); 3],
}

const fn bank(alg: HashAlg) -> &'static str {
    match alg {
        HashAlg::Sha1 => "sha1",
        HashAlg::Sha256 => "sha256",
        HashAlg::Sha384 => "sha384",
        HashAlg::Sha512 => "sha512",
    }
}

fn fingerprint(crypto: &Crypto, parts: &[&[u8]]) -> Fingerprint {
    crypto.hash.digest(HashAlg::Sha256, parts).first_chunk().copied().unwrap_or_default()
}

fn nv(crypto: &Crypto, index: u32, nv: &NvIndex) -> NvSummary {
    let (kind, counts) = match nv.public.attributes.nv_type() {
        Some(NvType::Counter) => ("counter", true),
        Some(NvType::Bits) => ("bits", false),
        Some(NvType::Extend) => ("extend", false),
        Some(NvType::PinFail) => ("pin-fail", false),
        Some(NvType::PinPass) => ("pin-pass", false),
        Some(NvType::Ordinary) | None => ("ordinary", false),
    };
    NvSummary {
        index,
        attributes: nv.public.attributes.0,
        kind,
        size: nv.public.data_size,
        count: (counts && nv.has(NvAttributes::WRITTEN)).then(|| nv.value()),
        content: fingerprint(crypto, &[&nv.data]),
        auth: fingerprint(crypto, &[&nv.auth, &nv.public.auth_policy]),
    }
}

impl Tpm2 {
    /// What an operator may know of the permanent state.
    pub fn summary(&self) -> Summary {
        let (crypto, p) = (self.crypto, &self.state.permanent);
        let hierarchy = |h: &Hierarchy| fingerprint(crypto, &[&h.auth, b"\0policy", &h.policy]);
        let object = |(handle, object): (u32, &alloc::sync::Arc<crate::object::Object>)| ObjectSummary {
            handle,
            kind: match object.public.object_type() {
                ObjectType::Rsa => "rsa",
                ObjectType::Ecc => "ecc",
                ObjectType::KeyedHash => "keyedhash",
                ObjectType::SymCipher => "symcipher",
            },
            name: object.name.to_vec(),
            content: fingerprint(crypto, &[&object.name, &object.qualified_name]),
        };
        Summary {
            firmware: p.firmware_version,
            total_resets: p.total_reset_count,
            resets: p.reset_count,
            clock: p.clock,
            clear_disabled: p.disable_clear,
            failed_tries: (p.failed_tries, p.max_tries, p.recovery_time),
            banks: p
                .pcr_allocated
                .iter()
                .filter(|b| b.select.iter().any(|byte| *byte != 0))
                .map(|b| bank(b.hash))
                .collect(),
            nv: p.nv.iter().map(|(index, one)| nv(crypto, index, one)).collect(),
            persistent: p.persistent.iter().map(object).collect(),
            audited: p.audit_commands.len(),
            hierarchies: [
                ("owner", hierarchy(&p.owner)),
                ("endorsement", hierarchy(&p.endorsement)),
                ("lockout", hierarchy(&p.lockout)),
            ],
            seeds: [
                ("owner", fingerprint(crypto, &[&p.sp_seed.bytes, &p.sh_proof])),
                ("endorsement", fingerprint(crypto, &[&p.ep_seed.bytes, &p.eh_proof])),
                ("platform", fingerprint(crypto, &[&p.pp_seed.bytes, &p.ph_proof])),
            ],
        }
    }

    /// The Name of the endorsement key of a template (TPMT_PUBLIC), whoever has its authorization: the TPM's identity.
    /// It is made on a copy; nothing changes. `None` if the template makes no key.
    pub fn endorsement_key(&self, template: &[u8]) -> Option<Vec<u8>> {
        let mut permanent = (*self.state.permanent).clone();
        permanent.endorsement = Hierarchy::default();
        let mut copy = Self::of_permanent(self.crypto, permanent);
        copy.power_on(&mut Nowhere);
        let mut run = |command: &[u8]| {
            let mut response = alloc::vec![0; 4096];
            let length = copy.execute(&mut Nowhere, 0, command, &mut response);
            response.truncate(length);
            (response.get(6..10)? == [0; 4]).then_some(response)
        };
        run(&[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0])?;
        let size = u16::try_from(template.len()).ok()?.to_be_bytes();
        let length = u32::try_from(template.len()).ok()?.checked_add(41)?.to_be_bytes();
        let mut command = Vec::from([0x80, 2]);
        command.extend_from_slice(&length);
        // CreatePrimary in the endorsement hierarchy, an empty password, an empty TPM2B_SENSITIVE_CREATE.
        command.extend_from_slice(&[0, 0, 1, 0x31, 0x40, 0, 0, 0x0B]);
        command.extend_from_slice(&[0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
        command.extend_from_slice(&size);
        command.extend_from_slice(template);
        command.extend_from_slice(&[0; 6]);
        let answer = run(&command)?;
        // TPM2_ReadPublic of the handle: the public area, then the Name.
        let mut public = alloc::vec![0x80, 1, 0, 0, 0, 14, 0, 0, 1, 0x73];
        public.extend_from_slice(answer.get(10..14)?);
        let answer = run(&public)?;
        let area = usize::from(u16::from_be_bytes(*answer.get(10..)?.first_chunk()?));
        let name = answer.get(area.checked_add(12)?..)?;
        let size = usize::from(u16::from_be_bytes(*name.first_chunk()?));
        name.get(2..)?.get(..size).map(<[u8]>::to_vec)
    }
}

/// The host of a copy that is thrown away: no entropy worth the name, no clock, no store.
struct Nowhere;

impl Platform for Nowhere {
    fn entropy(&mut self, out: &mut [u8]) -> Result<(), PlatformFault> {
        out.fill(0);
        Ok(())
    }
    fn now(&mut self) -> u64 {
        0
    }
    fn commit(&mut self, _: &[u8]) -> Result<(), PlatformFault> {
        Ok(())
    }
}

/// One difference between two states, in words.
fn change(out: &mut Vec<String>, differs: bool, text: impl FnOnce() -> String) {
    if differs {
        out.push(text());
    }
}

impl Summary {
    /// What is different in `newer`, in words.
    pub fn changes(&self, newer: &Self) -> Vec<String> {
        use alloc::format;
        let mut out = Vec::new();
        for ((name, old), (_, new)) in self.seeds.iter().zip(&newer.seeds) {
            change(&mut out, old != new, || format!("the {name} seed or proof is another one"));
        }
        for ((name, old), (_, new)) in self.hierarchies.iter().zip(&newer.hierarchies) {
            change(&mut out, old != new, || format!("the {name} authorization or policy changed"));
        }
        self.nv_changes(newer, &mut out);
        let find = |list: &[ObjectSummary], handle| list.iter().find(|o| o.handle == handle).cloned();
        for old in &self.persistent {
            match find(&newer.persistent, old.handle) {
                None => out.push(format!("persistent object {:#010x} was removed", old.handle)),
                Some(new) => {
                    change(&mut out, new != *old, || format!("persistent object {:#010x} is another one", old.handle))
                }
            }
        }
        for new in newer.persistent.iter().filter(|new| find(&self.persistent, new.handle).is_none()) {
            out.push(format!("persistent object {:#010x} ({}) was added", new.handle, new.kind));
        }
        let numbers = [
            ("TPM Resets", self.total_resets, newer.total_resets),
            ("TPM Resets since Clear", self.resets.into(), newer.resets.into()),
            ("Clock (ms)", self.clock, newer.clock),
            ("failed authorizations", self.failed_tries.0.into(), newer.failed_tries.0.into()),
            ("failed authorizations allowed", self.failed_tries.1.into(), newer.failed_tries.1.into()),
            ("seconds until one is forgotten", self.failed_tries.2.into(), newer.failed_tries.2.into()),
            ("audited commands", self.audited as u64, newer.audited as u64),
        ];
        for (name, old, new) in numbers {
            change(&mut out, old != new, || format!("{name}: {old} to {new}"));
        }
        change(&mut out, self.clear_disabled != newer.clear_disabled, || {
            format!("TPM2_Clear was switched {}", if newer.clear_disabled { "off" } else { "on" })
        });
        change(&mut out, self.banks != newer.banks, || {
            format!("PCR banks: {} to {}", self.banks.join(", "), newer.banks.join(", "))
        });
        change(&mut out, self.firmware != newer.firmware, || "the firmware version changed".into());
        out
    }

    fn nv_changes(&self, newer: &Self, out: &mut Vec<String>) {
        use alloc::format;
        let find = |list: &[NvSummary], index| list.iter().find(|n| n.index == index).cloned();
        for old in &self.nv {
            let name = format!("NV Index {:#010x} ({})", old.index, old.kind);
            let Some(new) = find(&newer.nv, old.index) else {
                out.push(format!("{name} was undefined"));
                continue;
            };
            change(out, new.attributes != old.attributes, || {
                format!("{name}: attributes {:#010x} to {:#010x}", old.attributes, new.attributes)
            });
            change(out, new.auth != old.auth, || format!("{name}: the authorization or policy changed"));
            change(out, (new.size, new.kind) != (old.size, old.kind), || format!("{name} was defined anew"));
            match (old.count, new.count) {
                (Some(before), Some(after)) => change(out, before != after, || format!("{name}: {before} to {after}")),
                _ => change(out, new.content != old.content, || format!("{name}: the content changed")),
            }
        }
        for new in newer.nv.iter().filter(|new| find(&self.nv, new.index).is_none()) {
            out.push(format!("NV Index {:#010x} ({}, {} bytes) was defined", new.index, new.kind, new.size));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;
    use alloc::vec;
    use sealwright_crypto::RUST;

    fn execute(tpm: &mut Tpm2, host: &mut Host, command: &[u8]) -> Vec<u8> {
        let mut response = vec![0; 4096];
        let length = tpm.execute(host, 0, command, &mut response);
        response.truncate(length);
        assert_eq!(response[6..10], [0; 4]);
        response
    }

    fn started() -> (Tpm2, Host) {
        let mut host = Host::default();
        let mut tpm = Tpm2::manufacture(&RUST, &mut host).unwrap();
        tpm.power_on(&mut host);
        execute(&mut tpm, &mut host, &[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0]);
        (tpm, host)
    }

    /// A command with an empty password and these handles, sessions included.
    fn with_password(code: u16, handles: &[u32], parameters: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        for handle in handles {
            body.extend_from_slice(&handle.to_be_bytes());
        }
        body.extend_from_slice(&[0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0]);
        body.extend_from_slice(parameters);
        let mut command = vec![0x80, 2];
        command.extend_from_slice(&(body.len() as u32 + 10).to_be_bytes());
        command.extend_from_slice(&u32::from(code).to_be_bytes());
        command.extend_from_slice(&body);
        command
    }

    #[test]
    fn what_commands_do_is_told_and_nothing_else() {
        let (mut tpm, mut host) = started();
        let before = tpm.summary();
        assert_eq!(before.changes(&before), Vec::<String>::new());
        // A counter: empty authorization, then index, SHA-256, attributes, no policy, 8 bytes.
        let counter = [0, 0, 0, 14, 1, 0x50, 0, 0, 0, 0x0B, 0x02, 0x06, 0, 0x16, 0, 0, 0, 8];
        execute(&mut tpm, &mut host, &with_password(0x12A, &[0x4000_0001], &counter));
        let defined = tpm.summary();
        assert_eq!(before.changes(&defined), ["NV Index 0x01500000 (counter, 8 bytes) was defined"]);
        execute(&mut tpm, &mut host, &with_password(0x134, &[0x4000_0001, 0x0150_0000], &[]));
        let written = tpm.summary();
        execute(&mut tpm, &mut host, &with_password(0x134, &[0x4000_0001, 0x0150_0000], &[]));
        assert_eq!(written.changes(&tpm.summary()), ["NV Index 0x01500000 (counter): 1 to 2"]);
        execute(&mut tpm, &mut host, &with_password(0x129, &[0x4000_0001], &[0, 2, b'p', b'w']));
        let last = tpm.summary();
        assert_eq!(
            last.changes(&before),
            ["the owner authorization or policy changed", "NV Index 0x01500000 (counter) was undefined"]
        );
    }

    #[test]
    fn the_endorsement_key_is_the_tpms_and_stays_the_same() {
        // The default P-256 template: restricted decryption, AES-128-CFB, without the policy.
        let template =
            [0, 0x23, 0, 0x0B, 0, 0x03, 0, 0x72, 0, 0, 0, 6, 0, 0x80, 0, 0x43, 0, 0x10, 0, 3, 0, 0x10, 0, 0, 0, 0];
        let (tpm, _) = started();
        let name = tpm.endorsement_key(&template).unwrap();
        assert_eq!((name.len(), &name[..2]), (34, &[0, 0x0B][..]));
        assert_eq!(tpm.endorsement_key(&template).as_ref(), Some(&name));
        assert_eq!(tpm.endorsement_key(&template[..20]), None);
        assert_eq!(tpm.endorsement_key(&[]), None);
    }
}

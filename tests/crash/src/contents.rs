//! What a client can read of a TPM's durable state, and what each command should make of it.

use crate::command;
use sealwright_differential::daemon::Machine;
use sealwright_differential::wire::In;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Result;

/// The NV Indexes of the campaign.
pub(crate) const ORDINARY: u32 = 0x0150_0000;
/// An ordinary Index of several sectors, always written whole.
pub(crate) const LARGE: u32 = 0x0150_0001;
/// A counter.
pub(crate) const COUNTER: u32 = 0x0150_0002;
/// An extend Index.
pub(crate) const EXTEND: u32 = 0x0150_0003;
/// A bit field.
pub(crate) const BITS: u32 = 0x0150_0004;
/// An Index that comes and goes.
pub(crate) const COMING: u32 = 0x0150_0005;
/// A persistent object that comes and goes.
pub(crate) const PERSISTENT: u32 = 0x8100_0010;
/// Bytes in [`LARGE`].
pub(crate) const LARGE_SIZE: u16 = 1024;

/// TPM_PT_MAX_AUTH_FAIL.
const MAX_AUTH_FAIL: u32 = 0x20F;

/// One command of the workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Write(u64),
    WriteLarge(u64),
    Increment,
    Extend(u64),
    SetBits(u64),
    Define,
    Undefine,
    Persist,
    Evict,
    MaxAuthFail(u32),
    /// Nothing durable: only work between.
    Read,
}

/// Everything that is compared: names and bytes; what is not there is not in the map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents(pub(crate) BTreeMap<u32, Vec<u8>>);

/// The bytes that a write of this number puts into [`LARGE`].
pub(crate) fn large(number: u64) -> Vec<u8> {
    number.to_be_bytes().repeat(usize::from(LARGE_SIZE) / 8)
}

impl Contents {
    /// Reads all of it from a TPM that has been started up.
    pub(crate) fn read(tpm: &mut dyn Machine) -> Result<Self> {
        let mut all = BTreeMap::new();
        let sizes = [(ORDINARY, 8), (LARGE, LARGE_SIZE), (COUNTER, 8), (EXTEND, 32), (BITS, 8)];
        for (index, size) in sizes {
            let answer = tpm.execute(&command::nv_read(index, size))?;
            let data = command::parameters(&answer).and_then(|p| In(p).sized()).map(<[u8]>::to_vec);
            // A response code is kept too, so that an Index that cannot be read is told from one that is not there.
            all.insert(index, data.unwrap_or(answer));
        }
        if command::succeeded(&tpm.execute(&command::nv_read_public(COMING))?) {
            all.insert(COMING, Vec::new());
        }
        if command::succeeded(&tpm.execute(&command::read_public(PERSISTENT))?) {
            all.insert(PERSISTENT, Vec::new());
        }
        let answer = tpm.execute(&command::property(MAX_AUTH_FAIL))?;
        all.insert(MAX_AUTH_FAIL, answer.get(answer.len().saturating_sub(4)..).unwrap_or_default().to_vec());
        Ok(Self(all))
    }

    /// What a successful command leaves.
    pub(crate) fn after(&self, operation: &Operation) -> Self {
        let mut new = self.clone();
        let number = |index: u32| self.0.get(&index).and_then(|bytes| In(bytes).u64()).unwrap_or(0);
        match operation {
            Operation::Write(value) => drop(new.0.insert(ORDINARY, value.to_be_bytes().to_vec())),
            Operation::WriteLarge(value) => drop(new.0.insert(LARGE, large(*value))),
            Operation::Increment => drop(new.0.insert(COUNTER, (number(COUNTER) + 1).to_be_bytes().to_vec())),
            Operation::Extend(value) => {
                let old = self.0.get(&EXTEND).map(Vec::as_slice).unwrap_or_default();
                let digest = Sha256::new().chain_update(old).chain_update(value.to_be_bytes()).finalize();
                new.0.insert(EXTEND, digest.to_vec());
            }
            Operation::SetBits(bits) => drop(new.0.insert(BITS, (number(BITS) | bits).to_be_bytes().to_vec())),
            Operation::Define => drop(new.0.insert(COMING, Vec::new())),
            Operation::Undefine => drop(new.0.remove(&COMING)),
            Operation::Persist => drop(new.0.insert(PERSISTENT, Vec::new())),
            Operation::Evict => drop(new.0.remove(&PERSISTENT)),
            Operation::MaxAuthFail(value) => drop(new.0.insert(MAX_AUTH_FAIL, value.to_be_bytes().to_vec())),
            Operation::Read => {}
        }
        new
    }

    /// The counter, for the check that it never goes back.
    pub(crate) fn counter(&self) -> u64 {
        self.0.get(&COUNTER).and_then(|bytes| In(bytes).u64()).unwrap_or(0)
    }

    /// Names of what differs.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let show = |bytes: Option<&Vec<u8>>| match bytes {
            None => "absent".to_owned(),
            Some(bytes) => sealwright_differential::wire::hex(bytes.get(..16.min(bytes.len())).unwrap_or_default()),
        };
        let keys: std::collections::BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        keys.into_iter()
            .filter(|key| self.0.get(key) != other.0.get(key))
            .map(|key| format!("{key:#010x}: {} instead of {}", show(other.0.get(key)), show(self.0.get(key))))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_changes_what_it_names() {
        let start = Contents(BTreeMap::from([(COUNTER, vec![0, 0, 0, 0, 0, 0, 0, 9]), (BITS, vec![0; 8])]));
        assert_eq!(start.after(&Operation::Increment).counter(), 10);
        assert_eq!(start.after(&Operation::Read), start);
        let bits = start.after(&Operation::SetBits(5)).after(&Operation::SetBits(2));
        assert_eq!(bits.0[&BITS], [0, 0, 0, 0, 0, 0, 0, 7]);
        let there = start.after(&Operation::Define);
        assert_ne!(there, start);
        assert_eq!(there.after(&Operation::Undefine), start);
        assert_eq!(start.differences(&there), ["0x01500005:  instead of absent"]);
    }

    #[test]
    fn an_extend_is_a_chain() {
        let start = Contents(BTreeMap::from([(EXTEND, vec![0; 32])]));
        let once = start.after(&Operation::Extend(1));
        let expected = Sha256::digest([&[0; 32][..], &1u64.to_be_bytes()].concat());
        assert_eq!(once.0[&EXTEND], expected.as_slice());
    }
}

//! The end of a wrapped data key's life.
//!
//! Nothing here keeps state or time: the caller stores what is returned, and says what time it is.

use core::fmt;
use core::time::Duration;

use sealwright_state::key::{KeyError, KeyId, KeyManager, WrappedKey};
use sealwright_state::{VmId, timestamp};

/// An error of a key manager, with the VM that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Whose key.
    pub vm: VmId,
    /// What was being done.
    pub doing: &'static str,
    /// Why it failed.
    pub error: KeyError,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VM {}: {} failed: {}", self.vm, self.doing, self.error)
    }
}

impl core::error::Error for Failed {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// How far a shredding has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It waits for its time. The keys are there, but must not be used.
    Scheduled,
    /// It was called off; the keys may be used again.
    Cancelled,
    /// The keys are gone.
    Done,
}

/// A wrapping key in its manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOf {
    /// [`KeyManager::name`].
    pub manager: String,
    /// The key.
    pub key: KeyId,
}

/// The shredding of a VM's keys, in two phases: scheduled with a time of grace, in which it can be cancelled, then done.
/// The fields are for storing; only the functions change them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shredding {
    /// Whose keys.
    pub vm: VmId,
    /// Why, in the words of who ordered it.
    pub reason: String,
    /// When it was ordered, in seconds since 1970.
    pub ordered: u64,
    /// When it may be done.
    pub due: u64,
    /// How far it is.
    pub phase: Phase,
    /// The wrapping keys that are still to be destroyed.
    pub keys: Vec<KeyOf>,
    /// Keys that other VMs use too. They stay; what ends this VM's data is that its wrapped keys are erased.
    pub shared: Vec<KeyOf>,
}

/// Why a shredding did not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShredFault {
    /// The time of grace is not over.
    TooEarly {
        /// Whose keys.
        vm: VmId,
        /// Seconds that are left.
        left: u64,
    },
    /// The keys are gone already.
    Done(VmId),
    /// It was cancelled.
    Cancelled(VmId),
    /// It is scheduled, so the keys must not be used.
    Scheduled {
        /// Whose keys.
        vm: VmId,
        /// Why.
        reason: String,
        /// When it may be done.
        due: u64,
    },
    /// A wrapping key is of a manager that the caller did not give.
    ManagerMissing {
        /// Whose keys.
        vm: VmId,
        /// The manager's name.
        manager: String,
    },
    /// A manager failed. What it has destroyed is remembered; try again.
    Failed(Failed),
}

impl fmt::Display for ShredFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooEarly { vm, left } => write!(
                f,
                "VM {vm}: its keys cannot be destroyed yet: {left} s of grace are left; cancel the shredding, or wait"
            ),
            Self::Done(vm) => write!(f, "VM {vm}: its keys are destroyed already; nothing brings them back"),
            Self::Cancelled(vm) => write!(f, "VM {vm}: the shredding was cancelled; schedule a new one"),
            Self::Scheduled { vm, reason, due } => write!(
                f,
                "VM {vm}: its keys are to be destroyed from {} on, because: {reason}; cancel the shredding to use the VM \
                 again",
                timestamp(*due)
            ),
            Self::ManagerMissing { vm, manager } => {
                write!(
                    f,
                    "VM {vm}: its key is kept by the key manager {manager}, which is not configured; configure it"
                )
            }
            Self::Failed(failed) => failed.fmt(f),
        }
    }
}

impl core::error::Error for ShredFault {}

impl Shredding {
    /// Orders the end of all keys that wrap these data keys of a VM.
    pub fn schedule(vm: &VmId, wrapped: &[WrappedKey], reason: impl Into<String>, now: u64, grace: Duration) -> Self {
        let mut keys: Vec<KeyOf> = Vec::new();
        for one in wrapped {
            let key = KeyOf { manager: one.manager.clone(), key: one.key_id.clone() };
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let due = now.saturating_add(grace.as_secs());
        let (vm, reason) = (vm.clone(), reason.into());
        Self { vm, reason, ordered: now, due, phase: Phase::Scheduled, keys, shared: Vec::new() }
    }

    /// Calls it off. Before anything was destroyed this always works.
    pub fn cancel(&mut self) -> Result<(), ShredFault> {
        match self.phase {
            Phase::Done => Err(ShredFault::Done(self.vm.clone())),
            Phase::Scheduled | Phase::Cancelled => {
                self.phase = Phase::Cancelled;
                Ok(())
            }
        }
    }

    /// Whether the VM's keys may be used. To be asked before each unwrap.
    pub fn permits_use(&self) -> Result<(), ShredFault> {
        match self.phase {
            Phase::Cancelled => Ok(()),
            Phase::Done => Err(ShredFault::Done(self.vm.clone())),
            Phase::Scheduled => {
                Err(ShredFault::Scheduled { vm: self.vm.clone(), reason: self.reason.clone(), due: self.due })
            }
        }
    }

    /// Destroys the keys, once the time of grace is over. What failed can be tried again, and what is gone already counts
    /// as destroyed. The caller erases the wrapped keys afterwards; for the keys in [`shared`](Self::shared) that is the
    /// shredding.
    pub fn carry_out(&mut self, managers: &[&dyn KeyManager], now: u64) -> Result<(), ShredFault> {
        match self.phase {
            Phase::Done => return Ok(()),
            Phase::Cancelled => return Err(ShredFault::Cancelled(self.vm.clone())),
            Phase::Scheduled if now < self.due => {
                return Err(ShredFault::TooEarly { vm: self.vm.clone(), left: self.due.saturating_sub(now) });
            }
            Phase::Scheduled => {}
        }
        while let Some(one) = self.keys.last() {
            let vm = self.vm.clone();
            let Some(manager) = managers.iter().find(|manager| manager.name() == one.manager) else {
                return Err(ShredFault::ManagerMissing { vm, manager: one.manager.clone() });
            };
            match manager.destroy(&one.key) {
                Ok(()) | Err(KeyError::NotFound { .. }) => {}
                Err(KeyError::Unsupported { .. }) => self.shared.push(one.clone()),
                Err(error) => {
                    return Err(ShredFault::Failed(Failed { vm, doing: "destroying its wrapping key", error }));
                }
            }
            self.keys.pop();
        }
        self.phase = Phase::Done;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::tpm_of;
    use crate::testing::folder;
    use sealwright_state::{DataKey, KeyContext, Kind};
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    /// Has a key for each VM, and can be down.
    #[derive(Default)]
    struct Memory {
        keys: Mutex<BTreeMap<String, [u8; 32]>>,
        down: Mutex<bool>,
    }

    impl KeyManager for Memory {
        fn name(&self) -> &str {
            "memory"
        }
        fn wrap(&self, context: &KeyContext, key: &DataKey) -> Result<WrappedKey, KeyError> {
            self.keys.lock().unwrap().insert(context.vm.to_string(), *key.expose());
            let key_id = KeyId::new(context.vm.as_str()).unwrap();
            Ok(WrappedKey { manager: "memory".to_owned(), key_id, version: 0, bytes: vec![1] })
        }
        fn unwrap(&self, _: &KeyContext, wrapped: &WrappedKey) -> Result<DataKey, KeyError> {
            let keys = self.keys.lock().unwrap();
            let key = keys.get(wrapped.key_id.as_str()).copied();
            let missing = || KeyError::NotFound { manager: "memory".to_owned(), key: wrapped.key_id.clone() };
            key.map(DataKey::new).ok_or_else(missing)
        }
        fn destroy(&self, key: &KeyId) -> Result<(), KeyError> {
            if *self.down.lock().unwrap() {
                return Err(KeyError::Unavailable { manager: "memory".to_owned(), why: "down".to_owned() });
            }
            let removed = self.keys.lock().unwrap().remove(key.as_str());
            removed.map(drop).ok_or(KeyError::NotFound { manager: "memory".to_owned(), key: key.clone() })
        }
    }

    #[test]
    fn shreds_after_the_time_of_grace_and_not_before() {
        let (memory, context) = (Memory::default(), tpm_of("a"));
        let wrapped = memory.wrap(&context, &DataKey::new([1; 32])).unwrap();
        let nvram = KeyContext { kind: Kind::Nvram, ..context.clone() };
        let also = memory.wrap(&nvram, &DataKey::new([1; 32])).unwrap();
        let grace = Duration::from_secs(3600);
        let mut order = Shredding::schedule(&context.vm, &[wrapped.clone(), also], "deleted", 1000, grace);
        assert_eq!((order.due, order.keys.len()), (4600, 1), "both kinds have one wrapping key");
        assert!(order.permits_use().unwrap_err().to_string().contains("deleted"));
        assert_eq!(order.carry_out(&[&memory], 4599), Err(ShredFault::TooEarly { vm: context.vm.clone(), left: 1 }));
        memory.unwrap(&context, &wrapped).unwrap();

        *memory.down.lock().unwrap() = true;
        assert!(matches!(order.carry_out(&[&memory], 4600), Err(ShredFault::Failed(_))));
        assert_eq!(order.phase, Phase::Scheduled);
        assert!(matches!(order.carry_out(&[], 4600), Err(ShredFault::ManagerMissing { .. })));
        *memory.down.lock().unwrap() = false;
        order.carry_out(&[&memory], 4600).unwrap();
        assert_eq!(order.phase, Phase::Done);
        assert!(matches!(memory.unwrap(&context, &wrapped), Err(KeyError::NotFound { .. })));
        order.carry_out(&[&memory], 4600).unwrap();
        assert_eq!(order.cancel(), Err(ShredFault::Done(context.vm.clone())));
        assert!(order.permits_use().is_err());
    }

    #[test]
    fn a_cancelled_shredding_destroys_nothing() {
        let (memory, context) = (Memory::default(), tpm_of("a"));
        let wrapped = memory.wrap(&context, &DataKey::new([1; 32])).unwrap();
        let mut order = Shredding::schedule(&context.vm, core::slice::from_ref(&wrapped), "mistake", 0, Duration::ZERO);
        order.cancel().unwrap();
        order.permits_use().unwrap();
        assert_eq!(order.carry_out(&[&memory], u64::MAX), Err(ShredFault::Cancelled(context.vm.clone())));
        memory.unwrap(&context, &wrapped).unwrap();
    }

    #[test]
    fn shared_keys_stay_and_are_named() {
        let folder = folder("shared");
        std::fs::write(folder.path("k"), [1; 32]).unwrap();
        let file = crate::open(&format!("file:{}", folder.path("k").display())).unwrap();
        let (memory, context, key) = (Memory::default(), tpm_of("a"), DataKey::new([1; 32]));
        let both = [file.wrap(&context, &key).unwrap(), memory.wrap(&context, &key).unwrap()];
        let mut order = Shredding::schedule(&context.vm, &both, "deleted", 0, Duration::ZERO);
        order.carry_out(&[&*file, &memory], 0).unwrap();
        assert_eq!((order.phase, order.shared.len()), (Phase::Done, 1));
        assert_eq!(order.shared.first().unwrap().manager, "file");
        assert!(memory.keys.lock().unwrap().is_empty());
        file.unwrap(&context, &both[0]).unwrap();
    }
}

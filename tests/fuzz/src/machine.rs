//! An engine in this process with a deterministic platform, and its shadow that was saved and restored.

use crate::attack::attack;
use crate::record::{self, Record};
use sealwright_core::{Engine, Platform, PlatformFault};
use sealwright_crypto::Crypto;
use sealwright_differential::daemon::Machine;
use sealwright_differential::mutate::mutate;
use sealwright_differential::wire::Random;
use sealwright_tpm2::Tpm2;
use std::io::{Error, Result};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// One in so many saved states is also damaged and restored.
const ATTACKS: usize = 24;
/// Commands kept to be played again at another time.
const REMEMBERED: usize = 256;

/// Entropy and incidents from a seed, a clock that moves between commands only, and a store that keeps the last commit.
#[derive(Clone, Debug)]
struct Deterministic {
    random: Random,
    time: u64,
    committed: Vec<u8>,
    /// The next commits fail.
    full: bool,
    /// The host wants long work to stop.
    cancel: bool,
    presence: bool,
}

impl Platform for Deterministic {
    fn entropy(&mut self, out: &mut [u8]) -> core::result::Result<(), PlatformFault> {
        out.copy_from_slice(&self.random.bytes(out.len()));
        Ok(())
    }

    fn now(&mut self) -> u64 {
        self.time
    }

    fn commit(&mut self, state: &[u8]) -> core::result::Result<(), PlatformFault> {
        if self.full {
            return Err(PlatformFault::Unavailable);
        }
        state.clone_into(&mut self.committed);
        Ok(())
    }

    fn cancelled(&mut self) -> bool {
        self.cancel
    }

    fn physical_presence(&mut self) -> bool {
        self.presence
    }
}

/// The engine under test.
#[derive(Debug)]
pub(crate) struct InProcess {
    /// The provider of `engine`, and that of its next copy.
    crypto: [&'static Crypto; 2],
    engine: Tpm2,
    platform: Deterministic,
    /// Incidents and commands that the script did not ask for.
    chance: Random,
    locality: u8,
    /// Every how many commands the engine is saved and restored; 0 for never.
    every: u64,
    count: u64,
    remembered: Vec<Vec<u8>>,
    /// What the last comparison saved; nothing has happened since.
    saved: Option<(Vec<u8>, Vec<u8>)>,
    record: Arc<Mutex<Record>>,
}

fn run(engine: &mut Tpm2, platform: &mut Deterministic, locality: u8, command: &[u8]) -> Vec<u8> {
    let mut response = vec![0; 4096];
    let length = engine.execute(platform, locality, command, &mut response);
    response.truncate(length);
    response
}

impl InProcess {
    /// A new TPM without power; it changes between these providers with each restore.
    pub(crate) fn new(
        crypto: [&'static Crypto; 2],
        seed: u64,
        every: u64,
        record: &Arc<Mutex<Record>>,
    ) -> Result<Self> {
        let random = Random(seed);
        let mut platform =
            Deterministic { random, time: 0, committed: Vec::new(), full: false, cancel: false, presence: false };
        let engine = Tpm2::manufacture(crypto[0], &mut platform)
            .map_err(|fault| Error::other(format!("the TPM could not be made: {fault:?}")))?;
        let record = Arc::clone(record);
        let (chance, remembered) = (Random(seed ^ 0xC4A9CE), Vec::new());
        Ok(Self { crypto, engine, platform, chance, locality: 0, every, count: 0, remembered, saved: None, record })
    }

    fn save(&mut self) -> (Vec<u8>, Vec<u8>) {
        // The volatile state first: it is bound to the permanent one by everything but Clock.
        let volatile = self.engine.save_volatile(&mut self.platform);
        (self.engine.save_permanent(), volatile)
    }

    /// A second engine from what the first one saves, on a host whose clock shows something else.
    fn restored(&mut self) -> Result<(Tpm2, Deterministic)> {
        let (permanent, volatile) = match self.saved.take() {
            Some(saved) => saved,
            None => self.save(),
        };
        let mut copy = Tpm2::restore(self.crypto[1], &permanent)
            .map_err(|fault| Error::other(format!("a permanent state that was just saved is refused: {fault}")))?;
        let mut platform = self.platform.clone();
        platform.time = self.chance.next() >> 24;
        if self.chance.below(ATTACKS) == 0 && !self.remembered.is_empty() {
            let (saved, mut host) = (&(permanent.clone(), volatile.clone()), platform.clone());
            let accepted = attack(self.crypto[1], saved, &self.remembered, &mut host, &mut self.chance);
            let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
            record.attacks += 1;
            record.accepted += u64::from(accepted);
        }
        copy.resume(&mut platform, &volatile)
            .map_err(|fault| Error::other(format!("a volatile state that was just saved is refused: {fault}")))?;
        Ok((copy, platform))
    }

    /// What the host of a real TPM goes through between two commands.
    fn incidents(&mut self) {
        let p = &mut self.platform;
        p.full = self.chance.below(300) == 0;
        p.cancel = self.chance.below(100) == 0;
        p.presence = self.chance.below(2) == 0;
        let step = match self.chance.below(64) {
            0 => self.chance.next() % 20_000,
            1..=8 => 0,
            _ => 1,
        };
        p.time = p.time.saturating_add(step);
    }

    /// Now and then a command that the script does not know of: one of long ago, changed several times, or only noise.
    fn intrude(&mut self) -> Result<()> {
        let command = match self.chance.below(48) {
            0 => {
                let length = self.chance.below(64);
                self.chance.bytes(length)
            }
            1 => {
                let mut large = self.chance.pick(&self.remembered).clone();
                let length = 4000 + self.chance.below(300);
                large.resize(length, self.chance.next() as u8);
                if let Some(size) = large.get_mut(2..6) {
                    size.copy_from_slice(&(length as u32).to_be_bytes());
                }
                large
            }
            2..=5 => {
                let mut old = self.chance.pick(&self.remembered).clone();
                for _ in 0..self.chance.below(4) {
                    old = mutate(&old, &mut self.chance);
                }
                old
            }
            _ => return Ok(()),
        };
        self.once(&command).map(|_| ())
    }

    /// One command on both engines.
    fn once(&mut self, command: &[u8]) -> Result<Vec<u8>> {
        self.count += 1;
        record::begin(command);
        let response = self.compared(command);
        record::end();
        response
    }

    fn compared(&mut self, command: &[u8]) -> Result<Vec<u8>> {
        let mut copy = None;
        if self.every != 0 && self.count.is_multiple_of(self.every) {
            copy = Some(self.restored()?);
        }
        let before = self.platform.time;
        self.incidents();
        let begin = Instant::now();
        let response = run(&mut self.engine, &mut self.platform, self.locality, command);
        let time = begin.elapsed();
        self.saved = None;
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.command(command, &response, time);
        if let Some((engine, mut platform)) = copy {
            let time = platform.time.saturating_add(self.platform.time - before);
            let (full, cancel, presence) = (self.platform.full, self.platform.cancel, self.platform.presence);
            platform = Deterministic { time, full, cancel, presence, ..platform };
            drop(record);
            // From here on the restored one is the TPM.
            self.crypto.reverse();
            let mut first = core::mem::replace(&mut self.engine, engine);
            let mut host = core::mem::replace(&mut self.platform, platform);
            let other = run(&mut self.engine, &mut self.platform, self.locality, command);
            let volatile = first.save_volatile(&mut host);
            let saved = self.save();
            let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
            record.restored += 1;
            if other != response {
                record.disagree("the answer", command, &response, &other);
            }
            // The digest of the permanent state is in the volatile one.
            if volatile != saved.1 {
                record.disagree("the volatile state", command, &volatile, &saved.1);
                record.disagree("the permanent state", command, &first.save_permanent(), &saved.0);
            }
            if host.committed != self.platform.committed {
                record.disagree("what was committed", command, &host.committed, &self.platform.committed);
            }
            self.saved = Some(saved);
        }
        Ok(response)
    }
}

impl Machine for InProcess {
    fn power_on(&mut self) -> Result<u32> {
        self.saved = None;
        if self.chance.below(2) == 0 {
            // The process is gone as well: what was committed is all there is.
            self.engine = Tpm2::restore(self.crypto[0], &self.platform.committed)
                .map_err(|fault| Error::other(format!("a state that was committed is refused: {fault}")))?;
        }
        self.engine.power_on(&mut self.platform);
        Ok(0)
    }

    fn power_off(&mut self) -> Result<u32> {
        Ok(0)
    }

    fn locality(&mut self, locality: u8) -> Result<u32> {
        if locality <= 4 {
            self.locality = locality;
        }
        Ok(0)
    }

    fn hash_sequence(&mut self, data: &[u8]) -> Result<u32> {
        self.saved = None;
        self.engine.hash_start(&mut self.platform);
        self.engine.hash_data(&mut self.platform, data);
        if self.chance.below(2) == 0 {
            (self.engine, self.platform) = self.restored()?;
            self.crypto.reverse();
        }
        self.engine.hash_data(&mut self.platform, data);
        self.engine.hash_end(&mut self.platform);
        Ok(0)
    }

    fn established(&mut self) -> Result<u8> {
        Ok(self.engine.established().into())
    }

    fn execute(&mut self, command: &[u8]) -> Result<Vec<u8>> {
        if self.remembered.len() < REMEMBERED {
            self.remembered.push(command.to_vec());
        } else {
            let place = self.chance.below(REMEMBERED);
            command.clone_into(&mut self.remembered[place]);
        }
        self.intrude()?;
        self.once(command)
    }
}

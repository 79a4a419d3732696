//! An engine in this process with a deterministic platform, and its shadow that was saved and restored.

use sealwright_core::{Engine, Platform, PlatformFault};
use sealwright_crypto::Crypto;
use sealwright_differential::daemon::Machine;
use sealwright_differential::wire::{Random, hex};
use sealwright_tpm2::Tpm2;
use std::io::{Error, Result};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The command that runs now, for the report of a panic.
pub(crate) static CURRENT: Mutex<Vec<u8>> = Mutex::new(Vec::new());
/// Commands run so far.
pub(crate) static COMMANDS: AtomicU64 = AtomicU64::new(0);
/// Commands that were also run by a restored engine.
pub(crate) static RESTORED: AtomicU64 = AtomicU64::new(0);
/// Successful commands.
pub(crate) static SUCCESSES: AtomicU64 = AtomicU64::new(0);
/// Disagreements between an engine and its restored copy.
pub(crate) static DISAGREEMENTS: AtomicU64 = AtomicU64::new(0);
/// The longest command: microseconds and bytes.
pub(crate) static LONGEST: Mutex<(u64, Vec<u8>)> = Mutex::new((0, Vec::new()));

/// Entropy from a seed, a clock that counts, and a store that keeps the last commit.
#[derive(Clone, Debug)]
pub(crate) struct Deterministic {
    random: Random,
    time: u64,
    committed: Vec<u8>,
}

impl Platform for Deterministic {
    fn entropy(&mut self, out: &mut [u8]) -> core::result::Result<(), PlatformFault> {
        out.copy_from_slice(&self.random.bytes(out.len()));
        Ok(())
    }

    fn now(&mut self) -> u64 {
        self.time += 1;
        self.time
    }

    fn commit(&mut self, state: &[u8]) -> core::result::Result<(), PlatformFault> {
        self.committed = state.to_vec();
        Ok(())
    }
}

/// The engine under test.
#[derive(Debug)]
pub(crate) struct InProcess {
    crypto: &'static Crypto,
    engine: Tpm2,
    platform: Deterministic,
    locality: u8,
    /// Every how many commands the engine is saved and restored; 0 for never.
    every: u64,
    count: u64,
}

fn run(engine: &mut Tpm2, platform: &mut Deterministic, locality: u8, command: &[u8]) -> Vec<u8> {
    let mut response = vec![0; 4096];
    let length = engine.execute(platform, locality, command, &mut response);
    response.truncate(length);
    response
}

impl InProcess {
    /// A new TPM without power.
    pub(crate) fn new(crypto: &'static Crypto, seed: u64, every: u64) -> Result<Self> {
        let mut platform = Deterministic { random: Random(seed), time: 0, committed: Vec::new() };
        let engine = Tpm2::manufacture(crypto, &mut platform)
            .map_err(|fault| Error::other(format!("the TPM could not be made: {fault:?}")))?;
        Ok(Self { crypto, engine, platform, locality: 0, every, count: 0 })
    }

    /// A second engine from what the first one saves.
    fn restored(&mut self) -> Result<Tpm2> {
        let permanent = self.engine.save_permanent();
        let volatile = self.engine.save_volatile(&mut self.platform);
        let mut copy = Tpm2::restore(self.crypto, &permanent)
            .map_err(|fault| Error::other(format!("a permanent state that was just saved is refused: {fault}")))?;
        // No time passes between the two.
        let mut platform = self.platform.clone();
        platform.time = platform.time.saturating_sub(1);
        copy.resume(&mut platform, &volatile)
            .map_err(|fault| Error::other(format!("a volatile state that was just saved is refused: {fault}")))?;
        Ok(copy)
    }

    fn disagree(what: &str, command: &[u8], left: &[u8], right: &[u8]) {
        if DISAGREEMENTS.fetch_add(1, Ordering::Relaxed) < 20 {
            println!("{what} differs after save and restore\n  command  {}", hex(command));
            println!("  engine   {}\n  restored {}", hex(left), hex(right));
        }
    }
}

impl Machine for InProcess {
    fn power_on(&mut self) -> Result<u32> {
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
        self.engine.hash_start(&mut self.platform);
        self.engine.hash_data(&mut self.platform, data);
        self.engine.hash_end(&mut self.platform);
        Ok(0)
    }

    fn established(&mut self) -> Result<u8> {
        Ok(self.engine.established().into())
    }

    fn execute(&mut self, command: &[u8]) -> Result<Vec<u8>> {
        if let Ok(mut current) = CURRENT.lock() {
            command.clone_into(&mut current);
        }
        self.count += 1;
        let mut copy = None;
        if self.every != 0 && self.count.is_multiple_of(self.every) {
            copy = Some((self.restored()?, self.platform.clone()));
        }
        let begin = Instant::now();
        let response = run(&mut self.engine, &mut self.platform, self.locality, command);
        let micros = begin.elapsed().as_micros() as u64;
        COMMANDS.fetch_add(1, Ordering::Relaxed);
        if response.get(6..10) == Some(&[0; 4]) {
            SUCCESSES.fetch_add(1, Ordering::Relaxed);
        }
        if let Ok(mut longest) = LONGEST.lock()
            && micros > longest.0
        {
            *longest = (micros, command.to_vec());
        }
        if let Some((mut engine, mut platform)) = copy {
            RESTORED.fetch_add(1, Ordering::Relaxed);
            let other = run(&mut engine, &mut platform, self.locality, command);
            if other != response {
                Self::disagree("the answer", command, &response, &other);
            }
            let (left, right) = (self.engine.save_permanent(), engine.save_permanent());
            if left != right {
                Self::disagree("the permanent state", command, &left, &right);
            }
            let left = self.engine.save_volatile(&mut self.platform);
            let right = engine.save_volatile(&mut platform);
            if left != right {
                Self::disagree("the volatile state", command, &left, &right);
            }
            // From here on the restored one is the TPM.
            (self.engine, self.platform) = (engine, platform);
        }
        Ok(response)
    }
}

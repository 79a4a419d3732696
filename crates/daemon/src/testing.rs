//! What the tests of this crate share: folders, and a small engine whose state is a counter.

use crate::instance::{BUFFER_SIZE, Exported, Imported, Maker, NoExport};
use core::sync::atomic::{AtomicU32, Ordering};
use sealwright_core::{Engine, Platform, PlatformFault, StateFault};
use sealwright_state::backend::Memory;
use sealwright_state::{Kind, Settings, Store};
use sealwright_tpm2::libtpms::ImportFault;
use sealwright_tpm2::profile::Profile;
use std::path::{Path, PathBuf};

/// A folder that is removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("vtpmd-{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A store in memory that is its own.
pub(crate) fn memory_store() -> Store {
    Store::new(Box::new(Memory::default()), None, Settings::new(Kind::Tpm))
}

/// Makes [`Counter`]s.
pub(crate) struct CounterMaker;

impl Maker for CounterMaker {
    fn manufacture(&self, platform: &mut dyn Platform) -> Result<Box<dyn Engine + Send>, PlatformFault> {
        platform.commit(&[0])?;
        Ok(Box::new(Counter::default()))
    }
    fn restore(&self, permanent: &[u8]) -> Result<Box<dyn Engine + Send>, StateFault> {
        match permanent {
            [count] => Ok(Box::new(Counter { count: *count, ..Counter::default() })),
            _ => Err(StateFault::Format),
        }
    }
    fn profile(&self, _: &[u8]) -> Result<Profile, StateFault> {
        Ok(Profile::default())
    }
    fn import(&self, permanent: &[u8], _: Option<&[u8]>) -> Result<Imported, ImportFault> {
        Ok(Imported { permanent: permanent.to_vec().into(), volatile: None })
    }
    fn export(&self, permanent: &[u8], _: Option<&[u8]>) -> Result<Exported, NoExport> {
        Ok(Exported { permanent: permanent.to_vec().into(), volatile: None })
    }
}

/// An engine with two commands besides Startup and Shutdown: code 1 adds one to the durable counter and answers with
/// it, code 2 waits until it is cancelled. The volatile state is the number of commands since power-on.
#[derive(Default)]
pub(crate) struct Counter {
    count: u8,
    commands: u8,
    started: bool,
    orderly: bool,
    established: bool,
    buffer: u32,
    pub(crate) hashed: Vec<u8>,
}

impl Engine for Counter {
    fn execute(&mut self, platform: &mut dyn Platform, locality: u8, command: &[u8], response: &mut [u8]) -> usize {
        let size = command.get(2..6).map(|s| u32::from_be_bytes(s.try_into().unwrap()) as usize);
        let code = command.get(6..10).map(|s| u32::from_be_bytes(s.try_into().unwrap()));
        self.commands = self.commands.wrapping_add(1);
        self.orderly = false;
        let rc: u32 = match code {
            _ if size != Some(command.len()) => 0x142,
            Some(0x144) if self.started => 0x100,
            Some(0x144) => {
                self.started = true;
                0
            }
            Some(0x145) => {
                self.orderly = true;
                self.started = false;
                0
            }
            Some(1) => match platform.commit(&[self.count.wrapping_add(1)]) {
                Ok(()) => {
                    self.count = self.count.wrapping_add(1);
                    u32::from(self.count)
                }
                Err(_) => 0x923,
            },
            Some(2) => loop {
                if platform.cancelled() {
                    break 0x909;
                }
                std::thread::sleep(core::time::Duration::from_millis(1));
            },
            Some(3) => u32::from(locality),
            _ => 0x143,
        };
        let answer = [&[0x80, 1, 0, 0, 0, 10][..], &rc.to_be_bytes()].concat();
        response[..10].copy_from_slice(&answer);
        10
    }
    fn power_on(&mut self, _: &mut dyn Platform) {
        self.commands = 0;
        self.started = false;
        self.orderly = true;
    }
    fn hash_start(&mut self, _: &mut dyn Platform) {
        self.hashed.clear();
        self.established = true;
    }
    fn hash_data(&mut self, _: &mut dyn Platform, data: &[u8]) {
        self.hashed.extend_from_slice(data);
    }
    fn hash_end(&mut self, _: &mut dyn Platform) {}
    fn established(&self) -> bool {
        self.established
    }
    fn reset_established(&mut self, locality: u8) -> bool {
        let allowed = matches!(locality, 3 | 4);
        self.established &= !allowed;
        allowed
    }
    fn buffer_size(&self) -> (u32, u32, u32) {
        (if self.buffer == 0 { BUFFER_SIZE.0 } else { self.buffer }, BUFFER_SIZE.1, BUFFER_SIZE.2)
    }
    fn set_buffer_size(&mut self, size: u32) -> u32 {
        self.buffer = size.clamp(BUFFER_SIZE.1, BUFFER_SIZE.2);
        self.buffer
    }
    fn save_permanent(&self) -> Vec<u8> {
        vec![self.count]
    }
    fn save_volatile(&mut self, _: &mut dyn Platform) -> Vec<u8> {
        vec![self.count, self.commands, u8::from(self.started)]
    }
    fn resume(&mut self, _: &mut dyn Platform, volatile: &[u8]) -> Result<(), StateFault> {
        match volatile {
            [count, ..] if *count != self.count => Err(StateFault::Mismatch),
            [_, commands, started] => {
                self.commands = *commands;
                self.started = *started == 1;
                Ok(())
            }
            _ => Err(StateFault::Format),
        }
    }
    fn is_orderly(&self) -> bool {
        self.orderly
    }
}

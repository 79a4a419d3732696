//! The engine in this process, as a machine for the same scripts.

use core::time::Duration;
use sealwright_core::{Engine, Platform, PlatformFault};
use sealwright_crypto::RUST;
use sealwright_differential::daemon::Machine;
use sealwright_tpm2::Tpm2;
use std::io::{Error, Result};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Entropy of the time, a real clock, and a store that keeps nothing.
#[derive(Debug)]
struct Host(Instant, u64);

impl Platform for Host {
    fn entropy(&mut self, out: &mut [u8]) -> core::result::Result<(), PlatformFault> {
        // Not secret: it only has to differ from call to call.
        for byte in out {
            self.1 = self.1.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (self.1 >> 33) as u8;
        }
        Ok(())
    }
    fn now(&mut self) -> u64 {
        self.0.elapsed().as_millis() as u64
    }
    fn commit(&mut self, _: &[u8]) -> core::result::Result<(), PlatformFault> {
        Ok(())
    }
}

/// Milliseconds since 1970.
pub fn wall_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis() as u64
}

/// A TPM in this process.
#[derive(Debug)]
pub struct InProcess {
    tpm: Tpm2,
    host: Host,
    locality: u8,
}

impl InProcess {
    /// The TPM of a permanent blob of libtpms, without power.
    pub fn of_permanent(blob: &[u8]) -> Self {
        let tpm = Tpm2::from_libtpms_permanent(&RUST, blob).unwrap_or_else(|e| panic!("permanent state: {e}"));
        Self { tpm, host: Host(Instant::now(), wall_clock()), locality: 0 }
    }

    /// Goes on as the running TPM of a volatile blob.
    pub fn resume(&mut self, blob: &[u8]) {
        let resumed = self.tpm.resume_libtpms_volatile(&mut self.host, blob, Some(wall_clock()));
        resumed.unwrap_or_else(|e| panic!("volatile state: {e}"));
    }

    /// The permanent blob.
    pub fn permanent(&self) -> Vec<u8> {
        self.tpm.to_libtpms_permanent().unwrap_or_else(|e| panic!("permanent state: {e}")).to_vec()
    }

    /// The volatile blob.
    pub fn volatile(&mut self) -> Vec<u8> {
        let blob = self.tpm.to_libtpms_volatile(&mut self.host, wall_clock());
        blob.unwrap_or_else(|e| panic!("volatile state: {e}")).to_vec()
    }
}

impl Machine for InProcess {
    fn power_on(&mut self) -> Result<u32> {
        self.tpm.power_on(&mut self.host);
        Ok(0)
    }
    fn power_off(&mut self) -> Result<u32> {
        Ok(0)
    }
    fn locality(&mut self, locality: u8) -> Result<u32> {
        self.locality = locality;
        Ok(0)
    }
    fn hash_sequence(&mut self, data: &[u8]) -> Result<u32> {
        self.tpm.hash_start(&mut self.host);
        self.tpm.hash_data(&mut self.host, data);
        self.tpm.hash_end(&mut self.host);
        Ok(0)
    }
    fn established(&mut self) -> Result<u8> {
        Ok(self.tpm.established().into())
    }
    fn execute(&mut self, command: &[u8]) -> Result<Vec<u8>> {
        let mut response = vec![0; 4096];
        let length = self.tpm.execute(&mut self.host, self.locality, command, &mut response);
        response.truncate(length);
        if response.len() < 10 { Err(Error::other("no response")) } else { Ok(response) }
    }
}

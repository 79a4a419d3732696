//! A host for the tests: entropy that counts, a clock that stands where it is put, a store that keeps nothing.

use sealwright_core::{Platform, PlatformFault};

/// The last byte of entropy given, and the time in milliseconds.
#[derive(Default)]
pub(crate) struct Host(u8, pub(crate) u64);

impl Platform for Host {
    fn entropy(&mut self, out: &mut [u8]) -> Result<(), PlatformFault> {
        for byte in out {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
    fn now(&mut self) -> u64 {
        self.1
    }
    fn commit(&mut self, _: &[u8]) -> Result<(), PlatformFault> {
        Ok(())
    }
}

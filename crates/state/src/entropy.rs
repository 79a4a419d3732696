//! Random bytes from the kernel.

use crate::key::EntropyFault;

/// Fills `out` from the kernel's generator.
pub fn fill(mut out: &mut [u8]) -> Result<(), EntropyFault> {
    while !out.is_empty() {
        match rustix::rand::getrandom(&mut *out, rustix::rand::GetRandomFlags::empty()) {
            Ok(n) => out = out.get_mut(n..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Err(EntropyFault),
        }
    }
    Ok(())
}

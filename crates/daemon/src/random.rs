//! Entropy from the kernel.

use rustix::rand::{GetRandomFlags, getrandom};

/// Fills `out` from the kernel's generator.
pub(crate) fn fill(mut out: &mut [u8]) -> rustix::io::Result<()> {
    while !out.is_empty() {
        match getrandom(&mut *out, GetRandomFlags::empty()) {
            Ok(n) => out = out.get_mut(n..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

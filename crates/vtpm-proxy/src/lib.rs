//! `/dev/vtpmx`, the control device of the kernel's module `tpm_vtpm_proxy` (`include/uapi/linux/vtpm_proxy.h`): it makes a
//! pair of a TPM device of this host, `/dev/tpmN`, and a descriptor on which the commands to it are read and answered.
//!
//! This crate exists for one ioctl, which has no safe form.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::todo,
        clippy::unimplemented,
        clippy::arithmetic_side_effects
    )
)]

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::ioctl::{Opcode, opcode};
use std::path::Path;

/// The control device.
pub const CONTROL: &str = "/dev/vtpmx";
/// VTPM_PROXY_FLAG_TPM2.
const TPM2: u32 = 1;

/// `struct vtpm_proxy_new_dev`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct NewDevice {
    flags: u32,
    number: u32,
    descriptor: u32,
    major: u32,
    minor: u32,
}

/// VTPM_PROXY_IOC_NEW_DEV: `_IOWR(0xa1, 0x00, struct vtpm_proxy_new_dev)`.
const NEW_DEVICE: Opcode = opcode::read_write::<NewDevice>(0xA1, 0x00);

/// A device that was made. It goes when the descriptor is closed.
#[derive(Debug)]
pub struct Device {
    /// Commands come here, and responses go here.
    pub server: OwnedFd,
    /// The N of `/dev/tpmN`.
    pub number: u32,
    /// Its major number.
    pub major: u32,
    /// Its minor number.
    pub minor: u32,
}

/// Makes a device for a TPM 2.0 with the control device at this path, [`CONTROL`] as a rule.
///
/// # Errors
/// What the system says: `NOENT` where the module is not loaded, `ACCESS` without the right to open the device, `NOTTY` where
/// the path is that of something else.
pub fn create(control: &Path) -> Result<Device, Errno> {
    let control = rustix::fs::open(control, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    let made = ask(&control, NewDevice { flags: TPM2, ..NewDevice::default() })?;
    let number = i32::try_from(made.descriptor).map_err(|_| Errno::BADF)?;
    Ok(Device { server: own(number)?, number: made.number, major: made.major, minor: made.minor })
}

fn ask(control: &impl AsFd, request: NewDevice) -> Result<NewDevice, Errno> {
    let mut request = request;
    #[expect(unsafe_code, reason = "an ioctl writes where it is told to")]
    // SAFETY: the kernel reads and writes a `vtpm_proxy_new_dev`, five 32-bit numbers, as the size in the opcode says. Any
    // bits are valid in it. Other drivers refuse the opcode.
    unsafe {
        let request = rustix::ioctl::Updater::<'_, NEW_DEVICE, NewDevice>::new(&mut request);
        rustix::ioctl::ioctl(control, request)?;
    }
    Ok(request)
}

/// The descriptor that the kernel made for this process.
fn own(number: i32) -> Result<OwnedFd, Errno> {
    use std::os::fd::FromRawFd;
    if number <= 2 {
        return Err(Errno::BADF);
    }
    #[expect(unsafe_code, reason = "only the kernel knows that nobody else has this number")]
    // SAFETY: the kernel has just opened this descriptor and given its number to nobody else.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::CLOEXEC)?;
    Ok(descriptor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_that_of_the_kernels_header() {
        assert_eq!(size_of::<NewDevice>(), 20);
        // _IOWR: direction 3, size 20, type 0xa1, number 0 (asm-generic/ioctl.h).
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        assert_eq!(NEW_DEVICE, (3 << 30) | (20 << 16) | (0xA1 << 8));
    }

    #[test]
    fn what_is_no_control_device_is_refused() {
        assert_eq!(create(Path::new("/nowhere/vtpmx")).unwrap_err(), Errno::NOENT);
        let refused = create(Path::new("/dev/null")).unwrap_err();
        assert!(matches!(refused, Errno::NOTTY | Errno::INVAL), "{refused}");
        assert!(own(1).is_err());
    }
}

//! `--vtpm-proxy`: a TPM device of this host, made by the kernel's module `tpm_vtpm_proxy`.

use crate::answer::answer_line;
use crate::failure::{Failure, failure};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use sealwright_vtpm_proxy::CONTROL;
use std::path::Path;

/// Makes the device, says its name on standard output, and returns its other end.
pub(crate) fn create() -> Result<OwnedFd, Failure> {
    let device = sealwright_vtpm_proxy::create(Path::new(CONTROL)).map_err(|error| match error {
        Errno::NOENT | Errno::NODEV | Errno::NXIO => {
            failure!("--vtpm-proxy: there is no {CONTROL}; load the kernel's module tpm_vtpm_proxy")
        }
        Errno::ACCESS | Errno::PERM => failure!("--vtpm-proxy: {CONTROL} may not be opened by this user ({error})"),
        error => failure!("--vtpm-proxy: {CONTROL} made no device: {error}"),
    })?;
    answer_line!("New TPM device: /dev/tpm{} (major/minor = {}/{})", device.number, device.major, device.minor);
    Ok(device.server)
}

//! A TPM 2.0 in this process, and what a manufacturer does to it.

mod algorithm;
mod make;
mod nv;
mod request;
mod template;

pub use algorithm::KeyAlgorithm;
pub use make::{Certified, Certifier, Order, Purpose, Wanted, make, set_pcr_banks};
pub use template::{EkUse, Template};

use crate::failure::{Failure, failure};
use request::{Answer, Request};
use sealwright_core::{Engine, Platform, PlatformFault};
use sealwright_tpm2::Tpm2;
use sealwright_tpm2::profile::Profile;
use std::time::Instant;
use zeroize::Zeroizing;

/// Room for the largest answer.
const MAX_RESPONSE: usize = 8192;

/// What the engine gets from this process. Nothing it commits is kept: the state is taken whole at the end.
struct Host(Instant);

impl Platform for Host {
    fn entropy(&mut self, out: &mut [u8]) -> Result<(), PlatformFault> {
        crate::random::fill(out).map_err(|_| PlatformFault::Entropy)
    }
    fn now(&mut self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
    fn commit(&mut self, _: &[u8]) -> Result<(), PlatformFault> {
        Ok(())
    }
}

/// What certificates say of a TPM; the values are those of its properties (TPM_PT_…).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmDescription {
    /// Family of the specification, such as `2.0`.
    pub family: String,
    /// Level of the specification.
    pub level: u32,
    /// Revision of the specification, times 100.
    pub revision: u32,
    /// The vendor, `id:` and its number in hexadecimal. swtpm names that of its authors, and so is it here.
    pub manufacturer: String,
    /// The product.
    pub model: String,
    /// Version of the firmware, `id:` and its number in hexadecimal.
    pub version: String,
    /// The vendor in TPM_PT_MANUFACTURER, as text.
    pub vendor: String,
}

/// A running TPM that is nobody's yet.
pub struct Vtpm {
    tpm: Tpm2,
    host: Host,
}

impl core::fmt::Debug for Vtpm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Vtpm(..)")
    }
}

impl Vtpm {
    /// A new TPM of this profile, started.
    pub fn new(profile: Profile) -> Result<Self, Failure> {
        let mut host = Host(Instant::now());
        let tpm = Tpm2::manufacture_with(&sealwright_crypto_native::NATIVE, &mut host, profile);
        Self { tpm: tpm.map_err(|_| failure!("the kernel gives no random numbers"))?, host }.started()
    }

    /// The TPM of a permanent state of libtpms, started.
    pub fn of_libtpms(state: &[u8]) -> Result<Self, Failure> {
        let tpm = Tpm2::from_libtpms_permanent(&sealwright_crypto_native::NATIVE, state);
        let tpm = tpm.map_err(|fault| failure!("the state of the TPM cannot be read: {fault}"))?;
        Self { tpm, host: Host(Instant::now()) }.started()
    }

    fn started(mut self) -> Result<Self, Failure> {
        self.tpm.power_on(&mut self.host);
        self.run("TPM2_Startup", Request::new(0x144).u16(0))?;
        Ok(self)
    }

    /// Shuts the TPM down, so that its next start is an orderly one, and gives its permanent state as libtpms reads it.
    pub fn finish(mut self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        self.run("TPM2_Shutdown", Request::new(0x145).u16(0))?;
        self.tpm.to_libtpms_permanent().map_err(|fault| failure!("the state of the TPM cannot be stored: {fault}"))
    }

    /// The JSON text of the profile, as swtpm says it.
    pub fn profile(&self) -> String {
        self.tpm.profile().active()
    }

    /// Runs a command that must succeed.
    fn run(&mut self, name: &'static str, request: Request) -> Result<Answer, Failure> {
        let mut response = vec![0; MAX_RESPONSE];
        let size = self.tpm.execute(&mut self.host, 0, &request.finish(), &mut response);
        response.truncate(size);
        Answer::new(name, response)
    }

    /// A property of the TPM (TPM_PT_…, Part 2, 6.13).
    fn property(&mut self, property: u32) -> Result<u32, Failure> {
        const TPM_PROPERTIES: u32 = 6;
        let name = "TPM2_GetCapability";
        let mut answer = self.run(name, Request::new(0x17A).u32(TPM_PROPERTIES).u32(property).u32(1))?;
        answer.skip(1 + 4)?;
        match (answer.u32()?, answer.u32()?, answer.u32()?) {
            (1, found, value) if found == property => Ok(value),
            _ => Err(failure!("the TPM does not know its property {property:#x}")),
        }
    }

    /// What certificates are to say of this TPM.
    pub fn description(&mut self) -> Result<TpmDescription, Failure> {
        let text = |number: u32| {
            let bytes = number.to_be_bytes();
            String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
        };
        Ok(TpmDescription {
            family: text(self.property(0x100)?),
            level: self.property(0x101)?,
            revision: self.property(0x102)?,
            manufacturer: "id:00001014".to_owned(),
            model: "swtpm".to_owned(),
            version: format!("id:{:08x}", self.property(0x10B)?),
            vendor: text(self.property(0x105)?),
        })
    }
}

#[cfg(test)]
mod tests;

//! The key managers, one file each.

use sealwright_state::KeyManager;

use crate::address::{Address, AddressFault};

/// One way to name a key manager.
pub struct Scheme {
    /// What stands before the colon.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// An address of this sort.
    pub example: &'static str,
    open: Option<Open>,
}

type Open = fn(&mut Address) -> Result<Box<dyn KeyManager>, AddressFault>;

/// Each file has `SCHEMES`; behind a feature, the schemes stay known, so that their absence can be explained.
macro_rules! managers {
    ($($file:ident $(if $feature:literal has $missing:tt)?;)*) => {
        $($(#[cfg(feature = $feature)])? mod $file;)*

        /// All schemes, those that were left out of this build too.
        pub fn schemes() -> Vec<&'static Scheme> {
            let mut all = Vec::new();
            $(managers!(@ all $file $(if $feature has $missing)?);)*
            all
        }
    };
    (@ $all:ident $file:ident) => { $all.extend($file::SCHEMES); };
    (@ $all:ident $file:ident if $feature:literal has ($name:literal, $about:literal)) => {
        #[cfg(feature = $feature)]
        $all.extend($file::SCHEMES);
        #[cfg(not(feature = $feature))]
        $all.push(&Scheme { name: $name, about: $about, example: "", open: None });
    };
}

managers! {
    descriptor;
    file;
    credential;
    libvirt;
    tpm;
    kmip if "kmip" has ("kmip", "a server of OASIS KMIP 1.4 or 2.0");
    pkcs11 if "pkcs11" has ("pkcs11", "a hardware security module, through its PKCS #11 library");
    barbican if "barbican" has ("barbican", "OpenStack's key manager");
    vault if "vault" has ("vault", "the transit engine of HashiCorp Vault or OpenBao");
}

/// The key manager that `address` names. Nothing is asked of it yet, but descriptors are read.
pub fn open(address: &str) -> Result<Box<dyn KeyManager>, AddressFault> {
    let mut address = Address::parse(address)?;
    let all = schemes();
    let Some(scheme) = all.iter().find(|scheme| scheme.name == address.scheme) else {
        let names: Vec<&str> = all.iter().map(|scheme| scheme.name).collect();
        let why = format!("names no key manager that is known; the known ones are {}", names.join(", "));
        return Err(address.fault(why));
    };
    let Some(open) = scheme.open else {
        return Err(address.fault("names a key manager that was left out when this program was built"));
    };
    let manager = open(&mut address)?;
    address.finish()?;
    Ok(manager)
}

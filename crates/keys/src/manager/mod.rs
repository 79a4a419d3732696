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

#[cfg(test)]
mod tests {
    use super::{Address, open, schemes};

    #[test]
    fn the_guide_knows_all_schemes_and_its_addresses_are_well_formed() {
        let guide = include_str!("../../../../docs/guide/key-managers.md");
        let mut shown = 0;
        for scheme in schemes() {
            assert!(guide.contains(&format!("`{}`", scheme.name)), "{} is not in the guide", scheme.name);
            let indented = format!("    {}:", scheme.name);
            for line in guide.lines().filter(|line| line.starts_with(&indented) && !line.contains('\u{2026}')) {
                let text = line.split_whitespace().next().unwrap();
                assert_eq!(Address::parse(text).unwrap().scheme, scheme.name);
                shown += 1;
            }
            if !scheme.example.is_empty() {
                assert_eq!(Address::parse(scheme.example).unwrap().scheme, scheme.name);
            }
        }
        assert!(shown >= 12, "{shown}");
    }

    #[test]
    fn an_unknown_scheme_is_told_what_there_is() {
        let error = open("valt:https://h/transit/k").err().unwrap().to_string();
        assert!(error.contains("vault") && error.contains("kmip") && error.contains("pwdfd"), "{error}");
    }

    #[test]
    #[cfg(not(feature = "vault"))]
    fn a_manager_that_was_left_out_is_still_known() {
        let error = open("vault:https://h/transit/k").err().unwrap().to_string();
        assert!(error.contains("left out when this program was built"), "{error}");
    }
}

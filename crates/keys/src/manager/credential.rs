//! `credential:NAME` and `pwdcredential:NAME`: a credential that systemd gave to this service (`LoadCredential=`,
//! `LoadCredentialEncrypted=`, `SetCredentialEncrypted=`; systemd.exec(5)), in the folder that `$CREDENTIALS_DIRECTORY` names.

use std::path::PathBuf;

use sealwright_state::KeyManager;

use super::Scheme;
use crate::address::{Address, AddressFault};
use crate::given::{Form, Given, key_options, passphrase_options};
use crate::keeper::Envelope;

pub(super) static SCHEMES: &[Scheme] = &[
    Scheme {
        name: "credential",
        about: "a key in a systemd credential of this service",
        example: "credential:vtpm-master-key",
        open: Some(|address| open(address, "credential", key_options)),
    },
    Scheme {
        name: "pwdcredential",
        about: "a passphrase in a systemd credential of this service",
        example: "pwdcredential:vtpm-passphrase",
        open: Some(|address| open(address, "pwdcredential", passphrase_options)),
    },
];

fn open(
    address: &mut Address,
    name: &'static str,
    options: fn(&mut Address) -> Result<Form, AddressFault>,
) -> Result<Box<dyn KeyManager>, AddressFault> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    within(address, name, options, folder)
}

fn within(
    address: &mut Address,
    name: &'static str,
    options: fn(&mut Address) -> Result<Form, AddressFault>,
    folder: Option<PathBuf>,
) -> Result<Box<dyn KeyManager>, AddressFault> {
    let folder = folder.ok_or_else(|| {
        address.fault("needs $CREDENTIALS_DIRECTORY, which systemd sets for services with LoadCredential=; this process has none")
    })?;
    let credential = address.plain_place()?;
    let previous = address.take("previous");
    for name in [Some(&credential), previous.as_ref()].into_iter().flatten() {
        if name.is_empty() || name.len() > 255 || name.contains('/') || name.starts_with('.') {
            return Err(address.fault("must name a credential: a file name without a slash"));
        }
    }
    let form = options(address)?;
    let path = folder.join(&credential);
    let previous = previous.map(|name| folder.join(name));
    Ok(Box::new(Envelope(Given::in_file(name, &credential, form, path, previous))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn try_open(place: &str, folder: Option<PathBuf>) -> Result<Box<dyn KeyManager>, AddressFault> {
        within(&mut Address::parse(place).unwrap(), "credential", key_options, folder)
    }

    #[test]
    fn runs_the_contract_on_a_credential() {
        let folder = crate::testing::folder("credential");
        std::fs::write(folder.path("k"), [5; 32]).unwrap();
        let new = || try_open("credential:k", Some(folder.path(""))).unwrap();
        crate::contract::run(&new, crate::contract::Traits::default());
    }

    #[test]
    fn names_what_is_missing() {
        assert!(try_open("credential:k", None).err().unwrap().to_string().contains("LoadCredential="));
        assert!(try_open("credential:../shadow", Some("/tmp".into())).err().unwrap().to_string().contains("slash"));
    }
}

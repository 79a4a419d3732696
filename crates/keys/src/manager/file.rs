//! `file:PATH` and `pwdfile:PATH`: a key or a passphrase in a file.

use std::path::Path;

use sealwright_state::KeyManager;

use super::Scheme;
use crate::address::{Address, AddressFault};
use crate::given::{Form, Given, key_options, passphrase_options};
use crate::keeper::Envelope;

pub(super) static SCHEMES: &[Scheme] = &[
    Scheme {
        name: "file",
        about: "a key in a file",
        example: "file:/etc/sealwright/master.key?previous=/etc/sealwright/old.key",
        open: Some(|address| open(address, "file", key_options)),
    },
    Scheme {
        name: "pwdfile",
        about: "a passphrase in a file",
        example: "pwdfile:/etc/sealwright/passphrase",
        open: Some(|address| open(address, "pwdfile", passphrase_options)),
    },
];

fn open(
    address: &mut Address,
    name: &'static str,
    options: fn(&mut Address) -> Result<Form, AddressFault>,
) -> Result<Box<dyn KeyManager>, AddressFault> {
    let path = address.plain_place()?;
    let previous = address.take_path("previous");
    for path in [Some(Path::new(&path)), previous.as_deref()].into_iter().flatten() {
        if !path.is_absolute() {
            return Err(address.fault(format!("must have an absolute path, as in {name}:/etc/sealwright/master.key")));
        }
    }
    let form = options(address)?;
    Ok(Box::new(Envelope(Given::in_file(name, &path, form, path.clone().into(), previous))))
}

#[cfg(test)]
mod tests {
    use crate::contract::{Traits, run, tpm_of};
    use crate::testing::folder;
    use sealwright_state::{DataKey, KeyError};

    #[test]
    fn runs_the_contract_on_keys() {
        let folder = folder("file");
        for (name, content, options) in [
            ("bytes", &[9; 32][..], ""),
            ("binary", b"00112233445566778899aabbccddeeff\n", "?format=binary"),
            ("hex", b"0x00112233445566778899aabbccddeeff\n", "?format=hex"),
        ] {
            std::fs::write(folder.path(name), content).unwrap();
            let address = format!("file:{}{options}", folder.path(name).display());
            run(&|| crate::open(&address).unwrap(), Traits::default());
        }
    }

    #[test]
    fn runs_the_contract_on_passphrases() {
        let folder = folder("pwdfile");
        std::fs::write(folder.path("weak"), "hunter2").unwrap();
        let weak = format!("pwdfile:{}", folder.path("weak").display());
        // Strong enough to need no stretching, which the contract's many tries would wait for.
        std::fs::write(folder.path("strong"), [b'x'; 64]).unwrap();
        let strong = format!("pwdfile:{}?kdf=sha512", folder.path("strong").display());
        run(&|| crate::open(&strong).unwrap(), Traits::default());
        for kdf in ["argon2id", "pbkdf2"] {
            let manager = crate::open(&format!("{weak}?kdf={kdf}")).unwrap();
            let key = DataKey::random().unwrap();
            let wrapped = manager.wrap(&tpm_of("a"), &key).unwrap();
            assert_eq!(manager.unwrap(&tpm_of("a"), &wrapped).unwrap().expose(), key.expose());
            // How it was stretched is in the wrapped key, so the option may change.
            assert_eq!(crate::open(&weak).unwrap().unwrap(&tpm_of("a"), &wrapped).unwrap().expose(), key.expose());
        }
        let refused = crate::open(&format!("{weak}?kdf=sha512")).unwrap().wrap(&tpm_of("a"), &DataKey::new([1; 32]));
        assert!(refused.unwrap_err().to_string().contains("at least 32"));
    }

    #[test]
    fn a_new_key_takes_over_from_the_previous() {
        let folder = folder("rotation");
        std::fs::write(folder.path("old"), [1; 32]).unwrap();
        std::fs::write(folder.path("new"), [2; 32]).unwrap();
        let (old, new) = (folder.path("old"), folder.path("new"));
        let key = DataKey::random().unwrap();
        let wrapped = crate::open(&format!("file:{}", old.display())).unwrap().wrap(&tpm_of("a"), &key).unwrap();
        let only_new = crate::open(&format!("file:{}", new.display())).unwrap();
        assert!(matches!(only_new.unwrap(&tpm_of("a"), &wrapped), Err(KeyError::WrongKey { .. })));
        let both = crate::open(&format!("file:{}?previous={}", new.display(), old.display())).unwrap();
        assert!(both.is_outdated(&wrapped));
        let opened = both.unwrap(&tpm_of("a"), &wrapped).unwrap();
        let again = both.wrap(&tpm_of("a"), &opened).unwrap();
        assert!(!both.is_outdated(&again));
        assert_eq!(only_new.unwrap(&tpm_of("a"), &again).unwrap().expose(), key.expose());
    }

    #[test]
    fn faults_are_named() {
        let folder = folder("faults");
        let path = folder.path("key");
        let manager = crate::open(&format!("file:{}", path.display())).unwrap();
        let wrap = || manager.wrap(&tpm_of("a"), &DataKey::new([1; 32]));
        let gone = wrap().unwrap_err();
        assert!(matches!(gone, KeyError::NotFound { .. }) && gone.to_string().contains(path.to_str().unwrap()), "{gone}");
        std::fs::write(&path, [1; 15]).unwrap();
        assert!(wrap().unwrap_err().to_string().contains("at least 16"));
        std::fs::write(&path, [1; 32]).unwrap();
        let wrapped = wrap().unwrap();
        std::fs::write(&path, [2; 32]).unwrap();
        assert!(matches!(manager.unwrap(&tpm_of("a"), &wrapped), Err(KeyError::WrongKey { .. })));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(manager.unwrap(&tpm_of("a"), &wrapped), Err(KeyError::NotFound { .. })));
        assert!(crate::open("file:relative").err().unwrap().to_string().contains("absolute"));
    }
}

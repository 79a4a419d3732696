//! `fd:N` and `pwdfd:N`: a key or a passphrase by file descriptor, as swtpm's `--key fd=N` and `--key pwdfd=N`.

use sealwright_state::KeyManager;

use super::Scheme;
use crate::address::{Address, AddressFault};
use crate::given::{Form, Given, passphrase_options, key_options};
use crate::keeper::Envelope;
use crate::secret::Secret;

pub(super) static SCHEMES: &[Scheme] = &[
    Scheme {
        name: "fd",
        about: "a key on a file descriptor that the parent process left open",
        example: "fd:7?format=binary",
        open: Some(|address| open(address, key_options)),
    },
    Scheme {
        name: "pwdfd",
        about: "a passphrase on a file descriptor that the parent process left open",
        example: "pwdfd:7?kdf=argon2id",
        open: Some(|address| open(address, passphrase_options)),
    },
];

fn open(
    address: &mut Address,
    options: fn(&mut Address) -> Result<Form, AddressFault>,
) -> Result<Box<dyn KeyManager>, AddressFault> {
    let number = address.place.parse().map_err(|_| address.fault("must be the number of a file descriptor, as in fd:7"))?;
    let form = options(address)?;
    // A pipe can be read once, so it is read now.
    let secret = Secret::read_descriptor(number).and_then(|bytes| form.read(&bytes)).map_err(|e| address.fault(format!("cannot be used: {e}")))?;
    let name = if matches!(form, Form::Passphrase(_)) { "pwdfd" } else { "fd" };
    Ok(Box::new(Envelope(Given::at_once(name, &address.place, form, secret))))
}

#[cfg(test)]
mod tests {
    use crate::contract::{Traits, run};
    use std::io::{PipeReader, PipeWriter, Write};
    use std::os::fd::AsRawFd;

    fn pipe(bytes: &[u8]) -> (PipeReader, PipeWriter) {
        let (read, mut write) = std::io::pipe().unwrap();
        write.write_all(bytes).unwrap();
        (read, write)
    }

    #[test]
    fn runs_the_contract_with_the_writing_end_open() {
        for (scheme, secret, options) in [
            ("fd", &[3; 32][..], ""),
            ("fd", b"000102030405060708090a0b0c0d0e0f", "?format=hex"),
            ("pwdfd", &[b'x'; 64], "?kdf=sha512"),
        ] {
            let new = || {
                let (read, _write) = pipe(secret);
                crate::open(&format!("{scheme}:{}{options}", read.as_raw_fd())).unwrap()
            };
            run(&new, Traits::default());
        }
    }

    #[test]
    fn says_what_is_wrong_at_once() {
        let refused = |address: &str| crate::open(address).err().unwrap().to_string();
        assert!(refused("fd:x").contains("as in fd:7"));
        assert!(refused("fd:1000000").contains("is not open"));
        let (read, _write) = pipe(b"short");
        assert!(refused(&format!("fd:{}", read.as_raw_fd())).contains("at least 16"));
    }
}

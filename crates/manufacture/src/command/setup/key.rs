//! The key of the state.

use super::options::{Options, Source};
use crate::command::user;
use crate::failure::{Failure, failure};
use crate::file;
use sealwright_state::swtpm::{Kdf, KeySize, SwtpmKey};
use zeroize::Zeroizing;

/// Reads a secret of a file or a descriptor; `what` names it.
fn secret(source: &Source, what: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let bytes = match source {
        Source::File(path) => {
            let refused = |_| failure!("User {} cannot read {what} {}.", user::name(), path.display());
            file::read(path).map_err(refused)?
        }
        Source::Descriptor(number) => {
            file::read_descriptor(*number).map_err(|Failure(why)| failure!("The {what} cannot be read: {why}."))?
        }
    };
    if bytes.is_empty() {
        return Err(failure!("The {what} is empty."));
    }
    Ok(bytes)
}

/// The key that the options name, and how it comes about, in words.
pub(super) fn read(options: &Options) -> Result<Option<(SwtpmKey, &'static str)>, Failure> {
    let size = match options.cipher.as_deref() {
        None | Some("aes-128-cbc" | "aes-cbc") => KeySize::Aes128,
        Some("aes-256-cbc") => KeySize::Aes256,
        Some(other) => return Err(failure!("Unsupported cipher {other}.")),
    };
    if let Some(source) = &options.keyfile {
        let key = SwtpmKey::from_hex(&secret(source, "keyfile")?, size).map_err(|fault| failure!("{fault}"))?;
        return Ok(Some((key, "with a provided key")));
    }
    if let Some(source) = &options.pwdfile {
        let key = SwtpmKey::from_passphrase(&secret(source, "passphrase file")?, Kdf::Pbkdf2, size);
        return Ok(Some((key, "using a key derived from a passphrase")));
    }
    Ok(None)
}

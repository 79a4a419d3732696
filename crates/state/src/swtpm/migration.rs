//! Blobs of a migration: what GET_STATEBLOB gives and SET_STATEBLOB takes. Around the parts of the state is one more
//! layer, which may be encrypted with a migration key.

use super::cipher;
use super::envelope::{self, Opened, decrypt_old, enclose, flag, key_for, seal_parts};
use super::tlv::{self, Tag};
use super::{SwtpmError, SwtpmKey};
use zeroize::Zeroizing;

const LAYER: &str = "migration key";

/// The blob of the engine for a migration: encrypted with the state's key if that is given, then with the migration's.
pub fn wrap(
    blob: &[u8],
    state: Option<&SwtpmKey>,
    migration: Option<&SwtpmKey>,
) -> Result<Zeroizing<Vec<u8>>, SwtpmError> {
    let (mut flags, parts) = seal_parts(blob, state)?;
    flags |= flag::MIGRATION;
    let mut content = Zeroizing::new(Vec::new());
    match migration {
        None => tlv::put(&mut content, Tag::MigrationData, &parts),
        Some(key) => {
            let encrypted = cipher::encrypt(key, &parts)?;
            tlv::put(&mut content, Tag::EncryptedMigrationData, &encrypted.data);
            tlv::put(&mut content, Tag::Hmac, &encrypted.hmac);
            tlv::put(&mut content, Tag::MigrationIv, &encrypted.iv);
            flags |= flag::MIGRATION_ENCRYPTED | if key.is_256() { flag::MIGRATION_KEY_256 } else { 0 };
        }
    }
    enclose(flags, &content)
}

/// The blob of the engine in a blob of a migration. A blob that is not encrypted may come to a TPM that has keys: it will
/// be encrypted there.
pub fn unwrap(
    bytes: &[u8],
    state: Option<&SwtpmKey>,
    migration: Option<&SwtpmKey>,
) -> Result<Zeroizing<Vec<u8>>, SwtpmError> {
    let opened = envelope::header(bytes)?;
    let needed = |tag| tlv::find(opened.content, tag)?.ok_or_else(|| SwtpmError::damaged("there is no data"));
    let encrypted = opened.flags & flag::MIGRATION_ENCRYPTED != 0;
    let parts = if encrypted {
        let key = key_for(migration, opened.flags & flag::MIGRATION_KEY_256 != 0, LAYER)?;
        if opened.version < 2 {
            decrypt_old(key, LAYER, opened.content)?
        } else {
            let iv = tlv::find(opened.content, Tag::MigrationIv)?;
            cipher::decrypt(key, LAYER, needed(Tag::EncryptedMigrationData)?, iv, needed(Tag::Hmac)?)?
        }
    } else if opened.version < 2 {
        Zeroizing::new(opened.content.to_vec())
    } else {
        Zeroizing::new(needed(Tag::MigrationData)?.to_vec())
    };
    let state = state.filter(|_| opened.flags & flag::ENCRYPTED != 0);
    envelope::open_parts(&Opened { version: opened.version, flags: opened.flags, content: &parts }, state)
}

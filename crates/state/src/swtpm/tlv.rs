//! swtpm's lists of tagged parts.

use super::SwtpmError;
use zeroize::Zeroizing;

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// The blob of the engine.
    Data = 1,
    /// The same, encrypted with the state key.
    EncryptedData = 2,
    /// Authentication of what is encrypted.
    Hmac = 3,
    /// Parts of the state, for a migration.
    MigrationData = 4,
    /// The same, encrypted with the migration key.
    EncryptedMigrationData = 5,
    /// The IV of [`Tag::EncryptedData`].
    DataIv = 6,
    /// The IV of [`Tag::EncryptedMigrationData`].
    MigrationIv = 7,
}

/// Bytes of tag and length.
const HEAD: usize = 6;

/// The content of the first part with this tag.
pub(super) fn find(list: &[u8], tag: Tag) -> Result<Option<&[u8]>, SwtpmError> {
    let mut rest = list;
    while !rest.is_empty() {
        let cut = || SwtpmError::damaged("a part is cut off");
        let (head, after) = rest.split_first_chunk::<HEAD>().ok_or_else(cut)?;
        let [t1, t0, l3, l2, l1, l0] = *head;
        let length = usize::try_from(u32::from_be_bytes([l3, l2, l1, l0])).map_err(|_| cut())?;
        let (content, after) = after.split_at_checked(length).ok_or_else(cut)?;
        if u16::from_be_bytes([t1, t0]) == tag as u16 {
            return Ok(Some(content));
        }
        rest = after;
    }
    Ok(None)
}

/// Appends a part.
pub(super) fn put(list: &mut Zeroizing<Vec<u8>>, tag: Tag, content: &[u8]) {
    let needed = list.len().saturating_add(HEAD).saturating_add(content.len());
    if needed > list.capacity() {
        // So that growing leaves no copy of what may be secret.
        let mut larger = Zeroizing::new(Vec::with_capacity(needed));
        larger.extend_from_slice(list);
        *list = larger;
    }
    list.extend_from_slice(&(tag as u16).to_be_bytes());
    list.extend_from_slice(&u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes());
    list.extend_from_slice(content);
}

//! Looks through a journal from end to end: which generations are there, where they end, and whether what lies behind the last
//! one is what a cut-off write leaves, or damage.

use super::view::View;
use super::{BLOCK, SECTOR, header, record};
use crate::error::StateError;
use crate::generation::{Content, Generation};
use crate::identity::Kind;

/// Where a record's frame lies.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) at: u64,
    pub(crate) length: usize,
    pub(crate) generation: Generation,
}

/// A journal that was read.
pub(crate) struct Journal {
    pub(crate) header: header::Found,
    /// In the order of the chain; never empty, and there is a [`Content::State`] among them.
    pub(crate) entries: Vec<Entry>,
    /// Where the next frame goes.
    pub(crate) end: u64,
    /// A record behind the end was cut off. Nobody was told of it, so it is dropped.
    pub(crate) torn: bool,
}

/// Reads a journal. Nothing is decrypted.
pub(crate) fn scan(place: &str, kind: Kind, view: &mut View<'_>) -> Result<Journal, StateError> {
    let least = header::Header::length(view.bytes(0, BLOCK)?);
    let found = header::Header::decode(place, kind, view.bytes(0, least)?)?;
    let torn_off = |why: String| StateError::Torn { place: place.to_owned(), why };
    let damaged = |why: String| StateError::Damaged { place: place.to_owned(), why };
    let length = u64::try_from(view.length()).unwrap_or(u64::MAX);
    if length < found.header.area {
        return Err(torn_off(format!("it has {length} of {} bytes", found.header.area)));
    }
    let mut entries: Vec<Entry> = Vec::new();
    let mut at = found.length;
    let mut torn = false;
    loop {
        let least = record::frame_length(view.bytes(at, BLOCK)?).unwrap_or(BLOCK);
        let left = view.length().saturating_sub(at);
        let Some((read, framed)) = record::decode(view.bytes(at, least)?) else {
            if view.is_zero(at)? {
                break;
            }
            let rest = view.bytes(at, left)?;
            if !is_cut_off(rest) || has_later(rest) {
                return Err(damaged(format!("the record at byte {at} has a wrong checksum")));
            }
            torn = true;
            break;
        };
        if framed > left {
            return Err(torn_off(format!("the last block of the record at byte {at} is not complete")));
        }
        let generation = read.generation;
        if let Some(before) = entries.last().map(|e| &e.generation) {
            // What was kept from earlier than the rest is the first record, and may stand apart.
            let apart = entries.len() == 1;
            let follows = generation.sequence > before.sequence && generation.epoch >= before.epoch;
            if !follows || (generation.parent != before.digest && !apart) {
                let why = format!("generation {} does not follow {}", generation.sequence, before.sequence);
                return Err(damaged(why));
            }
        }
        if generation.kind != kind || generation.vm != found.header.vm {
            return Err(damaged(format!("the record at byte {at} is of another VM or kind than its header")));
        }
        entries.push(Entry { at: u64::try_from(at).unwrap_or(u64::MAX), length: framed, generation });
        at = at.saturating_add(framed);
    }
    if !entries.iter().any(|e| e.generation.content == Content::State) {
        return Err(torn_off("it has no complete generation".to_owned()));
    }
    Ok(Journal { header: found, entries, end: u64::try_from(at).unwrap_or(u64::MAX), torn })
}

/// True if there is nothing but zeros. The room behind a journal's end is long and is looked at in each start, so many
/// bytes are looked at as one.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks();
    words.iter().all(|word| u128::from_le_bytes(*word) == 0) && rest.iter().all(|byte| *byte == 0)
}

/// True if `rest`, which begins with no good frame, is what is left of a frame whose writing was cut off over zeros: the
/// end is missing, or a whole sector of it is. What was once complete, and changed later, is not.
fn is_cut_off(rest: &[u8]) -> bool {
    let zero = is_zero;
    let first = rest.get(..SECTOR.min(rest.len())).unwrap_or_default();
    if zero(first) {
        return true;
    }
    match record::frame_length(rest) {
        Some(length) => {
            let frame = rest.get(..length.min(rest.len())).unwrap_or_default();
            let behind = rest.get(length..).unwrap_or_default();
            let used = frame.iter().rposition(|b| *b != 0).map_or(0, |n| n.saturating_add(1));
            let written = frame.get(..used).unwrap_or_default();
            let complete = record::has_end(frame) && !written.chunks(SECTOR).any(zero);
            !complete && zero(behind)
        }
        // Cut off within the first eight bytes.
        None => {
            zero(rest.get(7..).unwrap_or_default()) && first.iter().zip(record::FRAME).all(|(a, b)| *a == b || *a == 0)
        }
    }
}

/// True if a good frame begins at a later block: then this one was complete once, as frames are written one by one.
fn has_later(rest: &[u8]) -> bool {
    rest.chunks(BLOCK).skip(1).enumerate().any(|(n, block)| {
        block.starts_with(&record::FRAME)
            && rest.get(n.saturating_add(1).saturating_mul(BLOCK)..).and_then(record::decode).is_some()
    })
}

//! The format of `docs/reference/state-format.md`, version 1.

pub(crate) mod header;
pub(crate) mod record;
pub(crate) mod scan;
pub(crate) mod view;

/// The version written. Readers know this one and all before it.
pub(crate) const VERSION: u16 = 1;
/// Headers and frames begin on a multiple of this, so that no append touches a block that holds an older record.
pub(crate) const BLOCK: usize = 4096;
/// What a storage device writes whole or not at all.
pub(crate) const SECTOR: usize = 512;

/// `length` rounded up to whole blocks.
pub(crate) fn blocks(length: usize) -> usize {
    length.div_ceil(BLOCK).saturating_mul(BLOCK)
}

/// Appends zeros up to the end of the block.
pub(crate) fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(blocks(bytes.len()), 0);
}

//! Properties of PCR (Part 2, 6.14).

use crate::pcr::{attributes, in_auth_group, no_increment};
use crate::structures::{PCR_COUNT, TaggedPcrSelect};

const SAVE: u32 = 0x00;
const EXTEND_L0: u32 = 0x01;
const RESET_L4: u32 = 0x0A;
const NO_INCREMENT: u32 = 0x11;
const DRTM_RESET: u32 = 0x12;
const POLICY: u32 = 0x13;
const AUTH: u32 = 0x14;

fn has(tag: u32, pcr: usize) -> bool {
    let a = attributes(pcr);
    match tag {
        SAVE => a.save,
        // Extend and reset alternate, for localities 0 to 4.
        EXTEND_L0..=RESET_L4 => {
            let locality = tag.saturating_sub(EXTEND_L0) / 2;
            let mask = if tag % 2 == 1 { a.extend } else { a.reset };
            mask >> locality & 1 == 1
        }
        NO_INCREMENT => no_increment(pcr),
        DRTM_RESET => a.is_drtm(),
        POLICY | AUTH => in_auth_group(pcr),
        _ => false,
    }
}

/// Properties from `first` on.
pub(super) fn from(first: u32) -> impl Iterator<Item = TaggedPcrSelect> {
    let tags = (SAVE..=RESET_L4).chain(NO_INCREMENT..=AUTH).filter(move |tag| *tag >= first);
    tags.map(|tag| {
        let mut select = [0u8; 3];
        for (byte, pcrs) in select.iter_mut().zip((0..PCR_COUNT).step_by(8)) {
            for bit in 0..8 {
                *byte |= u8::from(has(tag, pcrs.saturating_add(bit))) << bit;
            }
        }
        TaggedPcrSelect { tag, size: 3, select }
    })
}

//! Mutated commands: the same change on both sides, because it is made by offset and not by content.

use crate::wire::Random;

const INTERESTING: [u32; 24] = [
    0,
    1,
    2,
    0xFF,
    0x7F,
    0x80,
    0x8001,
    0x8002,
    0x0B,
    0x10,
    0x4000_0001,
    0x4000_0007,
    0x4000_0009,
    0x4000_000A,
    0x4000_000B,
    0x4000_000C,
    0x8000_0000,
    0x8000_0001,
    0x8100_0001,
    0x0100_0001,
    0x0200_0000,
    0x0300_0000,
    0xFFFF_FFFF,
    0xFFFF,
];

fn fix_size(command: &mut [u8]) {
    let size = (command.len() as u32).to_be_bytes();
    if let Some(field) = command.get_mut(2..6) {
        field.copy_from_slice(&size);
    }
}

/// One changed copy of `command`. Its length is at most 4096.
pub fn mutate(command: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = command.to_vec();
    let body = 10.min(out.len());
    let choice = random.below(14);
    let (position, value) = (random.below(out.len().max(1)), random.next());
    match choice {
        0 => out.truncate(body.max(position)),
        1 => out.extend(random.clone().bytes(1 + value as usize % 4)),
        2 | 3 => {
            if let Some(b) = out.get_mut(body.max(position)) {
                *b ^= 1 << (value % 8);
            }
        }
        4 => {
            if let Some(b) = out.get_mut(body.max(position)) {
                *b = value as u8;
            }
        }
        5..=7 => {
            // A 16-bit field in the parameters becomes another one.
            let at = body.max(position) & !1;
            let new = (INTERESTING[value as usize % INTERESTING.len()] as u16).to_be_bytes();
            if let Some(field) = out.get_mut(at..at + 2) {
                field.copy_from_slice(&new);
            }
        }
        8 => {
            // One of the first handles becomes another one.
            let at = 10 + 4 * (position % 3);
            let new = INTERESTING[value as usize % INTERESTING.len()].to_be_bytes();
            if let Some(field) = out.get_mut(at..at + 4) {
                field.copy_from_slice(&new);
            }
        }
        9 => {
            // The tag, with everything else as it was.
            let tags = [[0x80, 0x01], [0x80, 0x02], [0x00, 0xC1], [0, 0]];
            if let Some(field) = out.get_mut(0..2) {
                field.copy_from_slice(&tags[value as usize % 4]);
            }
        }
        10 => {
            // Another command with the same body.
            let code = 0x11F + (value % 0x85) as u32;
            if let Some(field) = out.get_mut(6..10) {
                field.copy_from_slice(&code.to_be_bytes());
            }
        }
        11 => {
            let at = body.max(position);
            if at < out.len() {
                out.remove(at);
            }
        }
        12 => {
            let at = body.max(position).min(out.len());
            out.insert(at, value as u8);
        }
        _ => {
            // Somewhere in the authorization area: attributes, sizes, session handle.
            let at = (14 + value as usize % 24).min(out.len().saturating_sub(1));
            if let Some(b) = out.get_mut(at) {
                *b ^= 1 << (position % 8);
            }
        }
    }
    out.truncate(4096);
    fix_size(&mut out);
    out
}

//! Saved states as somebody would make them who wants to break the engine that reads them.

use sealwright_core::{Engine, Platform};
use sealwright_crypto::Crypto;
use sealwright_differential::wire::Random;
use sealwright_tpm2::Tpm2;

const STARTUP: [u8; 12] = [0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0];
/// Commands that an accepted state has to bear.
const COMMANDS: usize = 8;

/// One to three changes anywhere in a state.
pub(crate) fn damaged(state: &[u8], chance: &mut Random) -> Vec<u8> {
    let mut out = state.to_vec();
    for _ in 0..1 + chance.below(3) {
        let place = chance.below(out.len());
        let value = chance.next();
        let end = out.len().min(place + 1 + chance.below(16));
        match (value >> 32) % 10 {
            0..=2 => out[place] ^= 1 << (value % 8),
            3 => out[place] = 0xFF,
            4 => out[place] = 0,
            5 => out.insert(place, value as u8),
            6 => drop(out.remove(place)),
            7 => out[place..end].fill(value as u8),
            8 => {
                // Another field of the state in this place: lengths and kinds that exist, where they do not belong.
                let from = chance.below(state.len());
                let part = &state[from..state.len().min(from + end - place)];
                out[place..place + part.len().min(end - place)].copy_from_slice(&part[..part.len().min(end - place)]);
            }
            _ => out.truncate(place.max(16)),
        }
        if out.is_empty() {
            out.push(0);
        }
    }
    out
}

/// Restores a damaged state and uses it, if it is accepted. Gives whether it was.
pub(crate) fn attack(
    crypto: &'static Crypto,
    (permanent, volatile): &(Vec<u8>, Vec<u8>),
    commands: &[Vec<u8>],
    platform: &mut dyn Platform,
    chance: &mut Random,
) -> bool {
    let mut response = vec![0; 4096];
    let mut tpm;
    if chance.below(2) == 0 {
        let Ok(accepted) = Tpm2::restore(crypto, &damaged(permanent, chance)) else { return false };
        tpm = accepted;
        tpm.power_on(platform);
        tpm.execute(platform, 0, &STARTUP, &mut response);
    } else {
        let Ok(accepted) = Tpm2::restore(crypto, permanent) else { return false };
        tpm = accepted;
        if tpm.resume(platform, &damaged(volatile, chance)).is_err() {
            return false;
        }
    }
    for _ in 0..COMMANDS {
        let command: &Vec<u8> = chance.pick(commands);
        tpm.execute(platform, 0, command, &mut response);
    }
    // What it saves now it must take again.
    let saved = (tpm.save_permanent(), tpm.save_volatile(platform));
    if let Ok(mut again) = Tpm2::restore(crypto, &saved.0) {
        let _ = again.resume(platform, &saved.1);
    }
    let _ = tpm.to_libtpms_permanent();
    let _ = tpm.to_libtpms_volatile(platform, 0);
    true
}

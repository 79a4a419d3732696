//! The controls: a comparison that leaks, and the same inputs in both classes, which cannot.

use super::{Path, flat, leaks};
use crate::subject::{Random, Subject, choose};
use core::hint::black_box;

const SIZE: usize = 64;

/// Guesses of a secret.
struct Compare {
    secret: Vec<u8>,
    guess: Vec<u8>,
    by: fn(&[u8], &[u8]) -> bool,
    /// Both classes are the same.
    same: bool,
}

impl Subject for Compare {
    fn prepare(&mut self, class: bool, random: &mut Random) {
        let wrong = random.bytes(SIZE);
        choose(class && !self.same, &self.secret, &wrong, &mut self.guess);
    }
    fn run(&mut self) {
        black_box((self.by)(black_box(&self.secret), black_box(&self.guess)));
    }
}

/// What no code for secrets may do.
#[inline(never)]
fn early(a: &[u8], b: &[u8]) -> bool {
    for (a, b) in a.iter().zip(b) {
        if a != b {
            return false;
        }
    }
    true
}

fn subject(by: fn(&[u8], &[u8]) -> bool, same: bool, random: &mut Random) -> Box<dyn Subject> {
    Box::new(Compare { secret: random.bytes(SIZE), guess: vec![0; SIZE], by, same })
}

pub(super) fn paths() -> Vec<Path> {
    vec![
        leaks("control: a comparison that ends early", "the secret, random bytes", 200_000, |random| {
            Ok(subject(early, false, random))
        }),
        flat("control: that comparison on one class", "random bytes, random bytes", 200_000, |random| {
            Ok(subject(early, true, random))
        }),
    ]
}

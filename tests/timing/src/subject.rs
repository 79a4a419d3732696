//! What is measured, and how: two classes of inputs in random order.

use crate::statistics::{Finding, strongest};
use core::hint::black_box;
use std::time::Instant;

/// Numbers for inputs (splitmix64). They need not be secret, only without a pattern.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

impl sealwright_crypto::Random for Random {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            *byte = self.next() as u8;
        }
    }
}

/// Something that is done with an input of either class.
pub(crate) trait Subject {
    /// Makes the next input. It does the same work for both classes, and leaves the input in the same place, so that
    /// neither is nearer to the processor.
    fn prepare(&mut self, class: bool, random: &mut Random);
    /// The measured part.
    fn run(&mut self);
}

/// One of two equally long inputs, without a branch, into a place.
pub(crate) fn choose(class: bool, first: &[u8], second: &[u8], into: &mut [u8]) {
    let mask = black_box(0_u8.wrapping_sub(u8::from(class)));
    for ((to, first), second) in into.iter_mut().zip(first).zip(second) {
        *to = (first & mask) | (second & !mask);
    }
}

/// Measures so many times, after a tenth of warming up.
pub(crate) fn measure(subject: &mut dyn Subject, count: usize, random: &mut Random) -> Finding {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count / 10 {
        subject.prepare(random.next() & 1 == 1, random);
        subject.run();
    }
    for _ in 0..count {
        let class = black_box(random.next() & 1 == 1);
        subject.prepare(class, random);
        let begin = Instant::now();
        subject.run();
        let time = begin.elapsed();
        times.push((class, time.as_nanos() as f64));
    }
    strongest(&times)
}

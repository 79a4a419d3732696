//! Random sequences of commands. Both daemons are led by the same seeded generator, and each by a memory of the handles
//! that it gave itself: the same logical command goes to both. What a sequence tries depends only on the seed and on
//! answers that both gave alike, so a seed and a step number repeat any finding.

mod admin;
mod attestation;
mod authorize;
mod fixed;
mod keys;
mod nv;
mod objects;
mod policy;
mod sessions;
mod templates;
mod world;

use crate::tpm::{Step, Tpm};
use world::World;

/// The commands of one sequence: long enough for states to build up, short enough to look at.
pub const LENGTH: usize = 400;

/// Plays one random sequence of about `commands` commands.
pub fn play(t: &mut Tpm, seed: u64, commands: usize) {
    let mut world = World::new(t, seed);
    world.power_up();
    while world.steps() < commands && world.alive() {
        world.anything();
    }
}

/// Takes out what says nothing about the TPMs: client faults that both sides have alike.
pub fn settle(left: &mut [Step], right: &mut [Step]) {
    for (l, r) in left.iter_mut().zip(right) {
        if l.faults == r.faults {
            l.faults.clear();
            r.faults.clear();
        }
    }
}

impl World<'_> {
    /// One random thing: one command, or a few that belong together.
    fn anything(&mut self) {
        match self.r.below(100) {
            0..=24 => self.make_or_load(),
            25..=44 => self.use_an_object(),
            45..=52 => self.session_business(),
            53..=60 => self.policy_business(),
            61..=76 => self.nv_business(),
            77..=82 => self.pcr_business(),
            83..=88 => self.hierarchy_business(),
            89..=92 => self.attest(),
            93..=96 => self.question(),
            _ => self.power_business(),
        }
    }
}

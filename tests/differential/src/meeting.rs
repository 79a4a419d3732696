//! Two players of one script that wait for each other after every command, so that neither runs ahead of the other's
//! answer: what one TPM refuses, the script treats as refused on both.

use std::sync::mpsc::{Receiver, Sender, channel};

/// One side of a meeting.
#[derive(Debug)]
pub struct Peer {
    out: Sender<(String, u32)>,
    input: Receiver<(String, u32)>,
}

/// Two sides of one meeting.
pub fn meeting() -> (Peer, Peer) {
    let ((a, from_a), (b, from_b)) = (channel(), channel());
    (Peer { out: a, input: from_b }, Peer { out: b, input: from_a })
}

impl Peer {
    /// Tells the other side what came out of the step `label`, and gives its response code. `None` when the other side
    /// has ended or is at another step: then there is nothing to agree about any more.
    pub fn agree(&self, label: &str, rc: u32) -> Option<u32> {
        self.out.send((label.into(), rc)).ok()?;
        let (other, rc) = self.input.recv().ok()?;
        (other == label).then_some(rc)
    }
}

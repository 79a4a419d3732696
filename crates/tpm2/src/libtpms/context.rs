//! What is in saved contexts: the same as libtpms puts there, so that a guest can load them after a migration in either
//! direction.

use super::{object, session, sink::Sink, source::Source};
use crate::object::{Sequence, Slot};
use crate::profile::Profile;
use crate::session::Session;
use alloc::{sync::Arc, vec::Vec};
use sealwright_crypto::Crypto;
use zeroize::Zeroizing;

/// Handles in messages about contexts, which are never shown.
const NO_HANDLE: u32 = 0;

/// An object or a sequence as bytes. A sequence that libtpms cannot save has our own form.
pub(crate) fn slot_bytes(profile: &Profile, slot: &Slot) -> Zeroizing<Vec<u8>> {
    let mut sink = Sink::new();
    let written = object::write_slot(&mut sink, profile, Some(slot), NO_HANDLE);
    match (written.and_then(|()| sink.finish()), slot) {
        (Ok(bytes), _) => bytes,
        (Err(_), Slot::Object(object)) => object.encode(),
        (Err(_), Slot::Sequence(sequence)) => sequence.encode(),
    }
}

/// The object or sequence of these bytes. The first byte tells the forms apart: it is the upper half of a small version
/// number in libtpms's.
pub(crate) fn slot_of(crypto: &Crypto, bytes: &[u8], is_sequence: bool) -> Option<Slot> {
    if bytes.first() != Some(&0) {
        return if is_sequence {
            Sequence::decode(bytes).map(|sequence| Slot::Sequence(Arc::new(sequence)))
        } else {
            crate::object::Object::decode(bytes).map(|object| Slot::Object(Arc::new(object)))
        };
    }
    let mut source = Source::new(bytes, "context");
    // What follows is padding: some systems give back more than they got.
    object::read_trusted_slot(&mut source, crypto, NO_HANDLE).ok().flatten()
}

/// A session as bytes.
pub(crate) fn session_bytes(session: &Session) -> Zeroizing<Vec<u8>> {
    session::to_native(session).unwrap_or_else(|| session.encode())
}

/// The session of these bytes.
pub(crate) fn session_of(bytes: &[u8]) -> Option<Session> {
    session::from_native(bytes).or_else(|| Session::decode(bytes))
}

//! New keys for a state in use. Each is one replacement of the journal, so a crash leaves the old or the new.

use super::{Store, mark};
use crate::error::StateError;
use crate::format::record;
use crate::generation::{Content, Generation};
use crate::identity::{DataKeyId, Digest};
use crate::key::{KeyContext, KeyManager};
use crate::store::Secret;
use std::sync::Arc;

/// Generations with their frames.
type Frames = Vec<(Generation, Vec<u8>)>;

impl Store {
    /// Has the same data key wrapped by another wrapping key or manager. No record changes.
    pub fn rewrap(&mut self, keys: Arc<dyn KeyManager>) -> Result<(), StateError> {
        self.begin()?;
        let place = self.place();
        let vm = self.journal()?.header.vm.clone();
        let secret = self.secret.as_mut().ok_or(StateError::NotSealed { place })?;
        let context = KeyContext { vm, kind: self.settings.kind, data_key: secret.id };
        let wrapped = keys.wrap(&context, &secret.key)?;
        let old = core::mem::replace(&mut secret.wrapped, wrapped);
        match self.rewrite(None) {
            Ok(()) => self.keys = Some(keys),
            Err(fault) => {
                if let Some(secret) = &mut self.secret {
                    secret.wrapped = old;
                }
                self.set_doubt();
                return Err(fault);
            }
        }
        Ok(())
    }

    /// Seals everything that is kept with a new data key, wrapped by `keys`; with `None` everything is stored unsealed.
    /// The newest state becomes a new generation with the reason.
    pub fn reseal(&mut self, keys: Option<Arc<dyn KeyManager>>, reason: &str) -> Result<Generation, StateError> {
        self.begin()?;
        let entries = self.journal()?.entries.clone();
        let mut contents = Vec::new();
        for entry in &entries {
            contents.push((entry.generation.clone(), self.content(entry.at, entry.length, &entry.generation)?));
        }
        let state = self.state()?;
        let vm = self.journal()?.header.vm.clone();
        let old_keys = core::mem::replace(&mut self.keys, keys);
        let secret = match self.new_secret(&vm) {
            Ok(secret) => secret,
            Err(fault) => {
                self.keys = old_keys;
                return Err(fault);
            }
        };
        let old_secret = core::mem::replace(&mut self.secret, secret);
        let sealed = self.sealed_again(contents, &state, reason);
        let written = sealed.and_then(|(frames, newest)| {
            let length: usize = frames.iter().map(|(_, f)| f.len()).sum();
            let limit = u64::try_from(length.saturating_mul(4)).unwrap_or(u64::MAX).min(self.backend.capacity());
            self.install(&frames, limit)?;
            Ok(newest)
        });
        match written {
            Ok(newest) => {
                if let Some(anchor) = &mut self.anchor {
                    // If this fails, the anchor still knows the digest that a resealed record says it had, and is told
                    // of the next generation.
                    let _ = anchor.advance(&newest.vm, newest.kind, mark(&newest));
                }
                Ok(newest)
            }
            Err(fault) => {
                self.keys = old_keys;
                self.secret = old_secret;
                self.set_doubt();
                Err(fault)
            }
        }
    }

    /// The records under the present key, and a new generation behind them.
    fn sealed_again(
        &self,
        contents: Vec<(Generation, zeroize::Zeroizing<Vec<u8>>)>,
        state: &[u8],
        reason: &str,
    ) -> Result<(Frames, Generation), StateError> {
        let key = self.secret.as_ref().map_or(DataKeyId::NONE, |s: &Secret| s.id);
        let mut frames: Frames = Vec::new();
        for (mut generation, content) in contents {
            generation.was = generation.digest;
            generation.key = key;
            if let Some((before, _)) = frames.last() {
                generation.parent = before.digest;
            }
            let frame = record::encode(&mut generation, self.sealer(), &content)?;
            frames.push((generation, frame));
        }
        let last = frames.last().map(|(g, _)| g.clone());
        let last = last.ok_or_else(|| StateError::NotOpen { place: self.place(), what: "it has no state" })?;
        let mut newest = Generation {
            content: Content::State,
            epoch: self.epoch,
            sequence: last.sequence.saturating_add(1),
            time: crate::lease::now(),
            parent: last.digest,
            was: Digest::NONE,
            reason: reason.to_owned(),
            ..last
        };
        let frame = record::encode(&mut newest, self.sealer(), state)?;
        frames.push((newest.clone(), frame));
        Ok((frames, newest))
    }
}

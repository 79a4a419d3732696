//! New keys for a state in use. Each is one replacement of the journal, so a crash leaves the old or the new.
//!
//! Who asks the key managers is open: the store itself, or somebody else who hands over what they made, as a process that
//! has shut itself off from everything needs it.

use super::{Secret, Store};
use crate::error::StateError;
use crate::format::record;
use crate::generation::{Content, Generation};
use crate::identity::{DataKeyId, Digest};
use crate::key::{DataKey, KeyContext, KeyError, KeyManager, WrappedKey};
use crate::seal::Sealer;
use std::sync::Arc;

/// Generations with their frames.
type Frames = Vec<(Generation, Vec<u8>)>;

impl Store {
    /// Has the same data key wrapped by another wrapping key or manager, which must open it once more before it is stored.
    /// No record changes.
    pub fn rewrap(&mut self, keys: Arc<dyn KeyManager>) -> Result<(), StateError> {
        self.begin()?;
        let not_sealed = || StateError::NotSealed { place: self.place() };
        let context = self.key_context().ok_or_else(not_sealed)?;
        let secret = self.secret.as_ref().ok_or_else(not_sealed)?;
        let wrapped = keys.wrap_and_open(&context, &secret.key)?;
        self.rewrap_with(context.data_key, wrapped)?;
        self.keys = Some(keys);
        Ok(())
    }

    /// Stores another wrapped form of the present data key, which must be `data_key`. That it opens is the caller's word. The
    /// key manager of this store stays what it was: it is not asked again for a key that is in memory.
    pub fn rewrap_with(&mut self, data_key: DataKeyId, wrapped: WrappedKey) -> Result<(), StateError> {
        self.begin()?;
        self.check_present(data_key)?;
        let Some(secret) = &mut self.secret else { return Err(StateError::NotSealed { place: self.place() }) };
        let old = core::mem::replace(&mut secret.wrapped, wrapped);
        let written = self.rewrite(None);
        if written.is_err() {
            if let Some(secret) = &mut self.secret {
                secret.wrapped = old;
            }
            self.set_doubt();
        }
        written
    }

    /// Fails unless `data_key` is the present one; [`DataKeyId::NONE`] means that the state is not sealed.
    pub fn check_present(&self, data_key: DataKeyId) -> Result<(), StateError> {
        let found = self.key_context().map_or(DataKeyId::NONE, |context| context.data_key);
        if found == data_key {
            return Ok(());
        }
        Err(StateError::OtherDataKey { place: self.place(), expected: data_key, found })
    }

    /// Seals everything that is kept with a new data key, wrapped by `keys`, which must open it once more before it is used;
    /// with `None` everything is stored unsealed. The newest state becomes a new generation with the reason.
    pub fn reseal(&mut self, keys: Option<Arc<dyn KeyManager>>, reason: &str) -> Result<Generation, StateError> {
        self.begin()?;
        let secret = match &keys {
            None => None,
            Some(keys) => {
                let (id, key) = (DataKeyId::random()?, DataKey::random()?);
                let vm = self.journal()?.header.vm.clone();
                let context = KeyContext { vm, kind: self.settings.kind, data_key: id };
                let wrapped = keys.wrap_and_open(&context, &key)?;
                Some(Secret { sealer: Sealer::new(&key), key, id, wrapped })
            }
        };
        let made = self.reseal_to(secret, reason)?;
        self.keys = keys;
        Ok(made)
    }

    /// As [`Store::reseal`], with a data key that the caller made and had wrapped. That it opens is the caller's word. The key
    /// manager of this store stays what it was.
    pub fn reseal_with(
        &mut self,
        id: DataKeyId,
        key: DataKey,
        wrapped: WrappedKey,
        reason: &str,
    ) -> Result<Generation, StateError> {
        self.begin()?;
        if id == DataKeyId::NONE || self.check_present(id).is_ok() {
            let why = "a new data key needs a name of its own".to_owned();
            return Err(KeyError::Damaged { manager: wrapped.manager, why }.into());
        }
        self.reseal_to(Some(Secret { sealer: Sealer::new(&key), key, id, wrapped }), reason)
    }

    fn reseal_to(&mut self, secret: Option<Secret>, reason: &str) -> Result<Generation, StateError> {
        let entries = self.journal()?.entries.clone();
        let mut contents = Vec::new();
        for entry in &entries {
            contents.push((entry.generation.clone(), self.content(entry.at, entry.length, &entry.generation)?));
        }
        let state = self.state()?;
        let old = core::mem::replace(&mut self.secret, secret);
        let sealed = self.sealed_again(contents, &state, reason);
        let written = sealed.and_then(|(frames, newest)| {
            let length: usize = frames.iter().map(|(_, f)| f.len()).sum();
            let limit = u64::try_from(length.saturating_mul(4)).unwrap_or(u64::MAX).min(self.backend.capacity());
            self.install(&frames, limit)?;
            Ok(newest)
        });
        match &written {
            Ok(newest) => {
                // If this fails, the anchor still knows the digest that a resealed record says it had, and is told of the
                // next generation.
                let _ = self.tell_now(newest);
            }
            Err(_) => {
                self.secret = old;
                self.set_doubt();
            }
        }
        written
    }

    /// The records under the present key, and a new generation behind them.
    fn sealed_again(
        &self,
        contents: Vec<(Generation, zeroize::Zeroizing<Vec<u8>>)>,
        state: &[u8],
        reason: &str,
    ) -> Result<(Frames, Generation), StateError> {
        let key = self.secret.as_ref().map_or(DataKeyId::NONE, |s| s.id);
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

//! What each manager has to do itself, and the one place where the rest is done.

use sealwright_state::key::{DataKey, KeyContext, KeyError, KeyId, KeyManager, WrappedKey};

use crate::failure::Failure;
use crate::local::{Sealed, Stretch, seal};
use crate::secret::Secret;

/// A secret to wrap a data key with, and what is needed to have it again.
pub(crate) struct Kept {
    /// The wrapping key's name in its manager.
    pub(crate) key: KeyId,
    /// Its version, where the manager counts them; else 0.
    pub(crate) version: u32,
    /// What the data key is wrapped with.
    pub(crate) secret: Secret,
    /// How it becomes a key.
    pub(crate) stretch: Stretch,
    /// What goes into the wrapped key: a ciphertext of the secret, or nothing.
    pub(crate) token: Vec<u8>,
}

/// What names a wrapped key's secret.
pub(crate) struct Claim<'a> {
    #[cfg_attr(
        not(any(feature = "kmip", feature = "pkcs11", feature = "vault")),
        expect(dead_code, reason = "managers that take associated data are left out of this build")
    )]
    pub(crate) context: &'a KeyContext,
    pub(crate) key: &'a KeyId,
    pub(crate) token: &'a [u8],
}

/// Keeps secrets: hands out one of its own, or protects a fresh random one. Calls end within the manager's time limit.
pub(crate) trait Keeper: Send + Sync {
    /// [`KeyManager::name`].
    fn name(&self) -> &'static str;
    /// The wrapping key that [`keep`](Self::keep) would use.
    fn key(&self, context: &KeyContext) -> KeyId;
    /// A secret to wrap with.
    fn keep(&self, context: &KeyContext) -> Result<Kept, Failure>;
    /// The secret that [`keep`](Self::keep) gave.
    fn recover(&self, claim: &Claim<'_>) -> Result<Secret, Failure>;
    /// The secret before a change of it, if the manager was given one.
    fn recover_previous(&self, claim: &Claim<'_>) -> Result<Option<Secret>, Failure> {
        let _ = claim;
        Ok(None)
    }
    /// [`KeyManager::is_outdated`].
    fn is_outdated(&self, wrapped: &WrappedKey, sealed: &Sealed<'_>) -> bool {
        let _ = (wrapped, sealed);
        false
    }
    /// [`KeyManager::destroy`].
    fn destroy(&self, key: &KeyId) -> Result<(), Failure> {
        Err(Failure::unsupported(format!("destroy the key {key}; delete it where it is kept")))
    }
    /// [`KeyManager::disable`].
    fn disable(&self, key: &KeyId) -> Result<(), Failure> {
        Err(Failure::unsupported(format!("disable the key {key}; disable it where it is kept")))
    }
}

/// A key manager made of a keeper: the data key is wrapped here, bound to its context, under the keeper's secret.
pub(crate) struct Envelope<K>(pub(crate) K);

impl<K: Keeper> KeyManager for Envelope<K> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn wrap(&self, context: &KeyContext, key: &DataKey) -> Result<WrappedKey, KeyError> {
        let name = self.0.name();
        let made = self.0.keep(context).and_then(|kept| {
            let bytes = seal(name, context, &kept.secret, kept.stretch, &kept.token, key)?;
            Ok(WrappedKey { manager: name.to_owned(), key_id: kept.key, version: kept.version, bytes })
        });
        made.map_err(|failure| failure.named(name, &self.0.key(context)))
    }

    fn unwrap(&self, context: &KeyContext, wrapped: &WrappedKey) -> Result<DataKey, KeyError> {
        let name = self.0.name();
        let open = || {
            if wrapped.manager != name {
                let other = &wrapped.manager;
                return Err(Failure::damaged(format!("the key manager {other} wrapped it; configure that one")));
            }
            let sealed = Sealed::read(&wrapped.bytes)?;
            sealed.is_for(name, context)?;
            let claim = Claim { context, key: &wrapped.key_id, token: sealed.token };
            let opened = self.0.recover(&claim).and_then(|secret| sealed.open(context, &secret));
            match opened {
                Err(failure) if failure.is_about_the_key() => match self.0.recover_previous(&claim)? {
                    Some(previous) => sealed.open(context, &previous),
                    None => Err(failure),
                },
                done => done,
            }
        };
        open().map_err(|failure: Failure| failure.named(name, &wrapped.key_id))
    }

    fn is_outdated(&self, wrapped: &WrappedKey) -> bool {
        wrapped.manager != self.0.name()
            || Sealed::read(&wrapped.bytes).is_ok_and(|sealed| self.0.is_outdated(wrapped, &sealed))
    }

    fn destroy(&self, key: &KeyId) -> Result<(), KeyError> {
        self.0.destroy(key).map_err(|failure| failure.named(self.0.name(), key))
    }

    fn disable(&self, key: &KeyId) -> Result<(), KeyError> {
        self.0.disable(key).map_err(|failure| failure.named(self.0.name(), key))
    }
}

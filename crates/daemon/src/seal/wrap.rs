//! The key manager behind `--key`: the data key of the state is wrapped here, under the key or passphrase given.

use super::envelope::{self, SealFault};
use super::{Kind, Layer, SealKey};
use sealwright_state::{DataKey, Digest, KeyContext, KeyError, KeyId, KeyManager, WrappedKey};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The name in wrapped keys, for ever the same.
const NAME: &str = "vtpmd-key";

/// Wraps with a key or passphrase of the command line.
pub(crate) struct LocalKey(pub(crate) Arc<SealKey>);

fn damaged(why: impl ToString) -> KeyError {
    KeyError::Damaged { manager: NAME.to_owned(), why: why.to_string() }
}

impl KeyManager for LocalKey {
    fn name(&self) -> &str {
        NAME
    }

    fn wrap(&self, context: &KeyContext, key: &DataKey) -> Result<WrappedKey, KeyError> {
        // The digest of the context is sealed with the key, so that it opens for its own VM only.
        let bound = Digest::of(&[&context.bytes()]);
        let content = Zeroizing::new([&key.expose()[..], &bound.0].concat());
        let bytes = envelope::seal(Kind::Permanent, Layer::State, &self.0, &content).map_err(damaged)?;
        Ok(WrappedKey { manager: NAME.to_owned(), key_id: KeyId::default(), version: 0, bytes })
    }

    fn unwrap(&self, context: &KeyContext, wrapped: &WrappedKey) -> Result<DataKey, KeyError> {
        let wrong = || KeyError::WrongKey { manager: NAME.to_owned(), key: wrapped.key_id.clone() };
        let opened = envelope::open(Kind::Permanent, Some(&self.0), &wrapped.bytes).map_err(|fault| match fault {
            SealFault::WrongKey => wrong(),
            fault => damaged(fault),
        })?;
        let (key, bound) = opened.split_at_checked(32).ok_or_else(|| damaged("it is too short"))?;
        if bound != Digest::of(&[&context.bytes()]).0 {
            return Err(wrong());
        }
        DataKey::from_slice(key).ok_or_else(|| damaged("it is too short"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sealwright_state::{DataKeyId, VmId};

    #[test]
    fn a_data_key_opens_with_its_key_for_its_vm_only() {
        let manager = |byte| LocalKey(Arc::new(SealKey::test(&[byte; 32])));
        let context = |vm| KeyContext {
            vm: VmId::new(vm).unwrap(),
            kind: sealwright_state::Kind::Tpm,
            data_key: DataKeyId([1; 16]),
        };
        let key = DataKey::new([9; 32]);
        let wrapped = manager(1).wrap(&context("a"), &key).unwrap();
        assert_eq!(manager(1).unwrap(&context("a"), &wrapped).unwrap().expose(), key.expose());
        let refused = |byte, vm| manager(byte).unwrap(&context(vm), &wrapped).unwrap_err();
        assert!(matches!(refused(2, "a"), KeyError::WrongKey { .. }));
        assert!(matches!(refused(1, "b"), KeyError::WrongKey { .. }));
        let cut = WrappedKey { bytes: wrapped.bytes[..90].to_vec(), ..wrapped.clone() };
        assert!(matches!(manager(1).unwrap(&context("a"), &cut), Err(KeyError::Damaged { .. })));
    }
}

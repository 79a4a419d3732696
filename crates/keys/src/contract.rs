//! What every key manager must do, run on each of them.

use sealwright_state::{DataKey, DataKeyId, KeyContext, KeyError, KeyId, KeyManager, Kind, VmId, WrappedKey};

/// What a manager can do besides wrapping.
#[derive(Clone, Copy, Default)]
pub(crate) struct Traits {
    /// It can destroy a VM's key.
    pub(crate) destroys: bool,
    /// It can disable a VM's key.
    pub(crate) disables: bool,
}

/// The TPM of a VM.
pub(crate) fn tpm_of(vm: &str) -> KeyContext {
    KeyContext { vm: VmId::new(vm).unwrap(), kind: Kind::Tpm, data_key: DataKeyId([7; 16]) }
}

/// The context's VM, known only to this run, so that real managers can be used again and again.
fn fresh(name: &str) -> KeyContext {
    let id: String = DataKey::random().unwrap().expose().iter().take(6).map(|b| format!("{b:02x}")).collect();
    tpm_of(&format!("{name}-{id}"))
}

/// Runs everything. `new` gives a manager as another process would have it.
pub(crate) fn run(new: &(dyn Fn() -> Box<dyn KeyManager> + Sync), traits: Traits) {
    names(new().as_ref());
    comes_back(new);
    belongs_to_one_context(new);
    damage_is_found(new);
    many_at_once(new);
    ends(new, traits);
}

fn names(manager: &dyn KeyManager) {
    let name = manager.name();
    assert!(
        (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()),
        "{name}"
    );
}

fn comes_back(new: &dyn Fn() -> Box<dyn KeyManager>) {
    let (context, key) = (fresh("back"), DataKey::random().unwrap());
    let manager = new();
    let wrapped = manager.wrap(&context, &key).unwrap();
    assert_eq!(wrapped.manager, manager.name());
    assert!(!wrapped.key_id.as_str().is_empty());
    assert!(!manager.is_outdated(&wrapped));
    assert_ne!(wrapped.bytes, manager.wrap(&context, &key).unwrap().bytes, "two wraps of one key look alike");
    let stored = wrapped.encode().unwrap();
    assert!(!stored.windows(32).any(|part| part == key.expose()), "the data key is readable");
    let again = new().unwrap(&context, &WrappedKey::decode(&stored).unwrap()).unwrap();
    assert_eq!(again.expose(), key.expose());
}

fn belongs_to_one_context(new: &dyn Fn() -> Box<dyn KeyManager>) {
    let (context, manager) = (fresh("one"), new());
    let wrapped = manager.wrap(&context, &DataKey::random().unwrap()).unwrap();
    let others = [
        fresh("other"),
        KeyContext { kind: Kind::Nvram, ..context.clone() },
        KeyContext { data_key: DataKeyId([8; 16]), ..context.clone() },
    ];
    for other in others {
        let error = manager.unwrap(&other, &wrapped).unwrap_err();
        assert!(matches!(error, KeyError::WrongKey { .. }), "{other:?}: {error}");
        assert!(error.to_string().contains("another VM"), "{error}");
    }
    let stranger = WrappedKey { manager: "stranger".to_owned(), ..wrapped.clone() };
    let error = manager.unwrap(&context, &stranger).unwrap_err();
    assert!(matches!(error, KeyError::Damaged { .. }) && error.to_string().contains("stranger"), "{error}");
    assert!(manager.is_outdated(&stranger));
}

fn damage_is_found(new: &dyn Fn() -> Box<dyn KeyManager>) {
    let (context, manager) = (fresh("damage"), new());
    let wrapped = manager.wrap(&context, &DataKey::random().unwrap()).unwrap();
    let with = |bytes: Vec<u8>| WrappedKey { bytes, ..wrapped.clone() };
    for end in 0..wrapped.bytes.len() {
        let error = manager.unwrap(&context, &with(wrapped.bytes[..end].to_vec())).unwrap_err();
        assert!(matches!(error, KeyError::Damaged { .. }), "cut at {end}: {error}");
    }
    for at in 0..wrapped.bytes.len() {
        let mut bytes = wrapped.bytes.clone();
        bytes[at] ^= 1;
        let error = manager.unwrap(&context, &with(bytes)).unwrap_err();
        assert!(matches!(error, KeyError::Damaged { .. }), "byte {at}: {error}");
    }
    // One who can also make the checksum right gets no further. Not every byte: each is a call of the manager.
    for at in (8..wrapped.bytes.len() - 8).step_by(13) {
        let mut bytes = wrapped.bytes.clone();
        bytes[at] ^= 0x10;
        let content = bytes.len() - 8;
        let sum = crate::local::checksum(&bytes[..content]);
        bytes[content..].copy_from_slice(&sum);
        let error = manager.unwrap(&context, &with(bytes)).unwrap_err();
        let named = matches!(
            error,
            KeyError::Damaged { .. } | KeyError::WrongKey { .. } | KeyError::NotFound { .. } | KeyError::Refused { .. }
        );
        assert!(named, "byte {at}, checksum made right: {error}");
    }
}

fn many_at_once(new: &(dyn Fn() -> Box<dyn KeyManager> + Sync)) {
    let manager = new();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let manager = &manager;
            scope.spawn(move || {
                let (context, key) = (fresh(&format!("thread{thread}")), DataKey::random().unwrap());
                let wrapped = manager.wrap(&context, &key).unwrap();
                assert_eq!(manager.unwrap(&context, &wrapped).unwrap().expose(), key.expose());
            });
        }
    });
}

fn ends(new: &dyn Fn() -> Box<dyn KeyManager>, traits: Traits) {
    let manager = new();
    let (mine, other, key) = (fresh("mine"), fresh("neighbour"), DataKey::random().unwrap());
    let wrapped = manager.wrap(&mine, &key).unwrap();
    let neighbour = manager.wrap(&other, &key).unwrap();
    let works = |context, wrapped| new().unwrap(context, wrapped).map(|k| assert_eq!(k.expose(), key.expose()));

    let disabled = manager.disable(&wrapped.key_id);
    if traits.disables {
        disabled.unwrap();
        let error = works(&mine, &wrapped).unwrap_err();
        assert!(matches!(error, KeyError::Disabled { .. }), "{error}");
    } else {
        assert!(matches!(disabled, Err(KeyError::Unsupported { .. })), "{disabled:?}");
        works(&mine, &wrapped).unwrap();
    }
    let destroyed = manager.destroy(&wrapped.key_id);
    if traits.destroys {
        destroyed.unwrap();
        let error = works(&mine, &wrapped).unwrap_err();
        assert!(matches!(error, KeyError::NotFound { .. }), "{error}");
        let again = manager.destroy(&wrapped.key_id).unwrap_err();
        assert!(matches!(again, KeyError::NotFound { .. }), "{again}");
        let wild = manager.destroy(&KeyId::new("somebody-elses").unwrap()).unwrap_err();
        assert!(matches!(wild, KeyError::NotFound { .. } | KeyError::Unsupported { .. }), "{wild}");
    } else {
        assert!(matches!(destroyed, Err(KeyError::Unsupported { .. })), "{destroyed:?}");
        works(&mine, &wrapped).unwrap();
    }
    works(&other, &neighbour).unwrap();
}

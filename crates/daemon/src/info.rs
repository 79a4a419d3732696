//! What the program and its TPM are, as JSON in swtpm's shapes: GET_INFO, `--print-info` and the other `--print-...`.

use sealwright_state::{Content, StateError, Store};

/// TPMSpecification, TPMAttributes, TPMFeatures: the flags of GET_INFO that are known.
const SPECIFICATION: u64 = 1;
const ATTRIBUTES: u64 = 2;
const FEATURES: u64 = 4;

/// RSA key sizes of the engine.
const RSA_SIZES: [&str; 4] = ["1024", "2048", "3072", "4096"];

/// What GET_INFO answers for `flags`; unknown flags add nothing.
///
/// Family, revision, manufacturer and version are what certificates for the TPM name. They are the same as those
/// of the TPM properties of the engine.
pub(crate) fn json(flags: u64) -> String {
    let mut objects = Vec::new();
    if flags & SPECIFICATION != 0 {
        objects.push(r#""TPMSpecification":{"family":"2.0","level":0,"revision":164}"#.to_owned());
    }
    if flags & ATTRIBUTES != 0 {
        let text = r#""TPMAttributes":{"manufacturer":"id:00001014","version":"id:20240125","model":"swtpm"}"#;
        objects.push(text.to_owned());
    }
    if flags & FEATURES != 0 {
        let sizes = RSA_SIZES.join(",");
        objects.push(format!(r#""TPMFeatures":{{"RSAKeySizes":[{sizes}],"CamelliaKeySizes":[128,192,256]}}"#));
    }
    format!("{{{}}}", objects.join(","))
}

/// `--print-capabilities`: only what this program does.
pub(crate) fn capabilities(tpm2: bool) -> String {
    let mut features = vec![
        "tpm-2.0",
        "tpm-send-command-header",
        "flags-opt-startup",
        "flags-opt-disable-auto-shutdown",
        "ctrl-opt-terminate",
        "cmdarg-seccomp",
        "cmdarg-key-fd",
        "cmdarg-pwd-fd",
        "cmdarg-print-states",
        "cmdarg-chroot",
        "cmdarg-migration",
        "nvram-backend-dir",
        "nvram-backend-file",
    ];
    let sizes: Vec<String> = RSA_SIZES.iter().map(|s| format!("rsa-keysize-{s}")).collect();
    if tpm2 {
        features.extend(sizes.iter().map(String::as_str));
    }
    features.extend(["cmdarg-print-info", "tpmstate-opt-lock", "tpmstate-dir-backend-opt-fsync", "systemd-notify"]);
    let list: Vec<String> = features.iter().map(|f| format!("\"{f}\"")).collect();
    let version = env!("CARGO_PKG_VERSION");
    format!(r#"{{ "type": "swtpm", "features": [ {} ], "profiles": {{ }}, "version": "{version}" }}"#, list.join(", "))
}

/// `--print-states`: names as swtpm has them, sizes of the contents. Where nothing of ours is, what swtpm left there, as
/// (permanent, volatile).
pub(crate) fn states(
    store: &mut Store,
    swtpm: impl FnOnce() -> (Option<u64>, Option<u64>),
) -> Result<String, StateError> {
    let (state, volatile) = match store.peek()? {
        Some(stored) => {
            let state = stored.iter().rev().find(|g| g.content == Content::State);
            let volatile = stored.iter().rev().find(|g| g.content != Content::State);
            let volatile = volatile.filter(|g| g.content == Content::Volatile);
            (state.map(|g| g.size), volatile.map(|g| g.size))
        }
        None => swtpm(),
    };
    let found = [(state, "permall"), (volatile, "volatilestate")];
    let list = found.map(|(size, name)| size.map(|size| format!(r#"{{"name": "{name}", "size": {size}}}"#)));
    let list: Vec<String> = list.into_iter().flatten().collect();
    let inside = if list.is_empty() { " ".to_owned() } else { format!(" {} ", list.join(", ")) };
    Ok(format!(r#"{{ "type": "swtpm", "states": [{inside}] }}"#))
}

/// `--print-profiles`: there is one, and it cannot be chosen yet.
pub(crate) fn profiles() -> &'static str {
    r#"{ "AvailableProfiles": [ ] }"#
}

#[cfg(test)]
mod tests {
    use super::*;
    use sealwright_state::backend::Memory;
    use sealwright_state::{Kind, Settings};

    #[test]
    fn info_has_what_was_asked_for() {
        assert_eq!(json(0), "{}");
        assert!(
            json(3).starts_with(r#"{"TPMSpecification":{"family":"2.0","level":0,"revision":164},"TPMAttributes""#)
        );
        assert!(!json(1).contains("Attributes"));
        assert!(json(4).contains("\"RSAKeySizes\":[1024,2048,3072,4096]"));
    }

    #[test]
    fn states_are_listed() {
        let mut store = Store::new(Box::new(Memory::default()), None, Settings::new(Kind::Tpm));
        assert_eq!(states(&mut store, || (None, None)).unwrap(), r#"{ "type": "swtpm", "states": [ ] }"#);
        let text = r#"{ "type": "swtpm", "states": [ {"name": "permall", "size": 9} ] }"#;
        assert_eq!(states(&mut store, || (Some(9), None)).unwrap(), text);
        store.lock().unwrap();
        store.create(&[0; 7], "").unwrap();
        let text = r#"{ "type": "swtpm", "states": [ {"name": "permall", "size": 7} ] }"#;
        assert_eq!(states(&mut store, || (None, None)).unwrap(), text);
        store.store_volatile(&[0; 3]).unwrap();
        assert!(states(&mut store, || (None, None)).unwrap().contains(r#", {"name": "volatilestate", "size": 3} ]"#));
    }
}

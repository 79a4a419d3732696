//! Against a double of the transit engine. Its refusals are worded as those of OpenBao and Vault.

use std::collections::HashMap;
use core::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use sealwright_state::{DataKey, KeyError, KeyManager};
use serde_json::{Map, Value, json};

use crate::contract::{Traits, run, tpm_of};
use crate::secret::{from_base64, to_base64};
use crate::testing::http::{Call, Double, Mood, Reply, serve};
use crate::testing::{Folder, folder, tls_options};

struct Key {
    latest: u32,
    least: u32,
    deletable: bool,
    /// By ciphertext: version, associated data, plaintext.
    sealed: HashMap<String, (u32, String, String)>,
}

#[derive(Default)]
struct Engine {
    keys: HashMap<String, Key>,
    logins: u32,
    /// Calls that the present token is still good for.
    uses: u32,
}

fn refuse(status: u16, text: &str) -> Reply {
    Reply::new(status, json!({ "errors": if text.is_empty() { vec![] } else { vec![text] } }).to_string())
}

fn data(value: Value) -> Reply {
    Reply::new(200, json!({ "request_id": "x", "lease_id": "", "data": value }).to_string())
}

impl Engine {
    fn answer(&mut self, call: &Call) -> Reply {
        if call.path == "/v1/auth/approle/login" {
            return self.login(call);
        }
        let token = call.header("x-vault-token").unwrap_or_default().to_owned();
        let current = self.uses > 0 && token == format!("t{}", self.logins);
        if token != "root" && !current {
            return refuse(403, "permission denied");
        }
        self.uses = self.uses.saturating_sub(1);
        if call.header("x-vault-namespace").is_some_and(|n| n != "team/") || call.header("x-vault-request") != Some("true") {
            return refuse(400, "bad headers");
        }
        let Some(path) = call.path.strip_prefix("/v1/kms/transit/") else { return refuse(404, "no handler for route") };
        let parts: Vec<&str> = path.split('/').collect();
        match (call.method.as_str(), &parts[..]) {
            ("POST", ["keys", name]) => self.make(name, call),
            ("GET", ["keys", name]) => match self.keys.get(*name) {
                None => refuse(404, ""),
                Some(key) => data(json!({ "name": name, "latest_version": key.latest })),
            },
            ("DELETE", ["keys", name]) => self.delete(name),
            ("POST", ["keys", name, "config"]) => self.configure(name, call),
            ("POST", ["keys", name, "rotate"]) => match self.keys.get_mut(*name) {
                None => refuse(400, "key not found"),
                Some(key) => {
                    key.latest += 1;
                    Reply::new(204, "")
                }
            },
            ("POST", ["encrypt", name]) => self.encrypt(name, call),
            ("POST", ["decrypt", name]) => self.decrypt(name, call),
            _ => refuse(404, "unsupported path"),
        }
    }

    fn login(&mut self, call: &Call) -> Reply {
        let fields = call.fields(&["role_id", "secret_id"]).unwrap_or_default();
        if fields.get("role_id") != Some(&json!("r")) || fields.get("secret_id") != Some(&json!("s\"1")) {
            return refuse(400, "invalid role or secret ID");
        }
        self.logins += 1;
        self.uses = 40;
        Reply::new(200, json!({ "auth": { "client_token": format!("t{}", self.logins), "lease_duration": 60 } }).to_string())
    }

    fn make(&mut self, name: &str, call: &Call) -> Reply {
        if call.fields(&["type"]).is_none_or(|f| f.get("type") != Some(&json!("aes256-gcm96"))) {
            return refuse(400, "unknown key type");
        }
        let new = || Key { latest: 1, least: 1, deletable: false, sealed: HashMap::new() };
        let key = self.keys.entry(name.to_owned()).or_insert_with(new);
        data(json!({ "latest_version": key.latest }))
    }

    fn delete(&mut self, name: &str) -> Reply {
        match self.keys.get(name) {
            None => refuse(400, "error deleting policy: could not delete key; not found"),
            Some(key) if !key.deletable => refuse(400, "error deleting policy: deletion is not allowed for this key"),
            Some(_) => {
                self.keys.remove(name);
                Reply::new(204, "")
            }
        }
    }

    fn configure(&mut self, name: &str, call: &Call) -> Reply {
        let Some(key) = self.keys.get_mut(name) else {
            return refuse(400, &format!("no existing key named {name} could be found"));
        };
        let Some(fields) = call.fields(&["deletion_allowed", "min_decryption_version"]) else { return refuse(400, "fields") };
        if let Some(allowed) = fields.get("deletion_allowed") {
            key.deletable = allowed == &json!(true);
        }
        if let Some(least) = fields.get("min_decryption_version").and_then(Value::as_u64) {
            if least > u64::from(key.latest) {
                return refuse(400, "cannot set min decryption version of a version that does not exist");
            }
            key.least = least as u32;
        }
        Reply::new(200, "{}")
    }

    fn texts(fields: &Map<String, Value>, one: &str, two: &str) -> Option<(String, String)> {
        Some((fields.get(one)?.as_str()?.to_owned(), fields.get(two)?.as_str()?.to_owned()))
    }

    fn encrypt(&mut self, name: &str, call: &Call) -> Reply {
        let Some(key) = self.keys.get_mut(name) else { return refuse(403, "permission denied") };
        let fields = call.fields(&["plaintext", "associated_data"]).unwrap_or_default();
        let Some((plain, bound)) = Self::texts(&fields, "plaintext", "associated_data") else { return refuse(400, "fields") };
        if from_base64(plain.as_bytes()).is_none() || from_base64(bound.as_bytes()).is_none() {
            return refuse(400, "failed to base64-decode plaintext");
        }
        let mut nonce = [0; 24];
        crate::secret::random(&mut nonce).unwrap();
        let ciphertext = format!("vault:v{}:{}", key.latest, *to_base64(&nonce));
        key.sealed.insert(ciphertext.clone(), (key.latest, bound, plain));
        data(json!({ "ciphertext": ciphertext, "key_version": key.latest }))
    }

    fn decrypt(&mut self, name: &str, call: &Call) -> Reply {
        let Some(key) = self.keys.get(name) else { return refuse(400, "encryption key not found") };
        let fields = call.fields(&["ciphertext", "associated_data"]).unwrap_or_default();
        let Some((sealed, bound)) = Self::texts(&fields, "ciphertext", "associated_data") else { return refuse(400, "fields") };
        match key.sealed.get(&sealed) {
            None if !sealed.starts_with("vault:v") => refuse(400, "invalid ciphertext: no prefix"),
            None => refuse(400, "cipher: message authentication failed"),
            Some((version, ..)) if *version < key.least => {
                refuse(400, "ciphertext or signature version is disallowed by policy (too old)")
            }
            Some((_, right, _)) if *right != bound => refuse(400, "cipher: message authentication failed"),
            Some((.., plain)) => data(json!({ "plaintext": plain })),
        }
    }
}

struct Setting {
    double: Double,
    engine: Arc<Mutex<Engine>>,
    folder: Folder,
}

fn setting() -> Setting {
    let engine = Arc::new(Mutex::new(Engine::default()));
    let shared = Arc::clone(&engine);
    let double = serve(true, move |call| shared.lock().unwrap().answer(call));
    let folder = folder("vault");
    std::fs::write(folder.path("token"), "root\n").unwrap();
    std::fs::write(folder.path("secret-id"), "s\"1\n").unwrap();
    Setting { double, engine, folder }
}

impl Setting {
    fn address(&self, key: &str, options: &str) -> String {
        let token = self.folder.path("token");
        let login = if options.contains("login=") { String::new() } else { format!("&token-file={}", token.display()) };
        format!("vault:{}/kms/transit/{key}?{}{login}{options}", self.double.origin, tls_options())
    }

    fn open(&self, key: &str, options: &str) -> Box<dyn KeyManager> {
        crate::open(&self.address(key, options)).unwrap()
    }
}

#[test]
fn runs_the_contract_with_a_key_for_each_vm() {
    let s = setting();
    run(&|| s.open("vm-{vm}", "&namespace=team/"), Traits { destroys: true, disables: true });
    let login = format!("&login=approle&role-id=r&secret-id-file={}", s.folder.path("secret-id").display());
    run(&|| s.open("vm-{vm}-{kind}", &login), Traits { destroys: true, disables: true });
    assert!(s.engine.lock().unwrap().logins > 1, "the token was not renewed");
}

#[test]
fn runs_the_contract_with_one_key_for_all() {
    let s = setting();
    let refused = s.open("master", "").wrap(&tpm_of("a"), &DataKey::new([1; 32])).unwrap_err();
    assert!(matches!(refused, KeyError::Refused { .. }), "a shared key is never made: {refused}");
    s.engine.lock().unwrap().keys.insert("master".to_owned(), Key { latest: 1, least: 1, deletable: false, sealed: HashMap::new() });
    run(&|| s.open("master", ""), Traits::default());
}

#[test]
fn rotation_makes_wrapped_keys_outdated() {
    let s = setting();
    let manager = s.open("vm-{vm}", "");
    let key = DataKey::random().unwrap();
    let first = manager.wrap(&tpm_of("a"), &key).unwrap();
    assert_eq!((first.version, manager.is_outdated(&first)), (1, false));
    s.engine.lock().unwrap().keys.get_mut("vm-a").unwrap().latest = 2;
    assert!(manager.is_outdated(&first));
    let second = manager.wrap(&tpm_of("a"), &manager.unwrap(&tpm_of("a"), &first).unwrap()).unwrap();
    assert_eq!((second.version, manager.is_outdated(&second)), (2, false));
}

#[test]
fn faults_are_named_and_pass() {
    let s = setting();
    let (manager, hasty) = (s.open("vm-{vm}", ""), s.open("vm-{vm}", "&timeout=1"));
    let (context, key) = (tpm_of("a"), DataKey::random().unwrap());
    let wrapped = manager.wrap(&context, &key).unwrap();
    for mood in [Mood::Slow, Mood::Cuts, Mood::CutsBody, Mood::Garbage, Mood::Redirects, Mood::Nonsense(200), Mood::Nonsense(500)] {
        s.double.be(mood);
        let before = s.double.calls.load(Ordering::Relaxed);
        let error = if mood == Mood::Slow { &hasty } else { &manager }.unwrap(&context, &wrapped).unwrap_err();
        let tries = s.double.calls.load(Ordering::Relaxed) - before;
        match mood {
            Mood::Slow => assert!(matches!(error, KeyError::Timeout { .. }), "{error}"),
            Mood::Redirects => assert!(error.to_string().contains("307"), "{error}"),
            _ => assert!(matches!(error, KeyError::Unavailable { .. }), "{mood:?}: {error}"),
        }
        assert!(error.to_string().contains("vault") && tries <= 2, "{mood:?}: {tries} tries, {error}");
        s.double.be(Mood::Good);
        assert_eq!(manager.unwrap(&context, &wrapped).unwrap().expose(), key.expose(), "after {mood:?}");
    }
    std::fs::write(s.folder.path("token"), "revoked").unwrap();
    let error = manager.unwrap(&context, &wrapped).unwrap_err();
    assert!(matches!(error, KeyError::Refused { .. }) && !error.to_string().contains("revoked"), "{error}");
    std::fs::remove_file(s.folder.path("token")).unwrap();
    assert!(manager.unwrap(&context, &wrapped).is_err());
}

#[test]
fn the_server_must_be_who_it_should_be() {
    let s = setting();
    let wrong = s.address("vm-{vm}", "").replace("ca.pem", "stranger.pem");
    let error = crate::open(&wrong).unwrap().wrap(&tpm_of("a"), &DataKey::new([1; 32])).unwrap_err();
    assert!(matches!(error, KeyError::Unavailable { .. }) && error.to_string().contains("certificate"), "{error}");
    let down = crate::open(&s.address("k", "").replace(&s.double.origin, "https://localhost:1")).unwrap();
    let error = down.wrap(&tpm_of("a"), &DataKey::new([1; 32])).unwrap_err();
    assert!(matches!(error, KeyError::Unavailable { .. }) && error.to_string().contains("localhost:1"), "{error}");
}

#[test]
fn addresses_are_checked() {
    let refused = |address: &str| crate::open(address).err().unwrap().to_string();
    assert!(refused("vault:http://vault.example:8200/transit/k").contains("must use https"));
    assert!(refused("vault:https://h/k?token-file=/t").contains("engine and the key"));
    assert!(refused("vault:https://h/transit/k?ca=/proc/nonexistent&token-file=/t").contains("/proc/nonexistent"));
    assert!(refused("vault:https://h/transit/k").contains("token-file="));
    assert!(refused("vault:https://h/transit/k?login=magic").contains("approle"));
    assert!(refused("vault:https://u:p@h/transit/k").contains("user name"));
}

//! Against a double of Barbican and Keystone; against the real ones in `cargo xtask test keys`.

use std::collections::HashMap;
use core::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use sealwright_state::{DataKey, KeyError, KeyManager};
use serde_json::{Value, json};

use crate::contract::{Traits, run, tpm_of};
use crate::secret::from_base64;
use crate::testing::http::{Call, Double, Mood, Reply, serve};
use crate::testing::{Folder, folder, tls_options};

const SHARED: &str = "11111111-2222-3333-4444-555555555555";
const NOVA: &str = "66666666-7777-8888-9999-aaaaaaaaaaaa";

struct Stored {
    kind: &'static str,
    content: &'static str,
    status: &'static str,
    payload: Vec<u8>,
}

#[derive(Default)]
struct Service {
    secrets: HashMap<String, Stored>,
    made: u32,
    tokens: u32,
}

fn text(status: u16, value: &Value) -> Reply {
    Reply::new(status, value.to_string())
}

impl Service {
    fn answer(&mut self, call: &Call) -> Reply {
        if call.path == "/identity/v3/auth/tokens" {
            return self.keystone(call);
        }
        let current = format!("t{}", self.tokens);
        if !call.header("x-auth-token").is_some_and(|token| token == "given" || token == current) {
            return text(401, &json!({ "code": 401 }));
        }
        let Some(path) = call.path.strip_prefix("/key-manager/v1/secrets") else { return text(404, &json!({})) };
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match (call.method.as_str(), &parts[..]) {
            ("POST", []) => self.store(call),
            ("GET", [uuid]) => self.secret(uuid, |s| {
                let content = if s.payload.is_empty() { Value::Null } else { json!({ "default": s.content }) };
                text(200, &json!({ "status": s.status, "secret_type": s.kind, "content_types": content, "name": "n" }))
            }),
            ("GET", [uuid, "payload"]) => {
                let accept = call.header("accept").unwrap_or_default().to_owned();
                self.secret(uuid, |s| match accept == s.content {
                    true => Reply::new(200, s.payload.clone()),
                    false => text(406, &json!({ "title": "Not Acceptable" })),
                })
            }
            ("DELETE", [uuid]) => match self.secrets.remove(*uuid) {
                Some(_) => Reply::new(204, ""),
                None => text(404, &json!({ "title": "Not Found" })),
            },
            _ => text(405, &json!({})),
        }
    }

    fn keystone(&mut self, call: &Call) -> Reply {
        let right = json!({ "auth": { "identity": { "methods": ["application_credential"],
            "application_credential": { "id": "app", "secret": "s3" } } } });
        if serde_json::from_slice::<Value>(&call.body).ok() != Some(right) {
            return text(401, &json!({}));
        }
        self.tokens += 1;
        Reply { headers: vec![("X-Subject-Token", format!("t{}", self.tokens))], ..text(201, &json!({ "token": {} })) }
    }

    fn secret(&self, uuid: &str, then: impl Fn(&Stored) -> Reply) -> Reply {
        self.secrets.get(uuid).map_or_else(|| text(404, &json!({ "title": "Not Found" })), then)
    }

    fn store(&mut self, call: &Call) -> Reply {
        let names = ["secret_type", "algorithm", "bit_length", "payload_content_type", "payload_content_encoding", "name", "payload"];
        let Some(fields) = call.fields(&names).filter(|f| f.len() == names.len()) else { return text(400, &json!({})) };
        let payload = fields["payload"].as_str().and_then(|p| from_base64(p.as_bytes()));
        let Some(payload) = payload.filter(|p| p.len() == 32) else { return text(400, &json!({})) };
        self.made += 1;
        let uuid = format!("00000000-0000-4000-8000-{:012x}", self.made);
        let stored = Stored { kind: "symmetric", content: "application/octet-stream", status: "ACTIVE", payload: payload.to_vec() };
        self.secrets.insert(uuid.clone(), stored);
        text(201, &json!({ "secret_ref": format!("https://other.name/key-manager/v1/secrets/{uuid}") }))
    }
}

struct Setting {
    double: Double,
    service: Arc<Mutex<Service>>,
    folder: Folder,
}

fn setting() -> Setting {
    let service = Arc::new(Mutex::new(Service::default()));
    let shared = Arc::clone(&service);
    let double = serve(true, move |call| shared.lock().unwrap().answer(call));
    let folder = folder("barbican");
    std::fs::write(folder.path("token"), "given\n").unwrap();
    std::fs::write(folder.path("app"), "s3\n").unwrap();
    let stored = |kind, content, payload: &[u8]| Stored { kind, content, status: "ACTIVE", payload: payload.to_vec() };
    let put = |uuid: &str, s| service.lock().unwrap().secrets.insert(uuid.to_owned(), s);
    put(SHARED, stored("symmetric", "application/octet-stream", &[4; 32]));
    put(NOVA, stored("passphrase", "text/plain", &[b'n'; 64]));
    Setting { double, service, folder }
}

impl Setting {
    fn open(&self, secret: &str, options: &str) -> Box<dyn KeyManager> {
        let login = match options.contains("auth-url") {
            true => format!("&auth-url={}/identity/v3", self.double.origin),
            false => format!("&token-file={}", self.folder.path("token").display()),
        };
        let options = options.replace("auth-url&", "");
        let origin = &self.double.origin;
        let address = format!("barbican:{origin}/key-manager/v1/secrets{secret}?{}{login}{options}", tls_options());
        crate::open(&address).unwrap()
    }
}

#[test]
fn runs_the_contract_with_a_secret_for_each_vm() {
    let s = setting();
    run(&|| s.open("", ""), Traits { destroys: true, disables: false });
}

#[test]
fn runs_the_contract_with_one_secret_for_all() {
    let s = setting();
    run(&|| s.open(&format!("/{SHARED}"), ""), Traits::default());
    run(&|| s.open(&format!("/{NOVA}"), "&kdf=sha512"), Traits::default());
    assert!(s.service.lock().unwrap().secrets.contains_key(SHARED));
}

#[test]
fn logs_in_with_an_application_credential_and_again_when_the_token_ends() {
    let s = setting();
    let options = format!("&auth-url&application-credential-id=app&secret-file={}", s.folder.path("app").display());
    let (manager, key) = (s.open("", &options), DataKey::random().unwrap());
    let wrapped = manager.wrap(&tpm_of("a"), &key).unwrap();
    s.service.lock().unwrap().tokens += 10;
    assert_eq!(manager.unwrap(&tpm_of("a"), &wrapped).unwrap().expose(), key.expose());
    std::fs::write(s.folder.path("app"), "wrong").unwrap();
    let error = s.open("", &options).unwrap(&tpm_of("a"), &wrapped).unwrap_err();
    assert!(matches!(error, KeyError::Refused { .. }) && !error.to_string().contains("wrong"), "{error}");
}

#[test]
fn faults_are_named_and_pass() {
    let s = setting();
    let (manager, hasty) = (s.open("", ""), s.open("", "&timeout=1"));
    let (context, key) = (tpm_of("a"), DataKey::random().unwrap());
    let wrapped = manager.wrap(&context, &key).unwrap();
    for mood in [Mood::Slow, Mood::Cuts, Mood::CutsBody, Mood::Garbage, Mood::Nonsense(200), Mood::Nonsense(503)] {
        s.double.be(mood);
        let error = if mood == Mood::Slow { &hasty } else { &manager }.unwrap(&context, &wrapped).unwrap_err();
        let expected = matches!(error, KeyError::Unavailable { .. } | KeyError::Timeout { .. });
        assert!(expected && error.to_string().contains("barbican"), "{mood:?}: {error}");
        s.double.be(Mood::Good);
        assert_eq!(manager.unwrap(&context, &wrapped).unwrap().expose(), key.expose(), "after {mood:?}");
    }
    // A secret that may have been made is not made twice.
    s.double.be(Mood::Cuts);
    let before = s.double.calls.load(Ordering::Relaxed);
    assert!(manager.wrap(&context, &key).is_err());
    assert_eq!(s.double.calls.load(Ordering::Relaxed) - before, 1);
    s.double.be(Mood::Good);

    let uuid = wrapped.key_id.as_str();
    s.service.lock().unwrap().secrets.get_mut(uuid).unwrap().status = "PENDING";
    assert!(matches!(manager.unwrap(&context, &wrapped), Err(KeyError::Disabled { .. })));
    std::fs::write(s.folder.path("token"), "ended").unwrap();
    assert!(matches!(manager.unwrap(&context, &wrapped), Err(KeyError::Refused { .. })));
}

#[test]
fn addresses_are_checked() {
    let refused = |address: &str| crate::open(address).err().unwrap().to_string();
    assert!(refused("barbican:https://h/v1").contains("/v1/secrets"));
    assert!(refused("barbican:https://h/v1/secrets/not-a-uuid").contains("UUID"));
    assert!(refused("barbican:https://h/v1/secrets").contains("needs one of"));
    assert!(refused("barbican:https://h/v1/secrets?kdf=pbkdf2&token-file=/t").contains("kdf="));
}

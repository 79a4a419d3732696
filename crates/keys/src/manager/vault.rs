//! `vault:https://HOST:8200/MOUNT/KEY`: the transit engine of HashiCorp Vault and OpenBao, whose API is the same.
//!
//! Vault encrypts a fresh secret; its ciphertext is kept in the wrapped key. Key names with `{vm}` give each VM a key of
//! its own, which can be destroyed and disabled.

use core::time::Duration;
use std::sync::Mutex;
use std::time::Instant;

use sealwright_state::key::{KeyContext, KeyId, KeyManager, WrappedKey};
use serde::Deserialize;
use ureq::http::Method;
use zeroize::Zeroizing;

use super::Scheme;
use crate::address::{Address, AddressFault, Template};
use crate::failure::Failure;
use crate::http::{Answer, Header, Repeat, Server, Token, split_url};
use crate::keeper::{Claim, Envelope, Keeper, Kept};
use crate::local::{Sealed, Stretch};
use crate::secret::{Secret, from_base64, to_base64};
use crate::tls::Identity;

pub(super) static SCHEMES: &[Scheme] = &[Scheme {
    name: "vault",
    about: "the transit engine of HashiCorp Vault or OpenBao",
    example: "vault:https://vault.example:8200/transit/vm-{vm}?token-file=/run/vault-token",
    open: Some(open),
}];

fn open(address: &mut Address) -> Result<Box<dyn KeyManager>, AddressFault> {
    let (origin, path) = split_url(address, &address.plain_place()?)?;
    let Some((key, mount @ [_, ..])) = path.split_last() else {
        return Err(address.fault("must name the engine and the key: vault:https://host:8200/transit/vm-{vm}"));
    };
    if !key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.{}".contains(c)) {
        return Err(address.fault("has a key name with other characters than letters, digits, - _ and ."));
    }
    let namespace = address.take("namespace");
    let login = Login::take(address)?;
    let timeout = address.take_timeout()?;
    let identity = Identity::take(address)?;
    let server = Server::new(origin, &identity, timeout);
    let key = Template::new(key.clone());
    Ok(Box::new(Envelope(Vault { server, mount: mount.join("/"), key, namespace, login, session: Mutex::new(None) })))
}

/// How a token is had.
enum Login {
    /// It is given.
    Token(Token),
    /// By a login with these secrets, read for each login.
    Method { path: String, fields: Vec<(&'static str, Field)> },
}

enum Field {
    Plain(String),
    Secret(Token),
}

impl Login {
    fn take(address: &mut Address) -> Result<Self, AddressFault> {
        #[derive(Clone, Copy)]
        enum Way {
            Token,
            Approle,
            Jwt,
            Cert,
        }
        let words = [("token", Way::Token), ("approle", Way::Approle), ("jwt", Way::Jwt), ("kubernetes", Way::Jwt), ("cert", Way::Cert)];
        let named = address.take("login").unwrap_or_else(|| "token".to_owned());
        let way = words.iter().find(|(word, _)| *word == named).map(|(_, way)| *way);
        let Some(way) = way else {
            return Err(address.fault(format!("has login={named}; it can be token, approle, jwt, kubernetes or cert")));
        };
        let mount = address.take("login-mount").unwrap_or_else(|| named.clone());
        let needs = |address: &Address, what: &str| address.fault(format!("with login={named} needs {what}"));
        let file = |address: &mut Address, name| address.take_path(name).map(Token::File);
        let fields = match way {
            Way::Token => {
                let token = Token::take(address)?;
                return token.map(Self::Token).ok_or_else(|| address.fault("needs token-file=, token-fd= or login="));
            }
            Way::Approle => {
                let role = address.take("role-id").ok_or_else(|| needs(address, "role-id=ID"))?;
                let secret = file(address, "secret-id-file").ok_or_else(|| needs(address, "secret-id-file=FILE"))?;
                vec![("role_id", Field::Plain(role)), ("secret_id", Field::Secret(secret))]
            }
            Way::Jwt => {
                let role = address.take("role").ok_or_else(|| needs(address, "role=NAME"))?;
                let jwt = file(address, "jwt-file").ok_or_else(|| needs(address, "jwt-file=FILE"))?;
                vec![("role", Field::Plain(role)), ("jwt", Field::Secret(jwt))]
            }
            Way::Cert => address.take("role").map(|role| ("name", Field::Plain(role))).into_iter().collect(),
        };
        Ok(Self::Method { path: format!("/v1/auth/{mount}/login"), fields })
    }
}

/// A token from a login, and when it should be renewed.
struct Session {
    token: Secret,
    until: Instant,
}

struct Vault {
    server: Server,
    mount: String,
    key: Template,
    namespace: Option<String>,
    login: Login,
    session: Mutex<Option<Session>>,
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Deserialize)]
struct Encrypted {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Decrypted {
    plaintext: Zeroizing<String>,
}

#[derive(Deserialize)]
struct Described {
    latest_version: u32,
}

#[derive(Deserialize)]
struct LoggedIn {
    auth: Granted,
}

#[derive(Deserialize)]
struct Granted {
    client_token: Zeroizing<String>,
    lease_duration: u64,
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<String>,
}

/// A JSON object of texts; what is secret in it is wiped.
fn object(fields: &[(&str, &str)]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let room = fields.iter().map(|(name, value)| name.len().saturating_add(value.len()).saturating_add(64)).sum();
    let mut out = Zeroizing::new(Vec::with_capacity(room));
    let failed = |_| Failure::unusable("its answer cannot be written as JSON");
    for (at, (name, value)) in fields.iter().enumerate() {
        out.extend(if at == 0 { b"{" } else { b"," });
        serde_json::to_writer(&mut *out, name).map_err(failed)?;
        out.push(b':');
        serde_json::to_writer(&mut *out, value).map_err(failed)?;
    }
    out.extend(if fields.is_empty() { &b"{}"[..] } else { b"}" });
    Ok(out)
}

/// `vault:v3:…` is of version 3.
fn version(ciphertext: &str) -> Option<u32> {
    ciphertext.strip_prefix("vault:v")?.split_once(':')?.0.parse().ok()
}

impl Vault {
    fn token(&self, fresh: bool) -> Result<Zeroizing<String>, Failure> {
        let (path, fields) = match &self.login {
            Login::Token(token) => return token.read(),
            Login::Method { path, fields } => (path, fields),
        };
        let mut session = self.session.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let still = session.as_ref().filter(|s| !fresh && Instant::now() < s.until);
        if let Some(token) = still.and_then(|s| s.token.text()) {
            return Ok(Zeroizing::new(token.to_owned()));
        }
        let mut values = Vec::new();
        for (name, field) in fields {
            let value = match field {
                Field::Plain(text) => Zeroizing::new(text.clone()),
                Field::Secret(secret) => secret.read()?,
            };
            values.push((*name, value));
        }
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let headers = self.headers(None);
        let answer = self.server.call(Method::POST, path, &headers, Some(&object(&values)?), Repeat::Safe)?;
        match answer.status {
            200 => {}
            400 | 401 | 403 => return Err(Failure::refused(format!("the login failed; {}", answer.says()))),
            404 => return Err(Failure::unusable(format!("it has no login at {path}; check login-mount="))),
            _ => return Err(Failure::unavailable(answer.says())),
        }
        let granted = answer.json::<LoggedIn>()?.auth;
        // Renewed in good time; a token without an end is asked for again each hour.
        let lasts = if granted.lease_duration == 0 { 3600 } else { granted.lease_duration / 2 };
        let until = Instant::now().checked_add(Duration::from_secs(lasts.min(3600))).unwrap_or_else(Instant::now);
        *session = Some(Session { token: Secret::new(granted.client_token.as_bytes().to_vec()), until });
        Ok(granted.client_token)
    }

    fn headers<'a>(&'a self, token: Option<&'a str>) -> Vec<Header<'a>> {
        // OpenBao and Vault refuse requests without it where they run as agents; it is harmless elsewhere.
        let mut headers = vec![("X-Vault-Request", "true")];
        headers.extend(token.map(|token| ("X-Vault-Token", token)));
        headers.extend(self.namespace.as_deref().map(|namespace| ("X-Vault-Namespace", namespace)));
        headers
    }

    /// One call of the engine; a token that has ended is replaced once.
    fn call(&self, method: Method, path: &str, body: Option<&[u8]>) -> Result<Answer, Failure> {
        let path = format!("/v1/{}/{path}", self.mount);
        let mut fresh = false;
        loop {
            let token = self.token(fresh)?;
            // All calls that are made here may be made twice.
            let answer = self.server.call(method.clone(), &path, &self.headers(Some(&token)), body, Repeat::Safe)?;
            if answer.status != 403 || fresh || matches!(self.login, Login::Token(_)) {
                return self.judge(answer);
            }
            fresh = true;
        }
    }

    fn judge(&self, answer: Answer) -> Result<Answer, Failure> {
        if matches!(answer.status, 200 | 204) {
            return Ok(answer);
        }
        let errors = answer.json::<Errors>().map(|e| e.errors.join("; ")).unwrap_or_default();
        let has = |text: &str| errors.contains(text);
        Err(match answer.status {
            403 => Failure::refused(format!("its token may not do that, or has ended ({})", errors.trim())),
            404 if errors.is_empty() => Failure::not_found("it has no such key"),
            404 => Failure::unusable(format!("it has no transit engine at {}; check the address", self.mount)),
            503 => Failure::unavailable("it is sealed or on standby; unseal it"),
            // Of keys that are not there, only reading says 404.
            400 if has("key not found") || has("could not delete key; not found") || has("no existing key named") => {
                Failure::not_found(errors)
            }
            400 if has("disallowed by policy") => Failure::disabled(errors),
            400 if has("invalid ciphertext") || has("message authentication failed") || has("unable to decrypt") => {
                Failure::damaged(format!("it says {errors:?}"))
            }
            400 => Failure::refused(answer.says()),
            _ => Failure::unavailable(answer.says()),
        })
    }

    fn own(&self, key: &KeyId, verb: &str) -> Result<(), Failure> {
        match self.key.made(key.as_str()) {
            true => Ok(()),
            false => Err(Failure::unsupported(format!(
                "{verb} the key {key}, because other VMs may use it; only keys named with {{vm}} are one VM's own"
            ))),
        }
    }

    fn latest(&self, key: &str) -> Result<u32, Failure> {
        let answer = self.call(Method::GET, &format!("keys/{key}"), None)?;
        Ok(answer.json::<Data<Described>>()?.data.latest_version)
    }
}

impl Keeper for Vault {
    fn name(&self) -> &'static str {
        "vault"
    }

    fn key(&self, context: &KeyContext) -> KeyId {
        KeyId::new(self.key.fill(context)).unwrap_or_default()
    }

    fn keep(&self, context: &KeyContext) -> Result<Kept, Failure> {
        let key = self.key(context);
        if self.key.is_per_vm() {
            // Where it is there already, this changes nothing.
            self.call(Method::POST, &format!("keys/{key}"), Some(&object(&[("type", "aes256-gcm96")])?))?;
        }
        let secret = Secret::random::<32>()?;
        let body = object(&[("plaintext", &to_base64(secret.bytes())), ("associated_data", &to_base64(&context.bytes()))])?;
        let answer = self.call(Method::POST, &format!("encrypt/{key}"), Some(&body))?;
        let ciphertext = answer.json::<Data<Encrypted>>()?.data.ciphertext;
        let version = version(&ciphertext).ok_or_else(|| Failure::unavailable("its ciphertext is not of the known form"))?;
        Ok(Kept { key, version, secret, stretch: Stretch::Key, token: ciphertext.into_bytes() })
    }

    fn recover(&self, claim: &Claim<'_>) -> Result<Secret, Failure> {
        let ciphertext = core::str::from_utf8(claim.token).map_err(|_| Failure::damaged("its ciphertext is no text"))?;
        if !claim.key.as_str().chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            return Err(Failure::damaged("it names a key that cannot be one of Vault"));
        }
        let body = object(&[("ciphertext", ciphertext), ("associated_data", &to_base64(&claim.context.bytes()))])?;
        let answer = self.call(Method::POST, &format!("decrypt/{}", claim.key), Some(&body))?;
        let text = answer.json::<Data<Decrypted>>()?.data.plaintext;
        let secret = from_base64(text.as_bytes()).filter(|secret| secret.len() == 32);
        secret.map(Secret::wiping).ok_or_else(|| Failure::unavailable("it decrypted to something else than was encrypted"))
    }

    fn is_outdated(&self, wrapped: &WrappedKey, _sealed: &Sealed<'_>) -> bool {
        let key = wrapped.key_id.as_str();
        !self.key.names(key) || self.latest(key).is_ok_and(|latest| wrapped.version < latest)
    }

    fn destroy(&self, key: &KeyId) -> Result<(), Failure> {
        self.own(key, "destroy")?;
        self.call(Method::POST, &format!("keys/{key}/config"), Some(br#"{"deletion_allowed":true}"#))?;
        self.call(Method::DELETE, &format!("keys/{key}"), None).map(drop)
    }

    /// Vault has no switch: a new version is made, and those before it may no longer decrypt. To undo it, set
    /// `min_decryption_version` back to 1.
    fn disable(&self, key: &KeyId) -> Result<(), Failure> {
        self.own(key, "disable")?;
        self.call(Method::POST, &format!("keys/{key}/rotate"), Some(b"{}"))?;
        let latest = self.latest(key.as_str())?;
        let body = format!(r#"{{"min_decryption_version":{latest}}}"#);
        self.call(Method::POST, &format!("keys/{key}/config"), Some(body.as_bytes())).map(drop)
    }
}

#[cfg(test)]
#[path = "vault_tests.rs"]
mod tests;

//! `barbican:https://HOST:9311/v1/secrets[/UUID]`: OpenStack's key manager, its API version 1.
//!
//! With a UUID, that secret wraps the data keys of all VMs; a passphrase such as Nova makes will do. Without, each wrap
//! stores a fresh secret in Barbican, which can be destroyed when the VM is deleted.

use core::time::Duration;
use std::sync::Mutex;
use std::time::Instant;

use sealwright_state::key::{KeyContext, KeyId, KeyManager, WrappedKey};
use serde::Deserialize;
use ureq::http::Method;
use zeroize::Zeroizing;

use super::Scheme;
use crate::address::{Address, AddressFault};
use crate::failure::Failure;
use crate::given::Form;
use crate::http::{Answer, Header, Repeat, Server, Token, split_url};
use crate::keeper::{Claim, Envelope, Keeper, Kept};
use crate::local::{Sealed, Stretch};
use crate::secret::{Secret, to_base64};
use crate::tls::Identity;

pub(super) static SCHEMES: &[Scheme] = &[Scheme {
    name: "barbican",
    about: "OpenStack's key manager",
    example: "barbican:https://barbican.example:9311/v1/secrets?token-file=/run/openstack-token",
    open: Some(open),
}];

fn open(address: &mut Address) -> Result<Box<dyn KeyManager>, AddressFault> {
    let (origin, path) = split_url(address, &address.plain_place()?)?;
    // The service may be below a path of its own, as in https://host/key-manager/v1/secrets.
    let at = path.iter().rposition(|part| part == "secrets");
    let (before, after) = at.map(|at| path.split_at(at)).unwrap_or_default();
    let secret = match after {
        [_] => None,
        [_, uuid] if is_uuid(uuid) => Some(uuid.clone()),
        _ => return Err(address.fault("must end in /v1/secrets or /v1/secrets/UUID")),
    };
    let root = before.iter().fold(String::new(), |path, part| path + "/" + part);
    let form = address.take_word(
        "kdf",
        &[("argon2id", Stretch::ARGON2ID), ("pbkdf2", Stretch::PBKDF2), ("sha512", Stretch::Key)],
    )?;
    if form.is_some() && secret.is_none() {
        return Err(address.fault("has kdf=, which is for a secret that is there already"));
    }
    let timeout = address.take_timeout()?;
    let project = address.take("project-id");
    let credential = (address.take("auth-url"), address.take("application-credential-id"), address.take_path("secret-file"));
    let token = Token::take(address)?;
    let identity = Identity::take(address)?;
    let login = match (credential, token, project) {
        ((None, None, None), Some(token), None) => Login::Token(token),
        ((None, None, None), None, Some(project)) => Login::Project(project),
        ((Some(url), Some(id), Some(file)), None, None) => {
            let (origin, path) = split_url(address, &url)?;
            let path = path.iter().fold(String::new(), |path, part| path + "/" + part);
            let keystone = Server::new(origin, &identity, timeout);
            Login::Keystone { keystone, path: format!("{path}/auth/tokens"), id, secret: Token::File(file) }
        }
        _ => {
            return Err(address.fault(
                "needs one of: token-file= or token-fd=; auth-url=, application-credential-id= and secret-file=; \
                 project-id= where Barbican runs without authentication",
            ));
        }
    };
    let server = Server::new(origin, &identity, timeout);
    Ok(Box::new(Envelope(Barbican { server, root, secret, kdf: form, login, session: Mutex::new(None) })))
}

/// A UUID as Barbican writes it.
fn is_uuid(text: &str) -> bool {
    let hyphens = [8, 13, 18, 23];
    text.len() == 36 && text.char_indices().all(|(at, c)| if hyphens.contains(&at) { c == '-' } else { c.is_ascii_hexdigit() })
}

/// How Barbican knows who asks.
enum Login {
    Token(Token),
    /// An application credential of Keystone.
    Keystone { keystone: Server, path: String, id: String, secret: Token },
    /// Barbican's pipeline without authentication believes what it is told.
    Project(String),
}

/// A token of Keystone and until when it is used.
struct Session {
    token: Secret,
    until: Instant,
}

struct Barbican {
    server: Server,
    root: String,
    secret: Option<String>,
    kdf: Option<Stretch>,
    login: Login,
    session: Mutex<Option<Session>>,
}

#[derive(Deserialize)]
struct Created {
    secret_ref: String,
}

#[derive(Deserialize)]
struct Metadata {
    status: String,
    secret_type: String,
    #[serde(default)]
    content_types: Option<ContentTypes>,
}

#[derive(Deserialize)]
struct ContentTypes {
    default: String,
}

/// What callers may do again after a cut, and what not.
struct Ask<'a> {
    method: Method,
    path: &'a str,
    accept: &'a str,
    body: Option<&'a [u8]>,
    repeat: Repeat,
}

impl Barbican {
    fn token(&self, fresh: bool) -> Result<Option<Zeroizing<String>>, Failure> {
        let (keystone, path, id, secret) = match &self.login {
            Login::Project(_) => return Ok(None),
            Login::Token(token) => return token.read().map(Some),
            Login::Keystone { keystone, path, id, secret } => (keystone, path, id, secret),
        };
        let mut session = self.session.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let still = session.as_ref().filter(|s| !fresh && Instant::now() < s.until);
        if let Some(token) = still.and_then(|s| s.token.text()) {
            return Ok(Some(Zeroizing::new(token.to_owned())));
        }
        let secret = secret.read()?;
        let quoted = |text: &str| serde_json::to_string(text).map(Zeroizing::new).map_err(|_| Failure::unusable("its secret is no text"));
        let (id, secret) = (quoted(id)?, quoted(&secret)?);
        let head = r#"{"auth":{"identity":{"methods":["application_credential"],"application_credential":{"id":"#;
        let body = Zeroizing::new([head, &id, r#","secret":"#, &secret, "}}}}"].concat());
        let answer = keystone.call(Method::POST, path, &[], Some(body.as_bytes()), Repeat::Safe)?;
        match answer.status {
            201 => {}
            401 | 403 => return Err(Failure::refused("Keystone does not accept the application credential")),
            404 => return Err(Failure::unusable(format!("Keystone has no {path}; auth-url must end in /v3"))),
            _ => return Err(Failure::unavailable(format!("Keystone: {}", answer.says()))),
        }
        let token = answer.subject_token.ok_or_else(|| Failure::unavailable("Keystone gave no token"))?;
        let text = token.text().map(|text| Zeroizing::new(text.to_owned()));
        // Keystone's default is an hour; an earlier end is noticed by the answer 401.
        let until = Instant::now().checked_add(Duration::from_secs(1800)).unwrap_or_else(Instant::now);
        *session = Some(Session { token, until });
        Ok(text)
    }

    fn call(&self, ask: &Ask<'_>) -> Result<Answer, Failure> {
        let path = format!("{}{}", self.root, ask.path);
        let mut fresh = false;
        loop {
            let token = self.token(fresh)?;
            let mut headers: Vec<Header<'_>> = vec![("Accept", ask.accept)];
            headers.extend(token.as_ref().map(|token| ("X-Auth-Token", token.as_str())));
            if let Login::Project(project) = &self.login {
                headers.extend([("X-Project-Id", project.as_str()), ("X-Roles", "creator")]);
            }
            let answer = self.server.call(ask.method.clone(), &path, &headers, ask.body, ask.repeat)?;
            if answer.status == 401 && !fresh && matches!(self.login, Login::Keystone { .. }) {
                fresh = true;
                continue;
            }
            return match answer.status {
                200 | 201 | 204 => Ok(answer),
                401 => Err(Failure::refused("it does not accept the token; it may have ended")),
                403 => Err(Failure::refused(answer.says())),
                404 | 410 => Err(Failure::not_found("it has no such secret")),
                413 => Err(Failure::refused(format!("a quota or a size limit is reached; {}", answer.says()))),
                400..500 => Err(Failure::unusable(answer.says())),
                _ => Err(Failure::unavailable(answer.says())),
            };
        }
    }

    /// The secret of this UUID, and how it becomes a key.
    fn fetch(&self, uuid: &str) -> Result<(Secret, Stretch), Failure> {
        let path = format!("/secrets/{uuid}");
        let ask = Ask { method: Method::GET, path: &path, accept: "application/json", body: None, repeat: Repeat::Safe };
        let metadata = self.call(&ask)?.json::<Metadata>()?;
        if metadata.status != "ACTIVE" {
            return Err(Failure::disabled(format!("its status is {}", metadata.status)));
        }
        let content = metadata.content_types.ok_or_else(|| Failure::unusable("the secret has no payload yet; store one"))?.default;
        let path = format!("{path}/payload");
        let accept = if content.starts_with("text/plain") { "text/plain" } else { "application/octet-stream" };
        let payload = self.call(&Ask { method: Method::GET, path: &path, accept, body: None, repeat: Repeat::Safe })?;
        let payload = Secret::new(payload.body().to_vec());
        let form = match (self.kdf, metadata.secret_type.as_str()) {
            (Some(stretch), _) => Form::Passphrase(stretch),
            (None, "passphrase") => Form::Passphrase(Stretch::ARGON2ID),
            (None, _) => Form::Either,
        };
        let stretch = if let Form::Passphrase(stretch) = form { stretch } else { Stretch::Key };
        Ok((form.read(&payload)?, stretch))
    }
}

impl Keeper for Barbican {
    fn name(&self) -> &'static str {
        "barbican"
    }

    fn key(&self, _context: &KeyContext) -> KeyId {
        KeyId::new(self.secret.as_deref().unwrap_or("(a new secret)")).unwrap_or_default()
    }

    fn keep(&self, context: &KeyContext) -> Result<Kept, Failure> {
        if let Some(uuid) = &self.secret {
            let (secret, stretch) = self.fetch(uuid)?;
            return Ok(Kept { key: self.key(context), version: 0, secret, stretch, token: Vec::new() });
        }
        let secret = Secret::random::<32>()?;
        let title = format!("sealwright {} of VM {}", context.kind, context.vm);
        let title = serde_json::to_string(&title).map_err(|_| Failure::unusable("the VM's name is no text"))?;
        let head = r#"{"secret_type":"symmetric","algorithm":"aes","bit_length":256,"payload_content_type":"application/octet-stream","payload_content_encoding":"base64","name":"#;
        let payload = to_base64(secret.bytes());
        let body = Zeroizing::new([head, &title, r#","payload":""#, &payload, r#""}"#].concat());
        // A second try could leave a secret behind that nobody knows of.
        let ask = Ask {
            method: Method::POST,
            path: "/secrets",
            accept: "application/json",
            body: Some(body.as_bytes()),
            repeat: Repeat::Never,
        };
        let created = self.call(&ask)?.json::<Created>()?.secret_ref;
        let uuid = created.rsplit('/').next().filter(|uuid| is_uuid(uuid));
        let uuid = uuid.ok_or_else(|| Failure::unavailable("its answer names no secret"))?;
        let key = KeyId::new(uuid).ok_or_else(|| Failure::unavailable("its answer names no secret"))?;
        Ok(Kept { key, version: 0, secret, stretch: Stretch::Key, token: Vec::new() })
    }

    fn recover(&self, claim: &Claim<'_>) -> Result<Secret, Failure> {
        match is_uuid(claim.key.as_str()) {
            true => self.fetch(claim.key.as_str()).map(|(secret, _)| secret),
            false => Err(Failure::damaged("it names a secret that cannot be one of Barbican")),
        }
    }

    fn is_outdated(&self, wrapped: &WrappedKey, _sealed: &Sealed<'_>) -> bool {
        self.secret.as_ref().is_some_and(|uuid| uuid != wrapped.key_id.as_str())
    }

    fn destroy(&self, key: &KeyId) -> Result<(), Failure> {
        if self.secret.is_some() {
            return Err(Failure::unsupported(format!("destroy the secret {key}, because other VMs may use it")));
        }
        if !is_uuid(key.as_str()) {
            return Err(Failure::not_found("that is no UUID"));
        }
        let path = format!("/secrets/{key}");
        let ask = Ask { method: Method::DELETE, path: &path, accept: "application/json", body: None, repeat: Repeat::Safe };
        self.call(&ask).map(drop)
    }
}

#[cfg(test)]
#[path = "barbican_tests.rs"]
mod tests;

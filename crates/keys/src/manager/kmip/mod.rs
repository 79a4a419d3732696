//! `kmip:HOST:5696/name/NAME` and `kmip:HOST:5696/id/ID`: a server of OASIS KMIP, 1.4 or 2.0, over mutual TLS.
//!
//! The server encrypts a fresh secret with AES-GCM (Encrypt and Decrypt, in the standard since 1.2, with associated data
//! since 1.4), so its key never leaves it. Names with `{vm}` give each VM a key of its own.

mod connection;
mod ttlv;

use sealwright_state::key::{KeyContext, KeyId, KeyManager, WrappedKey};

use self::connection::{Connection, Operation, Server, config};
use self::ttlv::{Item, Out, tag};
use super::Scheme;
use crate::address::{Address, AddressFault, Template};
use crate::failure::Failure;
use crate::keeper::{Claim, Envelope, Keeper, Kept};
use crate::local::{Sealed, Stretch};
use crate::secret::Secret;
use crate::tls::Identity;

pub(super) static SCHEMES: &[Scheme] = &[Scheme {
    name: "kmip",
    about: "a server of OASIS KMIP 1.4 or 2.0",
    example: "kmip:kmip.example:5696/name/vm-{vm}?ca=/etc/kmip/ca.pem&cert=/etc/kmip/host.pem&key=/etc/kmip/host.key",
    open: Some(open),
}];

const SYMMETRIC_KEY: u32 = 2;
const AES: u32 = 3;
const GCM: u32 = 9;
/// Encrypt and Decrypt of the usage mask.
const USES: i32 = 0x04 | 0x08;
/// Revocation for a key that is simply no longer used.
const CESSATION_OF_OPERATION: u32 = 6;
/// Uninterpreted Text String.
const TEXT_NAME: u32 = 1;
const IV: usize = 12;
const TAG: usize = 16;

fn open(address: &mut Address) -> Result<Box<dyn KeyManager>, AddressFault> {
    let place = address.plain_place()?;
    let form = "must be kmip:HOST:PORT/name/NAME or kmip:HOST:PORT/id/ID";
    let (server, which) = place.split_once('/').ok_or_else(|| address.fault(form))?;
    let which = match which.split_once('/') {
        Some(("name", name)) if !name.is_empty() => Which::Name(Template::new(name)),
        Some(("id", id)) if !id.is_empty() => Which::Id(id.to_owned()),
        _ => return Err(address.fault(form)),
    };
    let (host, port) = server.rsplit_once(':').unwrap_or((server, "5696"));
    let port = port.parse().map_err(|_| address.fault(form))?;
    let host = host.trim_matches(['[', ']']).to_owned();
    let version = address.take_word("version", &[("1.4", (1, 4)), ("2.0", (2, 0))])?.unwrap_or((1, 4));
    let timeout = address.take_timeout()?;
    let identity = Identity::take(address)?;
    if identity.client.is_none() {
        return Err(address.fault("needs cert= and key=: a KMIP server knows its clients by certificate"));
    }
    let tls = config(&identity).ok_or_else(|| address.fault("has a key= that does not belong to the certificate of cert="))?;
    Ok(Box::new(Envelope(Kmip { server: Server { host, port, version, timeout, tls }, which })))
}

enum Which {
    Name(Template),
    Id(String),
}

struct Kmip {
    server: Server,
    which: Which,
}

fn broken() -> Failure {
    Failure::unavailable("its answer was not understood")
}

fn id_only(id: &str) -> Out {
    Out::new().text(tag::UNIQUE_IDENTIFIER, id)
}

/// AES in GCM mode with a tag of 16 bytes.
fn gcm() -> Out {
    let out = Out::new().enumeration(tag::BLOCK_CIPHER_MODE, GCM).enumeration(tag::CRYPTOGRAPHIC_ALGORITHM, AES);
    out.integer(tag::TAG_LENGTH, 16)
}

impl Kmip {
    /// The Name attribute: a structure in the 1.x form, and in the form that 2.0 has.
    fn name(&self, name: &str) -> Out {
        let value = Out::new().text(tag::NAME_VALUE, name).enumeration(tag::NAME_TYPE, TEXT_NAME);
        match self.server.version {
            (1, _) => Self::attribute("Name", Out::new().structure(tag::ATTRIBUTE_VALUE, value)),
            _ => Out::new().structure(tag::NAME, value),
        }
    }

    fn attribute(name: &str, value: Out) -> Out {
        // The value is the item after the name: both are in one structure.
        let mut inner = Out::new().text(tag::ATTRIBUTE_NAME, name);
        inner.append(&value);
        Out::new().structure(tag::ATTRIBUTE, inner)
    }

    /// The keys of this name.
    fn locate(&self, connection: &mut Connection<'_>, name: &str) -> Result<Option<String>, Failure> {
        let payload = match self.server.version {
            (1, _) => self.name(name),
            _ => Out::new().structure(tag::ATTRIBUTES, self.name(name)),
        };
        let answer = connection.call(Operation::Locate, payload)?;
        let items = answer.payload().map(Item::items).unwrap_or_default();
        let ids: Vec<&str> = items.iter().filter(|i| i.tag == tag::UNIQUE_IDENTIFIER).filter_map(|i| i.text()).collect();
        match ids.as_slice() {
            [] => Ok(None),
            [id] => Ok(Some((*id).to_owned())),
            _ => Err(Failure::unusable("several of its keys have this name; use /id/ID")),
        }
    }

    fn create(&self, connection: &mut Connection<'_>, name: &str) -> Result<String, Failure> {
        let mut attributes = Out::new();
        let payload = Out::new().enumeration(tag::OBJECT_TYPE, SYMMETRIC_KEY);
        let payload = match self.server.version {
            (1, _) => {
                let all = [
                    Self::attribute("Cryptographic Algorithm", Out::new().enumeration(tag::ATTRIBUTE_VALUE, AES)),
                    Self::attribute("Cryptographic Length", Out::new().integer(tag::ATTRIBUTE_VALUE, 256)),
                    Self::attribute("Cryptographic Usage Mask", Out::new().integer(tag::ATTRIBUTE_VALUE, USES)),
                    self.name(name),
                ];
                all.iter().for_each(|one| attributes.append(one));
                payload.structure(tag::TEMPLATE_ATTRIBUTE, attributes)
            }
            _ => {
                let all = Out::new().enumeration(tag::CRYPTOGRAPHIC_ALGORITHM, AES);
                let all = all.integer(tag::CRYPTOGRAPHIC_LENGTH, 256).integer(tag::CRYPTOGRAPHIC_USAGE_MASK, USES);
                attributes.append(&all);
                attributes.append(&self.name(name));
                payload.structure(tag::ATTRIBUTES, attributes)
            }
        };
        let made = connection.call(Operation::Create, payload)?;
        let id = made.get(tag::UNIQUE_IDENTIFIER).and_then(Item::text).ok_or_else(broken)?.to_owned();
        connection.call(Operation::Activate, id_only(&id))?;
        Ok(id)
    }

    fn find(&self, connection: &mut Connection<'_>, context: &KeyContext) -> Result<String, Failure> {
        let template = match &self.which {
            Which::Id(id) => return Ok(id.clone()),
            Which::Name(template) => template,
        };
        let name = template.fill(context);
        match self.locate(connection, &name)? {
            Some(id) => Ok(id),
            None if template.is_per_vm() => self.create(connection, &name),
            None => Err(Failure::not_found("it has no key of this name")),
        }
    }

    /// Whether the key is one VM's own, by the name that the server has for it.
    fn is_own(&self, connection: &mut Connection<'_>, id: &str) -> Result<bool, Failure> {
        let Which::Name(template) = &self.which else { return Ok(false) };
        let payload = match self.server.version {
            (1, _) => id_only(id).text(tag::ATTRIBUTE_NAME, "Name"),
            _ => id_only(id).enumeration(tag::ATTRIBUTE_REFERENCE, tag::NAME),
        };
        let answer = connection.call(Operation::GetAttributes, payload)?;
        let attribute = match self.server.version {
            (1, _) => answer.get(tag::ATTRIBUTE).and_then(|attribute| attribute.get(tag::ATTRIBUTE_VALUE)),
            _ => answer.get(tag::ATTRIBUTES).and_then(|attributes| attributes.get(tag::NAME)),
        };
        let name = attribute.and_then(|name| name.get(tag::NAME_VALUE)).and_then(Item::text);
        Ok(name.is_some_and(|name| template.made(name)))
    }
}

impl Keeper for Kmip {
    fn name(&self) -> &'static str {
        "kmip"
    }

    fn key(&self, context: &KeyContext) -> KeyId {
        let name = match &self.which {
            Which::Id(id) => id.clone(),
            Which::Name(template) => format!("named {}", template.fill(context)),
        };
        KeyId::new(name).unwrap_or_default()
    }

    fn keep(&self, context: &KeyContext) -> Result<Kept, Failure> {
        let secret = Secret::random::<32>()?;
        let mut iv = [0; IV];
        crate::secret::random(&mut iv)?;
        let mut connection = self.server.connect()?;
        let id = self.find(&mut connection, context)?;
        let payload = id_only(&id).structure(tag::CRYPTOGRAPHIC_PARAMETERS, gcm());
        let payload = payload.byte_string(tag::DATA, secret.bytes()).byte_string(tag::IV_COUNTER_NONCE, &iv);
        let payload = payload.byte_string(tag::ADDITIONAL_DATA, &context.bytes());
        let answer = connection.call(Operation::Encrypt, payload)?;
        let data = answer.get(tag::DATA).and_then(Item::byte_string).ok_or_else(broken)?;
        let tag = answer.get(tag::AUTHENTICATION_TAG).and_then(Item::byte_string).filter(|tag| tag.len() == TAG);
        let token = [&iv[..], tag.ok_or_else(broken)?, data].concat();
        let key = KeyId::new(id).ok_or_else(broken)?;
        Ok(Kept { key, version: 0, secret, stretch: Stretch::Key, token })
    }

    fn recover(&self, claim: &Claim<'_>) -> Result<Secret, Failure> {
        let cut = || Failure::damaged("its ciphertext is cut off");
        let (iv, rest) = claim.token.split_at_checked(IV).ok_or_else(cut)?;
        let (tag, data) = rest.split_at_checked(TAG).ok_or_else(cut)?;
        let payload = id_only(claim.key.as_str()).structure(tag::CRYPTOGRAPHIC_PARAMETERS, gcm());
        let payload = payload.byte_string(tag::DATA, data).byte_string(tag::IV_COUNTER_NONCE, iv);
        let payload = payload.byte_string(tag::ADDITIONAL_DATA, &claim.context.bytes());
        let payload = payload.byte_string(tag::AUTHENTICATION_TAG, tag);
        let answer = self.server.connect()?.call(Operation::Decrypt, payload)?;
        let secret = answer.get(tag::DATA).and_then(Item::byte_string).filter(|secret| secret.len() == 32);
        secret.map(|secret| Secret::new(secret.to_vec())).ok_or_else(broken)
    }

    fn is_outdated(&self, wrapped: &WrappedKey, _sealed: &Sealed<'_>) -> bool {
        matches!(&self.which, Which::Id(id) if id != wrapped.key_id.as_str())
    }

    fn destroy(&self, key: &KeyId) -> Result<(), Failure> {
        let mut connection = self.server.connect()?;
        if !self.is_own(&mut connection, key.as_str())? {
            return Err(Failure::unsupported(format!("destroy the key {key}, because other VMs may use it")));
        }
        // An active key cannot be destroyed; a key that was revoked before cannot be revoked again.
        let reason = Out::new().enumeration(tag::REVOCATION_REASON_CODE, CESSATION_OF_OPERATION);
        let revoke = id_only(key.as_str()).structure(tag::REVOCATION_REASON, reason);
        let revoked = connection.call(Operation::Revoke, revoke);
        let destroyed = connection.call(Operation::Destroy, id_only(key.as_str()));
        destroyed.map(drop).map_err(|failure| revoked.err().unwrap_or(failure))
    }

    fn disable(&self, key: &KeyId) -> Result<(), Failure> {
        Err(Failure::unsupported(format!("disable the key {key}: in KMIP a key that was revoked never comes back")))
    }
}

#[cfg(test)]
mod tests;

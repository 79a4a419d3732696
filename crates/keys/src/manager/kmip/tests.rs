//! Against a double of a KMIP server, in versions 1.4 and 2.0; against PyKMIP in `cargo xtask test keys`.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use rustls::{ServerConnection, StreamOwned};
use sealwright_state::{DataKey, KeyError, KeyManager};

use super::ttlv::{Item, Out, tag};
use crate::contract::{Traits, run, tpm_of};
use crate::testing::{server_config, tls_options};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mood {
    Good,
    Slow,
    Closes,
    Nonsense,
    NotTls,
    Denies,
}

struct Key {
    name: String,
    active: bool,
    revoked: bool,
    /// By ciphertext: IV, associated data, tag, plaintext.
    sealed: BTreeMap<Vec<u8>, [Vec<u8>; 4]>,
}

#[derive(Default)]
struct Store {
    keys: BTreeMap<String, Key>,
    made: u32,
}

struct Double {
    port: u16,
    mood: Arc<Mutex<Mood>>,
    store: Arc<Mutex<Store>>,
}

type Refusal = (u32, &'static str);
const ABSENT: Refusal = (1, "Could not locate object");

fn double() -> Double {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let double = Double { port, mood: Arc::new(Mutex::new(Mood::Good)), store: Arc::default() };
    let (mood, store) = (Arc::clone(&double.mood), Arc::clone(&double.store));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mood, store) = (Arc::clone(&mood), Arc::clone(&store));
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                if *mood.lock().unwrap() == Mood::NotTls {
                    drop(stream.write_all(b"220 mail.example ESMTP\r\n"));
                    return;
                }
                let connection = ServerConnection::new(server_config()).unwrap();
                serve(StreamOwned::new(connection, stream), &mood, &store);
            });
        }
    });
    double
}

fn serve(mut stream: impl Read + Write, mood: &Mutex<Mood>, store: &Mutex<Store>) {
    let mut head = [0; 8];
    while stream.read_exact(&mut head).is_ok() {
        let length = u32::from_be_bytes(head[4..].try_into().unwrap()) as usize;
        let mut message = head.to_vec();
        message.resize(length + 8, 0);
        stream.read_exact(&mut message[8..]).unwrap();
        let mood = *mood.lock().unwrap();
        let answered = match mood {
            Mood::Closes => return,
            Mood::Slow => {
                std::thread::sleep(Duration::from_secs(3));
                return;
            }
            Mood::Nonsense => {
                drop(stream.write_all(&[0x41; 64]).and_then(|()| stream.flush()));
                return;
            }
            Mood::Denies => (0, Err((0x0C, "Permission denied"))),
            Mood::Good | Mood::NotTls => answer(&message, &mut store.lock().unwrap()),
        };
        let item = Out::new().enumeration(tag::OPERATION, answered.0);
        let item = match answered.1 {
            Ok(payload) => item.enumeration(tag::RESULT_STATUS, 0).structure(tag::RESPONSE_PAYLOAD, payload),
            Err((reason, text)) => {
                let item = item.enumeration(tag::RESULT_STATUS, 1).enumeration(tag::RESULT_REASON, reason);
                item.text(tag::RESULT_MESSAGE, text)
            }
        };
        let message = Out::new().structure(0x42_007A, Out::new().integer(tag::BATCH_COUNT, 1)).structure(tag::BATCH_ITEM, item);
        let message = Out::new().structure(tag::RESPONSE_MESSAGE, message);
        if stream.write_all(message.bytes()).and_then(|()| stream.flush()).is_err() {
            return;
        }
    }
}

fn answer(message: &[u8], store: &mut Store) -> (u32, Result<Out, Refusal>) {
    let mut rest = message;
    let message = Item::read(&mut rest).unwrap();
    assert!(rest.is_empty() && message.tag == tag::REQUEST_MESSAGE);
    let version = message.get(tag::REQUEST_HEADER).unwrap().get(tag::PROTOCOL_VERSION).unwrap();
    let number = |tag| version.get(tag).unwrap().integer().unwrap();
    let version = (number(tag::PROTOCOL_VERSION_MAJOR), number(tag::PROTOCOL_VERSION_MINOR));
    assert!(matches!(version, (1, 4) | (2, 0)));
    let item = message.get(tag::BATCH_ITEM).unwrap();
    let operation = item.get(tag::OPERATION).unwrap().enumeration().unwrap();
    (operation, perform(operation, item.get(tag::REQUEST_PAYLOAD).unwrap(), version.0, store))
}

/// The name within the attributes of a request.
fn name_in(payload: Item<'_>, major: i32) -> String {
    let name = if major == 1 {
        let whole = payload.get(tag::TEMPLATE_ATTRIBUTE).unwrap_or(payload);
        let all = whole.items();
        let named = all.iter().find(|a| a.get(tag::ATTRIBUTE_NAME).and_then(Item::text) == Some("Name")).unwrap();
        named.get(tag::ATTRIBUTE_VALUE).unwrap()
    } else {
        payload.get(tag::ATTRIBUTES).unwrap().get(tag::NAME).unwrap()
    };
    assert_eq!(name.get(tag::NAME_TYPE).and_then(Item::enumeration), Some(1));
    name.get(tag::NAME_VALUE).and_then(Item::text).unwrap().to_owned()
}

fn perform(operation: u32, payload: Item<'_>, major: i32, store: &mut Store) -> Result<Out, Refusal> {
    let id = payload.get(tag::UNIQUE_IDENTIFIER).and_then(Item::text).unwrap_or_default().to_owned();
    let bytes = |tag| payload.get(tag).and_then(Item::byte_string).map(<[u8]>::to_vec);
    match operation {
        0x01 => {
            let name = name_in(payload, major);
            assert_eq!(payload.get(tag::OBJECT_TYPE).and_then(Item::enumeration), Some(2));
            store.made += 1;
            let id = store.made.to_string();
            store.keys.insert(id.clone(), Key { name, active: false, revoked: false, sealed: BTreeMap::new() });
            Ok(Out::new().enumeration(tag::OBJECT_TYPE, 2).text(tag::UNIQUE_IDENTIFIER, &id))
        }
        0x08 => {
            let name = name_in(payload, major);
            let found = store.keys.iter().filter(|(_, key)| key.name == name);
            Ok(found.fold(Out::new(), |out, (id, _)| out.text(tag::UNIQUE_IDENTIFIER, id)))
        }
        0x0B => {
            let key = store.keys.get(&id).ok_or(ABSENT)?;
            let value = Out::new().text(tag::NAME_VALUE, &key.name).enumeration(tag::NAME_TYPE, 1);
            Ok(if major == 1 {
                let attribute = Out::new().text(tag::ATTRIBUTE_NAME, "Name").structure(tag::ATTRIBUTE_VALUE, value);
                Out::new().structure(tag::ATTRIBUTE, attribute)
            } else {
                Out::new().structure(tag::ATTRIBUTES, Out::new().structure(tag::NAME, value))
            })
        }
        0x12 => {
            store.keys.get_mut(&id).ok_or(ABSENT)?.active = true;
            Ok(Out::new())
        }
        0x13 => {
            let key = store.keys.get_mut(&id).ok_or(ABSENT)?;
            let reason = payload.get(tag::REVOCATION_REASON).and_then(|r| r.get(tag::REVOCATION_REASON_CODE));
            assert_eq!(reason.and_then(Item::enumeration), Some(6));
            if !key.active {
                return Err((0x0B, "The object is not active and cannot be revoked"));
            }
            (key.active, key.revoked) = (false, true);
            Ok(Out::new())
        }
        0x14 => match store.keys.get(&id).ok_or(ABSENT)? {
            key if key.active => Err((0x0C, "Object is active and cannot be destroyed.")),
            _ => {
                store.keys.remove(&id);
                Ok(Out::new())
            }
        },
        0x1F | 0x20 => {
            let key = store.keys.get_mut(&id).ok_or(ABSENT)?;
            let parameters = payload.get(tag::CRYPTOGRAPHIC_PARAMETERS).unwrap();
            assert_eq!(parameters.get(tag::BLOCK_CIPHER_MODE).and_then(Item::enumeration), Some(9));
            assert_eq!(parameters.get(tag::TAG_LENGTH).and_then(Item::integer), Some(16));
            if !key.active {
                return Err((0x0C, "The key must be in the Active state to be used"));
            }
            let (iv, bound, data) =
                (bytes(tag::IV_COUNTER_NONCE).unwrap(), bytes(tag::ADDITIONAL_DATA).unwrap(), bytes(tag::DATA).unwrap());
            if operation == 0x1F {
                let (mut sealed, mut mac) = (vec![0; data.len()], vec![0; 16]);
                crate::secret::random(&mut sealed).unwrap();
                crate::secret::random(&mut mac).unwrap();
                key.sealed.insert(sealed.clone(), [iv, bound, mac.clone(), data]);
                Ok(Out::new().byte_string(tag::DATA, &sealed).byte_string(tag::AUTHENTICATION_TAG, &mac))
            } else {
                let given = [iv, bound, bytes(tag::AUTHENTICATION_TAG).unwrap()];
                let kept = key.sealed.get(&data).filter(|kept| kept[..3] == given);
                kept.map(|kept| Out::new().byte_string(tag::DATA, &kept[3])).ok_or((0x0A, "Cryptographic failure"))
            }
        }
        other => panic!("operation {other:#x}"),
    }
}

impl Double {
    fn open(&self, key: &str, options: &str) -> Box<dyn KeyManager> {
        crate::open(&format!("kmip:localhost:{}/{key}?{}{options}", self.port, tls_options())).unwrap()
    }
}

#[test]
fn runs_the_contract_in_both_versions() {
    for version in ["1.4", "2.0"] {
        let d = double();
        let options = format!("&version={version}");
        run(&|| d.open("name/vm-{vm}", &options), Traits { destroys: true, disables: false });
        let shared = Key { name: "master".to_owned(), active: true, revoked: false, sealed: BTreeMap::new() };
        d.store.lock().unwrap().keys.insert("m".to_owned(), shared);
        run(&|| d.open("name/master", &options), Traits::default());
        run(&|| d.open("id/m", &options), Traits::default());
    }
}

#[test]
fn faults_are_named_and_pass() {
    let d = double();
    let (manager, hasty) = (d.open("name/vm-{vm}", ""), d.open("name/vm-{vm}", "&timeout=1"));
    let (context, key) = (tpm_of("a"), DataKey::random().unwrap());
    let wrapped = manager.wrap(&context, &key).unwrap();
    for mood in [Mood::Slow, Mood::Closes, Mood::Nonsense, Mood::NotTls, Mood::Denies] {
        *d.mood.lock().unwrap() = mood;
        let error = if mood == Mood::Slow { &hasty } else { &manager }.unwrap(&context, &wrapped).unwrap_err();
        match mood {
            Mood::Slow => assert!(matches!(error, KeyError::Timeout { .. }), "{error}"),
            Mood::Denies => assert!(matches!(error, KeyError::Refused { .. }), "{error}"),
            _ => assert!(matches!(error, KeyError::Unavailable { .. }), "{mood:?}: {error}"),
        }
        *d.mood.lock().unwrap() = Mood::Good;
        assert_eq!(manager.unwrap(&context, &wrapped).unwrap().expose(), key.expose(), "after {mood:?}");
    }
    d.store.lock().unwrap().keys.values_mut().for_each(|key| key.active = false);
    assert!(matches!(manager.unwrap(&context, &wrapped), Err(KeyError::Disabled { .. })));
    // Such a key can still be destroyed.
    manager.destroy(&wrapped.key_id).unwrap();
    let missing = d.open("name/absent", "").wrap(&context, &key).unwrap_err();
    assert!(matches!(missing, KeyError::NotFound { .. }) && missing.to_string().contains("absent"), "{missing}");
}

#[test]
fn both_sides_must_be_known() {
    let d = double();
    let with = |from: &str, to: &str| {
        let address = format!("kmip:localhost:{}/name/vm-{{vm}}?{}", d.port, tls_options().replace(from, to));
        crate::open(&address).map(|m| m.wrap(&tpm_of("a"), &DataKey::new([1; 32])).unwrap_err().to_string())
    };
    let stranger = with("ca.pem", "stranger.pem").unwrap();
    assert!(stranger.contains("certificate"), "{stranger}");
    let mixed = with("client.key", "server.key").err().unwrap().to_string();
    assert!(mixed.contains("does not belong"), "{mixed}");
    let refused = |address: &str| crate::open(address).err().unwrap().to_string();
    assert!(refused(&format!("kmip:h/name/k?ca={}", crate::testing::certificate("ca.pem"))).contains("needs cert="));
    assert!(refused("kmip:h:5696").contains("kmip:HOST:PORT/name/NAME"));
    assert!(refused("kmip:h:x/name/k").contains("kmip:HOST:PORT/name/NAME"));
}

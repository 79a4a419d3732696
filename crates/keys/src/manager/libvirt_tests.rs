//! Against a double of libvirt's socket; against libvirtd itself in `cargo xtask test keys`.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};

use sealwright_state::{DataKey, KeyError, KeyManager};

use super::{Found, Xdr, put, uuid_text};
use crate::contract::{Traits, run, tpm_of};
use crate::testing::{Folder, folder};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mood {
    Good,
    Slow,
    Closes,
    Nonsense,
    /// Wants SASL.
    Sasl,
}

struct Stored {
    name: String,
    private: bool,
    value: Option<Vec<u8>>,
}

struct Double {
    folder: Folder,
    mood: Arc<Mutex<Mood>>,
    secrets: Arc<Mutex<BTreeMap<[u8; 16], Stored>>>,
}

/// Secrets come to be when they are first asked for by usage, unless the name says otherwise.
fn double() -> Double {
    let double = Double { folder: folder("libvirt"), mood: Arc::new(Mutex::new(Mood::Good)), secrets: Arc::default() };
    let listener = UnixListener::bind(double.folder.path("sock")).unwrap();
    let (mood, secrets) = (Arc::clone(&double.mood), Arc::clone(&double.secrets));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mood, secrets) = (Arc::clone(&mood), Arc::clone(&secrets));
            std::thread::spawn(move || serve(stream.unwrap(), &mood, &secrets));
        }
    });
    double
}

type Secrets = Mutex<BTreeMap<[u8; 16], Stored>>;

fn serve(mut stream: UnixStream, mood: &Mutex<Mood>, secrets: &Secrets) {
    let mut opened = false;
    let mut header = [0; 28];
    while stream.read_exact(&mut header).is_ok() {
        let words: Vec<u32> = header.chunks(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect();
        assert_eq!((words[1], words[2], words[4], words[6]), (0x2000_8086, 1, 0, 0));
        let mut body = vec![0; words[0] as usize - 28];
        stream.read_exact(&mut body).unwrap();
        let mood = *mood.lock().unwrap();
        match mood {
            Mood::Closes => return,
            Mood::Slow => {
                std::thread::sleep(Duration::from_secs(3));
                return;
            }
            Mood::Nonsense => {
                drop(stream.write_all(&[b'x'; 64]));
                return;
            }
            Mood::Good | Mood::Sasl => {}
        }
        let answer = match words[3] {
            66 => {
                let way = if mood == Mood::Sasl { 1_u32 } else { 2 };
                Ok([1_u32.to_be_bytes(), way.to_be_bytes()].concat())
            }
            70 => Ok(1_u32.to_be_bytes().to_vec()),
            1 => {
                opened = body == b"\0\0\0\x01\0\0\0\x10secret:///system\0\0\0\0";
                assert!(opened, "{body:?}");
                Ok(Vec::new())
            }
            number => {
                assert!(opened, "before the connection was opened");
                answer(number, &body, secrets)
            }
        };
        // An event may come first, as it does from a busy daemon.
        let event: Vec<u8> = [28_u32, 0x6b65_6570, 1, 1, 2, 0, 0].iter().flat_map(|word| word.to_be_bytes()).collect();
        stream.write_all(&event).unwrap();
        let status = u32::from(answer.is_err());
        let body = answer.unwrap_or_else(|(code, text)| {
            let mut out = [code, 30, 1].iter().flat_map(|word: &u32| word.to_be_bytes()).collect();
            put(&mut out, text.as_bytes());
            out.extend([0; 32]);
            out
        });
        let header = [body.len() as u32 + 28, words[1], 1, words[3], 1, words[5], status];
        stream.write_all(&header.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>()).unwrap();
        stream.write_all(&body).unwrap();
    }
}

fn answer(number: u32, body: &[u8], secrets: &Secrets) -> Result<Vec<u8>, (u32, &'static str)> {
    const NONE: (u32, &str) = (66, "Secret not found: no secret with matching uuid");
    let mut secrets = secrets.lock().unwrap();
    let found = |uuid: [u8; 16], s: &Stored| Found { uuid, usage: 5, name: s.name.clone().into_bytes() }.write();
    let mut xdr = Xdr(body);
    match number {
        141 => {
            let uuid: [u8; 16] = body.try_into().unwrap();
            secrets.get(&uuid).map(|s| found(uuid, s)).ok_or(NONE)
        }
        147 => {
            assert_eq!(xdr.u32(), Some(5));
            let name = String::from_utf8(xdr.opaque().unwrap().to_vec()).unwrap();
            if let Some((uuid, s)) = secrets.iter().find(|(_, s)| s.name == name) {
                return Ok(found(*uuid, s));
            }
            if name.starts_with("absent") {
                return Err(NONE);
            }
            let mut uuid = [0; 16];
            crate::secret::random(&mut uuid).unwrap();
            let value = (!name.starts_with("empty")).then(|| vec![b'v'; 64]);
            let made = Stored { private: name.starts_with("private"), name, value };
            let answer = found(uuid, &made);
            secrets.insert(uuid, made);
            Ok(answer)
        }
        145 => {
            let asked = Found::read(&mut xdr).unwrap();
            assert_eq!((xdr.u32(), xdr.0.len()), (Some(0), 0));
            let stored = secrets.get(&asked.uuid).ok_or(NONE)?;
            if stored.private {
                return Err((65, "Invalid secret: secret is private"));
            }
            let value = stored.value.as_ref().ok_or((66, "secret does not have a value"))?;
            let mut out = Vec::new();
            put(&mut out, value);
            Ok(out)
        }
        146 => {
            let asked = Found::read(&mut xdr).unwrap();
            secrets.remove(&asked.uuid).map(|_| Vec::new()).ok_or(NONE)
        }
        other => panic!("procedure {other}"),
    }
}

impl Double {
    fn open(&self, place: &str, options: &str) -> Box<dyn KeyManager> {
        crate::open(&format!("libvirt:{place}?socket={}{options}", self.folder.path("sock").display())).unwrap()
    }
}

#[test]
fn runs_the_contract_by_usage_and_by_uuid() {
    let d = double();
    run(&|| d.open("vtpm/{vm}", "&kdf=sha512"), Traits { destroys: true, disables: false });
    run(&|| d.open("vtpm/all-vms", "&kdf=sha512"), Traits::default());
    let uuid = *d.secrets.lock().unwrap().iter().find(|(_, s)| s.name == "all-vms").unwrap().0;
    run(&|| d.open(&uuid_text(uuid), "&kdf=sha512"), Traits::default());
}

#[test]
fn refusals_say_what_to_do() {
    let d = double();
    let wrap = |name: &str| d.open(&format!("vtpm/{name}"), "").wrap(&tpm_of("a"), &DataKey::new([1; 32])).unwrap_err();
    let private = wrap("private");
    assert!(matches!(private, KeyError::Refused { .. }) && private.to_string().contains("private='no'"), "{private}");
    let empty = wrap("empty");
    assert!(empty.to_string().contains("secret-set-value"), "{empty}");
    let absent = wrap("absent");
    assert!(matches!(absent, KeyError::NotFound { .. }) && absent.to_string().contains("vtpm/absent"), "{absent}");
}

#[test]
fn faults_are_named_and_pass() {
    let d = double();
    let (manager, hasty) = (d.open("vtpm/{vm}", ""), d.open("vtpm/{vm}", "&timeout=1"));
    let key = DataKey::random().unwrap();
    let wrapped = manager.wrap(&tpm_of("a"), &key).unwrap();
    for mood in [Mood::Slow, Mood::Closes, Mood::Nonsense, Mood::Sasl] {
        *d.mood.lock().unwrap() = mood;
        let error = if mood == Mood::Slow { &hasty } else { &manager }.unwrap(&tpm_of("a"), &wrapped).unwrap_err();
        match mood {
            Mood::Slow => assert!(matches!(error, KeyError::Timeout { .. }), "{error}"),
            Mood::Sasl => assert!(matches!(error, KeyError::Refused { .. }), "{error}"),
            _ => assert!(matches!(error, KeyError::Unavailable { .. }), "{mood:?}: {error}"),
        }
        *d.mood.lock().unwrap() = Mood::Good;
        assert_eq!(manager.unwrap(&tpm_of("a"), &wrapped).unwrap().expose(), key.expose(), "after {mood:?}");
    }
    let none = crate::open("libvirt:vtpm/x?socket=/proc/nonexistent").unwrap().wrap(&tpm_of("a"), &key).unwrap_err();
    assert!(matches!(none, KeyError::Unavailable { .. }) && none.to_string().contains("/proc/nonexistent"), "{none}");
    for wrong in ["libvirt:", "libvirt:ceph/x", "libvirt:1234", "libvirt:vtpm/"] {
        assert!(crate::open(wrong).err().unwrap().to_string().contains("libvirt:vtpm/NAME"), "{wrong}");
    }
}

//! The management socket in one process, with a TPM that counts.

use super::client::Client;
use super::protocol::{MAX_LINE, from_hex, hex};
use super::*;
use crate::listen::{self, Bound};
use crate::options::Endpoint;
use crate::seal::{LocalKey, SealKey};
use crate::shared::Shared;
use crate::testing::{CounterMaker, Folder};
use crate::tpm::{Manners, Tpm};
use core::mem::MaybeUninit;
use core::time::Duration;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::MemfdFlags;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use sealwright_state::backend::{Durability, Memory};
use sealwright_state::{DataKey, DataKeyId, KeyManager, Kind, Settings, Store, VmId};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, IoSlice, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

fn key(byte: u8) -> LocalKey {
    LocalKey(Arc::new(SealKey::test(&[byte; 32])))
}

/// A TPM that runs, with its management socket.
struct Place {
    folder: Folder,
    shared: Arc<Shared>,
}

fn place(sealed: bool) -> Place {
    let folder = Folder::new("manage");
    let keys = sealed.then(|| Arc::new(key(1)) as Arc<dyn KeyManager>);
    let settings = Settings { vm: Some(VmId::new("vm-1").unwrap()), ..Settings::new(Kind::Tpm) };
    let store = Store::new(Box::new(Memory::default()), keys, settings);
    let tpm = Tpm::new(Box::new(CounterMaker), store, None, None, Manners::default(), Arc::default());
    let shared = Arc::new(Shared::new(tpm, Arc::default(), false, false).unwrap());
    shared.tpm().init(false).unwrap();
    let endpoint = Endpoint::Path { path: folder.path().join("m"), mode: 0o600, uid: None, gid: None };
    let Bound::Listening(listener) = listen::bind("manage", &endpoint).unwrap() else { panic!("no listener") };
    start(listener, Service::new(shared.clone(), Durability::Data)).unwrap();
    Place { folder, shared }
}

struct Line(BufReader<UnixStream>);

impl Line {
    fn send(&mut self, text: &str, descriptor: Option<&OwnedFd>) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds: Vec<_> = descriptor.into_iter().map(AsFd::as_fd).collect();
        if !fds.is_empty() {
            assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
        }
        let bytes = format!("{text}\n");
        let stream = self.0.get_ref();
        let sent = rustix::net::sendmsg(stream, &[IoSlice::new(bytes.as_bytes())], &mut control, SendFlags::NOSIGNAL);
        assert_eq!(sent.unwrap(), bytes.len());
    }

    /// The answer; `Null` if the connection was closed instead.
    fn take(&mut self) -> Value {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(1..) => serde_json::from_str(&line).unwrap(),
            _ => Value::Null,
        }
    }

    fn ask(&mut self, request: &Value, descriptor: Option<&OwnedFd>) -> Value {
        self.send(&request.to_string(), descriptor);
        self.take()
    }

    /// The kind of the refusal.
    fn refused(&mut self, request: &Value, descriptor: Option<&OwnedFd>) -> String {
        let answer = self.ask(request, descriptor);
        answer.pointer("/error/kind").unwrap_or_else(|| panic!("{answer}")).as_str().unwrap().to_owned()
    }

    fn present(&mut self) -> Present {
        Present::from_json(&self.ask(&json!({ "version": 1, "request": "key" }), None)["ok"]).unwrap()
    }
}

impl Place {
    fn line(&self) -> Line {
        let stream = UnixStream::connect(self.folder.path().join("m")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Line(BufReader::new(stream))
    }

    fn status(&self) -> Value {
        self.line().ask(&json!({ "version": 1, "request": "status" }), None)["ok"].clone()
    }

    fn opened(&self, byte: u8) -> Option<DataKey> {
        let present = self.line().present();
        let (id, wrapped) = present.key.clone().unwrap();
        key(byte).unwrap(&present.context(id), &wrapped).ok()
    }

    /// One more durable step of the TPM.
    fn step(&self) {
        let mut response = [0; 8192];
        let command = [0x80, 1, 0, 0, 0, 10, 0, 0, 0, 1];
        assert_eq!(self.shared.execute(None, &command, &mut response), Some(10));
        assert!(response[9] > 0 && response[6..9] == [0; 3], "the step was stored");
    }
}

fn pipe(bytes: &[u8]) -> OwnedFd {
    let (read, write) = rustix::pipe::pipe().unwrap();
    assert_eq!(rustix::io::write(&write, bytes).unwrap(), bytes.len());
    read
}

#[test]
fn status_says_what_runs_and_no_secret() {
    let place = place(true);
    place.step();
    let status = place.status();
    assert_eq!(status["vm"], "vm-1");
    assert_eq!((&status["running"], &status["locked"], &status["sealed"]), (&json!(true), &json!(true), &json!(true)));
    assert_eq!((&status["durability"], &status["kind"]), (&json!("data"), &json!("tpm")));
    assert_eq!(status["generation"]["sequence"], 2);
    assert_eq!(status["key"]["manager"], "vtpmd-key");
    assert_eq!(status["dataKey"].as_str().unwrap().len(), 32);
    let secret = hex(place.opened(1).unwrap().expose());
    assert!(!status.to_string().contains(&secret));
    assert!(place.status().get("challenge").is_none());
}

#[test]
fn only_who_opened_the_present_data_key_changes_it() {
    let place = place(true);
    let mut line = place.line();
    let present = line.present();
    let opened = place.opened(1).unwrap();
    let wrapped = key(2).wrap(&present.context(present.id()), &opened).unwrap();
    let change = Change::Rewrap(wrapped.clone());
    let request = |present: &Present, prover: &DataKey| {
        let mut request = change.to_json(present.id());
        request["proof"] = hex(&prover.prove(&change.statement(&present.challenge, present.id()))).into();
        request
    };
    assert_eq!(line.refused(&request(&present, &DataKey::new([9; 32])), None), "denied", "another key's proof");
    assert_eq!(line.refused(&request(&present, &opened), None), "denied", "each challenge is good once");
    let present = line.present();
    let mut other = request(&present, &opened);
    other["wrapped"] = hex(&key(3).wrap(&present.context(present.id()), &opened).unwrap().encode().unwrap()).into();
    assert_eq!(line.refused(&other, None), "denied", "a proof is about one wrapped key");
    let present = line.present();
    let mut other = request(&present, &opened);
    other["dataKey"] = DataKeyId([5; 16]).to_string().into();
    assert_eq!(line.refused(&other, None), "other-key");
    let present = line.present();
    let mut other = request(&present, &opened);
    other["dataKey"] = Value::Null;
    assert_eq!(line.refused(&other, None), "other-key", "it cannot be passed off as not sealed");
    let present = line.present();
    let mut other = request(&present, &opened);
    other["request"] = "plain".into();
    other["reason"] = "x".into();
    assert_eq!(line.refused(&other, None), "denied", "a proof is about one change");
    let present = line.present();
    assert_eq!(place.line().refused(&request(&present, &opened), None), "denied", "a challenge is for one connection");
    assert!(place.opened(1).is_some() && place.opened(2).is_none(), "nothing changed");

    let present = line.present();
    let answer = line.ask(&request(&present, &opened), None);
    assert_eq!(answer["ok"]["dataKey"], present.id().to_string(), "{answer}");
    assert!(place.opened(1).is_none());
    assert_eq!(place.opened(2).unwrap().expose(), opened.expose());
    place.step();
}

#[test]
fn a_new_data_key_comes_by_descriptor_alone() {
    let place = place(true);
    let mut line = place.line();
    let prepared = |line: &mut Line, old: u8| {
        let present = line.present();
        let (id, new) = (DataKeyId::random().unwrap(), DataKey::random().unwrap());
        let wrapped = key(2).wrap(&present.context(id), &new).unwrap();
        let change = Change::Reseal { id, wrapped, key: new.clone(), reason: "a test".to_owned() };
        let mut request = change.to_json(present.id());
        let opened = place.opened(old).unwrap();
        request["proof"] = hex(&opened.prove(&change.statement(&present.challenge, present.id()))).into();
        (request, new)
    };
    let (request, new) = prepared(&mut line, 1);
    assert_eq!(line.refused(&request, None), "malformed");
    let (_held, empty) = rustix::pipe::pipe().map(|(read, write)| (write, read)).unwrap();
    let file = OwnedFd::from(std::fs::File::open(std::env::current_exe().unwrap()).unwrap());
    for bad in [empty, pipe(&[1; 31]), pipe(&[1; 33]), pipe(b""), file] {
        assert_eq!(line.refused(&request, Some(&bad)), "malformed");
    }
    assert_eq!(line.refused(&request, Some(&pipe(&[1; 32]))), "denied", "another key than the proof is about");
    assert!(!request.to_string().contains(&hex(new.expose())));

    let (request, new) = prepared(&mut line, 1);
    let answer = line.ask(&request, Some(&pipe(new.expose())));
    assert_eq!(answer["ok"]["dataKey"], request["newDataKey"], "{answer}");
    assert_eq!(place.opened(2).unwrap().expose(), new.expose());
    place.step();
    let (request, new) = prepared(&mut line, 2);
    let memory = rustix::fs::memfd_create("key", MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::io::write(&memory, new.expose()).unwrap();
    assert!(line.ask(&request, Some(&memory)).get("ok").is_some());
    let history = place.shared.tpm().own().unwrap().look().unwrap().history().unwrap();
    assert!(history.iter().filter(|g| g.reason == "a test").count() == 2);
    place.step();
}

#[test]
fn a_plain_state_can_be_sealed_and_a_sealed_one_opened() {
    let place = place(false);
    let connect = || Client::connect(&place.folder.path().join("m")).unwrap_or_else(|_| panic!("no client"));
    let mut client = connect();
    let present = client.present().unwrap();
    assert_eq!(present.id(), DataKeyId::NONE);
    let (id, new) = (DataKeyId::random().unwrap(), DataKey::random().unwrap());
    let wrapped = key(1).wrap(&present.context(id), &new).unwrap();
    let rewrap = Change::Rewrap(wrapped.clone());
    let refused = client.change(&present, &rewrap, None).unwrap_err();
    assert!(refused.to_string().contains("not encrypted"), "{refused}");
    let present = client.present().unwrap();
    let seal = Change::Reseal { id, wrapped, key: new.clone(), reason: "now encrypted".to_owned() };
    client.change(&present, &seal, None).unwrap();
    place.step();
    assert_eq!(place.status()["sealed"], true);
    let plain = Change::Plain { reason: "asked for".to_owned() };
    let present = client.present().unwrap();
    assert!(connect().change(&present, &plain, Some(&new)).is_err());
    client.change(&present, &plain, Some(&new)).unwrap();
    assert_eq!(place.status()["sealed"], false);
    place.step();
}

#[test]
fn nobody_crashes_hangs_or_fills_it() {
    let place = place(true);
    for bad in [
        "x",
        "[]",
        "{}",
        "7",
        "\"status\"",
        r#"{"version":2,"request":"status"}"#,
        r#"{"version":1}"#,
        r#"{"version":1,"request":"dance"}"#,
        r#"{"version":1,"request":"rewrap"}"#,
        r#"{"version":1,"request":"rewrap","wrapped":"00","dataKey":"","proof":""}"#,
        r#"{"version":1,"request":"plain","reason":7}"#,
    ] {
        let mut line = place.line();
        line.send(bad, None);
        assert!(line.take()["error"]["message"].is_string(), "{bad}");
        assert!(line.ask(&json!({ "version": 1, "request": "status" }), None).get("ok").is_some(), "it goes on");
    }
    let mut deep = place.line();
    deep.send(&"[".repeat(MAX_LINE / 2), None);
    assert_eq!(deep.take()["error"]["kind"], "malformed");
    // A line without end, bytes that are no text, and a line that never comes to its end.
    let mut long = place.line();
    let _ = long.0.get_mut().write_all(&vec![b'a'; MAX_LINE * 2]);
    assert_eq!(long.take()["error"]["message"], "the line is too long");
    assert_eq!(long.take(), Value::Null);
    let mut noise = place.line();
    noise.0.get_mut().write_all(b"\xff\0\xfe\n").unwrap();
    assert_eq!(noise.take()["error"]["kind"], "malformed");
    // Nobody reads the answers.
    let mut deaf = place.line();
    let request = "{\"version\":1,\"request\":\"status\"}\n".repeat(200);
    deaf.0.get_mut().set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    for _ in 0..100 {
        if deaf.0.get_mut().write_all(request.as_bytes()).is_err() {
            break;
        }
    }
    assert_eq!(place.status()["vm"], "vm-1");
    // More clients than there is room for: who was silent for longest goes, and no descriptor stays.
    let mut first = place.line();
    assert!(first.ask(&json!({ "version": 1, "request": "status" }), None).get("ok").is_some());
    let mut many: Vec<Line> = (0..30).map(|_| place.line()).collect();
    for line in many.iter_mut().rev().take(8) {
        line.send(r#"{"version":1,"request":"status"}"#, Some(&pipe(b"")));
        assert!(line.take().get("ok").is_some());
    }
    assert_eq!(first.take(), Value::Null, "it was dropped");
    place.step();
}

#[test]
fn no_mutated_line_changes_anything() {
    let place = place(true);
    let present = place.line().present();
    let opened = place.opened(1).unwrap();
    let wrapped = key(2).wrap(&present.context(present.id()), &opened).unwrap();
    let id = DataKeyId([7; 16]);
    let reseal = Change::Reseal { id, wrapped: wrapped.clone(), key: opened.clone(), reason: "x".to_owned() };
    let lines: Vec<String> = [Change::Rewrap(wrapped), reseal, Change::Plain { reason: "x".to_owned() }]
        .iter()
        .map(|change| {
            let mut request = change.to_json(present.id());
            request["proof"] = hex(&[0; 32]).into();
            request.to_string()
        })
        .chain([json!({ "version": 1, "request": "key" }).to_string()])
        .collect();
    // A row of numbers that is the same each time (xorshift).
    let mut seed = 0x1234_5678_9abc_def1_u64;
    let mut number = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % u64::try_from(below).unwrap()).unwrap()
    };
    let mut line = place.line();
    let mut understood = 0;
    for _ in 0..3000 {
        let mut bad = lines[number(lines.len())].clone().into_bytes();
        for _ in 0..number(4) {
            let (at, to) = (number(bad.len()), number(bad.len()));
            match number(4) {
                0 => bad[at] = b" \"{}[],:0aZ\\\xff"[number(13)],
                1 => bad.truncate(at.max(1)),
                2 => bad.copy_within(at.min(to)..at.max(to), 0),
                _ => bad[at] ^= 1 << number(8),
            }
        }
        bad.retain(|byte| *byte != b'\n');
        bad.push(b'\n');
        line.0.get_mut().write_all(&bad).unwrap();
        if bad.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let answer = line.take();
        assert!(answer.is_object(), "{}", String::from_utf8_lossy(&bad));
        understood += usize::from(answer.get("ok").is_some());
    }
    assert!((100..2500).contains(&understood), "{understood} were requests for the key");
    assert_eq!(place.opened(1).unwrap().expose(), opened.expose());
    assert_eq!(place.status()["generation"]["sequence"], 1, "nothing was written");
    place.step();
}

#[test]
fn keys_change_while_the_tpm_is_off_and_not_while_the_state_is_given_away() {
    let place = place(true);
    let opened = place.opened(1).unwrap();
    let rewrap = |byte| {
        let mut client = Client::connect(&place.folder.path().join("m")).unwrap_or_else(|_| panic!("no client"));
        let present = client.present()?;
        let wrapped = key(byte).wrap(&present.context(present.id()), &opened).unwrap();
        client.change(&present, &Change::Rewrap(wrapped), Some(&opened))
    };
    place.shared.tpm().stop();
    rewrap(2).unwrap();
    place.shared.tpm().init(false).unwrap();
    place.step();
    // The third blob is the last that a migration fetches.
    assert!(place.shared.tpm().state_blob(3, false).is_err());
    let refused = rewrap(3).unwrap_err();
    assert!(refused.to_string().contains("destination of a migration"), "{refused}");
    assert_eq!(place.status()["givenAway"], true);
    // The migration is given up: the next command takes the lock back, and the key in memory does.
    place.step();
    rewrap(3).unwrap();
    assert!(place.opened(3).is_some());
}

#[test]
fn digits_are_read_strictly() {
    assert_eq!(from_hex("00ffA1"), Some(vec![0, 0xff, 0xa1]));
    for bad in ["0", "0g", "+1", "0x00", "\u{e9}"] {
        assert_eq!(from_hex(bad), None, "{bad}");
    }
}

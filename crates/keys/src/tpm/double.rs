//! Our own engine on a socket, as the host's TPM.

use core::time::Duration;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};

use sealwright_core::{Engine, Platform, PlatformFault};
use sealwright_crypto::RUST;
use sealwright_state::KeyManager;
use sealwright_tpm2::Tpm2;

use crate::testing::{Folder, folder};

/// The engine's host: real entropy, no store.
struct Host;

impl Platform for Host {
    fn entropy(&mut self, out: &mut [u8]) -> Result<(), PlatformFault> {
        crate::secret::random(out).map_err(|_| PlatformFault::Entropy)
    }
    fn now(&mut self) -> u64 {
        1000
    }
    fn commit(&mut self, _: &[u8]) -> Result<(), PlatformFault> {
        Ok(())
    }
}

/// How it behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mood {
    Good,
    Slow,
    Closes,
    Nonsense,
    /// Changes a bit of what Unseal answers, as somebody on the bus could.
    Interposes,
}

/// A TPM on a socket.
pub(crate) struct Double {
    pub(crate) folder: Folder,
    pub(crate) engine: Arc<Mutex<Tpm2>>,
    pub(crate) mood: Arc<Mutex<Mood>>,
    /// All that crossed the socket.
    pub(crate) seen: Arc<Mutex<Vec<u8>>>,
}

pub(crate) fn execute(engine: &mut Tpm2, command: &[u8]) -> Vec<u8> {
    let mut response = vec![0; 4096];
    let length = engine.execute(&mut Host, 0, command, &mut response);
    response.truncate(length);
    response
}

/// Power and TPM2_Startup(CLEAR).
pub(crate) fn start(engine: &mut Tpm2) {
    engine.power_on(&mut Host);
    execute(engine, &[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0]);
}

/// A TPM that was just made and started.
pub(crate) fn double() -> Double {
    let folder = folder("tpm");
    let mut engine = Tpm2::manufacture(&RUST, &mut Host).unwrap();
    start(&mut engine);
    let double = Double {
        folder,
        engine: Arc::new(Mutex::new(engine)),
        mood: Arc::new(Mutex::new(Mood::Good)),
        seen: Arc::default(),
    };
    let listener = UnixListener::bind(double.folder.path("tpm")).unwrap();
    let (engine, mood, seen) = (Arc::clone(&double.engine), Arc::clone(&double.mood), Arc::clone(&double.seen));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap(), &engine, &mood, &seen);
        }
    });
    double
}

fn serve(mut stream: UnixStream, engine: &Mutex<Tpm2>, mood: &Mutex<Mood>, seen: &Mutex<Vec<u8>>) {
    let mut header = [0; 10];
    while stream.read_exact(&mut header).is_ok() {
        let size = u32::from_be_bytes(header[2..6].try_into().unwrap()) as usize;
        let mut command = header.to_vec();
        command.resize(size, 0);
        stream.read_exact(&mut command[10..]).unwrap();
        seen.lock().unwrap().extend(&command);
        let mut response = execute(&mut engine.lock().unwrap(), &command);
        match *mood.lock().unwrap() {
            Mood::Good => {}
            Mood::Closes => return,
            Mood::Nonsense => response = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            Mood::Interposes if command[6..10] == [0, 0, 1, 0x5E] => response[20] ^= 1,
            Mood::Interposes => {}
            Mood::Slow => {
                std::thread::sleep(Duration::from_secs(3));
                return;
            }
        }
        seen.lock().unwrap().extend(&response);
        if stream.write_all(&response).is_err() {
            return;
        }
    }
}

impl Double {
    /// The key manager on it.
    pub(crate) fn open(&self, options: &str) -> Box<dyn KeyManager> {
        crate::open(&format!("tpm:{}?timeout=10{options}", self.folder.path("tpm").display())).unwrap()
    }

    /// TPM2_PCR_Extend of the SHA-256 bank.
    pub(crate) fn extend(&self, pcr: u8) {
        let mut command =
            vec![0x80, 2, 0, 0, 0, 65, 0, 0, 1, 0x82, 0, 0, 0, pcr, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 1, 0, 0];
        command.extend([0, 0, 0, 1, 0, 0x0B]);
        command.extend([7; 32]);
        let response = execute(&mut self.engine.lock().unwrap(), &command);
        assert_eq!(response[6..10], [0; 4]);
    }
}

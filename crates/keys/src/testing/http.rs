//! A small HTTP/1.1 server for doubles: strict in what it takes, and able to misbehave.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::{ServerConnection, StreamOwned};

/// What came.
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The JSON body, which may have these fields only.
    pub(crate) fn fields(&self, allowed: &[&str]) -> Option<serde_json::Map<String, serde_json::Value>> {
        let serde_json::Value::Object(fields) = serde_json::from_slice(&self.body).ok()? else { return None };
        fields.keys().all(|name| allowed.contains(&name.as_str())).then_some(fields)
    }
}

/// What goes back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }
}

/// How the server treats the next calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mood {
    Good,
    /// Does not answer.
    Slow,
    /// Closes the connection instead of an answer.
    Cuts,
    /// Closes it in the middle of the body.
    CutsBody,
    /// Answers with this status and no sense.
    Nonsense(u16),
    /// Sends a redirect to somewhere else.
    Redirects,
    /// Does not speak HTTP.
    Garbage,
}

/// A running server.
pub(crate) struct Double {
    pub(crate) origin: String,
    mood: Arc<Mutex<Mood>>,
    pub(crate) calls: Arc<AtomicUsize>,
}

type Handler = dyn Fn(&Call) -> Reply + Send + Sync;

/// Starts a server; with `tls`, it has the server's certificate of the tests and wants the client's.
pub(crate) fn serve(tls: bool, handler: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Double {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let scheme = if tls { "https" } else { "http" };
    let origin = format!("{scheme}://localhost:{}", listener.local_addr().unwrap().port());
    let (mood, calls) = (Arc::new(Mutex::new(Mood::Good)), Arc::new(AtomicUsize::new(0)));
    let double = Double { origin, mood: Arc::clone(&mood), calls: Arc::clone(&calls) };
    let handler: Arc<Handler> = Arc::new(handler);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mood, calls, handler) = (Arc::clone(&mood), Arc::clone(&calls), Arc::clone(&handler));
            std::thread::spawn(move || {
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                if tls {
                    let connection = ServerConnection::new(super::server_config()).unwrap();
                    connected(StreamOwned::new(connection, stream), &mood, &calls, &*handler);
                } else {
                    connected::<TcpStream>(stream, &mood, &calls, &*handler);
                }
            });
        }
    });
    double
}

impl Double {
    pub(crate) fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

fn connected<S: Read + Write>(stream: S, mood: &Mutex<Mood>, calls: &AtomicUsize, handler: &Handler) {
    let mut stream = BufReader::new(stream);
    while let Some(call) = read(&mut stream) {
        calls.fetch_add(1, Ordering::Relaxed);
        let mood = *mood.lock().unwrap();
        let mut reply = match mood {
            Mood::Cuts => return,
            Mood::Slow => {
                std::thread::sleep(Duration::from_secs(15));
                return;
            }
            Mood::Nonsense(status) => Reply::new(status, "<html>it works</html>"),
            Mood::Redirects => Reply { headers: vec![("Location", "/elsewhere".to_owned())], ..Reply::new(307, "") },
            Mood::Garbage => {
                drop(stream.get_mut().write_all(b"SSH-2.0-nonsense\r\n\r\n"));
                return;
            }
            Mood::Good | Mood::CutsBody => handler(&call),
        };
        let mut head = format!("HTTP/1.1 {} Whatever\r\nContent-Length: {}\r\n", reply.status, reply.body.len());
        for (name, value) in &reply.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        if mood == Mood::CutsBody {
            reply.body.truncate(reply.body.len() / 2);
        }
        let all = [head.as_bytes(), &reply.body].concat();
        if stream.get_mut().write_all(&all).and_then(|()| stream.get_mut().flush()).is_err() || mood == Mood::CutsBody {
            return;
        }
    }
}

fn read(stream: &mut impl BufRead) -> Option<Call> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    assert_eq!(words.next(), Some("HTTP/1.1"));
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut call = Call { method, path, headers, body: Vec::new() };
    if let Some(length) = call.header("content-length") {
        call.body = vec![0; length.parse().ok()?];
        stream.read_exact(&mut call.body).ok()?;
    }
    Some(call)
}

//! HTTP as key managers need it: time limits, no redirects, no proxy of the environment, short answers.

use core::net::IpAddr;
use core::time::Duration;
use std::io;

use serde::de::DeserializeOwned;
use ureq::http::{Method, Request};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use zeroize::Zeroizing;

use crate::address::{Address, AddressFault};
use crate::failure::Failure;
use crate::secret::Secret;
use crate::tls::{Identity, provider};

/// More than any answer that is wanted.
const MAX_ANSWER: u64 = 256 * 1024;

/// A server, and how it is spoken to.
pub(crate) struct Server {
    agent: ureq::Agent,
    origin: String,
    timeout: Duration,
}

/// What a server answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    body: Zeroizing<Vec<u8>>,
    /// `X-Subject-Token`, in which Keystone gives its tokens.
    pub(crate) subject_token: Option<Secret>,
}

/// Whether a call may be made a second time if the first was cut off.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It changes nothing, or the same again.
    Safe,
    /// A second one would do it twice.
    Never,
}

/// One header. Values that are secret are wiped by their owner.
pub(crate) type Header<'a> = (&'a str, &'a str);

/// `https://host:port/one/two` as origin and path.
pub(crate) fn split_url(address: &Address, url: &str) -> Result<(String, Vec<String>), AddressFault> {
    let fault = |why: &str| Err(address.fault(why));
    let Some((scheme @ ("https" | "http"), rest)) = url.split_once("://") else {
        return fault("must go on with https://host:port/…");
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if host.is_empty() || host.contains(['@', '?', '#']) {
        return fault("must have a host, and no user name or password");
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let loopback = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if scheme == "http" && !loopback {
        return fault("must use https: with http, keys would cross the network readable");
    }
    let path = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    Ok((format!("{scheme}://{host}"), path))
}

impl Server {
    /// The server at `origin`, with the TLS options of the address.
    pub(crate) fn new(origin: String, identity: &Identity, timeout: Duration) -> Self {
        let roots: Vec<Certificate<'static>> =
            identity.roots.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
        let client = identity.client.as_ref().and_then(|(chain, pem)| {
            let chain: Vec<Certificate<'static>> =
                chain.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
            PrivateKey::from_pem(pem.bytes()).ok().map(|key| ClientCert::new_with_certs(&chain, key))
        });
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(provider())
            .root_certs(RootCerts::new_with_certs(&roots))
            .client_cert(client)
            .build();
        let agent = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent("sealwright")
            .timeout_global(Some(timeout))
            .timeout_connect(Some(timeout))
            // A connection that a firewall forgot costs a time limit to notice.
            .max_idle_age(Duration::from_secs(30))
            .build()
            .new_agent();
        Self { agent, origin, timeout }
    }

    /// One call. `path` begins with a slash.
    pub(crate) fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[Header<'_>],
        body: Option<&[u8]>,
        repeat: Repeat,
    ) -> Result<Answer, Failure> {
        let once = || self.call_once(method.clone(), path, headers, body);
        match once() {
            // The server may have closed a connection that was kept; a new one shows whether it is there.
            Err(Cut(failure)) if repeat == Repeat::Safe => once().map_err(|again| again.or(failure)),
            done => done.map_err(|error| error.or(Failure::unavailable("the connection was cut off"))),
        }
    }

    fn call_once(
        &self,
        method: Method,
        path: &str,
        headers: &[Header<'_>],
        body: Option<&[u8]>,
    ) -> Result<Answer, Broken> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.origin));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header("Content-Type", "application/json");
        }
        let unfit = |e| For(Failure::unusable(format!("it makes no valid HTTP request: {e}")));
        let sent = match body {
            Some(body) => self.agent.run(request.body(body).map_err(unfit)?),
            None => self.agent.run(request.body(()).map_err(unfit)?),
        };
        let mut response = sent.map_err(|e| self.explain(e))?;
        let token = response.headers().get("x-subject-token").map(|value| Secret::new(value.as_bytes().to_vec()));
        let read = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        let body = read.map(Zeroizing::new).map_err(|e| self.explain(e))?;
        Ok(Answer { status: response.status().as_u16(), body, subject_token: token })
    }

    fn explain(&self, error: ureq::Error) -> Broken {
        let origin = &self.origin;
        match error {
            ureq::Error::Timeout(_) => For(Failure::timeout(self.timeout)),
            ureq::Error::HostNotFound => For(Failure::unavailable(format!("the host of {origin} is not known"))),
            ureq::Error::Io(e) if e.kind() == io::ErrorKind::TimedOut => For(Failure::timeout(self.timeout)),
            ureq::Error::Io(e) if is_cut(&e) => Cut(Failure::unavailable(format!("{origin} cut the connection off"))),
            ureq::Error::Io(e) => For(Failure::unavailable(format!("{origin}: {e}"))),
            ureq::Error::ConnectionFailed => For(Failure::unavailable(format!("{origin} does not accept connections"))),
            ureq::Error::BodyExceedsLimit(_) => For(Failure::unavailable(format!("{origin} gave an endless answer"))),
            e => For(Failure::unavailable(format!("{origin}: {e}"))),
        }
    }
}

fn is_cut(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// A call without an answer.
enum Broken {
    /// The connection ended early.
    Cut(Failure),
    /// Anything else.
    For(Failure),
}
use Broken::{Cut, For};

impl Broken {
    fn or(self, first: Failure) -> Failure {
        match self {
            Cut(_) => first,
            For(failure) => failure,
        }
    }
}

impl Answer {
    /// The body as a structure. What it leaves out is an error, what it adds is not.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        // The parser's message could quote a secret.
        serde_json::from_slice(&self.body).map_err(|e| {
            Failure::unavailable(format!("its answer was not understood (line {}, column {})", e.line(), e.column()))
        })
    }

    /// The body.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// What a refusal says, short and harmless.
    pub(crate) fn says(&self) -> String {
        let text: String = String::from_utf8_lossy(&self.body)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(300)
            .collect();
        format!("it answered {}: {}", self.status, text.trim())
    }
}

/// Where a token comes from.
pub(crate) enum Token {
    /// A file, read for each call, because agents renew it.
    File(std::path::PathBuf),
    /// Read once from a descriptor.
    Held(Secret),
}

impl Token {
    /// `token-file=` or `token-fd=`.
    pub(crate) fn take(address: &mut Address) -> Result<Option<Self>, AddressFault> {
        match (address.take_path("token-file"), address.take_number("token-fd")?) {
            (Some(_), Some(_)) => Err(address.fault("has both token-file and token-fd")),
            (Some(path), None) => Ok(Some(Self::File(path))),
            (None, Some(number)) => {
                let number =
                    i32::try_from(number).map_err(|_| address.fault("has a token-fd that is no descriptor"))?;
                let held = Secret::read_descriptor(number).map_err(|e| address.fault(format!("has no token: {e}")))?;
                Ok(Some(Self::Held(held)))
            }
            (None, None) => Ok(None),
        }
    }

    /// The token now.
    pub(crate) fn read(&self) -> Result<Zeroizing<String>, Failure> {
        let of = |secret: &Secret| secret.text().map(|text| Zeroizing::new(text.to_owned()));
        let text = match self {
            Self::Held(secret) => of(secret),
            Self::File(path) => of(&Secret::read_file(path)?),
        };
        text.ok_or_else(|| Failure::unusable("its token is not text"))
    }
}

//! The lines of the management socket, for both ends.

use sealwright_state::{DataKey, DataKeyId, KeyContext, Kind, VmId, WrappedKey};
use serde_json::{Value, json};

/// The version that this program speaks.
pub(super) const VERSION: u64 = 1;
/// The most bytes of a line: a wrapped key in hexadecimal digits, and a reason.
pub(super) const MAX_LINE: usize = 64 * 1024;
/// Bytes of a challenge.
pub(super) const CHALLENGE: usize = 32;
/// The most bytes of a reason.
pub(super) const MAX_REASON: usize = 1000;

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of pairs of hexadecimal digits.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    (digits.len().is_multiple_of(2) && digits.iter().all(u8::is_ascii_hexdigit)).then_some(())?;
    let pair = |pair| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks_exact(2).map(pair).collect()
}

/// The data key as it is now, as the request `key` gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Present {
    /// Whose it is.
    pub(crate) vm: VmId,
    /// What it seals.
    pub(crate) kind: Kind,
    /// Its name and its wrapped form; `None` if the state is not sealed.
    pub(crate) key: Option<(DataKeyId, WrappedKey)>,
    /// What a proof must be about; new for each request `key`.
    pub(crate) challenge: [u8; CHALLENGE],
}

impl Present {
    /// The data key of a state that is read here, where there is nobody to prove anything to.
    pub(crate) fn new(vm: VmId, kind: Kind, key: Option<(DataKeyId, WrappedKey)>) -> Self {
        Self { vm, kind, key, challenge: [0; CHALLENGE] }
    }

    /// The name of the data key; [`DataKeyId::NONE`] if the state is not sealed.
    pub(crate) fn id(&self) -> DataKeyId {
        self.key.as_ref().map_or(DataKeyId::NONE, |(id, _)| *id)
    }

    /// What a data key of this state is for.
    pub(crate) fn context(&self, data_key: DataKeyId) -> KeyContext {
        KeyContext { vm: self.vm.clone(), kind: self.kind, data_key }
    }

    pub(super) fn to_json(&self) -> Value {
        let wrapped = self.key.as_ref().and_then(|(_, wrapped)| wrapped.encode());
        json!({
            "vm": self.vm.as_str(),
            "kind": self.kind.name(),
            "dataKey": self.key.as_ref().map(|(id, _)| id.to_string()),
            "wrapped": wrapped.map(|wrapped| hex(&wrapped)),
            "challenge": hex(&self.challenge),
        })
    }

    pub(super) fn from_json(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name)?.as_str();
        let kind = text("kind")?;
        let key = match value.get("dataKey")? {
            Value::Null => None,
            id => Some((DataKeyId::from_hex(id.as_str()?)?, WrappedKey::decode(&from_hex(text("wrapped")?)?)?)),
        };
        Some(Self {
            vm: VmId::new(text("vm")?).ok()?,
            kind: Kind::ALL.into_iter().find(|known| known.name() == kind)?,
            key,
            challenge: from_hex(text("challenge")?)?.try_into().ok()?,
        })
    }
}

/// A change of keys.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The same data key, wrapped otherwise.
    Rewrap(WrappedKey),
    /// Another data key, which comes by descriptor.
    Reseal {
        /// Its name.
        id: DataKeyId,
        /// It, wrapped.
        wrapped: WrappedKey,
        /// It.
        key: DataKey,
        /// For the history.
        reason: String,
    },
    /// No key any more.
    Plain {
        /// For the history.
        reason: String,
    },
}

impl Change {
    /// The name in requests.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Rewrap(_) => "rewrap",
            Self::Reseal { .. } => "reseal",
            Self::Plain { .. } => "plain",
        }
    }

    /// The request, without its proof and without the data key.
    pub(super) fn to_json(&self, present: DataKeyId) -> Value {
        let present = Some(present).filter(|id| *id != DataKeyId::NONE).map(|id| id.to_string());
        let encoded = |wrapped: &WrappedKey| wrapped.encode().map(|wrapped| hex(&wrapped));
        let (version, name) = (VERSION, self.name());
        match self {
            Self::Rewrap(wrapped) => {
                json!({ "version": version, "request": name, "dataKey": present, "wrapped": encoded(wrapped) })
            }
            Self::Reseal { id, wrapped, reason, .. } => json!({
                "version": version, "request": name, "dataKey": present,
                "wrapped": encoded(wrapped), "newDataKey": id.to_string(), "reason": reason,
            }),
            Self::Plain { reason } => {
                json!({ "version": version, "request": name, "dataKey": present, "reason": reason })
            }
        }
    }

    /// What the proof of a change is about: everything that it does, for one challenge. Of the new data key itself, it holds
    /// what only somebody with that key can make.
    pub(super) fn statement(&self, challenge: &[u8; CHALLENGE], present: DataKeyId) -> Vec<u8> {
        let mut out = b"sealwright management v1\0".to_vec();
        let mut put = |bytes: &[u8]| {
            out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(bytes);
        };
        put(self.name().as_bytes());
        put(challenge);
        put(&present.0);
        match self {
            Self::Rewrap(wrapped) => put(&wrapped.encode().unwrap_or_default()),
            Self::Reseal { id, wrapped, key, reason } => {
                put(&wrapped.encode().unwrap_or_default());
                put(&id.0);
                put(&key.prove(b"sealwright management v1: new data key"));
                put(reason.as_bytes());
            }
            Self::Plain { reason } => put(reason.as_bytes()),
        }
        out
    }
}

/// Why a request was refused: a word for programs, and a sentence.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) kind: &'static str,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::new("malformed", message)
    }
}

/// A request that was read.
pub(super) struct Request {
    fields: Value,
}

impl Request {
    /// Reads a line.
    pub(super) fn read(line: &[u8]) -> Result<Self, Refusal> {
        let fields: Value = serde_json::from_slice(line)
            .map_err(|fault| Refusal::malformed(format!("a line must be one JSON object: {fault}")))?;
        if !fields.is_object() {
            return Err(Refusal::malformed("a line must be one JSON object"));
        }
        match fields.get("version").and_then(Value::as_u64) {
            Some(VERSION) => Ok(Self { fields }),
            Some(other) => {
                Err(Refusal::new("version", format!("version {other} is not spoken here; version {VERSION} is")))
            }
            None => Err(Refusal::malformed(format!("\"version\": {VERSION} is missing"))),
        }
    }

    /// What is asked for.
    pub(super) fn name(&self) -> &str {
        self.fields.get("request").and_then(Value::as_str).unwrap_or_default()
    }

    /// A field of text.
    pub(super) fn text(&self, name: &str) -> Result<&str, Refusal> {
        let found = self.fields.get(name).and_then(Value::as_str);
        found.ok_or_else(|| Refusal::malformed(format!("\"{name}\" is missing, or is not text")))
    }

    /// A field of bytes.
    pub(super) fn bytes(&self, name: &str) -> Result<Vec<u8>, Refusal> {
        let bytes = from_hex(self.text(name)?);
        bytes.ok_or_else(|| Refusal::malformed(format!("\"{name}\" is not made of pairs of hexadecimal digits")))
    }

    /// The name of a data key; `null` is [`DataKeyId::NONE`].
    pub(super) fn data_key(&self, name: &str) -> Result<DataKeyId, Refusal> {
        if self.fields.get(name).is_some_and(Value::is_null) {
            return Ok(DataKeyId::NONE);
        }
        let id = DataKeyId::from_hex(self.text(name)?).filter(|id| *id != DataKeyId::NONE);
        id.ok_or_else(|| Refusal::malformed(format!("\"{name}\" is not the name of a data key")))
    }

    /// A wrapped key.
    pub(super) fn wrapped(&self) -> Result<WrappedKey, Refusal> {
        let wrapped = WrappedKey::decode(&self.bytes("wrapped")?);
        wrapped.ok_or_else(|| Refusal::malformed("\"wrapped\" is not a wrapped key"))
    }

    /// A reason for the history.
    pub(super) fn reason(&self) -> Result<String, Refusal> {
        let reason = self.text("reason")?;
        if reason.len() > MAX_REASON || reason.chars().any(char::is_control) {
            return Err(Refusal::malformed(format!(
                "\"reason\" must have at most {MAX_REASON} bytes and no control characters"
            )));
        }
        Ok(reason.to_owned())
    }
}

/// The line of an answer.
pub(super) fn answer(outcome: Result<Value, Refusal>) -> Vec<u8> {
    let value = match outcome {
        Ok(value) => json!({ "version": VERSION, "ok": value }),
        Err(refusal) => {
            json!({ "version": VERSION, "error": { "kind": refusal.kind, "message": refusal.message } })
        }
    };
    let mut line = value.to_string().into_bytes();
    line.push(b'\n');
    line
}

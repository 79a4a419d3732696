//! Commands and answers as bytes.

use crate::failure::{Failure, failure};

/// TPM_RS_PW with an empty authorization value: handle, nonce, attributes, value.
const EMPTY_PASSWORD: [u8; 9] = [0x40, 0, 0, 9, 0, 0, 0, 0, 0];
/// Bytes before the handles: tag, size, command code.
const HEADER: usize = 10;

/// A command that is being written. Authorizations are empty passwords.
pub(super) struct Request {
    bytes: Vec<u8>,
    sessions: bool,
}

impl Request {
    /// A command without handles and authorizations.
    pub(super) fn new(code: u32) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes.splice(6..HEADER, code.to_be_bytes());
        Self { bytes, sessions: false }
    }

    /// A command with handles, of which the first is authorized.
    pub(super) fn authorized(code: u32, handles: &[u32]) -> Self {
        let mut request = Self::new(code);
        for handle in handles {
            request = request.u32(*handle);
        }
        request.sessions = true;
        request.u32(u32::try_from(EMPTY_PASSWORD.len()).unwrap_or(0)).bytes(&EMPTY_PASSWORD)
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub(super) fn u16(self, value: u16) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(super) fn u32(self, value: u32) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// A TPM2B. Larger than its length can say, it is cut off and the TPM refuses it.
    pub(super) fn sized(self, bytes: &[u8]) -> Self {
        self.u16(u16::try_from(bytes.len()).unwrap_or(u16::MAX)).bytes(bytes)
    }

    /// The command with tag and size.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let tag: u16 = if self.sessions { 0x8002 } else { 0x8001 };
        let size = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes.splice(..2, tag.to_be_bytes());
        self.bytes.splice(2..6, size.to_be_bytes());
        self.bytes
    }
}

/// What follows the header of a successful answer.
pub(super) struct Answer {
    name: &'static str,
    bytes: Vec<u8>,
    at: usize,
}

impl Answer {
    /// Refuses the answer of a command that failed.
    pub(super) fn new(name: &'static str, bytes: Vec<u8>) -> Result<Self, Failure> {
        let mut answer = Self { name, bytes, at: 6 };
        match answer.u32()? {
            0 => Ok(answer),
            code => Err(failure!("{name} failed with the response code {code:#x}")),
        }
    }

    fn take(&mut self, count: usize) -> Result<&[u8], Failure> {
        let end = self.at.saturating_add(count);
        let taken = self.bytes.get(self.at..end);
        self.at = end;
        taken.ok_or_else(|| failure!("the answer of {} is too short", self.name))
    }

    pub(super) fn skip(&mut self, count: usize) -> Result<(), Failure> {
        self.take(count).map(|_| ())
    }

    pub(super) fn u8(&mut self) -> Result<u8, Failure> {
        self.take(1).map(|bytes| bytes.first().copied().unwrap_or_default())
    }

    pub(super) fn u16(&mut self) -> Result<u16, Failure> {
        self.take(2).map(|bytes| bytes.try_into().map(u16::from_be_bytes).unwrap_or_default())
    }

    pub(super) fn u32(&mut self) -> Result<u32, Failure> {
        self.take(4).map(|bytes| bytes.try_into().map(u32::from_be_bytes).unwrap_or_default())
    }

    /// A TPM2B.
    pub(super) fn sized(&mut self) -> Result<&[u8], Failure> {
        let size = self.u16()?;
        self.take(usize::from(size))
    }
}

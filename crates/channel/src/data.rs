//! The client of the data channel.

use crate::address::Stream;
use crate::fault::Fault;
use core::time::Duration;
use std::io::{self, ErrorKind, Read, Write};
use zeroize::Zeroizing;

/// Bytes of the header of a command and of a response.
pub const HEADER: usize = 10;
/// The largest response that is taken.
pub const MAX_RESPONSE: usize = 8192;

/// Sends TPM commands and reads the responses.
#[derive(Debug)]
pub struct Data {
    stream: Stream,
}

impl Data {
    /// On a connection to a data channel, or a device. `timeout` is for each response; none waits for ever.
    pub fn new(stream: Stream, timeout: Option<Duration>) -> Result<Self, Fault> {
        stream.set_timeout(timeout)?;
        Ok(Self { stream })
    }

    /// The connection.
    #[must_use]
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Sends one command and reads its response. After an error the connection is of no use any more: a late response
    /// would be taken for that of the next command.
    pub fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        self.stream.write_all(command)?;
        let mut bytes = Zeroizing::new(vec![0; MAX_RESPONSE]);
        let mut filled = 0;
        loop {
            let room = bytes.get_mut(filled..).unwrap_or_default();
            match self.stream.read(room) {
                Ok(0) if filled < HEADER => return Err(Fault::Short),
                Ok(0) => return Err(Fault::Malformed),
                Ok(n) => filled = filled.saturating_add(n),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    let late = io::Error::new(ErrorKind::TimedOut, "the TPM did not respond in time");
                    return Err(late.into());
                }
                Err(error) => return Err(error.into()),
            }
            let Some(size) = bytes.get(2..6).and_then(|size| size.try_into().ok()).map(u32::from_be_bytes) else {
                continue;
            };
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if filled < HEADER {
                // A device gives a response whole.
                if self.stream.is_device() {
                    return Err(Fault::Short);
                }
                continue;
            }
            if !(HEADER..=MAX_RESPONSE).contains(&size) || filled > size {
                return Err(Fault::Malformed);
            }
            if filled == size {
                bytes.truncate(size);
                return Ok(bytes);
            }
            if self.stream.is_device() {
                return Err(Fault::Malformed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn answered(pieces: &[&[u8]]) -> Result<Vec<u8>, Fault> {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let pieces: Vec<Vec<u8>> = pieces.iter().map(|p| p.to_vec()).collect();
        let peer = std::thread::spawn(move || {
            let mut command = [0; 3];
            theirs.read_exact(&mut command).unwrap();
            for piece in pieces {
                theirs.write_all(&piece).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let mut data = Data::new(Stream::Unix(ours), Some(Duration::from_secs(5))).unwrap();
        let answer = data.transmit(b"abc").map(|bytes| bytes.to_vec());
        peer.join().unwrap();
        answer
    }

    #[test]
    fn a_response_may_come_in_pieces() {
        let response = [0x80, 1, 0, 0, 0, 12, 0, 0, 0, 0, 7, 8];
        assert_eq!(answered(&[&response]).unwrap(), response);
        assert_eq!(answered(&[&response[..3], &response[3..11], &response[11..]]).unwrap(), response);
    }

    #[test]
    fn other_bytes_are_no_response() {
        assert!(matches!(answered(&[]), Err(Fault::Short)));
        assert!(matches!(answered(&[&[0x80, 1, 0]]), Err(Fault::Short)));
        assert!(matches!(answered(&[&[0x80, 1, 0, 0, 0, 12, 0, 0, 0, 0]]), Err(Fault::Malformed)));
        assert!(matches!(answered(&[&[0x80, 1, 0, 0, 0, 9, 0, 0, 0, 0]]), Err(Fault::Malformed)));
        assert!(matches!(answered(&[&[0x80, 1, 0, 0, 0, 10, 0, 0, 0, 0, 1]]), Err(Fault::Malformed)));
        assert!(matches!(answered(&[&[0xff; 20]]), Err(Fault::Malformed)));
    }

    #[test]
    fn silence_ends_the_wait() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut data = Data::new(Stream::Unix(ours), Some(Duration::from_millis(30))).unwrap();
        let Err(Fault::Data(error)) = data.transmit(b"abc") else { panic!("an answer from nobody") };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}

//! Secret bytes: how they are held, and how they are read from files and descriptors.

use core::fmt;
use std::path::Path;

use rustix::fd::AsFd;
use rustix::fs::{FileType, Mode, OFlags};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::descriptor::descriptor;
use crate::failure::Failure;

/// The longest secret that is read.
pub const MAX_SECRET: usize = 64 * 1024;

/// Bytes that are wiped when dropped and never shown.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over `bytes`, which must not have been copied elsewhere.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The same of bytes that are wiped already.
    pub(crate) fn wiping(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// `N` fresh random bytes.
    pub(crate) fn random<const N: usize>() -> Result<Self, Failure> {
        let mut bytes = Zeroizing::new(vec![0_u8; N]);
        random(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Text, for instance a token: without the line's end that editors and `echo` leave.
    pub fn line(&self) -> &[u8] {
        let text = self.0.strip_suffix(b"\n").unwrap_or(&self.0);
        text.strip_suffix(b"\r").unwrap_or(text)
    }

    /// [`line`](Self::line) as text.
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "only HTTP headers need text"))]
    pub(crate) fn text(&self) -> Option<&str> {
        core::str::from_utf8(self.line()).ok()
    }

    /// Reads all of a file, which may hold at most [`MAX_SECRET`] bytes.
    pub fn read_file(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(|e| match e {
            rustix::io::Errno::NOENT => Failure::not_found(format!("the file {shown} does not exist")),
            rustix::io::Errno::ACCESS => Failure::refused(format!("this user may not read the file {shown}")),
            e => Failure::unavailable(format!("the file {shown} cannot be opened: {e}")),
        })?;
        Self::read(&fd, &shown.to_string(), Until::End)
    }

    /// Reads a file descriptor that the parent process left open, as swtpm does: a pipe is read until a read comes back
    /// short, because a parent may keep its writing end open. The number itself stays open.
    pub fn read_descriptor(number: i32) -> Result<Self, Failure> {
        let fd = descriptor(number)?;
        let shown = format!("file descriptor {number}");
        let file = rustix::fs::fstat(&fd).is_ok_and(|s| FileType::from_raw_mode(s.st_mode).is_file());
        Self::read(&fd, &shown, if file { Until::End } else { Until::ShortRead })
    }

    fn read(fd: impl AsFd, shown: &str, until: Until) -> Result<Self, Failure> {
        // Held at full size from the start: growing would leave copies behind.
        let mut bytes = Zeroizing::new(vec![0_u8; MAX_SECRET]);
        let mut length = 0_usize;
        loop {
            let Some(room) = bytes.get_mut(length..).filter(|room| !room.is_empty()) else {
                return Err(Failure::unusable(format!("{shown} holds {MAX_SECRET} bytes or more; that is no key")));
            };
            let asked = room.len();
            match rustix::io::read(&fd, room) {
                Ok(0) => break,
                Ok(n) => {
                    length = length.saturating_add(n);
                    if n < asked && until == Until::ShortRead {
                        break;
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(Failure::unavailable(format!("{shown} cannot be read: {e}"))),
            }
        }
        if length == 0 {
            return Err(Failure::unusable(format!("{shown} is empty")));
        }
        Ok(Self(Zeroizing::new(bytes.get(..length).unwrap_or_default().to_vec())))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    End,
    ShortRead,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// Fills `out` from the kernel's generator.
pub(crate) fn random(out: &mut [u8]) -> Result<(), Failure> {
    sealwright_state::entropy::fill(out).map_err(|fault| Failure::unavailable(fault.to_string()))
}

/// Bytes of hexadecimal text, for keys: nothing of it is left behind.
pub(crate) fn from_hex(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = text.strip_prefix(b"0x").unwrap_or(text);
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len().div_ceil(2)));
    let mut high = None;
    for digit in text {
        let value = char::from(*digit).to_digit(16).and_then(|v| u8::try_from(v).ok())?;
        match high.take() {
            None => high = Some(value),
            Some(high) => bytes.push((high << 4) | value),
        }
    }
    high.is_none().then_some(bytes)
}

/// Base64 as JSON APIs want it, in constant time.
#[cfg(feature = "http")]
pub(crate) fn to_base64(bytes: &[u8]) -> Zeroizing<String> {
    use base64ct::Encoding;
    Zeroizing::new(base64ct::Base64::encode_string(bytes))
}

/// The bytes of such text.
#[cfg(feature = "http")]
pub(crate) fn from_base64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    use base64ct::Encoding;
    let text = core::str::from_utf8(text).ok()?;
    base64ct::Base64::decode_vec(text).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_pipe_is_read_although_its_other_end_stays_open() {
        let (read, mut write) = std::io::pipe().unwrap();
        write.write_all(b"one piece").unwrap();
        assert_eq!(Secret::read_descriptor(read.as_raw_fd()).unwrap().bytes(), b"one piece");
    }

    #[test]
    fn closed_empty_and_endless_are_told_apart() {
        let closed = Secret::read_descriptor(1_000_000).unwrap_err().to_string();
        assert!(closed.contains("1000000 is not open"), "{closed}");
        let (read, write) = std::io::pipe().unwrap();
        drop(write);
        assert!(Secret::read_descriptor(read.as_raw_fd()).unwrap_err().to_string().contains("is empty"));
        assert!(Secret::read_file(Path::new("/dev/zero")).unwrap_err().to_string().contains("no key"));
        assert!(Secret::read_file(Path::new("/proc/nonexistent")).unwrap_err().to_string().contains("does not exist"));
    }

    #[test]
    fn debug_shows_no_byte() {
        assert_eq!(format!("{:?}", Secret::new(b"hunter2".to_vec())), "Secret(7 bytes)");
    }

    #[test]
    fn hex_of_keys() {
        assert_eq!(**from_hex(b"0x00ffA1").unwrap(), [0, 255, 0xA1]);
        assert!(from_hex(b"0").is_none());
        assert!(from_hex(b"zz").is_none());
    }

    #[test]
    fn lines_end_once() {
        assert_eq!(Secret::new(b"token\r\n".to_vec()).line(), b"token");
        assert_eq!(Secret::new(b"two\n\n".to_vec()).line(), b"two\n");
    }
}

//! Where a command ends. Transports split and join what a client writes; the size field tells the truth.

/// A command may come with the prefix of the TCG "send command" shape: u32 8, u8 locality, u32 size. No TPM command
/// begins with these bytes. Its response is wrapped likewise: u32 size, response, u32 0.
const PREFIX_CODE: [u8; 4] = [0, 0, 0, 8];
/// Bytes of the prefix.
pub(super) const PREFIX: usize = 9;
/// Bytes of a command header.
const HEADER: usize = 10;

/// What the bytes so far say about the command at their front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Bytes before the command: 9 with the prefix, else 0.
    pub(super) skip: usize,
    /// The locality of the prefix.
    pub(super) locality: Option<u8>,
    /// All bytes up to the end of the command, prefix included; `None` if the size field is no size.
    pub(super) total: Option<usize>,
}

/// Reads the front of `bytes`; `None` while it is too short to tell. Without `prefixes` there is none: what begins like one is
/// a command.
pub(super) fn front(bytes: &[u8], prefixes: bool) -> Option<Frame> {
    fn size(bytes: Option<&[u8]>) -> Option<usize> {
        let size = u32::from_be_bytes(bytes?.try_into().ok()?);
        Some(usize::try_from(size).unwrap_or(usize::MAX))
    }
    if prefixes && bytes.get(..4)? == PREFIX_CODE {
        let size = size(bytes.get(5..PREFIX))?;
        return Some(Frame { skip: PREFIX, locality: bytes.get(4).copied(), total: Some(PREFIX.saturating_add(size)) });
    }
    let size = size(bytes.get(2..6))?;
    Some(Frame { skip: 0, locality: None, total: (size >= HEADER).then_some(size) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMAND: [u8; 12] = [0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0];

    #[test]
    fn the_size_field_tells_the_end() {
        for n in 0..6 {
            assert_eq!(front(&COMMAND[..n], true), None);
        }
        for n in 6..12 {
            assert_eq!(front(&COMMAND[..n], true).unwrap().total, Some(12));
        }
    }

    #[test]
    fn the_prefix_gives_a_locality() {
        let bytes = [&[0, 0, 0, 8, 3, 0, 0, 0, 12][..], &COMMAND].concat();
        for n in 0..9 {
            assert_eq!(front(&bytes[..n], true), None);
        }
        assert_eq!(front(&bytes, true), Some(Frame { skip: 9, locality: Some(3), total: Some(21) }));
        assert_eq!(front(&bytes, false), Some(Frame { skip: 0, locality: None, total: Some(0x0008_0300) }));
    }

    #[test]
    fn a_size_below_the_header_is_no_size() {
        assert_eq!(front(&[0x80, 1, 0, 0, 0, 9], true).unwrap().total, None);
        assert_eq!(front(&[0x80, 1, 0xff, 0xff, 0xff, 0xff], true).unwrap().total, Some(0xffff_ffff));
    }
}

//! As much of DER as TPM2_CertifyX509 needs (ITU-T X.690).

use alloc::vec::Vec;

/// Tag of INTEGER.
const INTEGER: u8 = 0x02;
/// Tag of BIT STRING.
pub(super) const BIT_STRING: u8 = 0x03;
/// Tag of OCTET STRING.
pub(super) const OCTET_STRING: u8 = 0x04;
/// Tag of SEQUENCE.
pub(crate) const SEQUENCE: u8 = 0x30;
/// Tag of the field with this number, constructed.
pub(crate) const fn context(number: u8) -> u8 {
    0xA0 | number
}

/// Tag and length of an element with `size` bytes of content; larger ones than a command can hold do not occur.
pub(crate) fn header(tag: u8, size: usize) -> Vec<u8> {
    let size = u16::try_from(size).unwrap_or(u16::MAX);
    let [high, low] = size.to_be_bytes();
    match size {
        0..=0x7F => alloc::vec![tag, low],
        0x80..=0xFF => alloc::vec![tag, 0x81, low],
        _ => alloc::vec![tag, 0x82, high, low],
    }
}

/// An element of concatenated parts.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = header(tag, parts.iter().fold(0, |size: usize, part| size.saturating_add(part.len())));
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// A positive INTEGER of a big-endian number with any leading zeros.
pub(crate) fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count().min(number.len().saturating_sub(1));
    let number = number.get(zeros..).unwrap_or_default();
    let sign: &[u8] = if number.first().is_some_and(|byte| byte & 0x80 != 0) { &[0] } else { &[] };
    element(INTEGER, &[sign, number])
}

/// A BIT STRING of whole bytes.
pub(super) fn bit_string(parts: &[&[u8]]) -> Vec<u8> {
    let mut all: Vec<&[u8]> = alloc::vec![&[0]];
    all.extend_from_slice(parts);
    element(BIT_STRING, &all)
}

/// One element that was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    /// Its tag.
    pub(crate) tag: u8,
    /// Its content.
    pub(crate) content: &'a [u8],
    /// All of it.
    pub(crate) whole: &'a [u8],
}

/// Takes the first element off `input`; `None` if there is none, its tag has more than one byte, or it is too long.
pub(crate) fn take<'a>(input: &mut &'a [u8]) -> Option<Element<'a>> {
    let (tag, rest) = input.split_first().filter(|(tag, _)| *tag & 0x1F != 0x1F)?;
    let (first, rest) = rest.split_first()?;
    let (size, rest) = match first {
        0..=0x7F => (usize::from(*first), rest),
        0x81 => rest.split_first().map(|(size, rest)| (usize::from(*size), rest))?,
        0x82 => {
            let (size, rest) = rest.split_first_chunk::<2>().filter(|([high, _], _)| *high < 0x80)?;
            (usize::from(u16::from_be_bytes(*size)), rest)
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(size)?;
    let whole = input.get(..input.len().checked_sub(after.len())?)?;
    *input = after;
    Some(Element { tag: *tag, content, whole })
}

/// The bits of a BIT STRING's content, first bit highest; `None` if they are more than 32 or malformed.
pub(super) fn bits(content: &[u8]) -> Option<u32> {
    let (unused, bytes) = content.split_first()?;
    if *unused >= 8 || bytes.len() > 4 || (bytes.is_empty() && *unused != 0) {
        return None;
    }
    let mut word = [0; 4];
    word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    let kept = bytes.len().checked_mul(8)?.checked_sub(usize::from(*unused))?;
    let mask = u32::MAX.checked_shl(32u32.checked_sub(u32::try_from(kept).ok()?)?).unwrap_or(0);
    Some(u32::from_be_bytes(word) & mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_integers() {
        assert_eq!(integer(&[0, 0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0, 0]), [2, 1, 0]);
        assert_eq!(integer(&[0, 1, 0, 1]), [2, 3, 1, 0, 1]);
        assert_eq!(header(SEQUENCE, 0x80), [0x30, 0x81, 0x80]);
        assert_eq!(header(SEQUENCE, 0x1234), [0x30, 0x82, 0x12, 0x34]);
    }

    #[test]
    fn reading() {
        let made = element(SEQUENCE, &[&[7; 200]]);
        let mut input: &[u8] = &[made.as_slice(), &[5, 0]].concat();
        let first = take(&mut input).unwrap();
        assert_eq!((first.tag, first.content.len(), first.whole), (SEQUENCE, 200, made.as_slice()));
        assert_eq!(take(&mut input).unwrap().tag, 5);
        assert!(take(&mut input).is_none());
        for bad in [&[0x30][..], &[0x30, 1], &[0x30, 0x83, 0, 0, 0], &[0x1F, 0], &[0x30, 0x82, 0x80, 0]] {
            assert!(take(&mut { bad }).is_none());
        }
    }

    #[test]
    fn bit_strings() {
        assert_eq!(bits(&[7, 0x80]), Some(0x8000_0000));
        assert_eq!(bits(&[0, 0, 4, 0, 0x72]), Some(0x0004_0072));
        assert_eq!(bits(&[5, 0xFF]), Some(0xE000_0000));
        assert_eq!(bits(&[0]), Some(0));
        assert_eq!(bits(&[1]), None);
        assert_eq!(bits(&[8, 0]), None);
        assert_eq!(bits(&[0, 1, 2, 3, 4, 5]), None);
    }
}

//! Tag, type, length, value: the encoding of KMIP messages (KMIP 1.4, clause 9.1).

use zeroize::Zeroizing;

/// Tags of the messages that are made and read here (KMIP 1.4, 9.1.3.1; 2.0, 11.57).
pub(super) mod tag {
    macro_rules! tags {
        ($($name:ident = $value:literal;)*) => { $(pub(in super::super) const $name: u32 = $value;)* };
    }
    tags! {
        ATTRIBUTE = 0x42_0008;
        ATTRIBUTE_NAME = 0x42_000A;
        ATTRIBUTE_VALUE = 0x42_000B;
        BATCH_COUNT = 0x42_000D;
        BATCH_ITEM = 0x42_000F;
        BLOCK_CIPHER_MODE = 0x42_0011;
        CRYPTOGRAPHIC_ALGORITHM = 0x42_0028;
        CRYPTOGRAPHIC_LENGTH = 0x42_002A;
        CRYPTOGRAPHIC_PARAMETERS = 0x42_002B;
        CRYPTOGRAPHIC_USAGE_MASK = 0x42_002C;
        IV_COUNTER_NONCE = 0x42_003D;
        NAME = 0x42_0053;
        NAME_TYPE = 0x42_0054;
        NAME_VALUE = 0x42_0055;
        OBJECT_TYPE = 0x42_0057;
        OPERATION = 0x42_005C;
        PROTOCOL_VERSION = 0x42_0069;
        PROTOCOL_VERSION_MAJOR = 0x42_006A;
        PROTOCOL_VERSION_MINOR = 0x42_006B;
        REQUEST_HEADER = 0x42_0077;
        REQUEST_MESSAGE = 0x42_0078;
        REQUEST_PAYLOAD = 0x42_0079;
        RESPONSE_MESSAGE = 0x42_007B;
        RESPONSE_PAYLOAD = 0x42_007C;
        RESULT_MESSAGE = 0x42_007D;
        RESULT_REASON = 0x42_007E;
        RESULT_STATUS = 0x42_007F;
        REVOCATION_REASON = 0x42_0081;
        REVOCATION_REASON_CODE = 0x42_0082;
        TEMPLATE_ATTRIBUTE = 0x42_0091;
        UNIQUE_IDENTIFIER = 0x42_0094;
        DATA = 0x42_00C2;
        TAG_LENGTH = 0x42_00CE;
        ADDITIONAL_DATA = 0x42_00FE;
        AUTHENTICATION_TAG = 0x42_00FF;
        ATTRIBUTES = 0x42_0125;
        ATTRIBUTE_REFERENCE = 0x42_013B;
    }
}

const STRUCTURE: u8 = 1;
const INTEGER: u8 = 2;
const ENUMERATION: u8 = 5;
const TEXT: u8 = 7;
const BYTES: u8 = 8;

/// Items being put together, wiped when dropped.
#[derive(Default)]
pub(super) struct Out(Zeroizing<Vec<u8>>);

impl Out {
    /// Room for any message that is made here, so that growing leaves nothing behind.
    pub(super) fn new() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(4096)))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn item(mut self, tag: u32, kind: u8, value: &[u8]) -> Self {
        // What is sent is far below 4 GiB.
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&((tag << 8) | u32::from(kind)).to_be_bytes());
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(value);
        let end = self.0.len().next_multiple_of(8);
        self.0.resize(end, 0);
        self
    }

    /// Puts further items behind.
    pub(super) fn append(&mut self, items: &Self) {
        self.0.extend_from_slice(&items.0);
    }

    pub(super) fn structure(self, tag: u32, inner: Self) -> Self {
        self.item(tag, STRUCTURE, &inner.0)
    }

    pub(super) fn integer(self, tag: u32, value: i32) -> Self {
        self.item(tag, INTEGER, &value.to_be_bytes())
    }

    pub(super) fn enumeration(self, tag: u32, value: u32) -> Self {
        self.item(tag, ENUMERATION, &value.to_be_bytes())
    }

    pub(super) fn text(self, tag: u32, value: &str) -> Self {
        self.item(tag, TEXT, value.as_bytes())
    }

    pub(super) fn byte_string(self, tag: u32, value: &[u8]) -> Self {
        self.item(tag, BYTES, value)
    }
}

/// One item of a message.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) tag: u32,
    kind: u8,
    value: &'a [u8],
}

impl<'a> Item<'a> {
    /// Takes the first item off `bytes`.
    pub(super) fn read(bytes: &mut &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (tag, kind) = (u32::from_be_bytes(*head) >> 8, *head.last()?);
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (padded, rest) = rest.split_at_checked(length.checked_next_multiple_of(8)?)?;
        *bytes = rest;
        Some(Self { tag, kind, value: padded.get(..length)? })
    }

    /// The items within a structure; nothing of another type or with a broken item.
    pub(super) fn items(self) -> Vec<Item<'a>> {
        let mut rest = if self.kind == STRUCTURE { self.value } else { &[] };
        let mut items = Vec::new();
        while !rest.is_empty() {
            let Some(item) = Item::read(&mut rest) else { return Vec::new() };
            items.push(item);
        }
        items
    }

    /// The first item of this tag within a structure.
    pub(super) fn get(self, tag: u32) -> Option<Self> {
        self.items().into_iter().find(|item| item.tag == tag)
    }

    pub(super) fn enumeration(self) -> Option<u32> {
        (self.kind == ENUMERATION).then_some(())?;
        self.value.try_into().ok().map(u32::from_be_bytes)
    }

    #[cfg(test)]
    pub(super) fn integer(self) -> Option<i32> {
        (self.kind == INTEGER).then_some(())?;
        self.value.try_into().ok().map(i32::from_be_bytes)
    }

    pub(super) fn text(self) -> Option<&'a str> {
        (self.kind == TEXT).then_some(())?;
        core::str::from_utf8(self.value).ok()
    }

    pub(super) fn byte_string(self) -> Option<&'a [u8]> {
        (self.kind == BYTES).then_some(self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of KMIP 1.4, 9.1.2.
    #[test]
    fn encodes_the_examples_of_the_specification() {
        assert_eq!(Out::new().integer(0x42_0020, 8).bytes(), b"\x42\0\x20\x02\0\0\0\x04\0\0\0\x08\0\0\0\0");
        assert_eq!(Out::new().enumeration(0x42_0020, 255).bytes(), b"\x42\0\x20\x05\0\0\0\x04\0\0\0\xFF\0\0\0\0");
        let text = b"\x42\0\x20\x07\0\0\0\x0BHello World\0\0\0\0\0";
        assert_eq!(Out::new().text(0x42_0020, "Hello World").bytes(), text);
        assert_eq!(Out::new().byte_string(0x42_0020, &[1, 2, 3]).bytes(), b"\x42\0\x20\x08\0\0\0\x03\x01\x02\x03\0\0\0\0\0");
        let inner = Out::new().enumeration(0x42_0004, 254).integer(0x42_0005, 255);
        let structure = b"\x42\0\x20\x01\0\0\0\x20\x42\0\x04\x05\0\0\0\x04\0\0\0\xFE\0\0\0\0\x42\0\x05\x02\0\0\0\x04\0\0\0\xFF\0\0\0\0";
        assert_eq!(Out::new().structure(0x42_0020, inner).bytes(), structure);
    }

    #[test]
    fn reads_what_it_writes_and_nothing_else() {
        let inner = Out::new().text(tag::NAME_VALUE, "vm").enumeration(tag::NAME_TYPE, 1).byte_string(tag::DATA, b"x");
        let whole = Out::new().structure(tag::NAME, inner);
        let item = Item::read(&mut whole.bytes()).unwrap();
        assert_eq!(item.get(tag::NAME_VALUE).and_then(Item::text), Some("vm"));
        assert_eq!(item.get(tag::NAME_TYPE).and_then(Item::enumeration), Some(1));
        assert_eq!(item.get(tag::NAME_TYPE).and_then(Item::text), None);
        assert_eq!(item.get(tag::DATA).and_then(Item::byte_string), Some(&b"x"[..]));
        assert!(item.get(tag::OPERATION).is_none());
        for end in 0..whole.bytes().len() {
            assert!(Item::read(&mut &whole.bytes()[..end]).is_none(), "cut at {end}");
        }
        // An inner length that reaches beyond the structure hides all of it.
        let mut broken = whole.bytes().to_vec();
        broken[15] = 0xFF;
        assert!(Item::read(&mut &broken[..]).unwrap().items().is_empty());
    }
}

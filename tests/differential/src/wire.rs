//! Big-endian writing and reading of TPM structures.

/// Bytes being written; every method takes and gives the value, so that a structure reads as one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Out(pub Vec<u8>);

impl Out {
    /// Nothing written yet.
    pub fn new() -> Self {
        Self::default()
    }
    /// One byte.
    pub fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }
    /// UINT16.
    pub fn u16(mut self, value: u16) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    /// UINT32.
    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    /// UINT64.
    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    /// Bytes as they are.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
    /// A TPM2B: 16-bit size, then the bytes.
    pub fn sized(self, bytes: &[u8]) -> Self {
        self.u16(bytes.len() as u16).raw(bytes)
    }
}

/// Bytes being read. Every method gives `None` at the end of the bytes.
#[derive(Clone, Debug)]
pub struct In<'a>(pub &'a [u8]);

impl<'a> In<'a> {
    /// The next `n` bytes.
    pub fn raw(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }
    /// One byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.raw(1).map(|b| b[0])
    }
    /// UINT16.
    pub fn u16(&mut self) -> Option<u16> {
        self.raw(2).map(|b| u16::from_be_bytes([b[0], b[1]]))
    }
    /// UINT32.
    pub fn u32(&mut self) -> Option<u32> {
        self.raw(4)?.try_into().ok().map(u32::from_be_bytes)
    }
    /// UINT64.
    pub fn u64(&mut self) -> Option<u64> {
        self.raw(8)?.try_into().ok().map(u64::from_be_bytes)
    }
    /// A TPM2B's contents.
    pub fn sized(&mut self) -> Option<&'a [u8]> {
        let n = self.u16()?;
        self.raw(n.into())
    }
    /// True when everything was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The bytes of hexadecimal digits; other characters are passed over.
pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// A small deterministic generator (splitmix64) for nonces and mutations: the same seed gives both daemons the same commands.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    #[expect(clippy::should_implement_trait, reason = "it never ends, and gives no Option")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    /// A number below `bound` (which is at least 1).
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
    /// `n` bytes.
    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.next() as u8).collect()
    }
    /// One of `choices`.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

//! What tests of several modules share.

use alloc::vec::Vec;

use crate::provider::{Crt, Random, RsaKey};

/// Bytes of a hexadecimal string; white space is ignored.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).expect("a hexadecimal digit") as u8)
        .collect();
    assert_eq!(digits.len() % 2, 0, "an even number of digits");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Yields given bytes, then panics.
pub(crate) struct Fixed(pub Vec<u8>);

impl Random for Fixed {
    fn fill(&mut self, out: &mut [u8]) {
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&self.0);
        self.0 = rest;
    }
}

/// A key with `c = m^e mod n`, from `rsa-keys.txt`.
pub(crate) struct KeyVector {
    pub key: RsaKey,
    pub m: Vec<u8>,
    pub c: Vec<u8>,
}

/// All keys of `rsa-keys.txt`, with growing sizes.
pub(crate) fn rsa_keys() -> Vec<KeyVector> {
    let text = include_str!("../vectors/rsa-keys.txt").replace("\r\n", "\n");
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(' ') && !line.starts_with('#')).collect();
    lines
        .chunks(8)
        .map(|lines| {
            let field = |name: &str| {
                let line = lines.iter().find(|line| line.split(' ').next() == Some(name)).expect("the field");
                hex(line.split(' ').nth(1).expect("a value"))
            };
            let crt = Crt { dp: field("dp"), dq: field("dq"), qinv: field("qinv") };
            let key = RsaKey::from_primes(65_537, &field("p"), &field("q")).expect("a key").with_crt(crt);
            assert_eq!(key.n, field("n"));
            KeyVector { key, m: field("m"), c: field("c") }
        })
        .collect()
}

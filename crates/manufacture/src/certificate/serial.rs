//! Serial numbers of certificates.

use crate::failure::{Failure, failure};

/// Bytes of the largest serial number (RFC 5280, 4.1.2.2).
const MOST: usize = 20;

/// A serial number, at most 2^160 - 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serial(Vec<u8>);

impl Serial {
    /// A number of decimal digits.
    pub fn parse(digits: &str) -> Result<Self, Failure> {
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(failure!("Serial number is invalid."));
        }
        let mut number = vec![0u8; MOST];
        for digit in digits.bytes() {
            let mut carry = u32::from(digit & 0xF);
            for byte in number.iter_mut().rev() {
                let value = u32::from(*byte).saturating_mul(10).saturating_add(carry);
                *byte = (value & 0xFF) as u8;
                carry = value >> 8;
            }
            if carry != 0 {
                return Err(failure!("Serial number is too large."));
            }
        }
        Ok(Self(number).trimmed())
    }

    /// A random number of 20 decimal digits.
    pub fn random() -> Result<Self, Failure> {
        let mut bytes = [0; 8];
        crate::random::fill(&mut bytes)?;
        // Eight times 10^18 numbers from 10^19 on.
        let offset = u64::from_be_bytes(bytes) % 8_000_000_000_000_000_000;
        let number = offset.saturating_add(10_000_000_000_000_000_000);
        Self::parse(&number.to_string())
    }

    /// The number after this one; `None` after the largest.
    #[must_use]
    pub fn next(&self) -> Option<Self> {
        let mut number = vec![0u8; MOST.checked_sub(self.0.len())?];
        number.extend_from_slice(&self.0);
        for byte in number.iter_mut().rev() {
            let (value, overflow) = byte.overflowing_add(1);
            *byte = value;
            if !overflow {
                return Some(Self(number).trimmed());
            }
        }
        None
    }

    fn trimmed(self) -> Self {
        let zeros = self.0.iter().take_while(|byte| **byte == 0).count();
        Self(self.0.get(zeros..).unwrap_or_default().to_vec())
    }

    /// The bytes, largest first, without zeros at the beginning.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl core::fmt::Display for Serial {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut digits = Vec::new();
        let mut number = self.0.clone();
        loop {
            let mut rest = 0u32;
            for byte in &mut number {
                let value = rest << 8 | u32::from(*byte);
                *byte = u8::try_from(value / 10).unwrap_or(u8::MAX);
                rest = value % 10;
            }
            digits.push(char::from_digit(rest, 10).unwrap_or('0'));
            if number.iter().all(|byte| *byte == 0) {
                break;
            }
        }
        f.write_str(&digits.into_iter().rev().collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_up_to_twenty_bytes() {
        let largest = Serial::parse("1461501637330902918203684832716283019655932542975").unwrap();
        assert_eq!(largest.bytes(), [0xFF; 20]);
        assert_eq!(largest.next(), None);
        assert!(
            Serial::parse("1461501637330902918203684832716283019655932542976").unwrap_err().0.contains("too large")
        );
        for wrong in ["", "-1", "0x10", "1 "] {
            assert!(Serial::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Serial::parse("0007").unwrap().to_string(), "7");
        assert_eq!(Serial::parse("0").unwrap().to_string(), "0");
        assert_eq!(Serial::parse("255").unwrap().next().unwrap().bytes(), [1, 0]);
        assert_eq!(Serial::parse("99").unwrap().next().unwrap().to_string(), "100");
    }

    #[test]
    fn random_numbers_have_twenty_digits() {
        for _ in 0..100 {
            assert_eq!(Serial::random().unwrap().to_string().len(), 20);
        }
    }
}

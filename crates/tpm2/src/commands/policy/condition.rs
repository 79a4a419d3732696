//! Comparisons of policies (Part 4, PolicySptCheckCondition).

use crate::structures::Eo;
use core::cmp::Ordering;

/// True if `operation` holds between `a` (what the TPM has) and `b` (what the policy says), of equal size.
pub(super) fn holds(operation: Eo, a: &[u8], b: &[u8]) -> bool {
    let unsigned = a.cmp(b);
    let negative = |bytes: &[u8]| bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let signed = match (negative(a), negative(b)) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        // libtpms and the reference implementation order negative numbers by the bytes the other way round, as if
        // the sign stood beside a magnitude; policies of guests were made against that.
        (true, true) => unsigned.reverse(),
        (false, false) => unsigned,
    };
    match operation {
        Eo::Eq => unsigned.is_eq(),
        Eo::Neq => unsigned.is_ne(),
        Eo::SignedGt => signed.is_gt(),
        Eo::UnsignedGt => unsigned.is_gt(),
        Eo::SignedLt => signed.is_lt(),
        Eo::UnsignedLt => unsigned.is_lt(),
        Eo::SignedGe => signed.is_ge(),
        Eo::UnsignedGe => unsigned.is_ge(),
        Eo::SignedLe => signed.is_le(),
        Eo::UnsignedLe => unsigned.is_le(),
        Eo::BitSet => a.iter().zip(b).all(|(a, b)| a & b == *b),
        Eo::BitClear => a.iter().zip(b).all(|(a, b)| a & b == 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_matter_only_when_asked_for() {
        let (minus_one, minus_two, one) = ([0xFFu8, 0xFF], [0xFF, 0xFE], [0x00, 0x01]);
        assert!(holds(Eo::SignedLt, &minus_one, &minus_two) && holds(Eo::SignedGt, &minus_two, &minus_one));
        assert!(holds(Eo::SignedLt, &minus_one, &one));
        assert!(holds(Eo::UnsignedGt, &minus_one, &one));
        assert!(holds(Eo::SignedGe, &one, &one) && holds(Eo::UnsignedLe, &one, &one));
        assert!(!holds(Eo::Neq, &one, &one) && holds(Eo::Eq, &[], &[]));
    }

    #[test]
    fn bits() {
        assert!(holds(Eo::BitSet, &[0b1110], &[0b0110]));
        assert!(!holds(Eo::BitSet, &[0b1010], &[0b0110]));
        assert!(holds(Eo::BitClear, &[0b1001], &[0b0110]));
        assert!(!holds(Eo::BitClear, &[0b1100], &[0b0110]));
    }
}

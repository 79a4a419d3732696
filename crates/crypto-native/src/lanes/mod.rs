//! The tests of the prime search on eight numbers at once, where the processor has the instructions AVX-512 IFMA: no
//! library that is kept up has them (`docs/decisions/0002-native-provider.md`).
#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "calls functions that need instructions which were looked for")
)]

#[cfg(target_arch = "x86_64")]
mod moduli;
#[cfg(target_arch = "x86_64")]
mod rounds;
#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

/// Numbers in one vector.
pub(crate) const LANES: usize = 8;

/// What is public about the numbers of a batch: all are above 2^`above` and below 2^`below`.
#[derive(Clone, Copy)]
struct Size {
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "read by the code of that architecture"))]
    above: usize,
    below: usize,
}

/// That the processor has the instructions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lanes(());

/// Calls a function of [`rounds`] for numbers of `bits`, which its digits of 52 bits hold with four to spare. Smaller
/// numbers fit too, at the price of the larger ones.
macro_rules! sized {
    ($bits:expr, $function:ident ( $($argument:expr),* )) => {{
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the functions need nothing but the instructions avx512f and avx512ifma. They are called by methods of
        // `Lanes` only, of which there is a value only where both were found.
        unsafe {
            match $bits {
                0..=512 => Some(rounds::$function::<10>($($argument),*)),
                513..=1024 => Some(rounds::$function::<20>($($argument),*)),
                1025..=1536 => Some(rounds::$function::<30>($($argument),*)),
                1537..=2048 => Some(rounds::$function::<40>($($argument),*)),
                _ => None,
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = ($bits, $($argument),*);
            None::<u8>
        }
    }};
}

impl Lanes {
    /// Size of the largest numbers.
    pub(crate) const BITS: usize = 2048;

    /// The lanes, if the processor has them. The first call asks it (in a virtual machine the host answers, which takes
    /// its time), all others only look.
    pub(crate) fn found() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512ifma") {
            return Some(Self(()));
        }
        None
    }

    /// Fermat's test to the base two of up to eight candidates; `None` if one is not odd, not above 3, or larger than
    /// 2048 bits.
    pub(crate) fn fermat(self, candidates: &[Zeroizing<Vec<u8>>]) -> Option<[bool; LANES]> {
        let numbers = candidates.iter().map(|number| odd(number)).collect::<Option<Vec<_>>>()?;
        // A lane without a candidate takes another one's; nobody looks at its verdict.
        let mut lanes = [*numbers.first()?; LANES];
        for (lane, number) in lanes.iter_mut().zip(&numbers) {
            *lane = number;
        }
        let size = Size::of(&numbers)?;
        let passed = sized!(size.below, fermat(&lanes, size))?;
        Some(core::array::from_fn(|lane| passed >> lane & 1 == 1))
    }

    /// Rounds of Miller-Rabin of one candidate; `None` if that is not odd, not above 3, or larger than 2048 bits, or if a
    /// base has more bytes.
    pub(crate) fn miller_rabin(self, candidate: &[u8], bases: &[Zeroizing<Vec<u8>>]) -> Option<bool> {
        let candidate = odd(candidate)?;
        let size = Size::of(&[candidate])?;
        for bases in bases.chunks(LANES) {
            let bases: Vec<_> = bases.iter().map(|base| crate::rsa::significant(base)).collect();
            if bases.iter().any(|base| base.len() > candidate.len()) {
                return None;
            }
            let passed = sized!(size.below, miller_rabin(candidate, &bases, size))?;
            if passed.trailing_ones() < u32::try_from(bases.len()).ok()? {
                return Some(false);
            }
        }
        Some(true)
    }
}

/// A number without leading zeros, if it is odd and above 3.
fn odd(number: &[u8]) -> Option<&[u8]> {
    let number = crate::rsa::significant(number);
    let small = number.len() < 2 && number.iter().all(|byte| *byte <= 3);
    (!small && number.last().is_some_and(|low| low & 1 == 1)).then_some(number)
}

impl Size {
    /// Of odd numbers above 1 without leading zeros.
    fn of(numbers: &[&[u8]]) -> Option<Self> {
        let lengths = numbers.iter().map(|number| number.len());
        let (least, most) = (lengths.clone().min()?, lengths.max()?);
        Some(Self { above: least.checked_sub(1)?.checked_mul(8)?, below: most.checked_mul(8)? })
    }
}

//! Numbers and Montgomery arithmetic of the native library, behind types that own their memory.
//!
//! Every number is wiped when dropped. Functions return `None` where the library refuses its input; running out of
//! memory ends the process, as it does in the rest of a Rust program.
#![expect(unsafe_code, reason = "calls the C functions of AWS-LC")]

use aws_lc_sys as c;
use core::ptr::NonNull;
use zeroize::Zeroizing;

/// Owns what the library has allocated.
pub(crate) fn allocated<T>(pointer: *mut T) -> NonNull<T> {
    match NonNull::new(pointer) {
        Some(pointer) => pointer,
        None => std::alloc::handle_alloc_error(core::alloc::Layout::new::<[usize; 4]>()),
    }
}

/// Turns the library's 1 and 0 into an option, and forgets the reason that it keeps for the thread.
pub(crate) fn done(result: core::ffi::c_int) -> Option<()> {
    if result == 1 {
        return Some(());
    }
    // SAFETY: takes no argument and touches only the error queue of this thread.
    unsafe { c::ERR_clear_error() };
    None
}

/// A non-negative number.
#[derive(Debug)]
pub(crate) struct Number(NonNull<c::BIGNUM>);

impl Number {
    /// Zero.
    pub(crate) fn new() -> Self {
        // SAFETY: takes no argument; the result is owned here and freed in `drop` only.
        Self(allocated(unsafe { c::BN_new() }))
    }

    /// From big-endian bytes. The memory it takes depends on the length only, not on the value.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        // SAFETY: pointer and length are of one slice, which is only read; a null third argument asks for a new number.
        Self(allocated(unsafe { c::BN_bin2bn(bytes.as_ptr(), bytes.len(), core::ptr::null_mut()) }))
    }

    /// As `size` big-endian bytes; `None` if it does not fit.
    pub(crate) fn to_bytes(&self, size: usize) -> Option<Zeroizing<Vec<u8>>> {
        let mut out = Zeroizing::new(vec![0; size]);
        // SAFETY: writes `size` bytes to a buffer of that length, and reads a live number.
        done(unsafe { c::BN_bn2bin_padded(out.as_mut_ptr(), size, self.as_ptr()) })?;
        Some(out)
    }

    pub(crate) fn as_ptr(&self) -> *const c::BIGNUM {
        self.0.as_ptr()
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut c::BIGNUM {
        self.0.as_ptr()
    }

    /// Hands the memory over to a type of the library that frees it.
    pub(crate) fn into_raw(self) -> *mut c::BIGNUM {
        core::mem::ManuallyDrop::new(self).as_mut_ptr()
    }

    /// True if `self < other`.
    pub(crate) fn less(&self, other: &Self) -> bool {
        // SAFETY: reads two live numbers.
        unsafe { c::BN_ucmp(self.as_ptr(), other.as_ptr()) < 0 }
    }

    /// True if both are the same number.
    pub(crate) fn same(&self, other: &Self) -> bool {
        // SAFETY: reads two live numbers.
        unsafe { c::BN_ucmp(self.as_ptr(), other.as_ptr()) == 0 }
    }

    /// The sum.
    pub(crate) fn plus(&self, other: &Self) -> Option<Self> {
        let mut out = Self::new();
        // SAFETY: reads two live numbers, and writes one that is neither.
        done(unsafe { c::BN_add(out.as_mut_ptr(), self.as_ptr(), other.as_ptr()) })?;
        Some(out)
    }

    /// The difference; `None` if `other` is larger.
    pub(crate) fn minus(&self, other: &Self) -> Option<Self> {
        let mut out = Self::new();
        // SAFETY: reads two live numbers, and writes one that is neither.
        done(unsafe { c::BN_usub(out.as_mut_ptr(), self.as_ptr(), other.as_ptr()) })?;
        Some(out)
    }

    /// The quotient by a power of two.
    pub(crate) fn shifted_right(&self, bits: core::ffi::c_int) -> Option<Self> {
        let mut out = Self::new();
        // SAFETY: reads a live number, and writes another; a negative shift is refused by the library.
        done(unsafe { c::BN_rshift(out.as_mut_ptr(), self.as_ptr(), bits) })?;
        Some(out)
    }

    /// How often it can be halved; 0 for zero.
    pub(crate) fn trailing_zeros(&self) -> core::ffi::c_int {
        // SAFETY: reads a live number.
        unsafe { c::BN_count_low_zero_bits(self.as_ptr()) }
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the library, is owned by this value, and is not used again.
        unsafe { c::BN_clear_free(self.0.as_ptr()) };
    }
}

/// Scratch memory of the library.
struct Scratch(NonNull<c::BN_CTX>);

impl Scratch {
    fn new() -> Self {
        // SAFETY: takes no argument; the result is owned here and freed in `drop` only.
        Self(allocated(unsafe { c::BN_CTX_new() }))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the library, is owned by this value, and is not used again. Freeing wipes.
        unsafe { c::BN_CTX_free(self.0.as_ptr()) };
    }
}

/// A modular exponentiation of the library: result, base, exponent, modulus, scratch memory, constants of the modulus.
type Power = unsafe extern "C" fn(
    *mut c::BIGNUM,
    *const c::BIGNUM,
    *const c::BIGNUM,
    *const c::BIGNUM,
    *mut c::BN_CTX,
    *const c::BN_MONT_CTX,
) -> core::ffi::c_int;

/// An odd modulus with its constants, and scratch memory for its operations.
pub(crate) struct Modulus {
    number: Number,
    constants: NonNull<c::BN_MONT_CTX>,
    scratch: Scratch,
}

impl Modulus {
    /// A modulus that is no secret; `None` if it is even or too large for the library.
    pub(crate) fn public(bytes: &[u8]) -> Option<Self> {
        let (number, scratch) = (Number::from_bytes(bytes), Scratch::new());
        // SAFETY: reads a live number and uses live scratch memory; the result is owned by the returned value.
        let constants = unsafe { c::BN_MONT_CTX_new_for_modulus(number.as_ptr(), scratch.0.as_ptr()) };
        Self::assemble(number, constants, scratch)
    }

    /// A secret modulus, prepared in constant time; `None` if it is even or too large for the library.
    pub(crate) fn secret(bytes: &[u8]) -> Option<Self> {
        let (number, scratch) = (Number::from_bytes(bytes), Scratch::new());
        // SAFETY: reads a live number and uses live scratch memory; the result is owned by the returned value.
        let constants = unsafe { c::BN_MONT_CTX_new_consttime(number.as_ptr(), scratch.0.as_ptr()) };
        Self::assemble(number, constants, scratch)
    }

    fn assemble(number: Number, constants: *mut c::BN_MONT_CTX, scratch: Scratch) -> Option<Self> {
        match NonNull::new(constants) {
            Some(constants) => Some(Self { number, constants, scratch }),
            None => done(0).and(None),
        }
    }

    /// The modulus as a number.
    pub(crate) fn number(&self) -> &Number {
        &self.number
    }

    /// `base^exponent`, in constant time; `None` unless `base` is below the modulus.
    pub(crate) fn power(&self, base: &Number, exponent: &Number) -> Option<Number> {
        self.power_with(c::BN_mod_exp_mont_consttime, base, exponent)
    }

    /// `base^exponent` for values that are no secret; `None` unless `base` is below the modulus.
    pub(crate) fn power_public(&self, base: &Number, exponent: &Number) -> Option<Number> {
        self.power_with(c::BN_mod_exp_mont, base, exponent)
    }

    fn power_with(&self, function: Power, base: &Number, exponent: &Number) -> Option<Number> {
        let mut out = Number::new();
        // SAFETY: both functions of this type read live numbers and constants that belong to this modulus, write a
        // number that is none of them, and use live scratch memory.
        done(unsafe {
            function(
                out.as_mut_ptr(),
                base.as_ptr(),
                exponent.as_ptr(),
                self.number.as_ptr(),
                self.scratch.0.as_ptr(),
                self.constants.as_ptr(),
            )
        })?;
        Some(out)
    }

    /// The powers of two moduli at once, in constant time: for 1024, 1536 and 2048 bits the library computes them in
    /// two lanes of one vector unit where the processor has it. `None` unless each base is below its modulus.
    pub(crate) fn power_pair(one: (&Self, &Number, &Number), two: (&Self, &Number, &Number)) -> Option<[Number; 2]> {
        let (mut first, mut second) = (Number::new(), Number::new());
        // SAFETY: reads live numbers, with constants that belong to each modulus, writes two numbers that are none of
        // them, and uses live scratch memory.
        done(unsafe {
            c::BN_mod_exp_mont_consttime_x2(
                first.as_mut_ptr(),
                one.1.as_ptr(),
                one.2.as_ptr(),
                one.0.number.as_ptr(),
                one.0.constants.as_ptr(),
                second.as_mut_ptr(),
                two.1.as_ptr(),
                two.2.as_ptr(),
                two.0.number.as_ptr(),
                two.0.constants.as_ptr(),
                one.0.scratch.0.as_ptr(),
            )
        })?;
        Some([first, second])
    }

    /// `a mod self` in constant time, for `a` below `self` times the power of two that is just above `self`'s words;
    /// `None` if `a` has more than twice their number.
    pub(crate) fn residue(&self, a: &Number) -> Option<Number> {
        // Dividing by the radix reduces; multiplying by it again restores the number.
        self.times_radix(&self.divided_by_radix(a)?)
    }

    /// `a mod self` for any `a`, in a time that depends on the numbers.
    pub(crate) fn residue_public(&self, a: &Number) -> Option<Number> {
        let mut out = Number::new();
        // SAFETY: reads two live numbers, writes a third, and uses live scratch memory.
        done(unsafe { c::BN_nnmod(out.as_mut_ptr(), a.as_ptr(), self.number.as_ptr(), self.scratch.0.as_ptr()) })?;
        Some(out)
    }

    /// `a b mod self` in constant time; both must be below the modulus.
    pub(crate) fn product(&self, a: &Number, b: &Number) -> Option<Number> {
        let scaled = self.times_radix(a)?;
        let mut out = Number::new();
        // SAFETY: reads live numbers and constants, writes a number that is none of them, and uses live scratch memory.
        done(unsafe {
            c::BN_mod_mul_montgomery(
                out.as_mut_ptr(),
                scaled.as_ptr(),
                b.as_ptr(),
                self.constants.as_ptr(),
                self.scratch.0.as_ptr(),
            )
        })?;
        Some(out)
    }

    /// `a * self + b`, not reduced.
    pub(crate) fn multiply_add(&self, a: &Number, b: &Number) -> Option<Number> {
        let mut out = Number::new();
        // SAFETY: reads two live numbers, writes a third, and uses live scratch memory.
        done(unsafe { c::BN_mul(out.as_mut_ptr(), a.as_ptr(), self.number.as_ptr(), self.scratch.0.as_ptr()) })?;
        out.plus(b)
    }

    fn times_radix(&self, a: &Number) -> Option<Number> {
        let mut out = Number::new();
        // SAFETY: reads a live number and constants, writes another number, and uses live scratch memory.
        done(unsafe {
            c::BN_to_montgomery(out.as_mut_ptr(), a.as_ptr(), self.constants.as_ptr(), self.scratch.0.as_ptr())
        })?;
        Some(out)
    }

    fn divided_by_radix(&self, a: &Number) -> Option<Number> {
        let mut out = Number::new();
        // SAFETY: reads a live number and constants, writes another number, and uses live scratch memory.
        done(unsafe {
            c::BN_from_montgomery(out.as_mut_ptr(), a.as_ptr(), self.constants.as_ptr(), self.scratch.0.as_ptr())
        })?;
        Some(out)
    }
}

impl Drop for Modulus {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the library, is owned by this value, and is not used again. The library wipes
        // what it frees.
        unsafe { c::BN_MONT_CTX_free(self.constants.as_ptr()) };
    }
}

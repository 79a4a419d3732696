//! The NIST curves of the native library, behind types that own their memory.
#![expect(unsafe_code, reason = "calls the C functions of AWS-LC")]

use crate::bignum::{Number, allocated, done};
use aws_lc_sys as c;
use core::ptr::NonNull;
use sealwright_crypto::{CryptoError, Curve, Point};

/// A curve of the library: a constant of it, never freed.
#[derive(Clone, Copy)]
pub(crate) struct Group {
    constants: *const c::EC_GROUP,
    size: usize,
}

impl Group {
    /// The curve; `None` if the library does not have it.
    pub(crate) fn new(curve: Curve) -> Option<Self> {
        // SAFETY: these functions take no argument and return pointers to constants.
        let constants = unsafe {
            match curve {
                Curve::P224 => c::EC_group_p224(),
                Curve::P256 => c::EC_group_p256(),
                Curve::P384 => c::EC_group_p384(),
                Curve::P521 => c::EC_group_p521(),
                _ => return None,
            }
        };
        Some(Self { constants, size: curve.size() })
    }
}

/// A point of a curve, the point at infinity included.
pub(crate) struct NativePoint {
    group: Group,
    point: NonNull<c::EC_POINT>,
}

impl NativePoint {
    fn new(group: Group) -> Self {
        // SAFETY: the group is a constant of the library; the result is owned here and freed in `drop` only.
        Self { group, point: allocated(unsafe { c::EC_POINT_new(group.constants) }) }
    }

    /// From affine coordinates; refused if they are not in the field or not on the curve.
    pub(crate) fn parse(group: Group, point: &Point) -> Result<Self, CryptoError> {
        let (x, y) = (Number::from_bytes(&point.x), Number::from_bytes(&point.y));
        let out = Self::new(group);
        // SAFETY: reads live numbers, writes a live point of the same group; null asks for no scratch memory.
        let result = done(unsafe {
            c::EC_POINT_set_affine_coordinates_GFp(
                group.constants,
                out.point.as_ptr(),
                x.as_ptr(),
                y.as_ptr(),
                core::ptr::null_mut(),
            )
        });
        result.map(|()| out).ok_or(CryptoError::InvalidInput)
    }

    /// `base` times the generator, plus `pair.1` times `pair.0`; each may be missing. Scalars are below the order.
    /// In constant time.
    pub(crate) fn multiply(
        group: Group,
        base: Option<&Number>,
        pair: Option<(&Self, &Number)>,
    ) -> Result<Self, CryptoError> {
        let out = Self::new(group);
        let base = base.map_or(core::ptr::null(), Number::as_ptr);
        let (point, scalar) = pair.map_or((core::ptr::null(), core::ptr::null()), |(point, scalar)| {
            (point.point.as_ptr().cast_const(), scalar.as_ptr())
        });
        // SAFETY: null leaves a product out; otherwise these are live numbers and a live point, whose group the library
        // compares with its own. `out` is none of them. Null asks for no scratch memory.
        let result = done(unsafe {
            c::EC_POINT_mul(group.constants, out.point.as_ptr(), base, point, scalar, core::ptr::null_mut())
        });
        result.map(|()| out).ok_or(CryptoError::InvalidInput)
    }

    /// The sum of two points of one group.
    pub(crate) fn add(&self, other: &Self) -> Result<Self, CryptoError> {
        let out = Self::new(self.group);
        // SAFETY: three live points, whose groups the library compares; null asks for no scratch memory.
        let result = done(unsafe {
            c::EC_POINT_add(
                self.group.constants,
                out.point.as_ptr(),
                self.point.as_ptr(),
                other.point.as_ptr(),
                core::ptr::null_mut(),
            )
        });
        result.map(|()| out).ok_or(CryptoError::InvalidInput)
    }

    /// True if `r` and `s` are an ECDSA signature of `digest` by the key with this public point. The library's own
    /// verification, in variable time: an inversion modulo the order is the fast one, and the sum of products is compared
    /// without a division.
    pub(crate) fn verifies(&self, digest: &[u8], r: Number, s: Number) -> bool {
        let (key, signature) = (PublicKey::new(self), NativeSignature::new(r, s));
        // SAFETY: reads a slice of that length and live values; none of them is kept.
        done(unsafe { c::ECDSA_do_verify(digest.as_ptr(), digest.len(), signature.0.as_ptr(), key.0.as_ptr()) })
            .is_some()
    }

    /// Affine coordinates; the point at infinity has none.
    pub(crate) fn affine(&self) -> Result<Point, CryptoError> {
        // SAFETY: reads a live point of this group.
        if unsafe { c::EC_POINT_is_at_infinity(self.group.constants, self.point.as_ptr()) } == 1 {
            return Err(CryptoError::NoResult);
        }
        let (mut x, mut y) = (Number::new(), Number::new());
        // SAFETY: reads a live point of this group, writes two live numbers; null asks for no scratch memory.
        done(unsafe {
            c::EC_POINT_get_affine_coordinates_GFp(
                self.group.constants,
                self.point.as_ptr(),
                x.as_mut_ptr(),
                y.as_mut_ptr(),
                core::ptr::null_mut(),
            )
        })
        .ok_or(CryptoError::NoResult)?;
        let bytes =
            |number: &Number| number.to_bytes(self.group.size).map(|bytes| bytes.to_vec()).ok_or(CryptoError::NoResult);
        Ok(Point { x: bytes(&x)?, y: bytes(&y)? })
    }
}

impl Drop for NativePoint {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the library, is owned by this value, and is not used again.
        unsafe { c::EC_POINT_clear_free(self.point.as_ptr()) };
    }
}

/// A public point in the form that the library verifies with.
struct PublicKey(NonNull<c::EC_KEY>);

impl PublicKey {
    fn new(point: &NativePoint) -> Self {
        // SAFETY: takes no argument; the result is owned here and freed in `drop` only.
        let key = Self(allocated(unsafe { c::EC_KEY_new() }));
        // SAFETY: writes the live key; the group is a constant, and the point of this group is copied. A refusal (the
        // point at infinity) leaves a key without a point, with which nothing verifies.
        let _ = done(unsafe {
            c::EC_KEY_set_group(key.0.as_ptr(), point.group.constants)
                & c::EC_KEY_set_public_key(key.0.as_ptr(), point.point.as_ptr())
        });
        key
    }
}

impl Drop for PublicKey {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the library, is owned by this value, and is not used again.
        unsafe { c::EC_KEY_free(self.0.as_ptr()) };
    }
}

/// A signature of two numbers.
struct NativeSignature(NonNull<c::ECDSA_SIG>);

impl NativeSignature {
    fn new(r: Number, s: Number) -> Self {
        // SAFETY: takes no argument; the result is owned here and freed in `drop` only.
        let signature = Self(allocated(unsafe { c::ECDSA_SIG_new() }));
        // SAFETY: both numbers are live and owned by nobody else; the signature frees them. It refuses only null.
        let _ = done(unsafe { c::ECDSA_SIG_set0(signature.0.as_ptr(), r.into_raw(), s.into_raw()) });
        signature
    }
}

impl Drop for NativeSignature {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the library, is owned by this value, and is not used again.
        unsafe { c::ECDSA_SIG_free(self.0.as_ptr()) };
    }
}

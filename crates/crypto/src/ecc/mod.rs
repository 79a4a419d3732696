//! Elliptic-curve keys, signatures and key agreement over the point arithmetic of a provider.

pub(crate) mod modulus;
pub mod parameters;
pub mod scalar;

pub use parameters::CurveParameters;
pub use scalar::{Scalar, random_scalar};

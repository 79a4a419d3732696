//! The curves that have no crate of their own here: P-192, P-224, BN-P256, BN-P638 and SM2-P256.

use super::weierstrass::{A, Element, Equation};
use crate::Curve;
use crate::ecc::modulus::{Bn256Field, Bn638Field, P192Field, P224Field, Sm2Field, constant};
use crypto_bigint::modular::ConstMontyForm;
use crypto_bigint::{U192, U256, U640};

macro_rules! curve {
    ($($(#[$doc:meta])* $name:ident: $width:ty, $field:ty, $curve:expr, $a:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(super) struct $name;

        impl Equation<{ <$width>::LIMBS }> for $name {
            type Field = $field;
            const CURVE: Curve = $curve;
            const A: A = $a;
            const B: Element<Self, { <$width>::LIMBS }> = ConstMontyForm::new(&constant($curve.parameters().b));
            const G: (Element<Self, { <$width>::LIMBS }>, Element<Self, { <$width>::LIMBS }>) = (
                ConstMontyForm::new(&constant($curve.parameters().gx)),
                ConstMontyForm::new(&constant($curve.parameters().gy)),
            );
        }
    )*};
}

curve! {
    /// NIST P-192.
    P192: U192, P192Field, Curve::P192, A::MinusThree;
    /// NIST P-224, in a field of four words: 224 bits are no whole number of them.
    P224: U256, P224Field, Curve::P224, A::MinusThree;
    /// BN-P256.
    Bn256: U256, Bn256Field, Curve::Bn256, A::Zero;
    /// BN-P638.
    Bn638: U640, Bn638Field, Curve::Bn638, A::Zero;
    /// SM2-P256.
    Sm2: U256, Sm2Field, Curve::Sm2, A::MinusThree;
}

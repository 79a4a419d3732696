//! Each test of the engine is run on both crypto providers.

/// Makes a `#[test]` on each provider of functions that take one.
macro_rules! both {
    ($($test:ident),* $(,)?) => {
        mod on_rust {
            $(#[test]
            fn $test() {
                super::$test(&sealwright_crypto::RUST);
            })*
        }
        mod on_native {
            $(#[test]
            fn $test() {
                super::$test(&sealwright_crypto_native::NATIVE);
            })*
        }
    };
}
pub(crate) use both;

//! Domain parameters of the curves, as TPM2_ECC_Parameters returns them.
//!
//! Sources: TCG Algorithm Registry 01.34, 7 (curve identifiers); P-192 to P-521: FIPS 186-4, D.1.2 (SEC 2 names
//! secp192r1 to secp521r1); BN-P256 and BN-P638: ISO/IEC 15946-5; SM2-P256: GB/T 32918.5-2017. The bytes and their
//! lengths were compared with the answers of swtpm 0.7.1 on libtpms 0.9.2.

use crate::Curve;

/// Domain parameters of one curve `y^2 = x^3 + ax + b` over the integers modulo `p` (Part 2, 11.1.14,
/// TPMS_ALGORITHM_DETAIL_ECC). All numbers are big-endian with the lengths that libtpms answers: coordinates and
/// coefficients have the size of `p`, but a zero `a` has one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurveParameters {
    /// TCG identifier of the hash of the curve's default key derivation, TPM_ALG_KDF1_SP800_56A; `None` means
    /// TPM_ALG_NULL. No curve prescribes a signature scheme.
    pub kdf_hash: Option<u16>,
    /// Prime of the field.
    pub p: &'static [u8],
    /// Coefficient of `x`.
    pub a: &'static [u8],
    /// Constant coefficient.
    pub b: &'static [u8],
    /// x coordinate of the generator.
    pub gx: &'static [u8],
    /// y coordinate of the generator.
    pub gy: &'static [u8],
    /// Order of the generator.
    pub n: &'static [u8],
    /// Cofactor.
    pub h: &'static [u8],
}

impl Curve {
    /// Domain parameters of the curve.
    pub const fn parameters(self) -> &'static CurveParameters {
        match self {
            Self::P192 => &P192,
            Self::P224 => &P224,
            Self::P256 => &P256,
            Self::P384 => &P384,
            Self::P521 => &P521,
            Self::Bn256 => &BN256,
            Self::Bn638 => &BN638,
            Self::Sm2 => &SM2,
        }
    }
}

/// Bytes of a hexadecimal string, computed when the crate is compiled; a wrong digit or length stops the compiler.
const fn hex<const N: usize>(text: &str) -> [u8; N] {
    const fn digit(c: u8) -> u8 {
        match c {
            b'0'..=b'9' => c - b'0',
            b'a'..=b'f' => c - b'a' + 10,
            _ => panic!("not a hexadecimal digit"),
        }
    }
    let text = text.as_bytes();
    assert!(text.len() == 2 * N, "wrong number of digits");
    let mut out = [0; N];
    let mut i = 0;
    while i < N {
        out[i] = digit(text[2 * i]) << 4 | digit(text[2 * i + 1]);
        i += 1;
    }
    out
}

/// TPM_ECC_NIST_P192: FIPS 186-4, D.1.2.1.
static P192: CurveParameters = CurveParameters {
    kdf_hash: Some(0x000B),
    p: const { &hex::<24>("fffffffffffffffffffffffffffffffeffffffffffffffff") },
    a: const { &hex::<24>("fffffffffffffffffffffffffffffffefffffffffffffffc") },
    b: const { &hex::<24>("64210519e59c80e70fa7e9ab72243049feb8deecc146b9b1") },
    gx: const { &hex::<24>("188da80eb03090f67cbf20eb43a18800f4ff0afd82ff1012") },
    gy: const { &hex::<24>("07192b95ffc8da78631011ed6b24cdd573f977a11e794811") },
    n: const { &hex::<24>("ffffffffffffffffffffffff99def836146bc9b1b4d22831") },
    h: const { &hex::<1>("01") },
};

/// TPM_ECC_NIST_P224: FIPS 186-4, D.1.2.2.
static P224: CurveParameters = CurveParameters {
    kdf_hash: Some(0x000B),
    p: const { &hex::<28>("ffffffffffffffffffffffffffffffff000000000000000000000001") },
    a: const { &hex::<28>("fffffffffffffffffffffffffffffffefffffffffffffffffffffffe") },
    b: const { &hex::<28>("b4050a850c04b3abf54132565044b0b7d7bfd8ba270b39432355ffb4") },
    gx: const { &hex::<28>("b70e0cbd6bb4bf7f321390b94a03c1d356c21122343280d6115c1d21") },
    gy: const { &hex::<28>("bd376388b5f723fb4c22dfe6cd4375a05a07476444d5819985007e34") },
    n: const { &hex::<28>("ffffffffffffffffffffffffffff16a2e0b8f03e13dd29455c5c2a3d") },
    h: const { &hex::<1>("01") },
};

/// TPM_ECC_NIST_P256: FIPS 186-4, D.1.2.3.
static P256: CurveParameters = CurveParameters {
    kdf_hash: Some(0x000B),
    p: const { &hex::<32>("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff") },
    a: const { &hex::<32>("ffffffff00000001000000000000000000000000fffffffffffffffffffffffc") },
    b: const { &hex::<32>("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b") },
    gx: const { &hex::<32>("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296") },
    gy: const { &hex::<32>("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5") },
    n: const { &hex::<32>("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551") },
    h: const { &hex::<1>("01") },
};

/// TPM_ECC_NIST_P384: FIPS 186-4, D.1.2.4.
static P384: CurveParameters = CurveParameters {
    kdf_hash: Some(0x000C),
    p: const {
        &hex::<48>("fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff")
    },
    a: const {
        &hex::<48>("fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000fffffffc")
    },
    b: const {
        &hex::<48>("b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef")
    },
    gx: const {
        &hex::<48>("aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7")
    },
    gy: const {
        &hex::<48>("3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f")
    },
    n: const {
        &hex::<48>("ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973")
    },
    h: const { &hex::<1>("01") },
};

/// TPM_ECC_NIST_P521: FIPS 186-4, D.1.2.5.
static P521: CurveParameters = CurveParameters {
    kdf_hash: Some(0x000D),
    p: const {
        &hex::<66>(concat!(
            "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "ffffffffffffffffffffffffffffffffffff",
        ))
    },
    a: const {
        &hex::<66>(concat!(
            "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "fffffffffffffffffffffffffffffffffffc",
        ))
    },
    b: const {
        &hex::<66>(concat!(
            "0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1",
            "bf073573df883d2c34f1ef451fd46b503f00",
        ))
    },
    gx: const {
        &hex::<66>(concat!(
            "00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ff",
            "a8de3348b3c1856a429bf97e7e31c2e5bd66",
        ))
    },
    gy: const {
        &hex::<66>(concat!(
            "011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad",
            "0761353c7086a272c24088be94769fd16650",
        ))
    },
    n: const {
        &hex::<66>(concat!(
            "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709",
            "a5d03bb5c9b8899c47aebb6fb71e91386409",
        ))
    },
    h: const { &hex::<1>("01") },
};

/// TPM_ECC_BN_P256: ISO/IEC 15946-5, a Barreto-Naehrig curve with `a = 0`.
static BN256: CurveParameters = CurveParameters {
    kdf_hash: None,
    p: const { &hex::<32>("fffffffffffcf0cd46e5f25eee71a49f0cdc65fb12980a82d3292ddbaed33013") },
    a: const { &hex::<1>("00") },
    b: const { &hex::<32>("0000000000000000000000000000000000000000000000000000000000000003") },
    gx: const { &hex::<32>("0000000000000000000000000000000000000000000000000000000000000001") },
    gy: const { &hex::<32>("0000000000000000000000000000000000000000000000000000000000000002") },
    n: const { &hex::<32>("fffffffffffcf0cd46e5f25eee71a49e0cdc65fb1299921af62d536cd10b500d") },
    h: const { &hex::<1>("01") },
};

/// TPM_ECC_BN_P638: ISO/IEC 15946-5, a Barreto-Naehrig curve with `a = 0`.
static BN638: CurveParameters = CurveParameters {
    kdf_hash: None,
    p: const {
        &hex::<80>(concat!(
            "23fffffdc000000d7fffffb8000001d3fffff942d000165e3fff94870000d52ffffdd0e00008de55c00086520021e55b",
            "fffff51ffff4eb800000004c80015acdffffffffffffece00000000000000067",
        ))
    },
    a: const { &hex::<1>("00") },
    b: const {
        &hex::<80>(concat!(
            "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000101",
        ))
    },
    gx: const {
        &hex::<80>(concat!(
            "23fffffdc000000d7fffffb8000001d3fffff942d000165e3fff94870000d52ffffdd0e00008de55c00086520021e55b",
            "fffff51ffff4eb800000004c80015acdffffffffffffece00000000000000066",
        ))
    },
    gy: const {
        &hex::<80>(concat!(
            "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000010",
        ))
    },
    n: const {
        &hex::<80>(concat!(
            "23fffffdc000000d7fffffb8000001d3fffff942d000165e3fff94870000d52ffffdd0e00008de55600086550021e555",
            "fffff54ffff4eac000000049800154d9ffffffffffffeda00000000000000061",
        ))
    },
    h: const { &hex::<1>("01") },
};

/// TPM_ECC_SM2_P256: GB/T 32918.5-2017; its hash SM3 is named here although the engines do not have it, as libtpms does.
static SM2: CurveParameters = CurveParameters {
    kdf_hash: Some(0x0012),
    p: const { &hex::<32>("fffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffff") },
    a: const { &hex::<32>("fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc") },
    b: const { &hex::<32>("28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93") },
    gx: const { &hex::<32>("32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7") },
    gy: const { &hex::<32>("bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0") },
    n: const { &hex::<32>("fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123") },
    h: const { &hex::<1>("01") },
};

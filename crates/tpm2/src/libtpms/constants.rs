//! The constants with which libtpms was built, as every permanent state lists them (PA_COMPILE_CONSTANTS). A state is
//! only read by a build whose constants are the same, or in some cases not smaller.

use super::{
    ImportFault,
    sink::Sink,
    source::{Kind, Source},
};

const COMPILE_CONSTANTS: Kind = Kind { name: "PA_COMPILE_CONSTANTS", magic: 0xC9EA_6431, version: 3 };

/// Constants of versions 1 and 2 of the list; version 3 has all.
const OLD_COUNT: usize = 88;

/// How a stored value must compare with ours.
#[derive(Clone, Copy)]
enum Rule {
    Same,
    AtMost,
}
use Rule::{AtMost as L, Same as E};

/// Value, how many times in a row, and rule.
const CONSTANTS: [(u32, usize, Rule); 67] = [
    (1, 3, E),       // RSA, SHA1, HMAC
    (1, 1, L),       // TDES
    (1, 7, E),       // AES, MGF1, XOR, KEYEDHASH, SHA256, SHA384, SHA512
    (0, 2, E),       // SM3_256, SM4
    (1, 8, E),       // RSASSA, RSAES, RSAPSS, OAEP, ECC, ECDH, ECDSA, ECDAA
    (1, 1, L),       // SM2
    (1, 1, E),       // ECSCHNORR
    (1, 1, L),       // ECMQV
    (1, 2, E),       // SYMCIPHER, KDF1_SP800_56A
    (1, 1, L),       // KDF2
    (1, 1, E),       // KDF1_SP800_108
    (1, 1, L),       // CMAC
    (1, 5, E),       // CTR, OFB, CBC, CFB, ECB
    (3072, 1, L),    // bits of RSA
    (192, 1, E),     // bits of TDES
    (256, 1, E),     // bits of AES
    (128, 2, E),     // bits of SM4 and Camellia, as older builds had them
    (1, 8, L),       // P192, P224, P256, P384, P521, BN P256, BN P638, SM2 P256
    (638, 1, L),     // bits of ECC
    (4, 2, E),       // alignments of hash and cipher
    (24, 2, E),      // PCR, PCR of the platform
    (17, 1, E),      // PCR of the DRTM
    (0, 1, E),       // PCR of the H-CRTM
    (5, 1, E),       // localities
    (3, 1, E),       // handles
    (64, 1, E),      // active sessions
    (3, 1, E),       // loaded sessions
    (3, 1, E),       // sessions of a command
    (3, 1, E),       // loaded objects
    (7, 1, L),       // persistent objects at least
    (1, 2, E),       // PCR groups with policy, with authorization value
    (2680, 1, L),    // context
    (1024, 1, E),    // digest buffer
    (2048, 1, E),    // NV Index
    (1024, 1, E),    // NV buffer
    (1024, 1, E),    // capability buffer
    (176_832, 1, L), // NV memory
    (8, 1, E),       // counters at least
    (16, 1, E),      // static PCR
    (64, 1, E),      // list of algorithms
    (64, 1, E),      // primary seed
    (6, 1, E),       // cipher of contexts: AES
    (12, 1, E),      // update interval of the clock
    (1, 1, E),       // PCR policies
    (8, 1, E),       // bits of orderly counters
    (128, 1, E),     // sealed data
    (64, 1, E),      // entropy
    (512, 1, E),     // RAM of orderly Indexes
    (65537, 1, E),   // RSA exponent
    (1, 1, E),       // PCR that do not count
    (1, 1, E),       // CRT format
    (0, 1, E),       // vendor commands
    (1024, 1, E),    // vendor buffer
    (8192, 1, E),    // derivation bits
    (64, 1, E),      // proof
    (4, 1, E),       // hashes
    (1, 1, L),       // AES-128
    (0, 1, L),       // AES-192, by profile now
    (1, 1, L),       // AES-256
    (0, 1, L),       // SM4-128
    (1, 2, L),       // Camellia, Camellia-128
    (0, 1, L),       // Camellia-192, by profile now
    (1, 1, L),       // Camellia-256
    (0, 3, L),       // SHA3
    (1, 3, L),       // RSA-1024, 2048, 3072
    (0, 2, L),       // RSA-4096 by profile now, RSA-16384
    (0, 16, L),      // ACT
];

fn constants() -> impl Iterator<Item = (u32, Rule)> {
    CONSTANTS.iter().flat_map(|(value, times, rule)| core::iter::repeat_n((*value, *rule), *times))
}

/// Reads the list and compares it.
pub(super) fn read(s: &mut Source<'_>) -> Result<(), ImportFault> {
    let version = s.header(COMPILE_CONSTANTS)?;
    let all = constants().count();
    let needed = match version {
        1 | 2 => OLD_COUNT,
        3 => all,
        _ => {
            let (part, known) = (COMPILE_CONSTANTS.name, COMPILE_CONSTANTS.version);
            return Err(ImportFault::Version { part, needed: version, known });
        }
    };
    if usize::try_from(s.get::<u32>("count")?).ok() != Some(needed) {
        return Err(s.bad("count"));
    }
    for (number, (needed, rule)) in constants().take(needed).enumerate() {
        let found = s.get::<u32>("constant")?;
        let good = match rule {
            Rule::Same => found == needed,
            Rule::AtMost => found <= needed,
        };
        if !good {
            return Err(ImportFault::Constant { number, found, needed });
        }
    }
    s.future(version)
}

/// Writes the list.
pub(super) fn write(s: &mut Sink) {
    s.header(COMPILE_CONSTANTS, COMPILE_CONSTANTS.version, 1);
    let count = u32::try_from(constants().count()).unwrap_or(0);
    s.put(&count);
    for (value, _) in constants() {
        s.put(&value);
    }
    s.future();
}

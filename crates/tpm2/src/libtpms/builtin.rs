//! The profiles that libtpms has built in, as it writes them into states. Their names stand for exactly these texts.

/// A profile that needs no text of the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltinProfile {
    /// Its name.
    pub name: &'static str,
    /// The level of the state's format.
    pub level: u32,
    /// The JSON text.
    pub text: &'static str,
}

macro_rules! commands {
    () => {
        "0x11f-0x122,0x124-0x12e,0x130-0x140,0x142-0x159,0x15b-0x15e,0x160-0x165,0x167-0x174,0x176-0x178,\
         0x17a-0x193,0x197"
    };
}

macro_rules! algorithms {
    () => {
        "rsa,rsa-min-size=1024,tdes,tdes-min-size=128,sha1,hmac,aes,aes-min-size=128,mgf1,keyedhash,xor,sha256,sha384,\
         sha512,null,rsassa,rsaes,rsapss,oaep,ecdsa,ecdh,ecdaa,sm2,ecschnorr,ecmqv,kdf1-sp800-56a,kdf2,kdf1-sp800-108,\
         ecc,ecc-min-size=192,ecc-nist,ecc-bn,ecc-sm2-p256,symcipher,camellia,camellia-min-size=128,cmac,ctr,ofb,cbc,\
         cfb,ecb"
    };
}

/// A JSON text with name, level, commands after the usual ones, and description.
macro_rules! text {
    ($name:literal, $level:literal, $more:literal, $description:literal) => {
        concat!(
            r#"{"Name":""#,
            $name,
            r#"","StateFormatLevel":"#,
            $level,
            r#","Commands":""#,
            commands!(),
            $more,
            r#"","Algorithms":""#,
            algorithms!(),
            r#"","Description":""#,
            $description,
            r#""}"#
        )
    };
}

/// All commands of libtpms 0.10, for profiles of the user's.
pub const ALL_COMMANDS: &str = concat!(commands!(), ",0x199-0x19c");
/// All algorithms, for profiles of the user's.
pub const ALL_ALGORITHMS: &str = algorithms!();

/// The built-in profiles, newest first. States with the profile `null` have no text in them.
pub const BUILTIN_PROFILES: [BuiltinProfile; 3] = [
    BuiltinProfile {
        name: "default-v2",
        level: 8,
        text: text!(
            "default-v2",
            "8",
            ",0x199-0x19c",
            "This profile enables all libtpms v0.11-supported commands and algorithms. This profile is compatible \
             with libtpms >= v0.11."
        ),
    },
    BuiltinProfile {
        name: "default-v1",
        level: 7,
        text: text!(
            "default-v1",
            "7",
            ",0x199-0x19c",
            "This profile enables all libtpms v0.10-supported commands and algorithms. This profile is compatible \
             with libtpms >= v0.10."
        ),
    },
    BuiltinProfile {
        name: "null",
        level: 1,
        text: text!(
            "null",
            "1",
            "",
            "The profile enables the commands and algorithms that were enabled in libtpms v0.9. This profile is \
             automatically used when the state does not have a profile, for example when it was created by libtpms \
             v0.9 or before. This profile enables compatibility with libtpms >= v0.9."
        ),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    #[test]
    fn the_texts_name_their_levels() {
        for profile in BUILTIN_PROFILES {
            let read = Profile::of_text(profile.text).unwrap();
            assert_eq!(read.level(), profile.level, "{}", profile.name);
            assert!(profile.text.contains("cbc,cfb,ecb\"") && !profile.text.contains("  "), "{}", profile.text);
        }
        assert!(ALL_COMMANDS.ends_with("0x197,0x199-0x19c"));
    }
}

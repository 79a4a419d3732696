//! Response codes of TPM 2.0 and the position that they point at (Part 2, 6.6).

use core::fmt;

/// A TPM 2.0 response code other than success, with the handle, session or parameter it is about.
///
/// Format-one codes (bit 7 set) carry a position; the methods [`Fault::at_parameter`], [`Fault::at_handle`] and
/// [`Fault::at_session`] set it. Fields nest, so the outermost call wins. Format-zero codes have no position and pass
/// through unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fault(u32);

impl Fault {
    /// The code as it stands in a response.
    pub const fn code(self) -> u32 {
        self.0
    }

    /// The code without its position.
    pub const fn bare(self) -> Self {
        if self.is_positioned_format() { Self(self.0 & 0x0BF) } else { self }
    }

    /// Points at parameter `n`, counted from 1.
    pub const fn at_parameter(self, n: u8) -> Self {
        if self.is_positioned_format() { Self((self.0 & 0x0BF) | 0x040 | ((n as u32 & 0xF) << 8)) } else { self }
    }

    /// Points at handle `n`, counted from 1.
    pub const fn at_handle(self, n: u8) -> Self {
        if self.is_positioned_format() { Self((self.0 & 0x0BF) | ((n as u32 & 7) << 8)) } else { self }
    }

    /// Points at session `n`, counted from 1.
    pub const fn at_session(self, n: u8) -> Self {
        if self.is_positioned_format() { Self((self.0 & 0x0BF) | 0x800 | ((n as u32 & 7) << 8)) } else { self }
    }

    /// True if the code has no position yet but may have one.
    pub const fn is_unpositioned(self) -> bool {
        self.is_positioned_format() && self.0 & 0xF40 == 0
    }

    const fn is_positioned_format(self) -> bool {
        self.0 & 0x080 != 0
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        impl Fault {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// The specification's name of the code, without its position.
            pub const fn name(self) -> &'static str {
                match self.bare().0 {
                    $($code => concat!("TPM_RC_", stringify!($name)),)*
                    _ => "TPM_RC",
                }
            }
        }
    };
}

codes! {
    /// The response of a TPM that takes this for a TPM 1.2 command.
    BAD_TAG = 0x01E;
    /// The TPM was not started, or already is.
    INITIALIZE = 0x100;
    /// The TPM is in failure mode.
    FAILURE = 0x101;
    /// A sequence handle is used improperly.
    SEQUENCE = 0x103;
    /// Not currently used by the specification.
    PRIVATE = 0x10B;
    /// Not currently used by the specification.
    HMAC = 0x119;
    /// The command is disabled.
    DISABLED = 0x120;
    /// An audit session could not be made exclusive.
    EXCLUSIVE = 0x121;
    /// The authorization handle is not correct for the command.
    AUTH_TYPE = 0x124;
    /// The command needs an authorization session for a handle and it is missing.
    AUTH_MISSING = 0x125;
    /// A policy failed or cannot be computed.
    POLICY = 0x126;
    /// PCR check failed.
    PCR = 0x127;
    /// PCR have changed since they were checked.
    PCR_CHANGED = 0x128;
    /// The TPM is in field-upgrade mode.
    UPGRADE = 0x12D;
    /// The context ID counter is at its maximum.
    TOO_MANY_CONTEXTS = 0x12E;
    /// An authorization value or policy is not available.
    AUTH_UNAVAILABLE = 0x12F;
    /// A Startup is needed after a reset of the TPM.
    REBOOT = 0x130;
    /// The protection algorithms are unbalanced.
    UNBALANCED = 0x131;
    /// The size field of the command differs from its length.
    COMMAND_SIZE = 0x142;
    /// The command code is not supported.
    COMMAND_CODE = 0x143;
    /// The size of the authorization area is out of range.
    AUTHSIZE = 0x144;
    /// Sessions are not allowed with this command, or not this one.
    AUTH_CONTEXT = 0x145;
    /// An NV offset and size are out of the Index.
    NV_RANGE = 0x146;
    /// An NV Index is too large.
    NV_SIZE = 0x147;
    /// The NV Index is locked.
    NV_LOCKED = 0x148;
    /// The NV access authorization fails.
    NV_AUTHORIZATION = 0x149;
    /// The NV Index was not initialized.
    NV_UNINITIALIZED = 0x14A;
    /// There is no room in NV.
    NV_SPACE = 0x14B;
    /// The NV Index or persistent object is already defined.
    NV_DEFINED = 0x14C;
    /// The saved context is not valid.
    BAD_CONTEXT = 0x150;
    /// The cpHash is already set, or not for this use.
    CPHASH = 0x151;
    /// The handle for the parent is not valid.
    PARENT = 0x152;
    /// A function of the TPM needs a test first.
    NEEDS_TEST = 0x153;
    /// A message cannot be padded or unpadded: it holds what only the TPM may sign.
    NO_RESULT = 0x154;
    /// The sensitive area did not unmarshal correctly after decryption.
    SENSITIVE = 0x155;
    /// The TPM is in read-only mode.
    READ_ONLY = 0x156;

    /// An asymmetric algorithm is not supported or not correct.
    ASYMMETRIC = 0x081;
    /// Inconsistent attributes.
    ATTRIBUTES = 0x082;
    /// The hash algorithm is not supported or not appropriate.
    HASH = 0x083;
    /// The value is out of range or not correct for the context.
    VALUE = 0x084;
    /// The hierarchy is not enabled or not correct for the use.
    HIERARCHY = 0x085;
    /// The key size is not supported.
    KEY_SIZE = 0x087;
    /// The mask generation function is not supported.
    MGF = 0x088;
    /// The mode of operation is not supported.
    MODE = 0x089;
    /// The type of the value is not appropriate for the use.
    TYPE = 0x08A;
    /// The handle is not correct for the use.
    HANDLE = 0x08B;
    /// The key derivation function is not supported or not appropriate.
    KDF = 0x08C;
    /// The value was out of the allowed range.
    RANGE = 0x08D;
    /// The authorization HMAC check failed and the dictionary-attack counter went up.
    AUTH_FAIL = 0x08E;
    /// The nonce size is not valid, or the nonce does not fit.
    NONCE = 0x08F;
    /// Physical presence is required.
    PP = 0x090;
    /// The scheme is not supported or not compatible.
    SCHEME = 0x092;
    /// The structure has a wrong size.
    SIZE = 0x095;
    /// The symmetric algorithm or key size is not supported.
    SYMMETRIC = 0x096;
    /// The structure tag is not correct.
    TAG = 0x097;
    /// The selector of a union is not correct.
    SELECTOR = 0x098;
    /// The input was shorter than its structure.
    INSUFFICIENT = 0x09A;
    /// The signature is not valid.
    SIGNATURE = 0x09B;
    /// Key fields are not compatible with the use.
    KEY = 0x09C;
    /// A policy check failed.
    POLICY_FAIL = 0x09D;
    /// The integrity check failed.
    INTEGRITY = 0x09F;
    /// The ticket is not valid.
    TICKET = 0x0A0;
    /// Reserved bits are set.
    RESERVED_BITS = 0x0A1;
    /// An authorization failed without dictionary-attack consequences.
    BAD_AUTH = 0x0A2;
    /// The policy or ticket has expired.
    EXPIRED = 0x0A3;
    /// The command code in the policy is not this command's.
    POLICY_CC = 0x0A4;
    /// Public and sensitive portions are not bound to each other.
    BINDING = 0x0A5;
    /// The curve is not supported.
    CURVE = 0x0A6;
    /// The point is not on the curve.
    ECC_POINT = 0x0A7;
    /// The firmware limit was exceeded.
    FW_LIMITED = 0x0A8;
    /// The security version number is not correct.
    SVN_LIMITED = 0x0A9;

    /// The gap between context counters is too large.
    CONTEXT_GAP = 0x901;
    /// There are no free slots for objects.
    OBJECT_MEMORY = 0x902;
    /// There are no free slots for sessions.
    SESSION_MEMORY = 0x903;
    /// There is not enough memory.
    MEMORY = 0x904;
    /// There are no free session handles.
    SESSION_HANDLES = 0x905;
    /// There are no free object handles.
    OBJECT_HANDLES = 0x906;
    /// The locality is not allowed.
    LOCALITY = 0x907;
    /// The TPM has suspended the command: send it again.
    YIELDED = 0x908;
    /// The command was cancelled.
    CANCELED = 0x909;
    /// The TPM is testing.
    TESTING = 0x90A;
    /// The first handle of the handle area refers to an object that is not loaded.
    REFERENCE_H0 = 0x910;
    /// The second handle refers to an object that is not loaded.
    REFERENCE_H1 = 0x911;
    /// The third handle refers to an object that is not loaded.
    REFERENCE_H2 = 0x912;
    /// The first session is not loaded.
    REFERENCE_S0 = 0x918;
    /// The second session is not loaded.
    REFERENCE_S1 = 0x919;
    /// The third session is not loaded.
    REFERENCE_S2 = 0x91A;
    /// NV writes come too fast.
    NV_RATE = 0x920;
    /// The TPM is locked out by failed authorizations.
    LOCKOUT = 0x921;
    /// The TPM was not able to start the command: send it again.
    RETRY = 0x922;
    /// NV cannot be written now.
    NV_UNAVAILABLE = 0x923;
}

impl Fault {
    /// The transient object of handle `index` (from 0) is not loaded.
    pub const fn reference_handle(index: u8) -> Self {
        Self(0x910 | (index as u32 & 7))
    }

    /// Session `index` (from 0) is not loaded.
    pub const fn reference_session(index: u8) -> Self {
        Self(0x918 | (index as u32 & 7))
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(0x{:03X})", self.name(), self.0)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl core::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions() {
        assert_eq!(Fault::INSUFFICIENT.at_parameter(1).code(), 0x1DA);
        assert_eq!(Fault::VALUE.at_handle(2).code(), 0x284);
        assert_eq!(Fault::AUTH_FAIL.at_session(1).code(), 0x98E);
        assert_eq!(Fault::VALUE.at_parameter(3).at_parameter(1).code(), 0x1C4);
        assert_eq!(Fault::NV_LOCKED.at_parameter(1), Fault::NV_LOCKED);
        assert_eq!(Fault::VALUE.at_parameter(3).bare(), Fault::VALUE);
    }
}

//! Attribute words (Part 2, 8).

use sealwright_core::{Fault, Reader, Wire, Writer};

macro_rules! attributes {
    ($($(#[$doc:meta])* $name:ident: $int:ty, reserved $reserved:literal { $($bit:ident = $value:expr;)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name(pub $int);

        #[expect(missing_docs, reason = "the names are the specification's")]
        impl $name {
            $(pub const $bit: Self = Self($value);)*
        }

        impl $name {
            /// True if all bits of `other` are set here.
            pub const fn has(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }
            /// With the bits of `other` set or cleared.
            #[must_use]
            pub const fn with(self, other: Self, on: bool) -> Self {
                if on { Self(self.0 | other.0) } else { Self(self.0 & !other.0) }
            }
        }

        impl core::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        /// A set reserved bit is TPM_RC_RESERVED_BITS.
        impl Wire for $name {
            const MAX_SIZE: usize = size_of::<$int>();
            fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
                let value = <$int>::read(r)?;
                // A binding, because some of these words have no reserved bits at all.
                let reserved: $int = $reserved;
                if value & reserved == 0 { Ok(Self(value)) } else { Err(Fault::RESERVED_BITS) }
            }
            fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
                self.0.write(w)
            }
        }
    )*};
}

attributes! {
    /// TPMA_OBJECT (8.3).
    ObjectAttributes: u32, reserved 0xFFF0_F309 {
        FIXED_TPM = 1 << 1;
        ST_CLEAR = 1 << 2;
        FIXED_PARENT = 1 << 4;
        SENSITIVE_DATA_ORIGIN = 1 << 5;
        USER_WITH_AUTH = 1 << 6;
        ADMIN_WITH_POLICY = 1 << 7;
        NO_DA = 1 << 10;
        ENCRYPTED_DUPLICATION = 1 << 11;
        RESTRICTED = 1 << 16;
        DECRYPT = 1 << 17;
        SIGN = 1 << 18;
        X509_SIGN = 1 << 19;
    }
    /// TPMA_SESSION (8.4).
    SessionAttributes: u8, reserved 0x18 {
        CONTINUE_SESSION = 1 << 0;
        AUDIT_EXCLUSIVE = 1 << 1;
        AUDIT_RESET = 1 << 2;
        DECRYPT = 1 << 5;
        ENCRYPT = 1 << 6;
        AUDIT = 1 << 7;
    }
    /// TPMA_LOCALITY (8.5): bits for localities 0 to 4, or one extended locality (32 to 255).
    Locality: u8, reserved 0x00 {
        ZERO = 1 << 0;
        ONE = 1 << 1;
        TWO = 1 << 2;
        THREE = 1 << 3;
        FOUR = 1 << 4;
    }
    /// TPMA_PERMANENT (8.6).
    PermanentAttributes: u32, reserved 0 {
        OWNER_AUTH_SET = 1 << 0;
        ENDORSEMENT_AUTH_SET = 1 << 1;
        LOCKOUT_AUTH_SET = 1 << 2;
        DISABLE_CLEAR = 1 << 8;
        IN_LOCKOUT = 1 << 9;
        TPM_GENERATED_EPS = 1 << 10;
    }
    /// TPMA_STARTUP_CLEAR (8.7).
    StartupClearAttributes: u32, reserved 0 {
        PH_ENABLE = 1 << 0;
        SH_ENABLE = 1 << 1;
        EH_ENABLE = 1 << 2;
        PH_ENABLE_NV = 1 << 3;
        READ_ONLY = 1 << 4;
        ORDERLY = 1 << 31;
    }
    /// TPMA_NV (13.4). The type of the Index is bits 4 to 7: see [`NvAttributes::nv_type`].
    NvAttributes: u32, reserved 0x01F0_0300 {
        PPWRITE = 1 << 0;
        OWNERWRITE = 1 << 1;
        AUTHWRITE = 1 << 2;
        POLICYWRITE = 1 << 3;
        POLICY_DELETE = 1 << 10;
        WRITELOCKED = 1 << 11;
        WRITEALL = 1 << 12;
        WRITEDEFINE = 1 << 13;
        WRITE_STCLEAR = 1 << 14;
        GLOBALLOCK = 1 << 15;
        PPREAD = 1 << 16;
        OWNERREAD = 1 << 17;
        AUTHREAD = 1 << 18;
        POLICYREAD = 1 << 19;
        NO_DA = 1 << 25;
        ORDERLY = 1 << 26;
        CLEAR_STCLEAR = 1 << 27;
        READLOCKED = 1 << 28;
        WRITTEN = 1 << 29;
        PLATFORMCREATE = 1 << 30;
        READ_STCLEAR = 1 << 31;
    }
}

/// TPM_NT: kinds of NV Indexes (13.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is TPM_NT_<name>")]
pub enum NvType {
    Ordinary,
    Counter,
    Bits,
    Extend,
    PinFail,
    PinPass,
}

impl NvAttributes {
    /// The kind of the Index; `None` for values that the specification reserves.
    pub const fn nv_type(self) -> Option<NvType> {
        match (self.0 >> 4) & 0xF {
            0 => Some(NvType::Ordinary),
            1 => Some(NvType::Counter),
            2 => Some(NvType::Bits),
            4 => Some(NvType::Extend),
            8 => Some(NvType::PinFail),
            9 => Some(NvType::PinPass),
            _ => None,
        }
    }
}

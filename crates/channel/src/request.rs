//! The numbers of the control channel.

/// A command of the control channel; its value is the number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// What the daemon can do.
    GetCapability = 0x01,
    /// Power on, or a power cycle.
    Init = 0x02,
    /// Power off, and the end of the process.
    Shutdown = 0x03,
    /// The tpmEstablished bit.
    GetTpmEstablished = 0x04,
    /// The locality of the next commands.
    SetLocality = 0x05,
    /// Begin of a hash sequence of the interface (H-CRTM or D-CRTM).
    HashStart = 0x06,
    /// Data of it.
    HashData = 0x07,
    /// End of it.
    HashEnd = 0x08,
    /// Stop the command that runs.
    CancelTpmCmd = 0x09,
    /// Write the volatile state to the storage.
    StoreVolatile = 0x0a,
    /// Clear the tpmEstablished bit.
    ResetTpmEstablished = 0x0b,
    /// Read a state blob.
    GetStateBlob = 0x0c,
    /// Give a state blob.
    SetStateBlob = 0x0d,
    /// Power off.
    Stop = 0x0e,
    /// Which keys are set.
    GetConfig = 0x0f,
    /// The data channel, as an open socket.
    SetDataFd = 0x10,
    /// The size of the command buffer.
    SetBufferSize = 0x11,
    /// Facts about the TPM as JSON.
    GetInfo = 0x12,
    /// Take the lock of the storage again.
    LockStorage = 0x13,
}

impl Command {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 19] = [
        Self::GetCapability,
        Self::Init,
        Self::Shutdown,
        Self::GetTpmEstablished,
        Self::SetLocality,
        Self::HashStart,
        Self::HashData,
        Self::HashEnd,
        Self::CancelTpmCmd,
        Self::StoreVolatile,
        Self::ResetTpmEstablished,
        Self::GetStateBlob,
        Self::SetStateBlob,
        Self::Stop,
        Self::GetConfig,
        Self::SetDataFd,
        Self::SetBufferSize,
        Self::GetInfo,
        Self::LockStorage,
    ];

    /// The command with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|command| *command as u32 == number)
    }

    /// The name that swtpm's tools print for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::GetCapability => "PTM_GET_CAPABILITY",
            Self::Init => "PTM_INIT",
            Self::Shutdown => "PTM_SHUTDOWN",
            Self::GetTpmEstablished => "PTM_GET_TPMESTABLISHED",
            Self::SetLocality => "PTM_SET_LOCALITY",
            Self::HashStart => "PTM_HASH_START",
            Self::HashData => "PTM_HASH_DATA",
            Self::HashEnd => "PTM_HASH_END",
            Self::CancelTpmCmd => "PTM_CANCEL_TPM_CMD",
            Self::StoreVolatile => "PTM_STORE_VOLATILE",
            Self::ResetTpmEstablished => "PTM_RESET_TPMESTABLISHED",
            Self::GetStateBlob => "PTM_GET_STATEBLOB",
            Self::SetStateBlob => "PTM_SET_STATEBLOB",
            Self::Stop => "PTM_STOP",
            Self::GetConfig => "PTM_GET_CONFIG",
            Self::SetDataFd => "PTM_SET_DATAFD",
            Self::SetBufferSize => "PTM_SET_BUFFERSIZE",
            Self::GetInfo => "PTM_GET_INFO",
            Self::LockStorage => "PTM_LOCK_STORAGE",
        }
    }
}

/// Bits of the answer of [`Command::GetCapability`].
pub mod capability {
    /// INIT.
    pub const INIT: u32 = 1;
    /// SHUTDOWN.
    pub const SHUTDOWN: u32 = 1 << 1;
    /// GET_TPMESTABLISHED.
    pub const GET_TPMESTABLISHED: u32 = 1 << 2;
    /// SET_LOCALITY.
    pub const SET_LOCALITY: u32 = 1 << 3;
    /// HASH_START, HASH_DATA, HASH_END.
    pub const HASHING: u32 = 1 << 4;
    /// CANCEL_TPM_CMD.
    pub const CANCEL_TPM_CMD: u32 = 1 << 5;
    /// STORE_VOLATILE.
    pub const STORE_VOLATILE: u32 = 1 << 6;
    /// RESET_TPMESTABLISHED.
    pub const RESET_TPMESTABLISHED: u32 = 1 << 7;
    /// GET_STATEBLOB.
    pub const GET_STATEBLOB: u32 = 1 << 8;
    /// SET_STATEBLOB.
    pub const SET_STATEBLOB: u32 = 1 << 9;
    /// STOP.
    pub const STOP: u32 = 1 << 10;
    /// GET_CONFIG.
    pub const GET_CONFIG: u32 = 1 << 11;
    /// SET_DATAFD.
    pub const SET_DATAFD: u32 = 1 << 12;
    /// SET_BUFFERSIZE.
    pub const SET_BUFFERSIZE: u32 = 1 << 13;
    /// GET_INFO.
    pub const GET_INFO: u32 = 1 << 14;
    /// Commands with a prefix on the data channel.
    pub const SEND_COMMAND_HEADER: u32 = 1 << 15;
    /// LOCK_STORAGE.
    pub const LOCK_STORAGE: u32 = 1 << 16;
}

/// Results of control commands. They have the numbers of TPM 1.2, whatever the TPM is.
pub mod result {
    /// Done.
    pub const SUCCESS: u32 = 0;
    /// Malformed, or a blob that cannot be read.
    pub const BAD_PARAMETER: u32 = 0x03;
    /// It failed.
    pub const FAIL: u32 = 0x09;
    /// Unknown, or not while the TPM is in this state.
    pub const BAD_ORDINAL: u32 = 0x0a;
    /// A blob needs a key that was not given.
    pub const KEY_NOT_FOUND: u32 = 0x0d;
    /// Input, output or a lock failed.
    pub const IO_ERROR: u32 = 0x1f;
    /// The encryption of a blob does not open.
    pub const DECRYPT_ERROR: u32 = 0x21;
    /// That locality is not allowed.
    pub const BAD_LOCALITY: u32 = 0x3d;
    /// The bit of results that are no failure.
    pub const NON_FATAL: u32 = 0x800;
    /// There is no such blob, or not yet.
    pub const RETRY: u32 = NON_FATAL;
}

#[cfg(test)]
mod tests {
    use super::Command;

    #[test]
    fn numbers_follow_each_other_and_come_back() {
        for (number, command) in (1..).zip(Command::ALL) {
            assert_eq!((command as u32, Command::from_number(number)), (number, Some(command)));
        }
        assert_eq!([Command::from_number(0), Command::from_number(20)], [None; 2]);
    }
}

//! The engine as its host sees it: bytes in, bytes out, and a platform that gives what the engine may not have.

/// Why a host could not do what the engine asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlatformFault {
    /// The store could not make the state durable now; later it may (disk full, lock lost, network down).
    Unavailable,
    /// The source of entropy failed.
    Entropy,
}

/// Why a saved state was refused. The engine is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateFault {
    /// The bytes are not a state of this engine.
    Format,
    /// The state was written by a version that this one cannot read.
    Version,
    /// The volatile state does not belong to the permanent one.
    Mismatch,
}

impl core::fmt::Display for StateFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Format => "the bytes are not a state of this TPM engine, or are damaged",
            Self::Version => "the state was written by a newer version than this one",
            Self::Mismatch => "the volatile state does not belong to this permanent state",
        })
    }
}

impl core::error::Error for StateFault {}

/// What the host gives to an engine for the time of one call. Engines keep no clock, no I/O and no globals.
pub trait Platform {
    /// Fills `out` with entropy.
    fn entropy(&mut self, out: &mut [u8]) -> Result<(), PlatformFault>;
    /// Milliseconds of a clock that never goes back while the process lives.
    fn now(&mut self) -> u64;
    /// Makes the permanent state durable. When this returns `Ok`, `state` survives any crash; when it returns an error the
    /// previous state does. The engine answers the guest only afterwards.
    fn commit(&mut self, state: &[u8]) -> Result<(), PlatformFault>;
    /// True once the host wants the running command to stop (TPM_RC_CANCELED). Asked often during long work.
    fn cancelled(&mut self) -> bool {
        false
    }
    /// True while physical presence is asserted.
    fn physical_presence(&mut self) -> bool {
        false
    }
}

/// A TPM. Never fails: an error is a response like any other.
pub trait Engine {
    /// Runs one command that arrived at `locality` (0 to 4, or 32 to 255 for extended localities) and writes the
    /// answer; returns its length. `response` must hold at least 4096 bytes. Any byte string is allowed as a command.
    fn execute(&mut self, platform: &mut dyn Platform, locality: u8, command: &[u8], response: &mut [u8]) -> usize;

    /// `_TPM_Init`: the platform was powered on or reset.
    fn power_on(&mut self, platform: &mut dyn Platform);

    /// `_TPM_Hash_Start` / `_TPM_Hash_Data` / `_TPM_Hash_End`: the H-CRTM sequence before Startup, DRTM after it.
    fn hash_start(&mut self, platform: &mut dyn Platform);
    /// See [`Engine::hash_start`].
    fn hash_data(&mut self, platform: &mut dyn Platform, data: &[u8]);
    /// See [`Engine::hash_start`].
    fn hash_end(&mut self, platform: &mut dyn Platform);

    /// The tpmEstablished flag of the TIS ACCESS register: set by a DRTM sequence.
    fn established(&self) -> bool;
    /// Clears tpmEstablished; false if `locality` (3 and 4 may) is not allowed to.
    fn reset_established(&mut self, locality: u8) -> bool;

    /// Largest command and response in bytes: (current, minimum, maximum).
    fn buffer_size(&self) -> (u32, u32, u32);
    /// Sets the buffer size within its bounds and returns what it is now; only while not started.
    fn set_buffer_size(&mut self, size: u32) -> u32;

    /// Writes the permanent state to `out`, as given to [`Platform::commit`].
    #[cfg(feature = "alloc")]
    fn save_permanent(&self) -> alloc::vec::Vec<u8>;
    /// The state that is lost at power-off, for a live migration or a snapshot with memory.
    #[cfg(feature = "alloc")]
    fn save_volatile(&mut self, platform: &mut dyn Platform) -> alloc::vec::Vec<u8>;
    /// Continues from a volatile state that [`Engine::save_volatile`] wrote, without `_TPM_Init` and Startup.
    fn resume(&mut self, platform: &mut dyn Platform, volatile: &[u8]) -> Result<(), StateFault>;

    /// True if the last command was an orderly Shutdown (or the TPM was not started since `_TPM_Init`).
    fn is_orderly(&self) -> bool;
}

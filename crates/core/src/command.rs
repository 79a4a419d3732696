//! What the engine knows of a command beside its code: handles, roles, attributes (Part 2, 8.9; Part 3, 4.2).

use crate::{
    Fault,
    wire::{Reader, Writer},
};

/// Who must authorize the use of a handle (Part 1, 19.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// No authorization.
    None,
    /// USER role: authValue or policy.
    User,
    /// ADMIN role: policy only, if the object says adminWithPolicy.
    Admin,
    /// DUP role: policy only.
    Dup,
}

/// A command's properties, all computed from its struct by the derive.
#[derive(Clone, Copy, Debug)]
pub struct CommandSpec {
    /// Command code.
    pub code: u32,
    /// The specification's name without `TPM2_`.
    pub name: &'static str,
    /// TPMA_CC.
    pub attributes: u32,
    /// Role of each handle.
    pub roles: &'static [Role],
    /// True if sessions may come with the command (they must, if a handle needs authorization).
    pub sessions: bool,
    /// True if the first parameter is a TPM2B, so that a session may decrypt it.
    pub decrypt: bool,
    /// True if the first response parameter is a TPM2B, so that a session may encrypt it.
    pub encrypt: bool,
    /// True if the response has a handle.
    pub response_handle: bool,
    /// Largest handle and parameter area in bytes.
    pub max_request: usize,
    /// Largest response handle and parameter area in bytes.
    pub max_response: usize,
}

impl CommandSpec {
    /// Computes TPMA_CC and the rest; called by the derive in a constant.
    #[expect(clippy::too_many_arguments, reason = "called by generated code only")]
    pub const fn new(
        code: u32,
        name: &'static str,
        [nv, extensive, flushed, sessions]: [bool; 4],
        roles: &'static [Role],
        decrypt: bool,
        encrypt: bool,
        response_handle: bool,
        max_request: usize,
        max_response: usize,
    ) -> Self {
        let attributes = (code & 0xFFFF)
            | (nv as u32) << 22
            | (extensive as u32) << 23
            | (flushed as u32) << 24
            | (roles.len() as u32) << 25
            | (response_handle as u32) << 28;
        Self { code, name, attributes, roles, sessions, decrypt, encrypt, response_handle, max_request, max_response }
    }

    /// True if the command may write to NV (TPMA_CC nv).
    pub const fn nv(&self) -> bool {
        self.attributes & (1 << 22) != 0
    }
}

/// A command of Part 3: derive it.
pub trait Command: Sized {
    /// Its properties.
    const SPEC: CommandSpec;
    /// What it answers.
    type Response: Response;
    /// Takes all handles from `r`, checking each against its type; errors point at the handle.
    fn check_handles(r: &mut Reader<'_>) -> Result<(), Fault>;
    /// Takes the handles and the parameters; errors point at their positions.
    fn parse(handles: &mut Reader<'_>, parameters: &mut Reader<'_>) -> Result<Self, Fault>;
}

/// The answer of a command: derive it.
pub trait Response: Sized {
    /// True if it starts with a handle.
    const HANDLE: bool;
    /// True if the first parameter is a TPM2B.
    const FIRST_SIZED: bool;
    /// Largest size in bytes, handle included.
    const MAX_SIZE: usize;
    /// The handle, if there is one.
    fn handle(&self) -> Option<u32>;
    /// Appends the parameters.
    fn write_parameters(&self, w: &mut Writer<'_>) -> Result<(), Fault>;
}

impl Response for () {
    const HANDLE: bool = false;
    const FIRST_SIZED: bool = false;
    const MAX_SIZE: usize = 0;
    fn handle(&self) -> Option<u32> {
        None
    }
    fn write_parameters(&self, _: &mut Writer<'_>) -> Result<(), Fault> {
        Ok(())
    }
}

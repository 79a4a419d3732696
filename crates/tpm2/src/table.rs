//! The command table: built from the types of the commands alone, its order checked at compile time.

use crate::tpm::Tpm;
use sealwright_core::wire::Accept;
use sealwright_core::{Command, CommandSpec, Fault, Reader, Response, Writer};

/// What a command does once it is parsed and authorized.
pub(crate) trait Execute: Command {
    /// Checks everything first and changes state only when nothing can fail any more, save for the commit.
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<Self::Response, Fault>;
}

/// How one command runs: handles and decrypted parameters in, response handle and parameters out.
pub(crate) type Run = fn(&mut Tpm<'_>, &[u8], &[u8], &mut Writer<'_>) -> Result<Option<u32>, Fault>;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Properties of the command.
    pub spec: CommandSpec,
    pub(crate) check_handles: fn(&mut Reader<'_>) -> Result<(), Fault>,
    pub(crate) run: Run,
}

impl Entry {
    /// The row of a command.
    pub(crate) const fn of<C: Execute>() -> Self {
        assert!(C::SPEC.roles.len() <= crate::structures::MAX_HANDLES, "more handles than a command may have");
        Self { spec: C::SPEC, check_handles: C::check_handles, run: run::<C> }
    }
}

fn run<C: Execute>(
    tpm: &mut Tpm<'_>,
    handles: &[u8],
    parameters: &[u8],
    out: &mut Writer<'_>,
) -> Result<Option<u32>, Fault> {
    let limits = tpm.limits();
    let mut rest = Reader::new(parameters).accepting(limits.as_deref().map(|limits| limits as &dyn Accept));
    let command = C::parse(&mut Reader::new(handles), &mut rest)?;
    if !rest.is_empty() {
        return Err(Fault::SIZE);
    }
    let response = command.execute(tpm)?;
    response.write_parameters(out)?;
    Ok(response.handle())
}

/// Declares the modules of the commands of one chapter of Part 3.
macro_rules! command_table {
    ($($chapter:ident :: $module:ident :: $command:ident,)*) => {
        /// All commands, ascending by code.
        pub static TABLE: &[$crate::table::Entry] =
            &[$($crate::table::Entry::of::<$chapter::$module::$command>()),*];

        const _: () = {
            let codes = [$(<$chapter::$module::$command as ::sealwright_core::Command>::SPEC.code),*];
            let mut i = 1;
            while i < codes.len() {
                #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
                { assert!(codes[i - 1] < codes[i], "the command table must ascend by code"); }
                i += 1;
            }
        };
    };
}
pub(crate) use command_table;

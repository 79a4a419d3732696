//! Start-up (Part 3, 9).

pub mod shutdown;
#[expect(clippy::module_inception, reason = "the chapter and its first command have the same name")]
pub mod startup;

pub(crate) use startup::StartupKind;

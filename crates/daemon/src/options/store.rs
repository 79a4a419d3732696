//! Options about the state that swtpm does not have.

use crate::failure::{Failure, failure};
use sealwright_state::VmId;
use sealwright_state::backend::Durability;

/// In which format the state is at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StateFormat {
    /// vtpmd's own.
    Vtpmd,
    /// swtpm's.
    Swtpm,
}

/// How the state is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoreOptions {
    /// `--vm`: whose state it is.
    pub(crate) vm: Option<VmId>,
    /// `--create`: make a new TPM even if one was here that is lost.
    pub(crate) create: bool,
    /// `--durability`, which overrides `fsync=`.
    pub(crate) durability: Option<Durability>,
    /// `--history`: how many states are kept.
    pub(crate) history: Option<usize>,
    /// `--anchor`: what remembers the newest generation, a file or an address.
    pub(crate) anchor: Option<String>,
    /// `--key-manager`: who wraps the data key, as an address.
    pub(crate) key_manager: Option<String>,
    /// `--state-format`.
    pub(crate) format: Option<StateFormat>,
    /// `--accept-rollback`: why to go on with an older state.
    pub(crate) accept_rollback: Option<String>,
}

impl StoreOptions {
    /// The first of these options that only vtpmd's own format can do.
    pub(crate) fn own_format_only(&self) -> Option<&'static str> {
        let given = [
            ("vm", self.vm.is_some()),
            ("history", self.history.is_some()),
            ("anchor", self.anchor.is_some()),
            ("key-manager", self.key_manager.is_some()),
            ("accept-rollback", self.accept_rollback.is_some()),
        ];
        given.into_iter().find_map(|(name, given)| given.then_some(name))
    }

    /// Takes one option; false if it is none of these.
    pub(in crate::options) fn set(&mut self, name: &str, value: &str) -> Result<bool, Failure> {
        match name {
            "vm" => self.vm = Some(VmId::new(value).map_err(|fault| failure!("--vm: {fault}"))?),
            "create" => self.create = true,
            "state-format" => {
                self.format = Some(match value {
                    "vtpmd" => StateFormat::Vtpmd,
                    "swtpm" => StateFormat::Swtpm,
                    _ => return Err(failure!("--state-format: '{value}' is unknown; vtpmd and swtpm are known")),
                });
            }
            "durability" => {
                self.durability = Some(match value {
                    "none" => Durability::None,
                    "data" => Durability::Data,
                    "full" => Durability::Full,
                    _ => return Err(failure!("--durability: '{value}' is unknown; none, data and full are known")),
                });
            }
            "history" => {
                let count = value.parse().ok().filter(|n| (1..=1000).contains(n));
                self.history = Some(count.ok_or_else(|| failure!("--history needs a number from 1 to 1000"))?);
            }
            "key-manager" if !value.is_empty() => self.key_manager = Some(value.to_owned()),
            "key-manager" => return Err(failure!("--key-manager needs an address, such as file:/path/of/a.key")),
            "anchor" if !value.is_empty() => self.anchor = Some(value.to_owned()),
            "anchor" => {
                return Err(failure!("--anchor needs the path of a file, or tpm:/dev/tpmrm0?index=0x01800100"));
            }
            "accept-rollback" if !value.trim().is_empty() => self.accept_rollback = Some(value.to_owned()),
            "accept-rollback" => {
                return Err(failure!("--accept-rollback needs a reason, which is kept in the history"));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

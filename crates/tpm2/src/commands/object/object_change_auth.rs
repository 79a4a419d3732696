//! `TPM2_ObjectChangeAuth` (Part 3, 12.8).

use crate::object::{load::Under, protect::adjust_auth};
use crate::structures::{Auth, DhObject, Private};
use crate::table::Execute;
use crate::tpm::Tpm;
use sealwright_core::Fault;
use sealwright_derive::{Command, Response};

/// Makes a new sensitive area of an object, with another authorization value. The loaded object keeps its own.
#[derive(Command)]
#[command(code = 0x150, response = ObjectChangeAuthResponse)]
#[doc(alias = "TPM2_ObjectChangeAuth")]
pub struct ObjectChangeAuth {
    /// The object.
    #[handle(auth = admin)]
    pub object_handle: DhObject,
    /// Its parent.
    #[handle]
    pub parent_handle: DhObject,
    /// The new authorization value.
    pub new_auth: Auth,
}

/// Answer of [`ObjectChangeAuth`].
#[derive(Response)]
pub struct ObjectChangeAuthResponse {
    /// The sensitive area, for the parent only.
    pub out_private: Private,
}

impl Execute for ObjectChangeAuth {
    fn execute(mut self, tpm: &mut Tpm<'_>) -> Result<ObjectChangeAuthResponse, Fault> {
        let object = tpm.object(self.object_handle.0).map_err(|_| Fault::TYPE.at_handle(1))?;
        let name_alg = object.public.name_alg;
        if !adjust_auth(&mut self.new_auth, name_alg) {
            return Err(Fault::SIZE.at_parameter(1));
        }
        let parent = tpm.object(self.parent_handle.0).map_err(|_| Fault::TYPE.at_handle(2))?;
        let expected = tpm.qualified_name_under(Under::Parent(&parent), name_alg, &object.name)?;
        // A parent that protects nothing (a derivation parent) has no areas to give out.
        if object.qualified_name != expected || !parent.is_parent() {
            return Err(Fault::TYPE.at_handle(2));
        }
        let mut sensitive = object.sensitive.clone().ok_or(Fault::AUTH_UNAVAILABLE)?;
        sensitive.auth = self.new_auth;
        let out_private = tpm.sensitive_to_private(&sensitive, &object.name, &parent, name_alg)?;
        Ok(ObjectChangeAuthResponse { out_private })
    }
}

//! All state of a TPM, by how long it lives.
//!
//! | part | lives until | in the specification (Part 4) |
//! |---|---|---|
//! | [`Permanent`] | it is changed; committed before the answer | PERSISTENT_DATA, user NV |
//! | [`ResetData`] | TPM Reset | STATE_RESET_DATA |
//! | [`ClearData`] | TPM Reset or Restart | STATE_CLEAR_DATA |
//! | [`Volatile`] | `_TPM_Init` | globals |

mod encoding;
mod permanent;
mod record;
mod running;
mod volatile;

pub(crate) use encoding::{decode_permanent, encode_permanent};
pub(crate) use permanent::{Hierarchy, OrderlyState, Permanent, SavedState, Seed};
pub(crate) use running::{ClearData, Pcrs, ResetData, Volatile};

pub(crate) use volatile::{decode_volatile, encode_volatile};

use alloc::sync::Arc;
use sealwright_crypto::drbg::Drbg;

/// Everything. Cloning is cheap: large parts are shared until they change, so a command works on a copy and a fault or
/// a failed commit drops the copy whole.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) permanent: Arc<Permanent>,
    pub(crate) reset: Arc<ResetData>,
    pub(crate) clear: Arc<ClearData>,
    pub(crate) pcrs: Arc<Pcrs>,
    pub(crate) volatile: Volatile,
    pub(crate) drbg: Drbg,
}

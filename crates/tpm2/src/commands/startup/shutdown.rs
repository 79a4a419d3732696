//! `TPM2_Shutdown` (Part 3, 9.4).

use crate::state::{OrderlyState, SavedState};
use crate::structures::Su;
use crate::table::Execute;
use crate::tpm::Tpm;
use alloc::sync::Arc;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Prepares for a loss of power.
#[derive(Command)]
#[command(code = 0x145, nv)]
#[doc(alias = "TPM2_Shutdown")]
pub struct Shutdown {
    /// CLEAR or STATE.
    pub shutdown_type: Su,
}

impl Execute for Shutdown {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        if self.shutdown_type == Su::State && tpm.state.volatile.pcr_reconfigured {
            return Err(Fault::TYPE.at_parameter(1));
        }
        tpm.nv_flush_orderly();
        let (clock, time) = (tpm.state.volatile.clock, tpm.state.volatile.time);
        let saved = SavedState {
            reset: (*tpm.state.reset).clone(),
            clear: (*tpm.state.clear).clone(),
            pcrs: (*tpm.state.pcrs).clone(),
        };
        let state = OrderlyState::State {
            drtm: tpm.state.volatile.drtm_pre_startup,
            locality3: tpm.state.volatile.startup_locality3,
        };
        let permanent = tpm.permanent_mut();
        permanent.clock = clock;
        permanent.shutdown_time = time;
        match self.shutdown_type {
            Su::State => {
                permanent.saved = Some(Arc::new(saved));
                permanent.orderly_state = state;
            }
            Su::Clear => {
                permanent.saved = None;
                permanent.orderly_state = OrderlyState::Clear;
            }
        }
        tpm.state.volatile.orderly = true;
        Ok(())
    }
}

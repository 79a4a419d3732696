//! `TPM2_Startup` (Part 3, 9.3).

use crate::state::{ClearData, OrderlyState, ResetData};
use crate::structures::Su;
use crate::table::Execute;
use crate::tpm::Tpm;
use alloc::sync::Arc;
use sealwright_core::Fault;
use sealwright_derive::Command;

/// Starts the TPM after `_TPM_Init`: TPM Reset, Restart or Resume, by what the last Shutdown was.
#[derive(Command)]
#[command(code = 0x144, nv, no_sessions)]
#[doc(alias = "TPM2_Startup")]
pub struct Startup {
    /// CLEAR or STATE.
    pub startup_type: Su,
}

/// What a Startup is (Part 1, 12.2.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartupKind {
    Reset,
    Restart,
    Resume,
}

impl Execute for Startup {
    fn execute(self, tpm: &mut Tpm<'_>) -> Result<(), Fault> {
        let locality3 = match tpm.locality {
            0 => false,
            // An H-CRTM sequence says more about the start than the locality.
            3 => !tpm.state.volatile.drtm_pre_startup,
            _ => return Err(Fault::LOCALITY),
        };
        let previous = tpm.state.permanent.orderly_state;
        let saved = tpm.state.permanent.saved.clone().filter(|_| matches!(previous, OrderlyState::State { .. }));
        let kind = match (self.startup_type, &saved) {
            (Su::State, None) => return Err(Fault::VALUE.at_parameter(1)),
            (Su::State, Some(_)) => StartupKind::Resume,
            (Su::Clear, Some(_)) => StartupKind::Restart,
            (Su::Clear, None) => StartupKind::Reset,
        };
        if kind == StartupKind::Resume {
            // The measured start must be of the same kind as the one that is resumed.
            let hcrtm = tpm.state.volatile.drtm_pre_startup;
            match previous {
                OrderlyState::State { drtm, .. } if drtm != hcrtm => return Err(Fault::VALUE.at_parameter(1)),
                OrderlyState::State { locality3: before, .. } if before != locality3 => return Err(Fault::LOCALITY),
                _ => {}
            }
        }
        tpm.state.volatile.startup_locality3 = locality3;

        let null_seed = tpm.new_seed()?;
        let (null_proof, commit_nonce) = (tpm.new_secret()?, tpm.new_commit_nonce()?);
        let fresh = || ResetData::new(null_seed, null_proof, commit_nonce);
        match (kind, &saved) {
            (StartupKind::Reset, _) | (_, None) => {
                tpm.state.reset = Arc::new(fresh());
                tpm.state.clear = Arc::new(ClearData::new());
                let permanent = tpm.permanent_mut();
                permanent.reset_count = permanent.reset_count.wrapping_add(1);
                permanent.total_reset_count = permanent.total_reset_count.wrapping_add(1);
            }
            (_, Some(saved)) => {
                tpm.state.reset = Arc::new(saved.reset.clone());
                tpm.forget_loaded_sessions();
                let reset = tpm.reset_mut();
                reset.restart_count = reset.restart_count.wrapping_add(1);
                if kind == StartupKind::Restart {
                    reset.clear_count = reset.clear_count.wrapping_add(1);
                    tpm.state.clear = Arc::new(ClearData::new());
                } else {
                    tpm.state.clear = Arc::new(saved.clear.clone());
                }
            }
        }
        let lost = matches!(previous, OrderlyState::None | OrderlyState::DaUsed);
        tpm.state.volatile.previous_orderly = previous;
        tpm.state.volatile.ph_enable = true;
        tpm.state.volatile.clock = tpm.state.permanent.clock;
        tpm.lockout_startup(previous);
        let epoch = tpm.new_time_epoch();
        let permanent = tpm.permanent_mut();
        permanent.time_epoch = epoch;
        // A value of Clock that was answered may have been lost with the power.
        permanent.clock_safe = permanent.clock_safe && !lost;
        permanent.saved = None;
        permanent.orderly_state = OrderlyState::None;
        tpm.nv_startup(kind, previous);
        tpm.pcr_startup(
            saved.as_deref().filter(|_| kind == StartupKind::Resume).map(|s| &s.pcrs),
            kind == StartupKind::Reset,
        );
        tpm.state.volatile.started = true;
        tpm.state.volatile.orderly = false;
        Ok(())
    }
}

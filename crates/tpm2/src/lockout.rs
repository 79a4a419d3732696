//! Dictionary-attack protection (Part 1, 19.8).

use crate::state::OrderlyState;
use crate::structures::rh;
use crate::tpm::Tpm;

/// Milliseconds from a timer's start to `time`. A start before this run of the clock is a negative number.
const fn elapsed(time: u64, start: u64) -> u64 {
    let elapsed = time.wrapping_sub(start).cast_signed();
    if elapsed < 0 { 0 } else { elapsed.cast_unsigned() }
}

/// Default of TPM_PT_MAX_AUTH_FAIL.
pub(crate) const MAX_TRIES: u32 = 3;
/// Default of TPM_PT_LOCKOUT_INTERVAL and TPM_PT_LOCKOUT_RECOVERY in seconds.
pub(crate) const RECOVERY: u32 = 1000;

impl Tpm<'_> {
    /// Forgets failed tries that are old enough, and enables lockoutAuth again after its recovery time.
    pub(crate) fn lockout_self_heal(&mut self) {
        let time = self.state.volatile.time;
        let p = &self.state.permanent;
        let since = elapsed(time, p.self_heal_timer) / 1000;
        // Without a recovery time there is no protection, and nothing to remember.
        let healed = since.checked_div(u64::from(p.recovery_time)).unwrap_or(u64::MAX);
        if p.failed_tries != 0 && healed != 0 {
            let step = healed.saturating_mul(u64::from(p.recovery_time)).saturating_mul(1000);
            let failed = u64::from(p.failed_tries).saturating_sub(healed);
            let p = self.permanent_mut();
            p.failed_tries = u32::try_from(failed).unwrap_or(0);
            p.self_heal_timer = p.self_heal_timer.wrapping_add(step);
        }
        let p = &self.state.permanent;
        if !p.lockout_auth_enabled && p.lockout_recovery != 0 {
            let since = elapsed(time, p.lockout_timer) / 1000;
            if since >= u64::from(p.lockout_recovery) {
                self.permanent_mut().lockout_auth_enabled = true;
            }
        }
    }

    /// True while protected objects cannot be authorized.
    pub(crate) fn in_lockout(&self) -> bool {
        self.state.permanent.failed_tries >= self.state.permanent.max_tries
    }

    /// Counts a failed authorization of `handle`; for LOCKOUT itself, disables lockoutAuth.
    pub(crate) fn register_lockout_failure(&mut self, handle: u32) {
        let time = self.state.volatile.time;
        let p = self.permanent_mut();
        if handle == rh::LOCKOUT {
            p.lockout_auth_enabled = false;
            p.lockout_timer = time;
        } else if p.recovery_time != 0 {
            p.failed_tries = p.failed_tries.saturating_add(1);
            p.self_heal_timer = time;
        }
    }

    /// The protection as it is when a TPM is made: no failures, and the usual times.
    pub(crate) fn lockout_defaults(&mut self) {
        let p = self.permanent_mut();
        p.failed_tries = 0;
        p.max_tries = MAX_TRIES;
        p.recovery_time = RECOVERY;
        p.lockout_recovery = RECOVERY;
        p.lockout_auth_enabled = true;
    }

    /// The protection at any Startup.
    pub(crate) fn lockout_startup(&mut self, previous: OrderlyState) {
        let p = self.permanent_mut();
        // Time starts at zero with each reset of the clock, and so do the timers. After an orderly shutdown they keep
        // what they had gathered until then.
        let lost = matches!(previous, OrderlyState::None | OrderlyState::DaUsed);
        for timer in [&mut p.self_heal_timer, &mut p.lockout_timer] {
            *timer = if lost { 0 } else { timer.wrapping_sub(p.shutdown_time) };
        }
        if !p.lockout_auth_enabled && p.lockout_recovery == 0 {
            p.lockout_auth_enabled = true;
        }
        // Power was lost after a protected object was used: a failure may not have been counted.
        if previous == OrderlyState::DaUsed && p.recovery_time != 0 && p.failed_tries < p.max_tries {
            p.failed_tries = p.failed_tries.saturating_add(1);
        }
    }
}

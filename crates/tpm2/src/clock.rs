//! Time and Clock (Part 1, 36).

use crate::structures::{ClockInfo, TimeInfo};
use crate::tpm::Tpm;

/// Clock is written to NV at least this often, in milliseconds (TPM_PT_CLOCK_UPDATE).
pub(crate) const CLOCK_UPDATE: u64 = 1 << 12;

impl Tpm<'_> {
    /// Advances Time and Clock to the platform's present. The dispatcher calls it before each command.
    pub(crate) fn update_time(&mut self) {
        let now = self.platform.now();
        let v = &mut self.state.volatile;
        let elapsed = now.saturating_sub(v.platform_time);
        v.platform_time = now;
        if elapsed == 0 {
            return;
        }
        let millionths = i64::try_from(elapsed).unwrap_or(i64::MAX).saturating_mul(i64::from(v.clock_rate));
        let adjusted = millionths.saturating_add(v.clock_fraction);
        v.clock_fraction = adjusted % 1_000_000;
        let elapsed = elapsed.saturating_add_signed(adjusted / 1_000_000);
        v.time = v.time.saturating_add(elapsed);
        let before = v.clock;
        v.clock = v.clock.saturating_add(elapsed);
        // Past an update interval no value above this one can have been reported before a loss of power.
        if v.started && !self.state.permanent.clock_safe && v.clock / CLOCK_UPDATE > before / CLOCK_UPDATE {
            self.permanent_mut().clock_safe = true;
        }
    }

    /// TPMS_CLOCK_INFO now.
    pub(crate) fn clock_info(&self) -> ClockInfo {
        ClockInfo {
            clock: self.state.volatile.clock,
            reset_count: self.state.permanent.reset_count,
            restart_count: self.state.reset.restart_count,
            safe: self.state.permanent.clock_safe,
        }
    }

    /// TPMS_TIME_INFO now.
    pub(crate) fn time_info(&self) -> TimeInfo {
        TimeInfo { time: self.state.volatile.time, clock_info: self.clock_info() }
    }
}

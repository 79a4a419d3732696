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

#[cfg(test)]
mod tests {
    use super::CLOCK_UPDATE;
    use crate::engine::Tpm2;
    use crate::testing::Host;
    use sealwright_core::Engine as _;
    use sealwright_crypto::RUST;

    /// A started TPM whose Clock is not safe, and its host.
    fn unsafe_clock() -> (Tpm2, Host) {
        let mut host = Host::default();
        let mut tpm = Tpm2::manufacture(&RUST, &mut host).unwrap();
        let mut start = |tpm: &mut Tpm2| {
            tpm.power_on(&mut host);
            tpm.execute(&mut host, 0, &[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0], &mut [0; 4096]);
        };
        start(&mut tpm);
        start(&mut tpm);
        assert!(tpm.state.volatile.started && !tpm.state.permanent.clock_safe);
        (tpm, host)
    }

    #[test]
    fn a_clock_that_became_safe_while_saved_is_safe_after_resume() {
        let (mut tpm, mut host) = unsafe_clock();
        let permanent = tpm.save_permanent();
        host.now += CLOCK_UPDATE;
        let volatile = tpm.save_volatile(&mut host);
        assert!(tpm.state.permanent.clock_safe);
        let mut copy = Tpm2::restore(&RUST, &permanent).unwrap();
        copy.resume(&mut host, &volatile).unwrap();
        assert!(copy.state.permanent.clock_safe);
        assert_eq!(copy.save_permanent(), tpm.save_permanent());
    }

    #[test]
    fn the_fraction_of_a_millisecond_survives_resume() {
        let (mut tpm, mut host) = unsafe_clock();
        tpm.state.volatile.clock_rate = 150_000;
        let begin = tpm.state.volatile.clock;
        for _ in 0..20 {
            host.now += 1;
            let (permanent, volatile) = (tpm.save_permanent(), tpm.save_volatile(&mut host));
            tpm = Tpm2::restore(&RUST, &permanent).unwrap();
            tpm.resume(&mut host, &volatile).unwrap();
        }
        assert_eq!(tpm.state.volatile.clock - begin, 23);
    }
}

//! Clocks and timers (Part 3, 29).

pub(crate) mod clock_rate_adjust;
pub(crate) mod clock_set;
pub(crate) mod read_clock;

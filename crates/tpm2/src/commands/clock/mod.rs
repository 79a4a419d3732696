//! Clocks and timers (Part 3, 29).

pub mod clock_rate_adjust;
pub mod clock_set;
pub mod read_clock;

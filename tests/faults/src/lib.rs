//! A disk that fails, tears, forgets and reorders at any of its calls, and a workload that is run once for every call and
//! every fault. Afterwards the state must be the last one that was acknowledged, or the one in flight.

mod disk;
mod swtpm;
mod workload;

pub use disk::{Fault, FaultyDisk};
pub use swtpm::{Form, conversions};
pub use workload::{Ground, Outcome, campaign, campaign_of, combinations};

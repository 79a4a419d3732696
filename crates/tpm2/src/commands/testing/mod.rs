//! Testing (Part 3, 10).

pub(crate) mod get_test_result;
pub(crate) mod incremental_self_test;
pub(crate) mod self_test;

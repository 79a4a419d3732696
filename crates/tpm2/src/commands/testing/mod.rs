//! Testing (Part 3, 10).

pub mod get_test_result;
pub mod incremental_self_test;
pub mod self_test;

//! Context management (Part 3, 28).

pub mod context_load;
pub mod context_save;
pub mod evict_control;
pub mod flush_context;
mod protect;

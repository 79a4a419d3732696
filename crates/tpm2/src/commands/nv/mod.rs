//! Non-volatile storage (Part 3, 31).

pub(crate) mod nv_change_auth;
pub(crate) mod nv_define_space;
pub(crate) mod nv_define_space2;
pub(crate) mod nv_extend;
pub(crate) mod nv_global_write_lock;
pub(crate) mod nv_increment;
pub(crate) mod nv_read;
pub(crate) mod nv_read_lock;
pub(crate) mod nv_read_public;
pub(crate) mod nv_read_public2;
pub(crate) mod nv_set_bits;
pub(crate) mod nv_undefine_space;
pub(crate) mod nv_undefine_space_special;
pub(crate) mod nv_write;
pub(crate) mod nv_write_lock;

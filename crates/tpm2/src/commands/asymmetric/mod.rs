//! Asymmetric primitives (Part 3, 14).

pub(crate) mod ecc_decrypt;
pub(crate) mod ecc_encrypt;
pub(crate) mod ecc_parameters;
pub(crate) mod ecdh_key_gen;
pub(crate) mod ecdh_z_gen;
pub(crate) mod rsa_decrypt;
pub(crate) mod rsa_encrypt;
pub(crate) mod z_gen_2_phase;

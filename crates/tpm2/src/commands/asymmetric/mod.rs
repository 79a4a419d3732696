//! Asymmetric primitives (Part 3, 14).

pub mod ecc_decrypt;
pub mod ecc_encrypt;
pub mod ecc_parameters;
pub mod ecdh_key_gen;
pub mod ecdh_z_gen;
pub mod rsa_decrypt;
pub mod rsa_encrypt;
pub mod z_gen_2_phase;

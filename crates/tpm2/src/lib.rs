//! The Sealwright TPM 2.0 engine.

//! Derives for the structures and commands of the Sealwright TPM engines.

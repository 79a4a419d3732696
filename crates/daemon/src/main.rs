//! vtpmd: the TPM of one VM in one process.
fn main() {}

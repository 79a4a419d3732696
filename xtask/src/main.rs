//! Demo, tests, benchmarks and checks of the Sealwright workspace.
fn main() {}

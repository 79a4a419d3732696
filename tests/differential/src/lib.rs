//! The same commands to vtpmd and to swtpm, compared; and the benchmark.

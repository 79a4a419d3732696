//! What the engine itself takes for a command, in this process, on both crypto providers: no socket, no storage.
//!
//! `cargo bench -p sealwright-tpm2 [-- FILTER]`; `cargo xtask bench` measures whole daemons.
#![allow(missing_docs, reason = "criterion's macro makes public functions")]

mod engine;

use criterion::{Criterion, criterion_group, criterion_main};
use engine::{Machine, ROWS};
use sealwright_crypto::RUST;
use sealwright_crypto_native::NATIVE;

fn commands(c: &mut Criterion) {
    for crypto in [&NATIVE, &RUST] {
        let mut group = c.benchmark_group(crypto.name);
        for row in ROWS {
            // What a filter leaves out is not prepared either.
            let mut ready = None;
            group.bench_function(row.name, |b| {
                let (machine, repeated) = ready.get_or_insert_with(|| {
                    let mut machine = Machine::new(crypto);
                    let repeated = (row.prepare)(&mut machine);
                    (machine, repeated)
                });
                b.iter(|| machine.repeat(repeated));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, commands);
criterion_main!(benches);

//! The image: an engine with the pure-Rust provider, and every call with inputs that the compiler cannot know.

use core::hint::black_box;
use linked_list_allocator::LockedHeap;
use sealwright_core::{Engine, Platform, PlatformFault};
use sealwright_crypto::RUST;
use sealwright_tpm2::Tpm2;

#[global_allocator]
static HEAP: LockedHeap = LockedHeap::empty();

/// Keeps [`entry`] in the image, which has no other way in.
#[used]
static ENTRY: fn(&[u8], &mut [u8]) -> usize = entry;

/// A panic that must be found, or the search is blind.
#[used]
static CANARY: fn(&[u8]) -> u8 = canary;

#[inline(never)]
fn canary(bytes: &[u8]) -> u8 {
    bytes[black_box(3)]
}

/// Where every panic ends. It looks at its argument, so that the ways to it stay apart from each other.
#[panic_handler]
#[inline(never)]
fn panicked(panic: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        black_box(panic);
    }
}

/// A host about which nothing is known.
struct Host;

impl Platform for Host {
    fn entropy(&mut self, out: &mut [u8]) -> Result<(), PlatformFault> {
        black_box(out);
        black_box(Ok(()))
    }
    fn now(&mut self) -> u64 {
        black_box(0)
    }
    fn commit(&mut self, state: &[u8]) -> Result<(), PlatformFault> {
        black_box(state);
        black_box(Ok(()))
    }
    fn cancelled(&mut self) -> bool {
        black_box(false)
    }
    fn physical_presence(&mut self) -> bool {
        black_box(false)
    }
}

/// The whole surface of an engine.
fn entry(input: &[u8], response: &mut [u8]) -> usize {
    let mut host = Host;
    let made = match black_box(0) {
        0 => Tpm2::manufacture(&RUST, &mut host).ok(),
        1 => Tpm2::restore(&RUST, input).ok(),
        _ => Tpm2::from_libtpms_permanent(&RUST, input).ok(),
    };
    let Some(mut tpm) = made else { return 0 };
    while black_box(true) {
        match black_box(0) {
            0 => tpm.power_on(&mut host),
            1 => tpm.hash_start(&mut host),
            2 => tpm.hash_data(&mut host, black_box(input)),
            3 => tpm.hash_end(&mut host),
            4 => drop(black_box(tpm.save_permanent())),
            5 => drop(black_box(tpm.save_volatile(&mut host))),
            6 => drop(black_box(tpm.resume(&mut host, black_box(input)))),
            7 => drop(black_box(tpm.reset_established(black_box(0)))),
            8 => drop(black_box(tpm.set_buffer_size(black_box(0)))),
            9 => drop(black_box(tpm.to_libtpms_permanent())),
            10 => drop(black_box(tpm.to_libtpms_volatile(&mut host, black_box(0)))),
            11 => drop(black_box(tpm.resume_libtpms_volatile(&mut host, black_box(input), black_box(None)))),
            12 => drop(black_box((tpm.buffer_size(), tpm.established(), tpm.is_orderly()))),
            _ => drop(black_box(tpm.execute(&mut host, black_box(0), black_box(input), black_box(&mut *response)))),
        }
    }
    response.len()
}

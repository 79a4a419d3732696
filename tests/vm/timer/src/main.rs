//! Times TPM commands through the guest's driver: `guest-timer DEVICE REPETITIONS` prints a line for each command, its name
//! and then microseconds. Built without shared libraries, because the guest has few.

use std::fs::{File, OpenOptions};
use std::io::{Error, Read, Result, Write};
use std::time::Instant;

/// TPM2_GetRandom of 32 bytes.
const RANDOM: &[u8] = &[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7B, 0, 32];
/// TPM2_ReadClock.
const CLOCK: &[u8] = &[0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0x81];
/// TPM2_PCR_Read of the first eight of SHA-256.
const READ: &[u8] = &[0x80, 1, 0, 0, 0, 20, 0, 0, 1, 0x7E, 0, 0, 0, 1, 0, 0x0B, 3, 0xFF, 0, 0];

/// TPM2_PCR_Extend of PCR 16 in four banks, as Linux and firmware measure.
fn extend() -> Vec<u8> {
    let mut body = vec![0, 0, 1, 0x82, 0, 0, 0, 16, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 1, 0, 0, 0, 0, 0, 4];
    for (alg, size) in [(4_u8, 20), (0x0B, 32), (0x0C, 48), (0x0D, 64)] {
        body.extend([0, alg]);
        body.extend(vec![alg; size]);
    }
    let size = body.len() as u32 + 6;
    [&[0x80, 2][..], &size.to_be_bytes(), &body].concat()
}

/// Sends a command and reads its answer; microseconds.
fn once(device: &mut File, command: &[u8]) -> Result<f64> {
    let mut answer = [0; 4096];
    let begin = Instant::now();
    device.write_all(command)?;
    let size = device.read(&mut answer)?;
    let time = begin.elapsed();
    match answer.get(..size).and_then(|answer| answer.get(6..10)) {
        Some([0, 0, 0, 0]) => Ok(time.as_nanos() as f64 / 1000.0),
        other => Err(Error::other(format!("the TPM answered {other:02x?}"))),
    }
}

fn run() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [path, repetitions] = &words[..] else {
        return Err(Error::other("usage: guest-timer DEVICE REPETITIONS"));
    };
    let repetitions: usize = repetitions.parse().map_err(|_| Error::other("REPETITIONS is no number"))?;
    let mut device = OpenOptions::new().read(true).write(true).open(path)?;
    let extend = extend();
    let commands = [
        ("GetRandom(32)", RANDOM),
        ("ReadClock", CLOCK),
        ("PCR_Read (8 of sha256)", READ),
        ("PCR_Extend (4 banks)", &extend),
    ];
    for (name, command) in commands {
        for _ in 0..repetitions / 10 {
            once(&mut device, command)?;
        }
        let times = (0..repetitions).map(|_| once(&mut device, command)).collect::<Result<Vec<_>>>()?;
        let times: Vec<String> = times.iter().map(|time| format!("{time:.1}")).collect();
        println!("{name}\t{}", times.join(" "));
    }
    Ok(())
}

fn main() {
    if let Err(error) = run() {
        eprintln!("guest-timer: {error}");
        std::process::exit(1);
    }
}

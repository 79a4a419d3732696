//! `--pcap`: commands and responses in a capture file (pcapng) that Wireshark reads, as TCP segments between a client and
//! port 2321 of this host. There is everything in it that the guest sends, passwords too.

use crate::failure::{Failure, failure};
use crate::log::say;
use crate::options::{PcapOption, Source};
use rustix::fs::{Mode, OFlags};
use sealwright_keys::descriptor;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::time::{SystemTime, UNIX_EPOCH};

/// Section header, interface description (Ethernet), enhanced packet: draft-ietf-opsawg-pcapng, section 4.
const SECTION: u32 = 0x0A0D_0D0A;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1A2B_3C4D;
const ETHERNET: u16 = 1;
/// The port that simulators of TPMs have.
const TPM_PORT: u16 = 2321;
const LOCALHOST: [u8; 4] = [127, 0, 0, 1];
/// Bytes of an IP and of a TCP header.
const HEADER: u16 = 20;

mod tcp {
    pub(super) const FIN: u8 = 1;
    pub(super) const SYN: u8 = 2;
    pub(super) const ACK: u8 = 0x10;
}

/// Which way a segment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    ToTpm,
    FromTpm,
}

/// A capture that is written.
#[derive(Debug)]
pub(crate) struct Capture {
    file: File,
    checksums: bool,
    port: u16,
    /// Sequence numbers of the client and of the TPM.
    client: u32,
    tpm: u32,
    /// It cannot be written any more, which was said.
    broken: bool,
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// The sum of 16-bit words, as IP and TCP have it.
fn sum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for part in parts {
        for pair in part.chunks(2) {
            let word = [pair.first().copied().unwrap_or(0), pair.get(1).copied().unwrap_or(0)];
            sum = sum.wrapping_add(u16::from_be_bytes(word).into());
        }
    }
    loop {
        match u16::try_from(sum) {
            Ok(sum) => return !sum,
            Err(_) => sum = (sum & 0xFFFF).wrapping_add(sum >> 16),
        }
    }
}

/// A block around a body of any length.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let length = u32::try_from(padded.saturating_add(12)).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = [&kind.to_le_bytes()[..], &length, body].concat();
    out.resize(padded.saturating_add(8), 0);
    out.extend_from_slice(&length);
    out
}

impl Capture {
    /// Opens the file and begins a connection in it. Links are not followed; an old capture is continued by a new section.
    pub(crate) fn open(option: &PcapOption) -> Result<Self, Failure> {
        let mode = Mode::from_raw_mode(option.mode.unwrap_or(0o640));
        let fd = match &option.to {
            Source::File(path) => {
                let mut flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
                flags.set(OFlags::TRUNC, option.truncate);
                rustix::fs::open(path, flags, mode)
                    .map_err(|e| failure!("--pcap: cannot open {}: {e}", path.display()))?
            }
            Source::Descriptor(number) => {
                let fd = descriptor(*number).map_err(|e| failure!("--pcap: {e}"))?;
                if option.truncate {
                    // A pipe cannot be truncated; then there is nothing to truncate.
                    let _ = rustix::fs::ftruncate(&fd, 0);
                }
                fd
            }
        };
        if option.mode.is_some() {
            rustix::fs::fchmod(&fd, mode).map_err(|e| failure!("--pcap: cannot set the mode of the file: {e}"))?;
        }
        let mut file = File::from(fd);
        // A pipe has no end to go to.
        let _ = file.seek(SeekFrom::End(0));
        let mut random = [0; 10];
        sealwright_state::entropy::fill(&mut random).map_err(|e| failure!("--pcap: {e}"))?;
        let [a, b, c, d, e, f, g, h, i, j] = random;
        let mut capture = Self {
            file,
            checksums: option.checksums,
            port: 50_000_u16.saturating_add(u16::from_be_bytes([a, b]) % 5000),
            client: u32::from_be_bytes([c, d, e, f]),
            tpm: u32::from_be_bytes([g, h, i, j]),
            broken: false,
        };
        let section = [&BYTE_ORDER.to_le_bytes()[..], &[1, 0, 0, 0], &[0; 8]].concat();
        let interface = [&ETHERNET.to_le_bytes()[..], &[0; 6]].concat();
        let head = [block(SECTION, &section), block(INTERFACE, &interface)].concat();
        capture.file.write_all(&head).map_err(|e| failure!("--pcap: cannot write: {e}"))?;
        capture.exchange(tcp::SYN);
        Ok(capture)
    }

    fn segment(&mut self, way: Way, flags: u8, ack: u32, payload: &[u8]) {
        let (ports, sequence) = match way {
            Way::ToTpm => ([self.port, TPM_PORT], self.client),
            Way::FromTpm => ([TPM_PORT, self.port], self.tpm),
        };
        let [source, destination] = ports.map(u16::to_be_bytes);
        let tcp_size = HEADER.saturating_add(u16::try_from(payload.len()).unwrap_or(u16::MAX));
        let size = tcp_size.saturating_add(HEADER).to_be_bytes();
        let ip = |sum: [u8; 2]| {
            let fixed = [0x45, 0x10, size[0], size[1], 0x06, 0x9B, 0x40, 0, 64, 6];
            [&fixed[..], &sum, &LOCALHOST, &LOCALHOST].concat()
        };
        let tcp = |sum: [u8; 2]| {
            let (sequence, ack) = (sequence.to_be_bytes(), ack.to_be_bytes());
            let rest = [0x50, flags, 0xFF, 0xC4];
            [&source[..], &destination, &sequence, &ack, &rest, &sum, &[0, 0]].concat()
        };
        let (mut ip_header, mut tcp_header) = (ip([0; 2]), tcp([0; 2]));
        if self.checksums {
            let pseudo = [&LOCALHOST[..], &LOCALHOST, &[0, 6], &tcp_size.to_be_bytes()].concat();
            let tcp_sum = sum(&[&pseudo, &tcp_header, payload]).to_be_bytes();
            tcp_header = tcp(tcp_sum);
            ip_header = ip(sum(&[&ip_header]).to_be_bytes());
        }
        let frame = [&[0; 12][..], &[8, 0], &ip_header, &tcp_header, payload].concat();
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX).to_le_bytes();
        let time = now();
        let (high, low) = ((time >> 32).to_le_bytes(), time.to_le_bytes());
        let head = [&[0; 4][..], high.get(..4).unwrap_or_default(), low.get(..4).unwrap_or_default(), &length, &length];
        let body = [&head.concat()[..], &frame].concat();
        if let (false, Err(error)) = (self.broken, self.file.write_all(&block(PACKET, &body))) {
            say!("the capture cannot be written any more: {error}");
            self.broken = true;
        }
        let moved = u32::try_from(payload.len()).unwrap_or(0);
        match way {
            Way::ToTpm => self.client = self.client.wrapping_add(moved),
            Way::FromTpm => self.tpm = self.tpm.wrapping_add(moved),
        }
    }

    /// Three segments that begin or end the connection.
    fn exchange(&mut self, flag: u8) {
        self.segment(Way::ToTpm, flag, if flag == tcp::SYN { 0 } else { self.tpm }, &[]);
        self.client = self.client.wrapping_add(1);
        self.segment(Way::FromTpm, flag | tcp::ACK, self.client, &[]);
        self.tpm = self.tpm.wrapping_add(1);
        self.segment(Way::ToTpm, tcp::ACK, self.tpm, &[]);
    }

    /// A command.
    pub(crate) fn command(&mut self, bytes: &[u8]) {
        self.segment(Way::ToTpm, tcp::ACK, self.tpm, bytes);
    }

    /// A response.
    pub(crate) fn response(&mut self, bytes: &[u8]) {
        self.segment(Way::FromTpm, tcp::ACK, self.client, bytes);
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.exchange(tcp::FIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;

    #[test]
    fn a_capture_is_made_of_whole_blocks_and_right_sums() {
        let folder = Folder::new("capture");
        let path = folder.path().join("x.pcap");
        let option = PcapOption { to: Source::File(path.clone()), truncate: false, mode: Some(0o600), checksums: true };
        let mut capture = Capture::open(&option).unwrap();
        capture.command(&[0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0]);
        capture.response(&[0x80, 1, 0, 0, 0, 10, 0, 0, 0, 0]);
        drop(capture);
        let bytes = std::fs::read(&path).unwrap();
        // Sections of swtpm have these sizes.
        assert_eq!(bytes.len(), 312 + 196 + 264);
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let (mut at, mut kinds, mut payloads) = (0, Vec::new(), Vec::new());
        while at < bytes.len() {
            let (kind, length) = (word(at), word(at + 4) as usize);
            assert_eq!(word(at + length - 4) as usize, length);
            if kind == PACKET {
                let frame = &bytes[at + 28..at + 28 + word(at + 20) as usize];
                let (ip, tcp) = (&frame[14..34], &frame[34..]);
                assert_eq!(sum(&[ip]), 0, "checksum of IP");
                let size = u16::try_from(tcp.len()).unwrap().to_be_bytes();
                assert_eq!(sum(&[&LOCALHOST, &LOCALHOST, &[0, 6], &size, tcp]), 0, "checksum of TCP");
                payloads.extend_from_slice(&tcp[20..]);
            }
            kinds.push(kind);
            at += length;
        }
        assert_eq!(kinds[..2], [SECTION, INTERFACE]);
        assert!(kinds[2..].iter().all(|kind| *kind == PACKET) && kinds.len() == 10);
        assert_eq!(payloads.len(), 22);
        drop(Capture::open(&option).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 772 + 312 + 264, "continued");
    }
}

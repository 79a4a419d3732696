//! Who may write: the note that a writer leaves for everybody else, beside the lock that the system keeps.

use core::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A program that writes, or wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// Its host.
    pub host: String,
    /// Since when, in seconds since 1970.
    pub since: u64,
}

impl Holder {
    /// This process, now.
    pub fn here() -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let host = host.chars().filter(|c| !c.is_whitespace()).take(64).collect();
        Self { pid: std::process::id(), host, since: now() / 1000 }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on host {} since {}", self.pid, self.host, timestamp(self.since))
    }
}

/// The note: bytes of text, so that people can read it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The highest epoch that a writer took.
    pub epoch: u64,
    /// True once a state was stored here. If it is gone later, it was lost.
    pub present: bool,
    /// Who has it, or `None` if it was given back.
    pub holder: Option<Holder>,
}

impl Lease {
    /// Room that the note has, so that it is written in one sector.
    pub(crate) const SIZE: usize = 512;
    const FIRST: &'static str = "sealwright-lease 1";

    /// The note, padded to [`Lease::SIZE`].
    pub(crate) fn encode(&self) -> Vec<u8> {
        let state = if self.present { "present" } else { "none" };
        let holder = self
            .holder
            .as_ref()
            .map_or("holder none".to_owned(), |h| format!("holder pid={} host={} since={}", h.pid, h.host, h.since));
        let mut text = format!("{}\nepoch {}\nstate {state}\n{holder}\n", Self::FIRST, self.epoch).into_bytes();
        text.resize(Self::SIZE, b'\n');
        text
    }

    /// Reads a note; `None` if there is none (swtpm's lock file is empty).
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(bytes).ok()?;
        let mut lines = text.lines();
        (lines.next()? == Self::FIRST).then_some(())?;
        let epoch = lines.next()?.strip_prefix("epoch ")?.parse().ok()?;
        let present = lines.next()? == "state present";
        let holder = lines.next().and_then(|line| {
            let mut fields = line.strip_prefix("holder ")?.split(' ');
            let pid = fields.next()?.strip_prefix("pid=")?.parse().ok()?;
            let host = fields.next()?.strip_prefix("host=")?.to_owned();
            let since = fields.next()?.strip_prefix("since=")?.parse().ok()?;
            Some(Holder { pid, host, since })
        });
        Some(Self { epoch, present, holder })
    }

    /// Who has it, in words.
    pub(crate) fn who(lease: Option<&Self>) -> String {
        let holder = lease.and_then(|l| l.holder.as_ref());
        holder.map_or("another program that left no name (swtpm leaves none)".to_owned(), Holder::to_string)
    }
}

/// Milliseconds since 1970 by the host's clock.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Seconds since 1970 as RFC 3339 writes them, in UTC.
pub fn timestamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // The civil calendar from a count of days, in eras of 400 years that begin on 1 March.
    let days = days.saturating_add(719_468);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era.saturating_mul(400).saturating_add(year_of_era).saturating_add(carry);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest % 3600 / 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_comes_back() {
        for holder in [Some(Holder { pid: 7, host: "h1".to_owned(), since: 1_700_000_000 }), None] {
            let lease = Lease { epoch: 9, present: true, holder };
            let bytes = lease.encode();
            assert_eq!(bytes.len(), Lease::SIZE);
            assert_eq!(Lease::decode(&bytes), Some(lease));
        }
        assert_eq!(Lease::decode(b""), None);
    }

    #[test]
    fn times_are_written_as_people_read_them() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(1_709_210_096), "2024-02-29T12:34:56Z");
        assert_eq!(timestamp(1_735_689_599), "2024-12-31T23:59:59Z");
    }
}

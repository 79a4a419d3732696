//! Where a run was made, and with what.

use crate::measure::Side;
use core::time::Duration;
use sealwright_differential::daemon::{Daemon, Setting};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

/// The machine, the programs and their libraries.
pub(crate) struct Machine {
    /// Name and value, in the order in which they are shown.
    facts: Vec<(&'static str, String)>,
}

impl Machine {
    /// Looks at the machine; starts each daemon once, to see which libraries it has.
    pub(crate) fn look(left: &Side, right: &Side, commit: &str) -> Self {
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let value = |key: &str| {
            let line = cpu.lines().find(|l| l.split(':').next().is_some_and(|name| name.trim() == key));
            line.and_then(|l| l.split_once(':')).map_or("?", |(_, v)| v.trim()).to_owned()
        };
        let count = cpu.lines().filter(|l| l.starts_with("processor")).count();
        let flags = value("flags");
        let instructions = ["sha_ni", "aes", "avx2", "bmi2", "adx", "avx512ifma"];
        let has: Vec<_> = instructions.into_iter().filter(|i| flags.split(' ').any(|f| f == *i)).collect();
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let load = read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ");
        let libraries = libraries(right);
        Self {
            facts: vec![
                ("date", date(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO))),
                (
                    "cpu",
                    format!(
                        "{count} x {}, family {} model {} ({})",
                        value("model name"),
                        value("cpu family"),
                        value("model"),
                        has.join(" ")
                    ),
                ),
                ("kernel", format!("Linux {}", read("/proc/sys/kernel/osrelease").split('-').next().unwrap_or("?"))),
                ("system", system(&read("/etc/os-release"))),
                ("load before", load),
                ("scheduling", scheduling(&read("/proc/self/stat"))),
                ("vtpmd", version(&left.command)),
                ("vtpmd commit", commit.to_owned()),
                ("swtpm", version(&right.command)),
                ("libtpms", libraries.0),
                ("OpenSSL", libraries.1),
            ],
        }
    }

    /// One fact on each line.
    pub(crate) fn text(&self) -> String {
        self.facts.iter().map(|(name, value)| format!("{name:12}  {value}\n")).collect()
    }

    /// All in one paragraph.
    pub(crate) fn sentence(&self) -> String {
        self.facts.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join(" · ")
    }

    /// What has to stand below a picture.
    pub(crate) fn short(&self) -> String {
        let shown = ["date", "cpu", "kernel", "vtpmd commit", "swtpm", "libtpms", "OpenSSL"];
        let facts = self.facts.iter().filter(|(name, _)| shown.contains(name));
        let words = facts.map(|(name, value)| match *name {
            "vtpmd commit" => format!("vtpmd {value}"),
            "libtpms" | "swtpm" => format!("{name} {value}"),
            "cpu" => value.split(" (").next().unwrap_or(value).to_owned(),
            _ => value.clone(),
        });
        words.collect::<Vec<_>>().join(" · ")
    }

    pub(crate) fn json(&self) -> Value {
        self.facts.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))).collect()
    }
}

/// The first line that a program answers to `--version`, without what comes after a comma.
fn version(command: &str) -> String {
    let program = command.split_whitespace().next().unwrap_or(command);
    let output = std::process::Command::new(program).arg("--version").output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    let line = text.lines().next().unwrap_or("unknown");
    line.split(',').next().unwrap_or(line).trim_start_matches("TPM emulator version ").to_owned()
}

/// The name of the distribution.
fn system(os_release: &str) -> String {
    let line = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    line.unwrap_or("unknown").trim_matches('"').to_owned()
}

/// Under which of the kernel's policies this process runs: field 41 of `/proc/PID/stat`, the priority before it.
fn scheduling(stat: &str) -> String {
    let after: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let (priority, policy) = (after.get(37).unwrap_or(&"?"), after.get(38).unwrap_or(&"?"));
    match *policy {
        "0" => "ordinary".into(),
        "1" => format!("FIFO, priority {priority}"),
        "2" => format!("round robin, priority {priority}"),
        other => format!("policy {other}"),
    }
}

/// Versions of libtpms and of OpenSSL's libcrypto that a daemon has in its memory.
fn libraries(side: &Side) -> (String, String) {
    let setting = Setting { quiet: true, ..Setting::default() };
    let maps = Daemon::start_with(&side.command, &setting)
        .and_then(|daemon| std::fs::read_to_string(format!("/proc/{}/maps", daemon.id())))
        .unwrap_or_default();
    let file = |part: &str| {
        let found = maps.split_whitespace().find(|word| word.starts_with('/') && word.contains(part));
        found.map(str::to_owned)
    };
    let libtpms = file("/libtpms.so.").and_then(|path| path.rsplit_once(".so.").map(|(_, version)| version.to_owned()));
    let openssl = file("/libcrypto.so").and_then(|path| std::fs::read(path).ok()).and_then(|bytes| openssl(&bytes));
    (libtpms.unwrap_or_else(|| "unknown".into()), openssl.unwrap_or_else(|| "unknown".into()))
}

/// The version string in a libcrypto, such as `OpenSSL 3.0.19 27 Jan 2026`.
fn openssl(library: &[u8]) -> Option<String> {
    const NAME: &[u8] = b"OpenSSL ";
    let starts = library.windows(NAME.len() + 1).enumerate();
    let mut versions = starts.filter(|(_, w)| w.starts_with(NAME) && w[NAME.len()].is_ascii_digit()).map(|(i, _)| i);
    let start = versions.next()?;
    let text: Vec<u8> = library[start..].iter().copied().take_while(|b| (b' '..=b'~').contains(b)).take(60).collect();
    String::from_utf8(text).ok()
}

/// The day, from the time since 1970: days are counted in eras of 400 years that begin in March.
fn date(since_epoch: Duration) -> String {
    let days = since_epoch.as_secs() / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = (era * 400 + year + u64::from(month >= 10), if month < 10 { month + 3 } else { month - 9 });
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::{Duration, date, openssl, scheduling, system};

    #[test]
    fn days_have_their_dates() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (1_795_219_200, "2026-11-21"),
            (4_102_444_799, "2099-12-31"),
        ] {
            assert_eq!(date(Duration::from_secs(seconds)), day);
        }
    }

    #[test]
    fn versions_are_found() {
        assert_eq!(openssl(b"\0OpenSSL \0OpenSSL 3.0.19 27 Jan 2026\0more"), Some("OpenSSL 3.0.19 27 Jan 2026".into()));
        assert_eq!(openssl(b"OpenSSL"), None);
        assert_eq!(
            system("ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"),
            "Debian GNU/Linux 12 (bookworm)"
        );
    }

    #[test]
    fn policies_have_names() {
        let fields: String = (3..=52).map(|n| format!(" {}", if n == 40 { 5 } else { i32::from(n == 41) })).collect();
        assert_eq!(scheduling(&format!("1 (a b) c){fields}")), "FIFO, priority 5");
    }
}

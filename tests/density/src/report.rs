//! The figures as a table for people, and as JSON.

use crate::fleet::Idle;
use crate::load::{Latency, PROBES, Work};
use crate::proc::{Held, KINDS};
use core::time::Duration;
use serde_json::{Value, json};

/// All about one kind of daemon.
pub(crate) struct Figures {
    pub(crate) version: String,
    pub(crate) command: String,
    pub(crate) count: usize,
    /// Bytes of all state files.
    pub(crate) stored: u64,
    /// From the first start to the last answered TPM2_Startup.
    pub(crate) start: Duration,
    pub(crate) starts: Latency,
    pub(crate) idle: Idle,
    pub(crate) idle_time: Duration,
    pub(crate) held_idle: Held,
    /// After all have worked.
    pub(crate) held_after: Held,
    pub(crate) machine_before: [u64; KINDS.len()],
    pub(crate) machine_after: [u64; KINDS.len()],
    /// One command to each in turn.
    pub(crate) each_once: Latency,
    pub(crate) alone: [Latency; PROBES.len()],
    pub(crate) work: Work,
    /// Until the last one has ended.
    pub(crate) stop: Duration,
    pub(crate) intact: usize,
}

/// What the program with many engines said.
pub(crate) struct Engines(Vec<(String, String)>);

impl Engines {
    /// Lines `name: value`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let pairs: Vec<_> = text
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect();
        if pairs.is_empty() { Err(format!("no figures in: {text}")) } else { Ok(Self(pairs)) }
    }
}

/// Everything.
pub(crate) struct Report {
    pub(crate) machine: String,
    pub(crate) limits: Vec<(&'static str, String)>,
    pub(crate) daemons: Vec<Figures>,
    pub(crate) engines: Option<Engines>,
}

fn each(sum: u64, count: usize) -> String {
    let value = sum as f64 / count.max(1) as f64;
    if value < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

fn latency(latency: &Latency) -> String {
    format!("{:.1}, {:.1}", latency.median, latency.p99)
}

impl Figures {
    /// How much of a kind of memory the machine lost to each of them, in KiB.
    fn machine(&self, kind: &str) -> f64 {
        let Some(at) = KINDS.iter().position(|one| *one == kind) else { return 0.0 };
        let value = |of: &[u64; KINDS.len()]| of.get(at).copied().unwrap_or(0) as f64;
        let more = value(&self.machine_after) - value(&self.machine_before);
        let sign = if kind == "MemAvailable" { -1.0 } else { 1.0 };
        sign * more / self.count.max(1) as f64
    }

    fn rows(&self) -> Vec<(String, String)> {
        let n = self.count;
        let idle = &self.idle;
        let mut rows = vec![
            ("number of TPMs".into(), n.to_string()),
            ("state file, each, bytes".into(), each(self.stored, n)),
            ("start of all, one after the other, s".into(), format!("{:.2}", self.start.as_secs_f64())),
            ("start of one, median and p99, us".into(), latency(&self.starts)),
            ("PSS, all, MiB".into(), format!("{:.0}", self.held_idle.pss as f64 / 1024.0)),
            ("PSS, each, KiB".into(), each(self.held_idle.pss, n)),
            ("private, each, KiB".into(), each(self.held_idle.private, n)),
            ("anonymous, each, KiB".into(), each(self.held_idle.anonymous, n)),
            ("RSS, each, KiB".into(), each(self.held_idle.rss, n)),
            ("page tables, each, KiB".into(), each(self.held_idle.tables, n)),
            ("MemAvailable of the machine, less by, each, KiB".into(), format!("{:.0}", self.machine("MemAvailable"))),
        ];
        for kind in ["AnonPages", "SUnreclaim", "KernelStack", "PageTables"] {
            rows.push((format!("of it {kind}, each, KiB"), format!("{:.0}", self.machine(kind))));
        }
        rows.extend([
            ("PSS after work, each, KiB".into(), each(self.held_after.pss, n)),
            ("threads, each".into(), each(self.held_idle.threads, n)),
            ("file descriptors, each".into(), each(self.held_idle.descriptors, n)),
            (
                format!("at rest for {} s: daemons that ran", self.idle_time.as_secs()),
                format!("{} ({} switches, {:.3} ms)", idle.woken, idle.switches, idle.time as f64 / 1e6),
            ),
            ("GetRandom to each in turn, median and p99, us".into(), latency(&self.each_once)),
        ]);
        for (name, one) in PROBES.iter().zip(&self.alone) {
            rows.push((format!("{name}, others at rest, us"), latency(one)));
        }
        for (name, one) in PROBES.iter().zip(&self.work.latency) {
            rows.push((format!("{name}, others at work, us"), latency(one)));
        }
        rows.extend([
            ("commands a second of the others at work".into(), format!("{:.0}", self.work.rate)),
            ("processor time of one of these, us".into(), format!("{:.1}", self.work.cost)),
            ("stop of all, one after the other, s".into(), format!("{:.2}", self.stop.as_secs_f64())),
            ("states intact".into(), self.intact.to_string()),
        ]);
        rows
    }

    fn json(&self) -> Value {
        let held = |held: &Held| {
            json!({"rss": held.rss, "pss": held.pss, "private": held.private, "anonymous": held.anonymous,
                "page_tables": held.tables, "threads": held.threads, "descriptors": held.descriptors})
        };
        let one = |l: &Latency| json!({"median": l.median, "p99": l.p99, "worst": l.worst, "count": l.count});
        let named =
            |all: &[Latency]| -> Value { PROBES.iter().zip(all).map(|(n, l)| ((*n).to_owned(), one(l))).collect() };
        let memory =
            |all: &[u64]| -> Value { KINDS.iter().zip(all).map(|(n, v)| ((*n).to_owned(), json!(v))).collect() };
        json!({
            "command": self.command.rsplit('/').next(), "version": self.version, "count": self.count,
            "state_bytes": self.stored, "start_seconds": self.start.as_secs_f64(), "start_us": one(&self.starts),
            "kib_at_rest": held(&self.held_idle), "kib_after_work": held(&self.held_after),
            "machine_kib_before": memory(&self.machine_before), "machine_kib_after": memory(&self.machine_after),
            "rest": {"seconds": self.idle_time.as_secs(), "daemons_that_ran": self.idle.woken,
                "switches": self.idle.switches, "nanoseconds": self.idle.time},
            "each_once_us": one(&self.each_once), "alone_us": named(&self.alone),
            "beside_work_us": named(&self.work.latency), "work_commands_per_second": self.work.rate,
            "work_cpu_us": self.work.cost, "stop_seconds": self.stop.as_secs_f64(), "intact": self.intact,
        })
    }
}

impl Report {
    /// Tables in Markdown, as `docs/reference/density.md` has them.
    pub(crate) fn print(&self) {
        println!("{}\n", self.machine);
        if !self.daemons.is_empty() {
            let heads: Vec<_> = self.daemons.iter().map(|figures| figures.version.as_str()).collect();
            println!("| | {} |\n|---|{}", heads.join(" | "), "---|".repeat(heads.len()));
            let columns: Vec<_> = self.daemons.iter().map(Figures::rows).collect();
            for (at, (name, _)) in columns.first().into_iter().flatten().enumerate() {
                let values: Vec<_> = columns.iter().filter_map(|rows| rows.get(at)).map(|row| row.1.as_str()).collect();
                println!("| {name} | {} |", values.join(" | "));
            }
        }
        if let Some(Engines(pairs)) = &self.engines {
            println!("\n| engines in one process | |\n|---|---|");
            for (name, value) in pairs {
                println!("| {name} | {value} |");
            }
        }
        println!("\n| limit | here |\n|---|---|");
        for (name, value) in &self.limits {
            println!("| {name} | {value} |");
        }
    }

    /// One JSON object.
    pub(crate) fn json(&self) -> String {
        let engines: Option<Value> = self.engines.as_ref().map(|Engines(pairs)| {
            let number = |text: &str| text.parse::<f64>().map_or_else(|_| json!(text), |value| json!(value));
            pairs.iter().map(|(name, value)| (name.clone(), number(value))).collect()
        });
        let limits: Value = self.limits.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let daemons: Vec<Value> = self.daemons.iter().map(Figures::json).collect();
        format!("{:#}\n", json!({"machine": self.machine, "limits": limits, "daemons": daemons, "engines": engines}))
    }
}

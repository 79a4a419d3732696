//! What the kernel says of processes and of the machine.

use std::collections::BTreeMap;
use std::fs;

/// Memory of processes in KiB, and what else they hold. Sums add up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    /// Pages in memory; shared ones count in each process.
    pub(crate) rss: u64,
    /// The same, shared pages divided among those that share them.
    pub(crate) pss: u64,
    /// Pages that no other process has.
    pub(crate) private: u64,
    /// Pages that no file backs: heap, stacks, changed data.
    pub(crate) anonymous: u64,
    /// Page tables.
    pub(crate) tables: u64,
    pub(crate) threads: u64,
    pub(crate) descriptors: u64,
}

impl Held {
    pub(crate) fn of(pid: u32) -> Result<Self, String> {
        let memory = table(&format!("/proc/{pid}/smaps_rollup"))?;
        let status = table(&format!("/proc/{pid}/status"))?;
        let of = |table: &BTreeMap<String, u64>, key: &str| table.get(key).copied().unwrap_or(0);
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).map_err(|e| format!("/proc/{pid}/fd: {e}"))?;
        Ok(Self {
            rss: of(&memory, "Rss"),
            pss: of(&memory, "Pss"),
            private: of(&memory, "Private_Clean") + of(&memory, "Private_Dirty"),
            anonymous: of(&memory, "Anonymous"),
            tables: of(&status, "VmPTE"),
            threads: of(&status, "Threads"),
            descriptors: descriptors.count() as u64,
        })
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            rss: self.rss + other.rss,
            pss: self.pss + other.pss,
            private: self.private + other.private,
            anonymous: self.anonymous + other.anonymous,
            tables: self.tables + other.tables,
            threads: self.threads + other.threads,
            descriptors: self.descriptors + other.descriptors,
        }
    }
}

/// How often a process ran, and for how long; all of its threads together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ran {
    /// Times that it waited for something and was woken, or was put aside.
    pub(crate) switches: u64,
    /// Nanoseconds on a processor.
    pub(crate) time: u64,
}

impl Ran {
    pub(crate) fn of(pid: u32) -> Result<Self, String> {
        let failed = |e: std::io::Error| format!("/proc/{pid}/task: {e}");
        let mut ran = Self::default();
        for thread in fs::read_dir(format!("/proc/{pid}/task")).map_err(failed)? {
            let folder = thread.map_err(failed)?.path();
            let status = table(&folder.join("status").display().to_string())?;
            ran.switches += status.get("voluntary_ctxt_switches").copied().unwrap_or(0);
            ran.switches += status.get("nonvoluntary_ctxt_switches").copied().unwrap_or(0);
            let text = fs::read_to_string(folder.join("schedstat")).map_err(failed)?;
            ran.time += text.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0);
        }
        Ok(ran)
    }
}

/// The numbers of a file of lines `name: number ...`.
fn table(path: &str) -> Result<BTreeMap<String, u64>, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
    let line = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        Some((name.to_owned(), rest.split_whitespace().next()?.parse().ok()?))
    };
    Ok(text.lines().filter_map(line).collect())
}

/// What of /proc/meminfo tells where memory goes, in KiB. Other programs of the machine are in it too.
pub(crate) const KINDS: [&str; 5] = ["MemAvailable", "AnonPages", "SUnreclaim", "KernelStack", "PageTables"];

/// The values of [`KINDS`].
pub(crate) fn machine_memory() -> Result<[u64; KINDS.len()], String> {
    let table = table("/proc/meminfo")?;
    Ok(KINDS.map(|kind| table.get(kind).copied().unwrap_or(0)))
}

/// Processors, their model, memory, and kernel, in words.
pub(crate) fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |key: &str| {
        let line = text.lines().find(|line| line.starts_with(key));
        line.and_then(|line| line.split_once(':')).map_or("?", |(_, value)| value.trim()).to_owned()
    };
    let count = text.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let memory = table("/proc/meminfo").ok().and_then(|table| table.get("MemTotal").copied()).unwrap_or(0);
    format!(
        "{count} processors, {} (family {} model {}), {} MiB, Linux {}",
        value("model name"),
        value("cpu family"),
        value("model\t"),
        memory / 1024,
        kernel.trim()
    )
}

/// Limits of this machine that many daemons may meet, with their values.
pub(crate) fn limits() -> Vec<(&'static str, String)> {
    let file = |path: &str| fs::read_to_string(path).map_or("not readable".to_owned(), |text| text.trim().to_owned());
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let number = |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |limit| limit.to_string());
    let processes = rustix::process::getrlimit(rustix::process::Resource::Nproc);
    vec![
        ("open files of this process (RLIMIT_NOFILE)", number(files.current)),
        ("processes of this user (RLIMIT_NPROC)", number(processes.current)),
        ("kernel.pid_max", file("/proc/sys/kernel/pid_max")),
        ("kernel.threads-max", file("/proc/sys/kernel/threads-max")),
        ("pids.max of the control group", file(&group("pids.max"))),
        ("fs.file-max", file("/proc/sys/fs/file-max")),
        ("net.core.bpf_jit_limit", file("/proc/sys/net/core/bpf_jit_limit")),
        ("fs.inotify.max_user_instances", file("/proc/sys/fs/inotify/max_user_instances")),
    ]
}

/// A file of this process's control group.
fn group(name: &str) -> String {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let path = text.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    format!("/sys/fs/cgroup{path}/{name}")
}

/// Allows this process as many files as the machine lets it: two for each daemon.
pub(crate) fn allow_files(count: u64) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|now| now >= count) {
        return Ok(());
    }
    let maximum = limit.maximum.map(|maximum| maximum.max(count));
    let wanted = Rlimit { current: Some(count), maximum };
    setrlimit(Resource::Nofile, wanted).map_err(|e| {
        format!("{count} open files are needed here, the limit is {:?}: {e}; raise it with ulimit -n", limit.maximum)
    })
}

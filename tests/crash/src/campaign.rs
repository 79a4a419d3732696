//! Start, check, work, kill; again and again on one state.

use crate::command;
use crate::contents::{COMING, Contents, Operation, PERSISTENT};
use core::time::Duration;
use rustix::process::{Pid, Signal, kill_process};
use sealwright_differential::daemon::{Daemon, Machine, Setting, new_folder};
use sealwright_differential::wire::Random;
use std::path::Path;

/// How a campaign is run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The daemon: program and first arguments.
    pub(crate) daemon: String,
    /// More of its arguments.
    pub(crate) arguments: Vec<String>,
    /// How often it is killed.
    pub(crate) kills: u32,
    /// Of the instants and the commands.
    pub(crate) seed: u64,
    /// The longest work between start and kill.
    pub(crate) longest: Duration,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// Kills between two commands, or while nothing durable was under way.
    pub(crate) idle: u32,
    /// Kills with a command under way, whose change is not in the state afterwards.
    pub(crate) dropped: u32,
    /// Kills with a command under way, whose change is in the state although nobody heard its answer.
    pub(crate) kept: u32,
    /// Kills before the daemon had answered its first start-up commands.
    pub(crate) starting: u32,
    /// Commands answered.
    pub(crate) answered: u64,
    /// Starts that gave another state than the last answered command's or the one under way, or none.
    pub(crate) losses: Vec<String>,
}

/// The next command of the workload, which is possible in this state.
fn next(random: &mut Random, contents: &Contents, transient: bool) -> Operation {
    let has = |thing: u32| contents.0.contains_key(&thing);
    match random.below(20) {
        0..=3 => Operation::Write(random.next()),
        4..=6 => Operation::WriteLarge(random.next()),
        7..=10 => Operation::Increment,
        11 | 12 => Operation::Extend(random.next()),
        13 => Operation::SetBits(1 << random.below(64)),
        14 | 15 if has(COMING) => Operation::Undefine,
        14 | 15 => Operation::Define,
        16 if has(PERSISTENT) => Operation::Evict,
        16 if transient => Operation::Persist,
        17 => Operation::MaxAuthFail(3 + random.below(1000) as u32),
        _ => Operation::Read,
    }
}

/// What is known of the state when the daemon is dead.
struct Known {
    /// After the last answered command.
    sure: Contents,
    /// The command that was not answered.
    pending: Option<Operation>,
}

impl Known {
    /// Compares with what a new daemon shows; `Err` tells the loss.
    fn compare(&self, found: &Contents, report: &mut Report) -> Result<(), String> {
        let possible = self.pending.as_ref().map(|operation| self.sure.after(operation));
        match &self.pending {
            _ if *found == self.sure && possible.as_ref().is_none_or(|p| p == found) => report.idle += 1,
            _ if *found == self.sure => report.dropped += 1,
            _ if possible.as_ref() == Some(found) => report.kept += 1,
            pending => {
                let back = if found.counter() < self.sure.counter() { "the counter went back; " } else { "" };
                let differences = self.sure.differences(found).join("; ");
                return Err(format!("{back}{differences} (under way: {pending:?})"));
            }
        }
        Ok(())
    }
}

/// Starts the daemon and the TPM.
fn start(plan: &Plan, folder: &Path, quiet: bool) -> std::io::Result<Daemon> {
    for socket in ["ctrl", "data"] {
        let _ = std::fs::remove_file(folder.join(socket));
    }
    let setting =
        Setting { folder: Some(folder.to_owned()), arguments: plan.arguments.clone(), quiet, ..Setting::default() };
    let mut daemon = Daemon::start_with(&plan.daemon, &setting)?;
    let result = daemon.power_on()?;
    if result != 0 {
        return Err(std::io::Error::other(format!("INIT gave {result:#x}")));
    }
    let answer = daemon.execute(&command::startup())?;
    if !command::succeeded(&answer) {
        let code = sealwright_differential::wire::hex(answer.get(6..).unwrap_or_default());
        return Err(std::io::Error::other(format!("TPM2_Startup gave {code}")));
    }
    Ok(daemon)
}

/// Commands until the daemon is dead.
fn work(daemon: &mut Daemon, known: &mut Known, random: &mut Random, report: &mut Report) -> Result<(), String> {
    let transient =
        random.below(4) == 0 && daemon.execute(&command::create_primary()).is_ok_and(|a| command::succeeded(&a));
    loop {
        let operation = next(random, &known.sure, transient);
        let sent = command::bytes(&operation);
        match daemon.execute(&sent) {
            Ok(answer) if command::succeeded(&answer) => {
                known.sure = known.sure.after(&operation);
                report.answered += 1;
            }
            Ok(answer) => {
                let code = sealwright_differential::wire::hex(answer.get(6..10).unwrap_or_default());
                return Err(format!("{operation:?} was refused with {code}"));
            }
            Err(_) => {
                known.pending = Some(operation);
                return Ok(());
            }
        }
    }
}

/// Kills a process after a time.
fn kill_after(process: u32, time: Duration) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        std::thread::sleep(time);
        if let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
    })
}

/// Runs the campaign; `progress` hears the count of kills.
pub(crate) fn run(plan: &Plan, mut progress: impl FnMut(u32)) -> Result<Report, String> {
    let folder = new_folder().map_err(|e| format!("no folder for the state: {e}"))?;
    let mut report = Report::default();
    let outcome = campaign(plan, &folder, &mut report, &mut progress);
    if report.losses.is_empty() && outcome.is_ok() {
        let _ = std::fs::remove_dir_all(&folder);
    } else {
        eprintln!("the state is left in {}", folder.display());
    }
    outcome.map(|()| report)
}

fn campaign(plan: &Plan, folder: &Path, report: &mut Report, progress: &mut dyn FnMut(u32)) -> Result<(), String> {
    let broken = |what: &str, e: std::io::Error| format!("{what}: {e}");
    let mut random = Random(plan.seed);
    let mut daemon = start(plan, folder, true).map_err(|e| broken("the first start", e))?;
    for bytes in command::preparation() {
        let answer = daemon.execute(&bytes).map_err(|e| broken("preparation", e))?;
        if !command::succeeded(&answer) {
            return Err(format!("preparation was refused: {}", sealwright_differential::wire::hex(&answer)));
        }
    }
    let sure = Contents::read(&mut daemon).map_err(|e| broken("the first reading", e))?;
    let mut known = Known { sure, pending: None };
    for kill in 1..=plan.kills {
        let microseconds = random.below(plan.longest.as_micros() as usize) as u64;
        let killer = kill_after(daemon.id(), Duration::from_micros(microseconds));
        let worked = work(&mut daemon, &mut known, &mut random, report);
        let _ = killer.join();
        drop(daemon);
        worked?;
        // One start in eight is killed itself, at any instant of it.
        while random.below(8) == 0 {
            report.starting += 1;
            interrupted_start(plan, folder, random.below(20_000) as u64);
        }
        daemon = match start(plan, folder, kill > 1) {
            Ok(daemon) => daemon,
            Err(e) => {
                report.losses.push(format!("kill {kill}: the state does not open: {e}"));
                return Ok(());
            }
        };
        let found = Contents::read(&mut daemon).map_err(|e| broken("reading after a kill", e))?;
        if let Err(loss) = known.compare(&found, report) {
            report.losses.push(format!("kill {kill}: {loss}"));
        }
        known = Known { sure: found, pending: None };
        if kill.is_multiple_of(100) {
            progress(kill);
        }
    }
    Ok(())
}

/// A start that is killed after so many microseconds, whatever it is doing.
fn interrupted_start(plan: &Plan, folder: &Path, microseconds: u64) {
    for socket in ["ctrl", "data"] {
        let _ = std::fs::remove_file(folder.join(socket));
    }
    let mut words = plan.daemon.split_whitespace();
    let child = std::process::Command::new(words.next().unwrap_or_default())
        .args(words)
        .args(["--tpmstate", &format!("dir={}", folder.display())])
        .args(["--ctrl", &format!("type=unixio,path={}", folder.join("ctrl").display())])
        .args(["--server", &format!("type=unixio,path={}", folder.join("data").display())])
        .args(["--flags", "not-need-init,startup-clear"])
        .args(&plan.arguments)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    if let Ok(mut child) = child {
        std::thread::sleep(Duration::from_micros(microseconds));
        let _ = child.kill();
        let _ = child.wait();
    }
}

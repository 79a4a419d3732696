//! What was seen: counts by command code, disagreements, the longest command; and the watch over the running one.

use core::time::Duration;
use sealwright_differential::table;
use sealwright_differential::wire::hex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Instant;

/// The command that runs now, and since when.
static CURRENT: Mutex<Option<(Instant, Vec<u8>)>> = Mutex::new(None);

/// Notes that a command begins.
pub(crate) fn begin(command: &[u8]) {
    if let Ok(mut current) = CURRENT.lock() {
        *current = Some((Instant::now(), command.to_vec()));
    }
}

/// Notes that it has ended.
pub(crate) fn end() {
    if let Ok(mut current) = CURRENT.lock() {
        *current = None;
    }
}

/// The command that runs now, in hexadecimal.
pub(crate) fn current() -> String {
    CURRENT.try_lock().ok().and_then(|c| c.as_ref().map(|c| hex(&c.1))).unwrap_or_default()
}

/// Ends the process with status 3 if a command runs for longer than `limit`.
pub(crate) fn watch(limit: Duration) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(500));
            let Ok(current) = CURRENT.lock() else { continue };
            if let Some((since, command)) = current.as_ref().filter(|c| c.0.elapsed() > limit) {
                eprintln!("a command runs for {} s: {}", since.elapsed().as_secs(), hex(command));
                std::process::exit(3);
            }
        }
    });
}

/// Everything that is reported at the end.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Commands run.
    pub(crate) commands: u64,
    /// Commands that were also run by a restored engine.
    pub(crate) restored: u64,
    /// Successes by command code.
    pub(crate) successes: BTreeMap<u32, u64>,
    /// Pairs of a command code and a response code.
    outcomes: BTreeSet<(u32, u32)>,
    /// Disagreements between an engine and its restored copy, and answers that are no answers.
    pub(crate) disagreements: u64,
    /// Damaged states that were offered.
    pub(crate) attacks: u64,
    /// Damaged states that were accepted.
    pub(crate) accepted: u64,
    /// The longest command.
    pub(crate) longest: (Duration, Vec<u8>),
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes)
}

impl Record {
    /// Counts a command and looks at the frame of its answer.
    pub(crate) fn command(&mut self, command: &[u8], response: &[u8], time: Duration) {
        self.commands += 1;
        let code = u32_at(command, 6).filter(|code| table::commands().contains_key(code)).unwrap_or(0);
        let size = u32_at(response, 2).and_then(|size| usize::try_from(size).ok());
        let rc = u32_at(response, 6).unwrap_or(u32::MAX);
        let sound = size == Some(response.len()) && (rc == 0 || response.len() == 10);
        if !sound {
            self.disagree("the frame of an answer", command, response, &[]);
        }
        if rc == 0 {
            *self.successes.entry(code).or_default() += 1;
        }
        self.outcomes.insert((code, rc));
        if time > self.longest.0 {
            self.longest = (time, command.to_vec());
        }
    }

    /// Reports what should be the same.
    pub(crate) fn disagree(&mut self, what: &str, command: &[u8], left: &[u8], right: &[u8]) {
        self.disagreements += 1;
        if self.disagreements <= 20 {
            println!("{what} differs after save and restore\n  command  {}", hex(command));
            println!("  engine   {}\n  restored {}", hex(left), hex(right));
        }
    }

    /// Names of the commands that never succeeded.
    pub(crate) fn never(&self) -> Vec<&'static str> {
        let all = table::commands().values();
        all.filter(|c| !self.successes.contains_key(&c.code)).map(|c| c.name).collect()
    }

    /// Writes the figures, one a line.
    pub(crate) fn print(&self) {
        let successes: u64 = self.successes.values().sum();
        println!("commands       {}", self.commands);
        println!("successful     {successes}");
        println!("after restore  {}", self.restored);
        println!("damaged        {} states, {} of them were accepted and used", self.attacks, self.accepted);
        println!("disagreements  {}", self.disagreements);
        let (known, all) = (self.successes.len(), table::commands().len());
        println!("covered        {known} of {all} commands succeeded, {} kinds of answers", self.outcomes.len());
        let mut rare: Vec<_> = self.successes.iter().collect();
        rare.sort_by_key(|(_, n)| **n);
        let rare: Vec<_> = rare.iter().take(8).map(|(code, n)| format!("{} {n}", table::name(**code))).collect();
        println!("least often    {}", rare.join(", "));
        if !self.never().is_empty() {
            println!("never          {}", self.never().join(" "));
        }
        println!("longest        {:.1} ms: {}", self.longest.0.as_secs_f64() * 1000.0, hex(&self.longest.1));
    }
}

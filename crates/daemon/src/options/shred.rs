//! The command line of `vtpmd state shred`.

use super::getopt::{self, Spec};
use super::{Options, key, option, state};
use crate::failure::{Failure, failure};
use core::time::Duration;

pub(super) const SHRED: &[Spec] = &[
    option("tpmstate", None, true),
    option("key", None, true),
    option("key-manager", None, true),
    option("vm", None, true),
    option("anchor", None, true),
    option("reason", None, true),
    option("grace", None, true),
    option("confirm", None, true),
    option("cancel", None, false),
    option("finish", None, false),
    option("json", None, false),
    option("help", Some('h'), false),
];

/// The time of grace when none is given: 30 days.
const GRACE: Duration = Duration::from_secs(30 * 86_400);

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is ordered.
    Schedule,
    /// The order is taken back.
    Cancel,
    /// The order is carried out.
    Finish,
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Request {
    /// Place, keys and anchor of the state, as for `vtpmd socket`.
    pub(crate) options: Options,
    /// Which step.
    pub(crate) step: Step,
    /// `--reason`.
    pub(crate) reason: Option<String>,
    /// `--grace`.
    pub(crate) grace: Duration,
    /// `--confirm`.
    pub(crate) confirm: Option<String>,
    /// `--json`.
    pub(crate) json: bool,
    /// `--help`.
    pub(crate) help: bool,
}

/// A number with `s`, `m`, `h` or `d`, or 0.
fn time(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u32>().ok().map(|n| Duration::from_secs(u64::from(n).saturating_mul(seconds)))
}

/// Reads the words after `state shred`.
pub(crate) fn parse(words: &[String]) -> Result<Request, Failure> {
    let mut request = Request {
        options: Options::default(),
        step: Step::Schedule,
        reason: None,
        grace: GRACE,
        confirm: None,
        json: false,
        help: false,
    };
    let mut orders = Vec::new();
    for found in getopt::parse(SHRED, words)? {
        let value = found.value;
        match found.long {
            "tpmstate" => request.options.state = Some(state(&value)?),
            "key" => request.options.key = Some(key("key", &value)?),
            "reason" if !value.trim().is_empty() => request.reason = Some(value),
            "reason" => return Err(failure!("--reason needs a text")),
            "grace" => {
                let grace = time(&value);
                request.grace = grace.ok_or_else(|| failure!("--grace: '{value}' is no time; 30d, 12h and 0 are"))?;
                orders.push("--grace");
            }
            "confirm" => request.confirm = Some(value),
            "cancel" => request.step = Step::Cancel,
            "finish" if request.step == Step::Cancel => {
                return Err(failure!("--cancel and --finish exclude each other"));
            }
            "finish" => request.step = Step::Finish,
            "json" => request.json = true,
            "help" => request.help = true,
            name => {
                request.options.store.set(name, &value)?;
            }
        }
    }
    if let (Step::Cancel | Step::Finish, Some(option)) = (&request.step, orders.first()) {
        return Err(failure!("{option} is for a new order; --cancel and --finish are about the one that stands"));
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(time("30d"), Some(GRACE));
        assert_eq!(time("90s"), Some(Duration::from_secs(90)));
        assert_eq!(time("0"), Some(Duration::ZERO));
        for wrong in ["", "d", "30", "-1d", "1w", "1.5h", "9999999999d"] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let parse = |text: &str| parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert!(parse("--cancel --finish").is_err());
        assert!(parse("--finish --grace 1d").is_err());
        assert!(parse("--reason=").is_err());
        assert_eq!(parse("--finish --confirm vm-1").unwrap().step, Step::Finish);
    }
}

//! The time in log lines.

use der::DateTime;
use std::time::{SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Now, as swtpm writes it, in UTC: `Sat 21 Nov 2026 07:27:14 PM UTC`.
pub(super) fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    text(since).unwrap_or_else(|| "an unknown time".to_owned())
}

fn text(since: core::time::Duration) -> Option<String> {
    let time = DateTime::from_unix_duration(since).ok()?;
    // The first of January 1970 was a Thursday.
    let day = DAYS.get(usize::try_from(since.as_secs() / 86_400 % 7).ok()?)?;
    let month = MONTHS.get(usize::from(time.month().checked_sub(1)?))?;
    let (hour, half) = (time.hour() % 12, if time.hour() < 12 { "AM" } else { "PM" });
    let hour = if hour == 0 { 12 } else { hour };
    let (date, year, minutes, seconds) = (time.day(), time.year(), time.minutes(), time.seconds());
    Some(format!("{day} {date:02} {month} {year} {hour:02}:{minutes:02}:{seconds:02} {half} UTC"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_those_of_date() {
        // date -u -d @N '+%a %d %h %Y %I:%M:%S %p %Z'
        for (seconds, wanted) in [
            (0, "Thu 01 Jan 1970 12:00:00 AM UTC"),
            (1_795_289_234, "Sat 21 Nov 2026 07:27:14 PM UTC"),
            (951_825_599, "Tue 29 Feb 2000 11:59:59 AM UTC"),
        ] {
            assert_eq!(super::text(core::time::Duration::from_secs(seconds)).unwrap(), wanted);
        }
    }
}

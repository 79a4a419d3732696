//! The command line of `vtpmd convert`.

use super::getopt;
use super::getopt::Spec;
use super::{key, option};
use crate::convert::command::Convert;
use crate::failure::{Failure, failure};

const TABLE: &[Spec] = &[
    option("from", None, true),
    option("to", None, true),
    option("key", None, true),
    option("new-key", None, true),
    option("force", None, false),
    option("vm", None, true),
    option("mode", None, true),
    option("help", Some('h'), false),
];

/// Reads the words after `convert`.
pub(crate) fn convert(words: &[String]) -> Result<Convert, Failure> {
    let mut options = Convert::default();
    for found in getopt::parse(TABLE, words)? {
        let value = found.value;
        match found.long {
            "from" => options.from = Some(value),
            "to" => options.to = Some(value),
            "key" => options.key = Some(key("key", &value)?),
            "new-key" => options.new_key = Some(key("new-key", &value)?),
            "force" => options.force = true,
            "mode" => {
                let mode = u32::from_str_radix(&value, 8).ok().filter(|mode| *mode <= 0o777);
                options.mode = Some(mode.ok_or_else(|| failure!("--mode: '{value}' is not an octal mode up to 777"))?);
            }
            "help" => options.help = true,
            name => {
                options.store.set(name, &value)?;
            }
        }
    }
    Ok(options)
}

//! The commands of Part 3, one folder per chapter, one file per command.

pub(crate) mod random;

use crate::table::command_table;

command_table! {
    random::get_random::GetRandom,
}

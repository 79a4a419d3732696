//! The commands of Part 3, one folder per chapter, one file per command.

pub(crate) mod ephemeral;
pub(crate) mod random;
pub(crate) mod sequences;
pub(crate) mod signing;
pub(crate) mod symmetric;

use crate::table::command_table;

command_table! {
    sequences::sequence_complete::SequenceComplete,
    symmetric::mac::Mac,
    sequences::mac_start::MacStart,
    sequences::sequence_update::SequenceUpdate,
    signing::sign::Sign,
    symmetric::encrypt_decrypt::EncryptDecrypt,
    signing::verify_signature::VerifySignature,
    random::get_random::GetRandom,
    symmetric::hash::Hash,
    sequences::hash_sequence_start::HashSequenceStart,
    ephemeral::commit::Commit,
    ephemeral::ec_ephemeral::EcEphemeral,
    symmetric::encrypt_decrypt2::EncryptDecrypt2,
}

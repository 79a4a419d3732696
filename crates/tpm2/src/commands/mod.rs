//! The commands of Part 3, one folder per chapter, one file per command.

pub(crate) mod asymmetric;
pub(crate) mod attestation;
pub(crate) mod ephemeral;
pub(crate) mod random;
pub(crate) mod sequences;
pub(crate) mod signing;
pub(crate) mod symmetric;

use crate::table::command_table;

command_table! {
    sequences::sequence_complete::SequenceComplete,
    asymmetric::ecdh_z_gen::EcdhZGen,
    symmetric::mac::Mac,
    asymmetric::rsa_decrypt::RsaDecrypt,
    sequences::mac_start::MacStart,
    sequences::sequence_update::SequenceUpdate,
    signing::sign::Sign,
    asymmetric::ecdh_key_gen::EcdhKeyGen,
    symmetric::encrypt_decrypt::EncryptDecrypt,
    asymmetric::rsa_encrypt::RsaEncrypt,
    signing::verify_signature::VerifySignature,
    asymmetric::ecc_parameters::EccParameters,
    random::get_random::GetRandom,
    symmetric::hash::Hash,
    sequences::hash_sequence_start::HashSequenceStart,
    ephemeral::commit::Commit,
    asymmetric::z_gen_2_phase::ZGen2Phase,
    ephemeral::ec_ephemeral::EcEphemeral,
    symmetric::encrypt_decrypt2::EncryptDecrypt2,
    attestation::certify_x509::CertifyX509,
    asymmetric::ecc_encrypt::EccEncrypt,
    asymmetric::ecc_decrypt::EccDecrypt,
}

//! The commands of Part 3, one folder per chapter, one file per command.

pub(crate) mod asymmetric;
pub(crate) mod attestation;
pub(crate) mod capability;
pub(crate) mod duplication;
pub(crate) mod ephemeral;
pub(crate) mod object;
pub(crate) mod random;
pub(crate) mod sequences;
pub(crate) mod signing;
pub(crate) mod symmetric;

use crate::table::command_table;

command_table! {
    sequences::sequence_complete::SequenceComplete,
    object::activate_credential::ActivateCredential,
    duplication::duplicate::Duplicate,
    object::object_change_auth::ObjectChangeAuth,
    duplication::rewrap::Rewrap,
    asymmetric::ecdh_z_gen::EcdhZGen,
    symmetric::mac::Mac,
    duplication::import::Import,
    object::load::Load,
    asymmetric::rsa_decrypt::RsaDecrypt,
    sequences::mac_start::MacStart,
    sequences::sequence_update::SequenceUpdate,
    signing::sign::Sign,
    object::unseal::Unseal,
    asymmetric::ecdh_key_gen::EcdhKeyGen,
    symmetric::encrypt_decrypt::EncryptDecrypt,
    object::load_external::LoadExternal,
    object::make_credential::MakeCredential,
    object::read_public::ReadPublic,
    asymmetric::rsa_encrypt::RsaEncrypt,
    signing::verify_signature::VerifySignature,
    asymmetric::ecc_parameters::EccParameters,
    random::get_random::GetRandom,
    symmetric::hash::Hash,
    sequences::hash_sequence_start::HashSequenceStart,
    capability::test_parms::TestParms,
    ephemeral::commit::Commit,
    asymmetric::z_gen_2_phase::ZGen2Phase,
    ephemeral::ec_ephemeral::EcEphemeral,
    object::create_loaded::CreateLoaded,
    symmetric::encrypt_decrypt2::EncryptDecrypt2,
    attestation::certify_x509::CertifyX509,
    asymmetric::ecc_encrypt::EccEncrypt,
    asymmetric::ecc_decrypt::EccDecrypt,
}

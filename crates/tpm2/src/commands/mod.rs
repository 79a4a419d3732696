//! The commands of Part 3, one folder per chapter, one file per command.

pub(crate) mod asymmetric;
pub(crate) mod attestation;
pub(crate) mod audit;
pub(crate) mod capability;
pub(crate) mod context;
pub(crate) mod duplication;
pub(crate) mod ephemeral;
pub(crate) mod object;
pub(crate) mod policy;
pub(crate) mod random;
pub(crate) mod sequences;
pub(crate) mod session;
pub(crate) mod signing;
pub(crate) mod symmetric;

use crate::table::command_table;

command_table! {
    sequences::sequence_complete::SequenceComplete,
    audit::set_command_code_audit_status::SetCommandCodeAuditStatus,
    object::activate_credential::ActivateCredential,
    duplication::duplicate::Duplicate,
    object::object_change_auth::ObjectChangeAuth,
    policy::policy_secret::PolicySecret,
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
    policy::policy_signed::PolicySigned,
    context::context_load::ContextLoad,
    context::context_save::ContextSave,
    asymmetric::ecdh_key_gen::EcdhKeyGen,
    symmetric::encrypt_decrypt::EncryptDecrypt,
    context::flush_context::FlushContext,
    object::load_external::LoadExternal,
    object::make_credential::MakeCredential,
    policy::policy_authorize::PolicyAuthorize,
    policy::policy_auth_value::PolicyAuthValue,
    policy::policy_command_code::PolicyCommandCode,
    policy::policy_counter_timer::PolicyCounterTimer,
    policy::policy_cp_hash::PolicyCpHash,
    policy::policy_locality::PolicyLocality,
    policy::policy_name_hash::PolicyNameHash,
    policy::policy_or::PolicyOr,
    policy::policy_ticket::PolicyTicket,
    object::read_public::ReadPublic,
    asymmetric::rsa_encrypt::RsaEncrypt,
    session::start_auth_session::StartAuthSession,
    signing::verify_signature::VerifySignature,
    asymmetric::ecc_parameters::EccParameters,
    random::get_random::GetRandom,
    symmetric::hash::Hash,
    session::policy_restart::PolicyRestart,
    sequences::hash_sequence_start::HashSequenceStart,
    policy::policy_physical_presence::PolicyPhysicalPresence,
    policy::policy_duplication_select::PolicyDuplicationSelect,
    policy::policy_get_digest::PolicyGetDigest,
    capability::test_parms::TestParms,
    ephemeral::commit::Commit,
    policy::policy_password::PolicyPassword,
    asymmetric::z_gen_2_phase::ZGen2Phase,
    ephemeral::ec_ephemeral::EcEphemeral,
    policy::policy_nv_written::PolicyNvWritten,
    policy::policy_template::PolicyTemplate,
    object::create_loaded::CreateLoaded,
    symmetric::encrypt_decrypt2::EncryptDecrypt2,
    attestation::certify_x509::CertifyX509,
    asymmetric::ecc_encrypt::EccEncrypt,
    asymmetric::ecc_decrypt::EccDecrypt,
    policy::policy_parameters::PolicyParameters,
}

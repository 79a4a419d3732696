//! The commands of Part 3, one folder per chapter, one file per command.

pub mod asymmetric;
pub mod attestation;
pub mod audit;
pub mod capability;
pub mod clock;
pub mod context;
pub mod duplication;
pub mod ephemeral;
pub mod hierarchy;
pub mod lockout;
pub mod misc;
pub mod nv;
pub mod object;
pub mod pcr;
pub mod policy;
pub mod random;
pub mod sequences;
pub mod session;
pub mod signing;
pub mod startup;
pub mod symmetric;
pub mod testing;

#[cfg(test)]
mod signing_tests;

use crate::table::command_table;

command_table! {
    nv::nv_undefine_space_special::NvUndefineSpaceSpecial,
    context::evict_control::EvictControl,
    hierarchy::hierarchy_control::HierarchyControl,
    nv::nv_undefine_space::NvUndefineSpace,
    hierarchy::change_eps::ChangeEps,
    hierarchy::change_pps::ChangePps,
    hierarchy::clear::Clear,
    hierarchy::clear_control::ClearControl,
    clock::clock_set::ClockSet,
    hierarchy::hierarchy_change_auth::HierarchyChangeAuth,
    nv::nv_define_space::NvDefineSpace,
    pcr::pcr_allocate::PcrAllocate,
    pcr::pcr_set_auth_policy::PcrSetAuthPolicy,
    misc::pp_commands::PpCommands,
    hierarchy::set_primary_policy::SetPrimaryPolicy,
    clock::clock_rate_adjust::ClockRateAdjust,
    hierarchy::create_primary::CreatePrimary,
    nv::nv_global_write_lock::NvGlobalWriteLock,
    attestation::get_command_audit_digest::GetCommandAuditDigest,
    nv::nv_increment::NvIncrement,
    nv::nv_set_bits::NvSetBits,
    nv::nv_extend::NvExtend,
    nv::nv_write::NvWrite,
    nv::nv_write_lock::NvWriteLock,
    lockout::dictionary_attack_lock_reset::DictionaryAttackLockReset,
    lockout::dictionary_attack_parameters::DictionaryAttackParameters,
    nv::nv_change_auth::NvChangeAuth,
    pcr::pcr_event::PcrEvent,
    pcr::pcr_reset::PcrReset,
    sequences::sequence_complete::SequenceComplete,
    misc::set_algorithm_set::SetAlgorithmSet,
    audit::set_command_code_audit_status::SetCommandCodeAuditStatus,
    testing::incremental_self_test::IncrementalSelfTest,
    testing::self_test::SelfTest,
    startup::startup::Startup,
    startup::shutdown::Shutdown,
    random::stir_random::StirRandom,
    object::activate_credential::ActivateCredential,
    attestation::certify::Certify,
    policy::policy_nv::PolicyNv,
    attestation::certify_creation::CertifyCreation,
    duplication::duplicate::Duplicate,
    attestation::get_time::GetTime,
    attestation::get_session_audit_digest::GetSessionAuditDigest,
    nv::nv_read::NvRead,
    nv::nv_read_lock::NvReadLock,
    object::object_change_auth::ObjectChangeAuth,
    policy::policy_secret::PolicySecret,
    duplication::rewrap::Rewrap,
    object::create::Create,
    asymmetric::ecdh_z_gen::EcdhZGen,
    symmetric::mac::Mac,
    duplication::import::Import,
    object::load::Load,
    attestation::quote::Quote,
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
    nv::nv_read_public::NvReadPublic,
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
    capability::get_capability::GetCapability,
    random::get_random::GetRandom,
    testing::get_test_result::GetTestResult,
    symmetric::hash::Hash,
    pcr::pcr_read::PcrRead,
    policy::policy_pcr::PolicyPcr,
    session::policy_restart::PolicyRestart,
    clock::read_clock::ReadClock,
    pcr::pcr_extend::PcrExtend,
    pcr::pcr_set_auth_value::PcrSetAuthValue,
    attestation::nv_certify::NvCertify,
    sequences::event_sequence_complete::EventSequenceComplete,
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
    policy::policy_authorize_nv::PolicyAuthorizeNv,
    symmetric::encrypt_decrypt2::EncryptDecrypt2,
    attestation::certify_x509::CertifyX509,
    asymmetric::ecc_encrypt::EccEncrypt,
    asymmetric::ecc_decrypt::EccDecrypt,
    policy::policy_capability::PolicyCapability,
    policy::policy_parameters::PolicyParameters,
    nv::nv_define_space2::NvDefineSpace2,
    nv::nv_read_public2::NvReadPublic2,
    hierarchy::read_only_control::ReadOnlyControl,
}

/// Code of PP_Commands, which always needs physical presence.
pub(crate) const PP_COMMANDS: u32 = 0x12D;
/// Code of SetCommandCodeAuditStatus, which is always audited.
pub(crate) const SET_COMMAND_CODE_AUDIT_STATUS: u32 = 0x140;

/// Commands that PP_Commands may put under physical presence: those with platform authorization (Part 3, 26.2).
pub(crate) fn may_need_presence(code: u32) -> bool {
    matches!(
        code,
        0x11F..=0x122 | 0x124..=0x12E | 0x130..=0x132 | 0x13B | 0x13F | 0x19D | 0x1A0
    )
}

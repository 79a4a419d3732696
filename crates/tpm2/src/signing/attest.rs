//! Attestation structures: filling in and signing (Part 3, 18.1; Part 4, Attest_spt.c).

use super::{is_anonymous, is_signing_key};
use crate::object::Object;
use crate::structures::{
    Attest, AttestBuffer, Attested, Data, DhObjectOrNull, HashAlg, Name, SigScheme, Signature, rh,
};
use crate::ticket::CONTEXT_HASH;
use crate::tpm::Tpm;
use alloc::sync::Arc;
use alloc::vec;
use sealwright_core::{Buffer, Fault, Wire as _, Writer};
use sealwright_crypto::kdf::kdfa;

/// Who signs an attestation, and how.
pub(crate) struct Signer {
    /// `None` for the NULL handle: nothing is signed.
    pub(crate) key: Option<Arc<Object>>,
    /// The chosen scheme; NULL without a key.
    pub(crate) scheme: SigScheme,
}

impl Signer {
    /// The hash of the scheme; `None` without a key.
    pub(crate) const fn hash(&self) -> Option<HashAlg> {
        self.scheme.hash()
    }
}

impl Tpm<'_> {
    /// Checks the signing key of an attestation (handle number `at_handle`) and the scheme asked for (parameter number
    /// `at_parameter`).
    pub(crate) fn signer(
        &self,
        handle: DhObjectOrNull,
        at_handle: u8,
        scheme: SigScheme,
        at_parameter: u8,
    ) -> Result<Signer, Fault> {
        if handle.0 == rh::NULL {
            return Ok(Signer { key: None, scheme: SigScheme::Null });
        }
        let key = self.object(handle.0).map_err(|_| Fault::KEY.at_handle(at_handle))?;
        if !is_signing_key(&key) {
            return Err(Fault::KEY.at_handle(at_handle));
        }
        let scheme = self.select_sign_scheme(&key, scheme).map_err(|fault| fault.at_parameter(at_parameter))?;
        Ok(Signer { key: Some(key), scheme })
    }

    /// The common fields of TPMS_ATTEST. For keys outside the endorsement and platform hierarchies (and none at all)
    /// the firmware version and the counters are obfuscated, so that two keys cannot be linked by them.
    fn fill_attest(&self, signer: &Signer, qualifying: &Data, attested: Attested) -> Result<Attest, Fault> {
        let anonymous = is_anonymous(signer.scheme);
        let qualified_signer = match &signer.key {
            None => Buffer::from_slice(&rh::NULL.to_be_bytes())?,
            Some(_) if anonymous => Name::EMPTY,
            Some(key) => key.qualified_name,
        };
        let mut clock_info = self.time_info().clock_info;
        let mut firmware_version = self.firmware_version();
        let plain = signer.key.as_ref().is_some_and(|key| matches!(key.hierarchy, rh::ENDORSEMENT | rh::PLATFORM));
        if !plain {
            let proof = &self.state.permanent.sh_proof;
            let noise = kdfa(self.crypto, CONTEXT_HASH, proof, b"OBFUSCATE", &qualified_signer, &[], 128);
            let (version, counters) = noise.split_first_chunk::<8>().ok_or(Fault::FAILURE)?;
            let counters = counters.first_chunk::<8>().ok_or(Fault::FAILURE)?;
            // Little-endian, as the reference implementation has it on the machines that it runs on.
            firmware_version = firmware_version.wrapping_add(u64::from_le_bytes(*version));
            let counters = u64::from_le_bytes(*counters);
            clock_info.reset_count = clock_info.reset_count.wrapping_add((counters >> 32) as u32);
            clock_info.restart_count = clock_info.restart_count.wrapping_add(counters as u32);
        }
        let extra_data = if anonymous { Data::EMPTY } else { *qualifying };
        Ok(Attest { qualified_signer, extra_data, clock_info, firmware_version, attested })
    }

    /// Fills in TPMS_ATTEST and signs it; without a key the signature is NULL.
    pub(crate) fn attest(
        &mut self,
        signer: &Signer,
        qualifying: &Data,
        attested: Attested,
    ) -> Result<(AttestBuffer, Signature), Fault> {
        let attest = self.fill_attest(signer, qualifying, attested)?;
        let mut room = vec![0; Attest::MAX_SIZE];
        let mut writer = Writer::new(&mut room);
        attest.write(&mut writer)?;
        let buffer = AttestBuffer::from_slice(writer.written())?;
        let Some(key) = &signer.key else { return Ok((buffer, Signature::Null)) };
        let hash = signer.hash().ok_or(Fault::SCHEME)?;
        let mut digest = self.hash(hash, &[&buffer]);
        // The data are part of an anonymous signature, but not of the structure that all can read.
        if is_anonymous(signer.scheme) && !qualifying.is_empty() {
            digest = self.hash(hash, &[qualifying, &digest]);
        }
        let signature = self.sign(key, signer.scheme, &digest)?;
        self.clear_orderly();
        Ok((buffer, signature))
    }

    /// Firmware version as one number.
    pub(crate) fn firmware_version(&self) -> u64 {
        let [high, low] = self.state.permanent.firmware_version;
        u64::from(high) << 32 | u64::from(low)
    }
}

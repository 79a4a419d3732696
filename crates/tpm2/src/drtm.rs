//! The `_TPM_Hash_Start`, `_TPM_Hash_Data`, `_TPM_Hash_End` sequence of the interface (Part 3, 22.9 to 22.11).

use crate::pcr::{DRTM_PCR, HCRTM_PCR, attributes};
use crate::structures::{HashAlg, PCR_COUNT};
use crate::tpm::Tpm;

impl Tpm<'_> {
    /// Begins the sequence; after Startup it resets the PCR of a dynamic start.
    pub(crate) fn hash_sequence_start(&mut self) {
        if self.state.volatile.failure.is_some() {
            return;
        }
        if self.state.volatile.started {
            for pcr in (0..PCR_COUNT).filter(|pcr| attributes(*pcr).is_drtm()) {
                self.pcr_set(pcr, 0, 0);
            }
        }
        self.state.volatile.established = true;
        self.state.volatile.hash_sequence = Some(crate::object::hashers());
    }

    /// Hashes more of the measured code.
    pub(crate) fn hash_sequence_data(&mut self, data: &[u8]) {
        if let Some(hashers) = &mut self.state.volatile.hash_sequence {
            hashers.iter_mut().for_each(|hasher| hasher.update(data));
        }
    }

    /// Extends PCR 17, or PCR 0 before Startup, with what was hashed.
    pub(crate) fn hash_sequence_end(&mut self) {
        let Some(hashers) = self.state.volatile.hash_sequence.take() else { return };
        let pcr = if self.state.volatile.started { DRTM_PCR } else { HCRTM_PCR };
        if pcr == HCRTM_PCR {
            // An H-CRTM is told from a start at another locality by the 4 that PCR 0 begins with.
            self.state.volatile.drtm_pre_startup = true;
            self.pcr_set(pcr, 0, 4);
        } else {
            self.pcr_set(pcr, 0, 0);
        }
        for (hash, hasher) in HashAlg::ALL.into_iter().zip(hashers) {
            let digest = hasher.finish();
            self.pcr_extend(pcr, hash, &digest);
        }
        if pcr == DRTM_PCR {
            let reset = self.reset_mut();
            reset.restart_count = reset.restart_count.wrapping_add(1);
        }
    }
}

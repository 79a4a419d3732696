//! Platform configuration registers (Part 1, 17), with the attributes of the PC Client platform.

use crate::profile::Limits;
use crate::state::Pcrs;
use crate::structures::{Digest, HashAlg, PCR_COUNT, PcrSelection, PcrSelections};
use crate::tpm::Tpm;
use alloc::{sync::Arc, vec::Vec};
use sealwright_core::wire::Accept;
use sealwright_core::{Buffer, Fault};

/// PCR that take the measurements of the H-CRTM sequence.
pub(crate) const HCRTM_PCR: usize = 0;
/// PCR that take the measurements of a DRTM sequence.
pub(crate) const DRTM_PCR: usize = 17;

/// What may be done with one PCR: localities are bit masks.
#[derive(Clone, Copy)]
pub(crate) struct PcrAttributes {
    /// Kept by Shutdown(STATE).
    pub(crate) save: bool,
    /// Localities that may reset it.
    pub(crate) reset: u8,
    /// Localities that may extend it.
    pub(crate) extend: u8,
}

impl PcrAttributes {
    /// Reset by a DRTM sequence, and all ones until then.
    pub(crate) const fn is_drtm(self) -> bool {
        self.reset & 0x10 != 0
    }
}

/// The attributes of a PCR (PC Client Platform TPM Profile, table of PCR attributes).
pub(crate) const fn attributes(pcr: usize) -> PcrAttributes {
    let (save, reset, extend) = match pcr {
        0..=15 => (true, 0x00, 0x1F),
        16 | 23 => (false, 0x0F, 0x1F),
        17 | 18 => (false, 0x10, 0x1C),
        19 => (false, 0x10, 0x0C),
        20 => (false, 0x14, 0x0E),
        _ => (false, 0x14, 0x04),
    };
    PcrAttributes { save, reset, extend }
}

/// True for PCR that have an authorization value and a policy of their own (PCR 20 to 22).
pub(crate) const fn in_auth_group(pcr: usize) -> bool {
    pcr >= 20 && pcr <= 22
}

/// True for PCR whose changes do not move pcrUpdateCounter: debug, dynamic OS and application.
pub(crate) const fn no_increment(pcr: usize) -> bool {
    matches!(pcr, 16 | 21 | 22 | 23)
}

impl Tpm<'_> {
    /// True if the bank of `hash` has this PCR.
    pub(crate) fn pcr_allocated(&self, hash: HashAlg, pcr: usize) -> bool {
        self.state.permanent.pcr_allocated.iter().any(|s| s.hash == hash && s.has(pcr))
    }

    fn locality_bit(&self) -> u8 {
        if self.locality < 5 { 1 << self.locality } else { 0 }
    }

    /// True if the command's locality may extend the PCR.
    pub(crate) fn pcr_extend_allowed(&self, pcr: usize) -> bool {
        attributes(pcr).extend & self.locality_bit() != 0
    }

    /// TPM_RC_LOCALITY if the command's locality may not extend PCR `handle`; the NULL handle always may.
    pub(crate) fn pcr_check_extend(&self, handle: u32) -> Result<(), Fault> {
        let pcr = usize::try_from(handle).unwrap_or(usize::MAX);
        if pcr >= PCR_COUNT || self.pcr_extend_allowed(pcr) { Ok(()) } else { Err(Fault::LOCALITY) }
    }

    /// True if the command's locality may reset the PCR.
    pub(crate) fn pcr_reset_allowed(&self, pcr: usize) -> bool {
        // Locality 4 resets by a DRTM sequence only.
        attributes(pcr).reset & self.locality_bit() & 0x0F != 0
    }

    /// Extends one bank of a PCR and counts the change; nothing happens if the bank does not have the PCR.
    pub(crate) fn pcr_extend(&mut self, pcr: usize, hash: HashAlg, digest: &[u8]) {
        if !self.pcr_allocated(hash, pcr) {
            return;
        }
        let extended = self.hash(hash, &[self.state.pcrs.value(hash, pcr), digest]);
        let value = Arc::make_mut(&mut self.state.pcrs).value_mut(hash, pcr);
        value.iter_mut().zip(extended.iter()).for_each(|(to, from)| *to = *from);
        self.pcr_changed(pcr);
    }

    /// Counts a change of a PCR for policies and PCR_Read.
    pub(crate) fn pcr_changed(&mut self, pcr: usize) {
        if !no_increment(pcr) {
            let reset = self.reset_mut();
            reset.pcr_counter = reset.pcr_counter.wrapping_add(1);
        }
    }

    /// Sets all banks of a PCR to zeros (or ones) with `last` in the last byte.
    pub(crate) fn pcr_set(&mut self, pcr: usize, fill: u8, last: u8) {
        let pcrs = Arc::make_mut(&mut self.state.pcrs);
        for hash in HashAlg::ALL {
            let value = pcrs.value_mut(hash, pcr);
            value.fill(fill);
            if last != 0
                && let Some(byte) = value.last_mut()
            {
                *byte = last;
            }
        }
    }

    /// Removes from a selection what is not allocated (FilterPcr of Part 4).
    pub(crate) fn pcr_filter(&self, selections: &mut PcrSelections) {
        for selection in selections.as_mut_slice() {
            let allocated = self.state.permanent.pcr_allocated.iter().find(|s| s.hash == selection.hash);
            let allocated = allocated.map_or([0; 3], |s| s.select);
            selection.select.iter_mut().zip(allocated).for_each(|(byte, mask)| *byte &= mask);
        }
    }

    /// Digest of the selected PCR, in the order of the selection; what is not allocated is removed from it.
    pub(crate) fn pcr_digest(&self, hash: HashAlg, selections: &mut PcrSelections) -> Digest {
        self.pcr_filter(selections);
        let mut parts: Vec<&[u8]> = Vec::new();
        for selection in selections.iter() {
            parts.extend(selection.iter().map(|pcr| self.state.pcrs.value(selection.hash, pcr)));
        }
        Buffer::new(&self.hash(hash, &parts)).unwrap_or_default()
    }

    /// PCR at Startup. `saved` are the values of a TPM Resume.
    pub(crate) fn pcr_startup(&mut self, saved: Option<&Pcrs>, restart_counter: bool) {
        let (hcrtm, locality3) = (self.state.volatile.drtm_pre_startup, self.state.volatile.startup_locality3);
        if restart_counter {
            self.reset_mut().pcr_counter = 0;
        }
        for pcr in 0..PCR_COUNT {
            let attributes = attributes(pcr);
            if saved.is_none() || !attributes.save {
                // Counted too: a counter of zero would look to a policy as if no PCR had been checked.
                self.pcr_changed(pcr);
            }
            match saved {
                Some(saved) if attributes.save => {
                    let pcrs = Arc::make_mut(&mut self.state.pcrs);
                    for hash in HashAlg::ALL {
                        let from = saved.value(hash, pcr);
                        pcrs.value_mut(hash, pcr).iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                    }
                }
                _ if pcr == HCRTM_PCR && hcrtm => {}
                _ if pcr == HCRTM_PCR && locality3 => self.pcr_set(pcr, 0, 3),
                _ => self.pcr_set(pcr, if attributes.is_drtm() { 0xFF } else { 0 }, 0),
            }
        }
    }

    /// The allocation that a request makes of the present one; TPM_RC_PCR if no bank would take boot measurements.
    pub(crate) fn pcr_reallocate(&self, request: &PcrSelections) -> Result<PcrSelections, Fault> {
        let mut next = self.state.permanent.pcr_allocated;
        for wanted in request.iter() {
            if let Some(bank) = next.as_mut_slice().iter_mut().find(|s| s.hash == wanted.hash) {
                bank.select = wanted.select;
            }
        }
        let taken = |pcr| next.iter().any(|s| s.has(pcr));
        if taken(HCRTM_PCR) && taken(DRTM_PCR) { Ok(next) } else { Err(Fault::PCR) }
    }
}

/// All PCR in all banks: how a TPM is made.
pub(crate) fn all_banks() -> PcrSelections {
    banks_of(None)
}

/// All PCR in the banks of the hashes that a profile has; without limits, in all.
pub(crate) fn banks_of(limits: Option<&Limits>) -> PcrSelections {
    let mut selections = PcrSelections::new();
    for hash in HashAlg::ALL.into_iter().filter(|hash| limits.is_none_or(|limits| limits.algorithm(hash.id()))) {
        selections.try_push(PcrSelection { hash, select: [0xFF; 3] });
    }
    selections
}

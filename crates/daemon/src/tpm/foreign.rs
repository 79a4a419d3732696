//! A TPM that swtpm has had until now: its folder is taken over at the first start, its blobs at a migration.

use super::{Refused, Tpm};
use crate::convert::{self, SwtpmFolder};
use crate::instance::Imported;
use crate::log::say;
use crate::seal::Kind;
use sealwright_channel::result;
use sealwright_state::swtpm::SwtpmError;
use sealwright_tpm2::libtpms::ImportFault;
use zeroize::Zeroizing;

fn refused(what: &str, fault: &SwtpmError) -> Refused {
    let refused = crate::storage::swtpm::refused(fault);
    Refused::new(refused.code, format!("{what} was refused: {}", refused.why))
}

fn not_taken(what: &str, fault: &ImportFault) -> Refused {
    Refused::new(result::BAD_PARAMETER, format!("{what} was refused: {fault}"))
}

impl Tpm {
    /// Takes over what swtpm left in this folder, if there is nothing of our own.
    pub(crate) fn with_swtpm(mut self, folder: SwtpmFolder) -> Self {
        self.swtpm = Some(folder);
        self
    }

    /// The state that swtpm left, in the engine's format. Nothing is stored.
    fn foreign(&mut self) -> Result<Option<Imported>, Refused> {
        let Some(folder) = &self.swtpm else { return Ok(None) };
        let what = "the state of swtpm";
        let Some(state) = folder.read().map_err(|fault| refused(what, &fault))? else { return Ok(None) };
        let volatile = state.volatile.as_ref().map(|bytes| bytes.as_slice());
        let imported = self.maker.import(&state.permanent, volatile);
        imported.map(Some).map_err(|fault| not_taken(what, &fault))
    }

    /// The state that swtpm left, if that is why ours was refused.
    pub(super) fn foreign_instead(&mut self, refused: Refused) -> Result<Imported, Refused> {
        if !refused.other_state {
            return Err(refused);
        }
        self.foreign()?.ok_or(refused)
    }

    /// The stored state; at the first start on swtpm's folder its state, which becomes the first of our own. swtpm's
    /// files stay as they are.
    pub(super) fn stored_or_foreign(&mut self, was_received: bool) -> Result<Option<Zeroizing<Vec<u8>>>, Refused> {
        // As in swtpm, whose states VM managers make to be replaced by what they receive.
        if was_received && self.host.store.is_swtpm() {
            return Ok(None);
        }
        let refused = match self.host.store.load(self.manners.create || was_received) {
            Ok(stored) => return Ok(stored),
            Err(refused) => refused,
        };
        let imported = self.foreign_instead(refused)?;
        self.host.store.save(&imported.permanent, "taken over from swtpm")?;
        if let Some(volatile) = &imported.volatile {
            self.host.store.store_volatile(&imported.permanent, volatile)?;
        }
        say!("the state of swtpm was taken over; its files are kept, and are not written any more");
        Ok(Some(imported.permanent))
    }

    /// The stored state in libtpms's format: that of a volatile blob which comes alone.
    fn stored_for_libtpms(&mut self) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let stored = self.host.store.load(true)?;
        let missing = || Refused::new(result::RETRY, "the volatile blob came before the permanent one");
        let exported = self.maker.export(&stored.ok_or_else(missing)?, None);
        let exported = exported.map_err(|fault| Refused::new(result::FAIL, format!("no blob for swtpm: {fault}")))?;
        Ok(exported.permanent)
    }

    /// SET_STATEBLOB with a blob of swtpm's.
    pub(super) fn try_foreign_blob(&mut self, blob_type: u32, blob: &[u8]) -> Result<(), Refused> {
        let what = match blob_type {
            1 => "the permanent blob of swtpm",
            2 => "the volatile blob of swtpm",
            _ => return Err(Refused::new(result::BAD_PARAMETER, "a TPM 2.0 has no savestate blob")),
        };
        let opened = convert::open_blob(blob, self.host.key.as_deref(), self.migration_key.as_ref());
        let opened = opened.map_err(|fault| refused(what, &fault))?;
        let (permanent, volatile) = match (blob_type, self.received_foreign.take()) {
            (1, _) => (opened, None),
            (_, Some(permanent)) => (permanent, Some(opened)),
            (_, None) => (self.stored_for_libtpms()?, Some(opened)),
        };
        let bytes = volatile.as_ref().map(|bytes| bytes.as_slice());
        let imported = self.maker.import(&permanent, bytes);
        let imported = imported.map_err(|fault| not_taken(what, &fault))?;
        self.received_permanent = Some(imported.permanent);
        self.received_volatile = imported.volatile;
        self.received_foreign = Some(permanent);
        Ok(())
    }

    /// GET_STATEBLOB in swtpm's format: the blob, and whether it is still sealed with the state key.
    pub(super) fn foreign_blob(&mut self, kind: Kind, decrypted: bool) -> Result<(Vec<u8>, bool), Refused> {
        let Some(engine) = &mut self.engine else {
            return Err(Refused::new(result::BAD_ORDINAL, "the TPM is off"));
        };
        let failed = |why: String| Refused::new(result::FAIL, format!("no blob for swtpm: {why}"));
        let volatile = (kind == Kind::Volatile).then(|| Zeroizing::new(engine.save_volatile(&mut self.host)));
        let permanent = Zeroizing::new(engine.save_permanent());
        let bytes = volatile.as_ref().map(|bytes| bytes.as_slice());
        let exported = self.maker.export(&permanent, bytes);
        let exported = exported.map_err(|fault| failed(fault.to_string()))?;
        let blob = exported.volatile.unwrap_or(exported.permanent);
        let key = self.host.key.as_deref().filter(|_| !decrypted);
        let sealed = convert::seal_blob(&blob, key, self.migration_key.as_ref());
        Ok((sealed.map_err(|fault| failed(fault.to_string()))?.to_vec(), key.is_some()))
    }
}

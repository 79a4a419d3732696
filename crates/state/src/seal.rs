//! Sealing: the keys derived from a data key, and AES-256-GCM-SIV (RFC 8452) under them.

use crate::key::{DataKey, EntropyFault};
use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of a nonce.
pub(crate) const NONCE: usize = 12;
/// Bytes that sealing adds.
pub(crate) const TAG: usize = 16;
/// Bytes of the value that tells a wrong key from damage.
pub(crate) const CHECK: usize = 16;
/// Bytes of the code that authenticates a journal's header.
pub(crate) const MAC: usize = 32;

/// The keys of one data key, ready for use. The cipher wipes its key when dropped.
pub(crate) struct Sealer {
    cipher: Aes256GcmSiv,
    header: Zeroizing<[u8; 32]>,
    note: Zeroizing<[u8; 32]>,
    check: [u8; CHECK],
}

impl Sealer {
    /// Derives the keys; each has its own use and label.
    pub(crate) fn new(key: &DataKey) -> Self {
        let hkdf = Hkdf::<Sha256>::new(None, key.expose());
        let mut record = Zeroizing::new([0; 32]);
        let mut header = Zeroizing::new([0; 32]);
        let mut note = Zeroizing::new([0; 32]);
        let mut check = [0; CHECK];
        // These lengths are far below the limit of HKDF, so none of them can fail.
        let _ = hkdf.expand(b"sealwright state v1: records", record.as_mut());
        let _ = hkdf.expand(b"sealwright state v1: header", header.as_mut());
        let _ = hkdf.expand(b"sealwright state v1: notes", note.as_mut());
        let _ = hkdf.expand(b"sealwright state v1: key check", &mut check);
        Self { cipher: Aes256GcmSiv::new((&*record).into()), header, note, check }
    }

    /// The value that is stored to recognise the key.
    pub(crate) fn check(&self) -> [u8; CHECK] {
        self.check
    }

    /// The code of a journal's header.
    pub(crate) fn mac(&self, header: &[u8]) -> [u8; MAC] {
        Hkdf::<Sha256>::extract(Some(self.header.as_ref()), header).0.into()
    }

    /// The code of a note beside a journal.
    pub(crate) fn note(&self, note: &[u8]) -> [u8; MAC] {
        Hkdf::<Sha256>::extract(Some(self.note.as_ref()), note).0.into()
    }

    /// A nonce for the next record.
    pub(crate) fn nonce() -> Result<[u8; NONCE], EntropyFault> {
        let mut nonce = [0; NONCE];
        crate::entropy::fill(&mut nonce)?;
        Ok(nonce)
    }

    /// Seals `content`; `header` is authenticated with it. Fails only beyond 2^36 bytes.
    pub(crate) fn seal(&self, nonce: [u8; NONCE], header: &[u8], content: &[u8]) -> Option<Vec<u8>> {
        self.cipher.encrypt(&Nonce::from(nonce), Payload { msg: content, aad: header }).ok()
    }

    /// Opens what [`Sealer::seal`] made.
    pub(crate) fn open(&self, nonce: [u8; NONCE], header: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let opened = self.cipher.decrypt(&Nonce::from(nonce), Payload { msg: sealed, aad: header });
        opened.ok().map(Zeroizing::new)
    }
}

/// [`DataKey::prove`].
pub(crate) fn proof(key: &DataKey, message: &[u8]) -> [u8; MAC] {
    let mut proving = Zeroizing::new([0; 32]);
    // As above, this cannot fail.
    let _ = Hkdf::<Sha256>::new(None, key.expose()).expand(b"sealwright state v1: proof", proving.as_mut());
    Hkdf::<Sha256>::extract(Some(proving.as_ref()), message).0.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_bound_to_the_content() {
        let sealer = Sealer::new(&DataKey::new([7; 32]));
        let sealed = sealer.seal([1; NONCE], b"header", b"content").unwrap();
        assert_eq!(sealed.len(), 7 + TAG);
        assert_eq!(&**sealer.open([1; NONCE], b"header", &sealed).unwrap(), b"content");
        assert!(sealer.open([1; NONCE], b"Header", &sealed).is_none());
        assert!(sealer.open([2; NONCE], b"header", &sealed).is_none());
        assert!(Sealer::new(&DataKey::new([8; 32])).open([1; NONCE], b"header", &sealed).is_none());
    }

    #[test]
    fn the_header_code_is_hmac_sha256() {
        // HKDF-Extract is HMAC-SHA-256 with the salt as key (RFC 5869, 2.2), so readers need no third primitive.
        let sealer = Sealer::new(&DataKey::new([7; 32]));
        assert_ne!(sealer.mac(b"a"), sealer.mac(b"b"));
        assert_ne!(sealer.check(), Sealer::new(&DataKey::new([8; 32])).check());
        let key = DataKey::new([7; 32]);
        assert_ne!(key.prove(b"a"), sealer.mac(b"a"), "each use has its own key");
        assert_ne!(key.prove(b"a"), key.prove(b"b"));
        assert_ne!(key.prove(b"a"), DataKey::new([8; 32]).prove(b"a"));
    }
}

//! What tests share.

use std::path::PathBuf;

/// A folder that goes away with the test.
pub(crate) struct Folder(PathBuf);

/// A new folder; the name is for people.
pub(crate) fn folder(name: &str) -> Folder {
    let mut unique = [0; 8];
    crate::secret::random(&mut unique).unwrap();
    let path = std::env::temp_dir().join(format!("sealwright-keys-{name}-{:x}", u64::from_be_bytes(unique)));
    std::fs::create_dir_all(&path).unwrap();
    Folder(path)
}

impl Folder {
    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.0.clone() } else { self.0.join(name) }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[cfg(feature = "http")]
pub(crate) mod http;

/// A file of the tests' certificates.
#[cfg(feature = "tls")]
pub(crate) fn certificate(name: &str) -> String {
    format!("{}/tests/certificates/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// `ca=…&cert=…&key=…` for the doubles.
#[cfg(feature = "tls")]
pub(crate) fn tls_options() -> String {
    format!("ca={}&cert={}&key={}", certificate("ca.pem"), certificate("client.pem"), certificate("client.key"))
}

/// A server that wants the tests' client certificate.
#[cfg(feature = "tls")]
pub(crate) fn server_config() -> std::sync::Arc<rustls::ServerConfig> {
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate("ca.pem")).unwrap()).unwrap();
    let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), crate::tls::provider());
    let chain = vec![CertificateDer::from_pem_file(certificate("server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(certificate("server.key")).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(crate::tls::provider());
    let config = config.with_safe_default_protocol_versions().unwrap();
    config.with_client_cert_verifier(clients.build().unwrap()).with_single_cert(chain, key).unwrap().into()
}

//! Whom a manager's server must be, and who this host is: `ca=`, `cert=` and `key=`.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::address::{Address, AddressFault};
use crate::secret::Secret;

/// Where distributions keep the certificates of public authorities, in one file.
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Both sides of a TLS connection, read when the manager is opened.
pub(crate) struct Identity {
    /// Who may have signed the server's certificate.
    pub(crate) roots: Vec<CertificateDer<'static>>,
    /// This host's certificate and its key as PEM, known to be good, if the server wants one.
    pub(crate) client: Option<(Vec<CertificateDer<'static>>, Secret)>,
}

fn certificates(address: &Address, path: &Path) -> Result<Vec<CertificateDer<'static>>, AddressFault> {
    let shown = path.display();
    let pem = std::fs::read(path).map_err(|e| address.fault(format!("needs the certificate file {shown}: {e}")))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(address.fault(format!("names {shown}, which holds no PEM certificate"))),
    }
}

impl Identity {
    /// Takes the options of an address.
    pub(crate) fn take(address: &mut Address) -> Result<Self, AddressFault> {
        let ca = address.take_path("ca");
        let (cert, key) = (address.take_path("cert"), address.take_path("key"));
        let roots = match ca {
            Some(path) => certificates(address, &path)?,
            None => match BUNDLES.iter().map(Path::new).find(|path| path.exists()) {
                Some(bundle) => certificates(address, bundle)?,
                None => return Err(address.fault("needs ca=FILE: this system has no list of certificate authorities")),
            },
        };
        let client = match (cert, key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((certificates(address, &cert)?, private_key(address, &key)?)),
            _ => return Err(address.fault("needs both cert=FILE and key=FILE, or neither")),
        };
        Ok(Self { roots, client })
    }
}

fn private_key(address: &Address, path: &Path) -> Result<Secret, AddressFault> {
    let pem = Secret::read_file(path).map_err(|e| address.fault(format!("needs the key of its certificate: {e}")))?;
    match PrivateKeyDer::from_pem_slice(pem.bytes()) {
        Ok(_) => Ok(pem),
        Err(_) => {
            Err(address.fault(format!("names {}, which holds no PEM private key without a passphrase", path.display())))
        }
    }
}

/// AWS-LC, which `crypto-native` brings anyway; with it TLS 1.3 agrees on keys by X25519 and ML-KEM-768 together.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

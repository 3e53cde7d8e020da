//! The certificate of the admin pages: its files are read, checked, and made a TLS configuration.
//!
//! What never lives here: when it is read again (`admin_files`), and connections (`reactor/tls`).

use crate::exit::Failure;
use crate::host::files;
use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tmr_core::base::time::Wall;
use x509_cert::der::Decode;

/// The most bytes of a certificate chain or key that are read.
const PEM_MAX: usize = 256 * 1024;

/// A certificate with its key, by their files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The chain in PEM, the server's own certificate first.
    pub chain: PathBuf,
    /// The key in PEM.
    pub key: PathBuf,
}

impl Certificate {
    /// Reads both, and returns the TLS configuration with the end of the certificate.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn read(&self) -> Result<(Arc<ServerConfig>, Wall), Failure> {
        let (chain, key) =
            (files::plain_bytes(&self.chain, PEM_MAX)?, files::plain_bytes(&self.key, PEM_MAX)?);
        let of = |path: &Path, error: &dyn Display| files::wrong(path, error);
        let chain: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(&chain)
            .collect::<Result<_, _>>()
            .map_err(|error| of(&self.chain, &error))?;
        let Some(own) = chain.first() else {
            return Err(of(&self.chain, &"no certificate in it, expected PEM"));
        };
        let ends = x509_cert::Certificate::from_der(own)
            .map_err(|error| of(&self.chain, &error))?
            .tbs_certificate
            .validity
            .not_after
            .to_unix_duration();
        let chain = chain.iter().map(|one| one.clone().into_owned()).collect();
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| match error {
            pem::Error::NoItemsFound => of(&self.key, &"no private key in it, expected PEM"),
            other => of(&self.key, &other),
        })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| of(&self.chain, &error))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| of(&self.key, &error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok((Arc::new(config), Wall(ends.as_secs())))
    }
}

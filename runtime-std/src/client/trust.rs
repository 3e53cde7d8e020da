//! Whom a client believes that speaks HTTPS: rustls over the connection that there is, for the present
//! client also speaks by a Unix socket, bounds what it reads, and needs no connection twice.

use crate::daemon::{Failure, files};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use tmr_core::io::Address;

/// Where systems keep the certificates that they trust: Debian's place, and that of Red Hat's.
const SYSTEMS: [&str; 2] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
/// Longest file of certificates, in bytes.
const PEM_MAX: usize = 4 * 1024 * 1024;

/// A connection to this address that is to be covered. `ca`: the PEM file of those who may vouch for
/// it.
///
/// # Errors
/// That file cannot be used, or the host can have no certificate.
pub(super) fn client(at: &Address, ca: Option<&Path>) -> Result<ClientConnection, Failure> {
    let system = || SYSTEMS.iter().map(Path::new).find(|path| path.exists());
    let Some(file) = ca.or_else(system) else {
        let what = "this system has no list of certificates that it trusts; name the server's, or its \
                    authority's, with --ca FILE";
        return Err(Failure::failed(what.to_owned()));
    };
    let pem = files::plain_bytes(file, PEM_MAX)?;
    let mut roots = RootCertStore::empty();
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let (taken, _) =
        roots.add_parsable_certificates(all.map_err(|error| files::wrong(file, error))?);
    if taken == 0 {
        return Err(files::wrong(file, "no certificate in it, expected PEM"));
    }
    let failed = |error: rustls::Error| Failure::failed(format!("{at}: {error}"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(at.host.clone()).map_err(|_| {
        Failure::failed(format!("{}: no host that a certificate could name", at.host))
    })?;
    ClientConnection::new(Arc::new(config), name).map_err(failed)
}

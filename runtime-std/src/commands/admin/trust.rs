//! HTTPS of a client: rustls over an existing connection, because the client also uses Unix
//! sockets, bounds what it reads, and uses each connection once.
//!
//! What lives here: the trusted authorities, and the messages for a server that is not trusted.

use crate::exit::Failure;
use crate::host::files;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};
use std::path::Path;
use std::sync::Arc;
use tmr_core::base::network::Address;
use tmr_core::base::time::Wall;
use x509_cert::der::Decode;

/// Where systems keep their trusted certificates: Debian, and Red Hat.
const SYSTEMS: [&str; 2] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
/// The most bytes of a file of certificates.
const PEM_MAX: usize = 4 * 1024 * 1024;

/// Reads the certificates of a PEM file.
///
/// # Errors
/// It cannot be read, or has none.
pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let pem = files::plain_bytes(file, PEM_MAX)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let all = all.map_err(|error| files::wrong(file, error))?;
    if all.is_empty() {
        return Err(files::wrong(file, "no certificate in it, expected PEM"));
    }
    Ok(all)
}

/// Begins TLS with the host of this address. `ca`: a PEM file with trusted authorities, or with the
/// server's own certificate.
///
/// # Errors
/// That file cannot be used, or the host is not valid in a certificate.
pub(super) fn client(at: &Address, ca: Option<&Path>) -> Result<ClientConnection, Failure> {
    let system = || SYSTEMS.iter().map(Path::new).find(|path| path.exists());
    let Some(file) = ca.or_else(system) else {
        let what = "this system has no list of certificates that it trusts; name the server's, or its \
                    authority's, with --ca FILE";
        return Err(Failure::failed(what.to_owned()));
    };
    let all = certificates(file)?;
    let mut roots = RootCertStore::empty();
    let own = if ca.is_some() { all.clone() } else { Vec::new() };
    if roots.add_parsable_certificates(all).0 == 0 {
        return Err(files::wrong(file, "no certificate in it that can be used"));
    }
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("{at}: {error}"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let authorities =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| failed(&error))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Vouched { authorities, own }))
        .with_no_client_auth();
    let name = ServerName::try_from(at.host.clone()).map_err(|_| {
        Failure::failed(format!("{}: no host that a certificate could name", at.host))
    })?;
    ClientConnection::new(Arc::new(config), name).map_err(|error| failed(&error))
}

/// Trusts a server with a certificate of a trusted authority, or with exactly the given
/// certificate: self-signed ones are used in this way, whether they are marked as authorities or
/// not.
#[derive(Debug)]
struct Vouched {
    authorities: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Vouched {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.own.contains(shown) {
            return self.authorities.verify_server_cert(shown, between, name, ocsp, now);
        }
        let parsed = x509_cert::Certificate::from_der(shown)
            .map_err(|_| Error::from(CertificateError::BadEncoding))?;
        let times = parsed.tbs_certificate.validity;
        let not_after = UnixTime::since_unix_epoch(times.not_after.to_unix_duration());
        let not_before = UnixTime::since_unix_epoch(times.not_before.to_unix_duration());
        if now > not_after {
            return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
        }
        if now < not_before {
            return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
        }
        verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, shown, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

/// Returns a message why HTTPS with a server fails, with what to do.
pub(super) fn words(error: &Error, at: &Address, ca: Option<&Path>) -> String {
    let Error::InvalidCertificate(wrong) = error else {
        return match error {
            Error::InvalidMessage(_) => format!(
                "it does not speak HTTPS at this port; right may be http://{at}, or another port"
            ),
            Error::AlertReceived(alert) => format!("it ends the connection (TLS alert {alert:?})"),
            Error::PeerIncompatible(_) => {
                format!("it speaks no HTTPS that is safe, TLS 1.2 or later ({error})")
            }
            other => other.to_string(),
        };
    };
    let clock = |now: &UnixTime| format!("by this machine's clock it is {}", Wall(now.as_secs()));
    match wrong {
        CertificateError::ExpiredContext { time, not_after } => {
            let ended = Wall(not_after.as_secs());
            format!("its certificate ended on {ended}, and {}: it needs a new one", clock(time))
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            let begins = Wall(not_before.as_secs());
            format!("its certificate begins on {begins}, and {}: one of them is wrong", clock(time))
        }
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            format!(
                "its certificate names no host (subjectAltName), so it is not known to be {}; have one \
                 made that does",
                at.host
            )
        }
        CertificateError::NotValidForNameContext { presented, .. } => format!(
            "its certificate is not for {}, but for {}; ask by such a name, or have one made for this one",
            at.host,
            names(presented)
        ),
        CertificateError::UnknownIssuer | CertificateError::Other(_) => match ca {
            Some(file) => format!(
                "the certificate that it shows is neither in {} nor vouched for by one there; is it the \
                 right server, and the right file?",
                files::shown(file)
            ),
            None => "nobody whom this system trusts vouches for its certificate. If it is the right server, \
                     name its certificate, or its authority's, with --ca FILE"
                .to_owned(),
        },
        CertificateError::BadSignature => {
            "its certificate was altered, or is of an authority of the same name".to_owned()
        }
        other => format!("its certificate cannot be used: {other}"),
    }
}

/// Returns the names of a certificate as people write them.
fn names(presented: &[String]) -> String {
    // rustls formats them as DnsName("front-1.example") and IpAddress(127.0.0.1).
    let bare = |name: &String| match name.split_once('(') {
        Some((_, inside)) => inside.trim_end_matches(')').trim_matches('"').to_owned(),
        None => name.clone(),
    };
    presented.iter().map(bare).collect::<Vec<_>>().join(", ")
}

//! The TLS layer of the admin listener, byte for byte without a socket: which bytes of a client
//! reach the node, and which leave for the client. The certificate is that of `tests/certificate`.
//!
//! What never lives here: connections and polls (`connection_test`, `reactor_test`).

use crate::host::certificate::Certificate;
use crate::reactor::tls::Tls;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use tmr_core::link::{CloseReason, Layer};

fn certificate() -> Certificate {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/certificate");
    Certificate { chain: folder.join("admin.pem"), key: folder.join("admin.key") }
}

fn cover(here: bool) -> Box<dyn Layer> {
    let tls = Tls::default();
    assert!(tls.cover(here).is_none(), "without a certificate all is plain");
    let (config, _) = certificate().read().unwrap();
    tls.set(Some(config));
    tls.cover(here).unwrap()
}

/// Makes a browser that trusts the certificate.
fn client() -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate().chain).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
}

/// Returns what the client decrypts from these bytes of the server.
fn take(client: &mut ClientConnection, mut wire: &[u8]) -> Vec<u8> {
    let (mut plain, mut some) = (Vec::new(), [0; 4096]);
    while !wire.is_empty() {
        client.read_tls(&mut wire).unwrap();
        client.process_new_packets().unwrap();
        while let Ok(count @ 1..) = client.reader().read(&mut some) {
            plain.extend_from_slice(&some[..count]);
        }
    }
    plain
}

/// Returns what the server decrypts when the client sends this text in pieces of `size` bytes.
fn said(cover: &mut dyn Layer, client: &mut ClientConnection, text: &[u8], size: usize) -> Vec<u8> {
    client.writer().write_all(text).unwrap();
    let mut plain = Vec::new();
    while client.wants_write() {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        let mut wire = Vec::new();
        for piece in bytes.chunks(size) {
            plain.extend_from_slice(&cover.open(piece, &mut wire).unwrap());
        }
        assert_eq!(take(client, &wire), b"", "it has not answered");
    }
    plain
}

#[test]
fn what_is_said_under_cover_arrives_in_any_pieces() {
    let long = vec![b'x'; 300_000];
    for size in [1, 7, 100_000] {
        let (mut cover, mut client) = (cover(false), client());
        assert_eq!(said(&mut *cover, &mut client, b"GET / HTTP/1.1\r\n\r\n", size).len(), 18);
        let mut wire = Vec::new();
        cover.seal(&long, true, &mut wire);
        assert!(!wire.windows(50).any(|window| window == &long[..50]), "it is not covered");
        assert_eq!(take(&mut client, &wire), long);
        // The server has sent close_notify.
        assert_eq!(client.reader().read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn plain_http_is_for_this_machine_alone() {
    let mut wire = Vec::new();
    let request = b"GET / HTTP/1.1\r\n\r\n";
    assert_eq!(cover(true).open(request, &mut wire).as_deref(), Ok(&request[..]));
    assert!(wire.is_empty());
    let refused = cover(false).open(request, &mut wire).map(|_| ());
    assert_eq!(refused, Err(CloseReason::Protocol("plain HTTP where TLS is spoken")));
    let said = String::from_utf8(wire).unwrap();
    let (head, sentence) = said.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}", sentence.len())), "{said}");
    assert!(sentence.contains("https://"), "{said}");
}

#[test]
fn without_the_certificate_that_should_be_there_only_this_machine_is_served() {
    let tls = Tls::default();
    assert!(tls.shut());
    let request = b"GET / HTTP/1.1\r\n\r\n";
    let open = |here: bool, bytes: &[u8]| {
        let mut wire = Vec::new();
        tls.cover(here).unwrap().open(bytes, &mut wire).map(|plain| plain.to_vec())
    };
    assert_eq!(open(true, request), Ok(request.to_vec()));
    assert!(open(false, request).is_err(), "nothing is said in the clear");
    assert!(open(false, &[0x16, 3, 1]).is_err());
    // An earlier certificate stays in force.
    tls.set(Some(certificate().read().unwrap().0));
    assert!(!tls.shut());
    assert!(open(false, &[0x16, 3, 1]).is_ok());
}

#[test]
fn what_is_no_tls_ends_the_connection() {
    let mut wire = Vec::new();
    let noise = [0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5];
    let refused = cover(true).open(&noise, &mut wire).map(|_| ());
    assert!(matches!(refused, Err(CloseReason::Protocol(_))), "{refused:?}");
}

#[test]
fn a_certificate_is_read_with_its_end_or_refused_by_the_name_of_its_file() {
    let (_, ends) = certificate().read().unwrap();
    assert!(ends.to_string().starts_with("2126-"), "{ends}");
    let Certificate { chain, key } = certificate();
    for (wrong, named) in [
        (Certificate { chain: key.clone(), key: key.clone() }, "admin.key"),
        (Certificate { chain: chain.clone(), key: chain.clone() }, "admin.pem"),
        (Certificate { chain, key: "/nowhere".into() }, "/nowhere"),
    ] {
        let said = wrong.read().map(|_| ()).unwrap_err().to_string();
        assert!(said.contains(named), "{said}");
    }
}

//! TLS at the admin listener, by rustls. It is a layer of the link, outside of the hub's lock: the
//! node gets requests as if they had come in plain.
//!
//! A program on this machine may use plain HTTP all the same, as keepalived's scripts do: that
//! traffic does not leave the machine.

use crate::sync::lock;
use rustls::{ServerConfig, ServerConnection};
use std::borrow::Cow;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use tmr_core::link::{CloseReason, Layer};

/// The first byte of every TLS connection, and of no HTTP request.
const HANDSHAKE: u8 = 0x16;
/// The reply to plain HTTP from another machine.
const PLAIN: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
                     Content-Length: 57\r\nConnection: close\r\n\r\n\
                     These pages are served by HTTPS only: begin with https://";

/// The TLS mode of new connections at the admin listener. It changes with the certificate files.
#[derive(Clone, Debug, Default)]
pub struct Tls(Arc<Mutex<Mode>>);

/// Which protocol new connections use.
#[derive(Clone, Debug, Default)]
enum Mode {
    #[default]
    Plain,
    Tls(Arc<ServerConfig>),
    /// The certificate cannot be used.
    Shut,
}

impl Tls {
    /// Sets the configuration of new connections; `None`: they are plain.
    pub fn set(&self, config: Option<Arc<ServerConfig>>) {
        *lock(&self.0) = config.map_or(Mode::Plain, Mode::Tls);
    }

    /// Records that the certificate cannot be used. Without an earlier one only this machine is
    /// served, since others must not be served in plain. Returns whether that is so.
    pub fn shut(&self) -> bool {
        let mut mode = lock(&self.0);
        if !matches!(*mode, Mode::Tls(_)) {
            *mode = Mode::Shut;
        }
        matches!(*mode, Mode::Shut)
    }

    /// Returns the layer of a new connection; `None`: it is plain. `here`: its peer is this
    /// machine.
    pub(crate) fn cover(&self, here: bool) -> Option<Box<dyn Layer>> {
        match &*lock(&self.0) {
            Mode::Plain => None,
            Mode::Tls(config) => Some(Box::new(TlsLayer::Unknown(Some(Arc::clone(config)), here))),
            Mode::Shut => Some(Box::new(TlsLayer::Unknown(None, here))),
        }
    }
}

/// The layer between a connection's bytes and its stream.
#[derive(Debug)]
pub(super) enum TlsLayer {
    /// Nothing was read yet. The fields: the configuration, if TLS can be used, and whether the
    /// peer is this machine.
    Unknown(Option<Arc<ServerConfig>>, bool),
    /// Plain HTTP from this machine.
    Plain,
    /// TLS.
    Tls(Box<ServerConnection>),
}

impl Layer for TlsLayer {
    fn open<'a>(
        &mut self,
        bytes: &'a [u8],
        wire: &mut Vec<u8>,
    ) -> Result<Cow<'a, [u8]>, CloseReason> {
        if let Self::Unknown(config, here) = self {
            if bytes.first() == Some(&HANDSHAKE) {
                let Some(config) = config else {
                    return Err(CloseReason::Protocol("TLS where no certificate can be used"));
                };
                let begun = ServerConnection::new(Arc::clone(config));
                let begun = begun.map_err(|error| CloseReason::Broken(error.to_string()))?;
                *self = Self::Tls(Box::new(begun));
            } else if *here {
                *self = Self::Plain;
            } else {
                wire.extend_from_slice(PLAIN.as_bytes());
                return Err(CloseReason::Protocol("plain HTTP where TLS is spoken"));
            }
        }
        match self {
            Self::Tls(tls) => uncover(tls, bytes, wire).map(Cow::Owned),
            Self::Unknown(..) | Self::Plain => Ok(Cow::Borrowed(bytes)),
        }
    }

    fn settled(&self) -> bool {
        match self {
            Self::Unknown(..) => false,
            Self::Plain => true,
            Self::Tls(tls) => !tls.is_handshaking(),
        }
    }

    fn seal(&mut self, plain: &[u8], last: bool, wire: &mut Vec<u8>) {
        let Self::Tls(tls) = self else { return wire.extend_from_slice(plain) };
        let mut rest = plain;
        while !rest.is_empty() {
            // The writer takes a part at a time, and a vector takes everything.
            let taken = tls.writer().write(rest).expect("a buffer takes bytes");
            rest = &rest[taken..];
            drain(tls, wire);
        }
        if last {
            tls.send_close_notify();
        }
        drain(tls, wire);
    }
}

fn uncover(
    tls: &mut ServerConnection,
    mut bytes: &[u8],
    wire: &mut Vec<u8>,
) -> Result<Vec<u8>, CloseReason> {
    let mut plain = Vec::new();
    while !bytes.is_empty() {
        let read =
            tls.read_tls(&mut bytes).map_err(|error| CloseReason::Broken(error.to_string()))?;
        let state = match tls.process_new_packets() {
            Ok(state) => state,
            Err(error) => {
                tracing::debug!(target: "tmr_runtime_std::daemon::tls", "TLS: {error}");
                drain(tls, wire);
                return Err(CloseReason::Protocol(
                    "TLS that cannot be understood, or is not trusted",
                ));
            }
        };
        let before = plain.len();
        plain.resize(before + state.plaintext_bytes_to_read(), 0);
        let taken = tls.reader().read_exact(&mut plain[before..]);
        taken.map_err(|error| CloseReason::Broken(error.to_string()))?;
        if read == 0 || state.peer_has_closed() {
            break;
        }
    }
    drain(tls, wire);
    Ok(plain)
}

fn drain(tls: &mut ServerConnection, wire: &mut Vec<u8>) {
    while tls.wants_write() {
        tls.write_tls(wire).expect("a vector takes bytes");
    }
}

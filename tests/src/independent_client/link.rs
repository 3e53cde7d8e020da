//! One blocking connection: envelope (protocol facts 1), handshake (2.1), request and reply.

use super::secrets::{Side, side};
use super::{Key, KeyPair, Reply};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a reply is waited for. Far above what a server may take for any call, so that running
/// into it is a finding.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Longest reply that is read; a server that announces more is wrong.
const REPLY_MAX: usize = 16 * 1024 * 1024;

/// Why a conversation ended.
#[derive(Debug)]
pub enum Fault {
    /// The server closed the connection, or reset it.
    Closed,
    /// No byte came for [`PATIENCE`].
    Silent,
    /// What came is not what the protocol facts say.
    Malformed(&'static str),
    /// Another error of the system.
    Io(io::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the server closed the connection"),
            Self::Silent => f.write_str("the server kept silent"),
            Self::Malformed(what) => write!(f, "malformed: {what}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Fault {}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe => Self::Closed,
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Silent,
            _ => Self::Io(error),
        }
    }
}

/// A body in its envelope.
#[must_use]
pub fn envelope(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("test bodies are small");
    let mut frame = b"samc".to_vec();
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&[0x11, 0, 1, 0, 0, 0, 0, 0]);
    frame.extend_from_slice(body);
    frame
}

/// The body of the key agreement request for a point.
#[must_use]
pub fn handshake_body(point: &[u8; 57]) -> Vec<u8> {
    let mut body = vec![0xa2, 0x05];
    body.extend_from_slice(point);
    body
}

/// Reads one envelope and returns its body.
///
/// # Errors
/// See [`Fault`].
pub fn read_body(socket: &mut TcpStream) -> Result<Vec<u8>, Fault> {
    let mut head = [0; 16];
    socket.read_exact(&mut head)?;
    if &head[..4] != b"samc" {
        return Err(Fault::Malformed("no samc at the start of an envelope"));
    }
    let length = u32::from_le_bytes(head[4..8].try_into().expect("four bytes")) as usize;
    if length > REPLY_MAX {
        return Err(Fault::Malformed("a reply of more than 16 MiB is announced"));
    }
    let mut body = vec![0; length];
    socket.read_exact(&mut body)?;
    Ok(body)
}

/// A connection whose key agreement is done. Every reply of a front is searched for
/// [secrets](super::Secrets) of its backends.
#[derive(Debug)]
pub struct Client {
    socket: TcpStream,
    key: Key,
    side: Option<Side>,
    /// Numbers of the calls whose replies are to come.
    asked: VecDeque<u32>,
}

impl Client {
    /// Connects and agrees on a key.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn connect(to: SocketAddr) -> Result<Self, Fault> {
        Self::shake(Self::open(to)?)
    }

    /// The same from an address of this machine: 127.0.0.0/8 has many.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn connect_from(from: IpAddr, to: SocketAddr) -> Result<Self, Fault> {
        Self::shake(Self::open_from(from, to)?)
    }

    /// A bare connection from an address of this machine.
    ///
    /// # Errors
    /// The system's.
    pub fn open_from(from: IpAddr, to: SocketAddr) -> Result<TcpStream, Fault> {
        let family = if from.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = socket(family, SocketType::STREAM, None)
            .and_then(|socket| bind(&socket, &SocketAddr::new(from, 0)).map(|()| socket))
            .and_then(|socket| connect(&socket, &to).map(|()| socket));
        let socket = TcpStream::from(socket.map_err(io::Error::from)?);
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        Ok(socket)
    }

    /// A bare connection with read and write time-outs, before any byte is sent.
    ///
    /// # Errors
    /// The system's.
    pub fn open(to: SocketAddr) -> Result<TcpStream, Fault> {
        let socket = TcpStream::connect_timeout(&to, PATIENCE)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        Ok(socket)
    }

    /// Agrees on a key over a bare connection.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn shake(socket: TcpStream) -> Result<Self, Fault> {
        Self::shake_as(socket, &KeyPair::fresh()?, &Mutex::new(()))
    }

    /// Agrees on a key with a pair that was made before. Of clients with the same gate one at a
    /// time computes, so that a machine that plays many of them does something else as well.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn shake_as(
        mut socket: TcpStream,
        pair: &KeyPair,
        gate: &Mutex<()>,
    ) -> Result<Self, Fault> {
        socket.write_all(&envelope(&handshake_body(&pair.point())))?;
        let body = read_body(&mut socket)?;
        let _one = gate.lock().unwrap_or_else(PoisonError::into_inner);
        if body.len() != 65 {
            return Err(Fault::Malformed("the key agreement reply has not 65 bytes"));
        }
        let key = pair.agree(&body[8..])?;
        let side = side(socket.peer_addr()?);
        Ok(Self { socket, key, side, asked: VecDeque::new() })
    }

    /// One request and its reply.
    ///
    /// # Errors
    /// See [`Fault`]. A reply with an error status is no fault.
    ///
    /// # Panics
    /// See [`receive`](Self::receive).
    #[track_caller]
    pub fn call(&mut self, request: &[u8]) -> Result<Reply, Fault> {
        self.send(request)?;
        self.receive()
    }

    /// Sends a request without waiting for the reply.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn send(&mut self, request: &[u8]) -> Result<(), Fault> {
        let frame = self.frame(request);
        let call = request.first_chunk().map_or(0, |call| u32::from_le_bytes(*call));
        self.asked.push_back(call);
        Ok(self.socket.write_all(&frame)?)
    }

    /// Waits for one reply.
    ///
    /// # Errors
    /// See [`Fault`].
    ///
    /// # Panics
    /// It is a front's, and tells something of a backend.
    #[track_caller]
    pub fn receive(&mut self) -> Result<Reply, Fault> {
        let body = read_body(&mut self.socket)?;
        let plain = self.key.open(&body)?;
        // 0: what a test wrote to the socket by itself.
        let call = self.asked.pop_front().unwrap_or(0);
        match &self.side {
            Some(Side::Front(secrets)) => secrets.search(call, &plain),
            Some(Side::Backend(secrets)) => secrets.learn(call, &plain),
            None => {}
        }
        Reply::decode(&plain)
    }

    /// The bytes on the wire that carry a request.
    #[must_use]
    pub fn frame(&self, request: &[u8]) -> Vec<u8> {
        let mut body = vec![0xa1];
        body.extend_from_slice(&self.key.protect(request));
        envelope(&body)
    }

    /// The socket, for bytes that no client would send.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// The keys of this connection.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }
}

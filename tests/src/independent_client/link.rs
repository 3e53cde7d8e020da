//! One blocking connection: the envelope (protocol facts 1), the key agreement (2.1), requests and
//! replies.

use super::secrets::{Side, side};
use super::{Key, KeyPair, Reply};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The longest wait for a reply. No call takes a server nearly that long, so a test that reaches
/// the limit has found a fault.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The longest reply that is read. A server that announces a longer one is at fault.
const REPLY_MAX: usize = 16 * 1024 * 1024;

/// The reason why a connection ended.
#[derive(Debug)]
pub enum Fault {
    /// The server closed the connection, or reset it.
    Closed,
    /// No byte arrived for [`PATIENCE`].
    Silent,
    /// The received bytes contradict the protocol facts.
    Malformed(&'static str),
    /// Another error of the operating system.
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

/// Returns a body in its envelope.
#[must_use]
pub fn envelope(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("test bodies are small");
    let mut frame = b"samc".to_vec();
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&[0x11, 0, 1, 0, 0, 0, 0, 0]);
    frame.extend_from_slice(body);
    frame
}

/// Returns the body of the key agreement request for a public point.
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

/// A connection after the key agreement. A client of a front searches every reply for
/// [secrets](super::Secrets) of the backends.
#[derive(Debug)]
pub struct Client {
    socket: TcpStream,
    key: Key,
    side: Option<Side>,
    /// The numbers of the calls whose replies have not been received.
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

    /// Connects from an address of this machine, and agrees on a key. Tests use it to have several
    /// client addresses: all of 127.0.0.0/8 belongs to the machine.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn connect_from(from: IpAddr, to: SocketAddr) -> Result<Self, Fault> {
        Self::shake(Self::open_from(from, to)?)
    }

    /// Opens a connection from an address of this machine, without a key agreement.
    ///
    /// # Errors
    /// The operating system refuses.
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

    /// Opens a connection with read and write time-outs, without a key agreement.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn open(to: SocketAddr) -> Result<TcpStream, Fault> {
        let socket = TcpStream::connect_timeout(&to, PATIENCE)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        Ok(socket)
    }

    /// Agrees on a key over an open connection.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn shake(socket: TcpStream) -> Result<Self, Fault> {
        Self::shake_as(socket, &KeyPair::fresh()?, &Mutex::new(()))
    }

    /// Agrees on a key over an open connection, with a key pair of the caller. Clients with the
    /// same gate compute one at a time, so that the computations of many clients leave processor
    /// time for the servers on the same machine.
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

    /// Sends a request and waits for its reply.
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
    /// The reply is one of a front, and contains a secret of a backend.
    #[track_caller]
    pub fn receive(&mut self) -> Result<Reply, Fault> {
        let body = read_body(&mut self.socket)?;
        let plain = self.key.open(&body)?;
        // Call number 0 stands for bytes that a test wrote to the socket directly.
        let call = self.asked.pop_front().unwrap_or(0);
        match &self.side {
            Some(Side::Front(secrets)) => secrets.search(call, &plain),
            Some(Side::Backend(secrets)) => secrets.learn(call, &plain),
            None => {}
        }
        Reply::decode(&plain)
    }

    /// Returns the bytes on the wire that carry a request.
    #[must_use]
    pub fn frame(&self, request: &[u8]) -> Vec<u8> {
        let mut body = vec![0xa1];
        body.extend_from_slice(&self.key.protect(request));
        envelope(&body)
    }

    /// Returns the socket, so that a test can send bytes that no client sends.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Returns the keys of this connection.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }
}

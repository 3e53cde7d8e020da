//! A connection to a licence server, as a client has it: one call, one reply.

use crate::daemon::Failure;
use crate::daemon::entropy;
use crate::daemon::net::{dial, read_some, write};
use std::net::TcpStream;
use std::time::Duration;
use tmr_core::channel::{Sealer, Stream};
use tmr_core::io::{Address, Frame, Why};
use tmr_core::wire::{CmError, Reply, Request};

/// A front that waits for a majority answers after three seconds at most.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes read at once.
const CHUNK: usize = 16 * 1024;

/// One conversation with one server.
#[derive(Debug)]
pub struct Session {
    /// Whom with.
    pub server: Address,
    socket: TcpStream,
    stream: Stream,
    sealer: Sealer,
}

impl Session {
    /// A conversation with the first of these servers that takes one.
    ///
    /// # Errors
    /// None of them does: [`Exit::Unreachable`](crate::daemon::Exit::Unreachable), with each one's reason.
    pub fn open(servers: &[Address]) -> Result<Self, Failure> {
        let mut reasons = Vec::new();
        for server in servers {
            match Self::greet(server) {
                Ok(session) => return Ok(session),
                Err(why) => reasons.push(format!("{server}: {why}")),
            }
        }
        Err(Failure::unreachable(format!("no licence server: {}", reasons.join("; "))))
    }

    /// Connects and agrees on a key.
    fn greet(server: &Address) -> Result<Self, Why> {
        let (socket, mut stream) = (dial(server)?, Stream::dial_server(entropy::fresh()));
        let patience = socket.set_read_timeout(Some(PATIENCE));
        patience.map_err(|error| Why::Broken(error.to_string()))?;
        let mut wire = Vec::new();
        stream.greet(&mut wire);
        loop {
            write(&socket, &mut wire)?;
            if let Some(sealer) = stream.split() {
                return Ok(Self { server: server.clone(), socket, stream, sealer });
            }
            arrive(&socket, &mut stream, &mut wire, &mut Vec::new())?;
        }
    }

    /// Sends the plaintext of a request and waits for the plaintext of its reply.
    ///
    /// # Errors
    /// The server is gone, or does not answer: [`Exit::Unreachable`](crate::daemon::Exit::Unreachable).
    pub fn exchange(&mut self, request: Vec<u8>) -> Result<Vec<u8>, Failure> {
        self.try_exchange(request).map_err(|why| {
            let what =
                if why == Why::Eof { "closed the connection".to_owned() } else { why.to_string() };
            Failure::unreachable(format!("licence server {}: {what}", self.server))
        })
    }

    fn try_exchange(&mut self, request: Vec<u8>) -> Result<Vec<u8>, Why> {
        let (mut wire, mut frames) = (Vec::new(), Vec::new());
        self.sealer.seal(&[request], &mut wire);
        write(&self.socket, &mut wire)?;
        loop {
            match frames.pop() {
                Some(Frame::Reply(reply)) => return Ok(reply),
                Some(_) => return Err(Why::Protocol("something else than a reply")),
                None => arrive(&self.socket, &mut self.stream, &mut wire, &mut frames)?,
            }
        }
    }

    /// Makes a call.
    ///
    /// # Errors
    /// As of [`exchange`](Self::exchange); the server refuses: [`Exit::Refused`](crate::daemon::Exit::Refused), with its error.
    pub fn call(&mut self, request: &Request) -> Result<Reply, Failure> {
        let bytes = self.exchange(request.encode())?;
        let reply = Reply::parse(&bytes).map_err(|malformed| {
            Failure::failed(format!("{}: not a reply: {malformed}", self.server))
        })?;
        if reply.status == CmError::NO_ERROR {
            return Ok(reply);
        }
        let (server, name) = (&self.server, request.name());
        Err(Failure::refused(format!("{server} refused {name}: {}", reply.status)))
    }
}

/// Waits for bytes, and takes them in.
fn arrive(
    socket: &TcpStream,
    stream: &mut Stream,
    wire: &mut Vec<u8>,
    frames: &mut Vec<Frame>,
) -> Result<(), Why> {
    let mut buffer = vec![0; CHUNK];
    match read_some(socket, &mut buffer)? {
        Some(0) => Err(Why::Eof),
        Some(count) => stream.open(&buffer[..count], wire, frames),
        None => Err(Why::Timeout("an answer")),
    }
}

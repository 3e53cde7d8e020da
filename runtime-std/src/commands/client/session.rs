//! A licence client's sockets: performs the intents of core's [`Client`].

use crate::clock::Clock;
use crate::entropy;
use crate::exit::{Exit, Failure};
use crate::reactor::dial::dial_within;
use crate::reactor::net::{broken, read_some, write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};
use tmr_core::base::network::Address;
use tmr_core::base::time::Deadline;
use tmr_core::client::{Client, Input, Intent, Unanswered};
use tmr_core::link::{CloseReason, LinkId};
use tmr_core::wire::{CmError, Reply, Request};

/// Bytes read at once.
const CHUNK: usize = 16 * 1024;
/// The shortest wait that a socket takes.
const SHORTEST: Duration = Duration::from_millis(1);

/// A client that blocks while its call is made.
#[derive(Debug)]
pub struct Session {
    client: Client,
    clock: Clock,
    socket: Option<(LinkId, TcpStream)>,
}

impl Session {
    /// Nothing is dialled before the first call.
    #[must_use]
    pub fn new(servers: &[Address]) -> Self {
        let client = Client::new(servers.to_vec(), entropy::fresh());
        Self { client, clock: Clock::start(), socket: None }
    }

    /// The server that is connected, or tried next.
    #[must_use]
    pub fn server(&self) -> &Address {
        self.client.server()
    }

    /// Makes a call, and says what was answered, be it an error.
    ///
    /// # Errors
    /// There was no answer: [`Exit::Unreachable`], or [`Exit::Failed`] where the call may have been
    /// done all the same.
    pub fn exchange(&mut self, plain: Vec<u8>) -> Result<Reply, Failure> {
        self.try_exchange(plain).map_err(|lost| {
            let exit = if lost.doubt.is_some() { Exit::Failed } else { Exit::Unreachable };
            Failure { exit, ..Failure::failed(lost.to_string()) }
        })
    }

    /// Makes a call.
    ///
    /// # Errors
    /// As of [`exchange`](Self::exchange); the server refuses: [`Exit::Refused`], with its error.
    pub fn call(&mut self, request: &Request) -> Result<Reply, Failure> {
        let reply = self.exchange(request.encode())?;
        if reply.status == CmError::NO_ERROR {
            return Ok(reply);
        }
        let (server, name) = (self.server(), request.name());
        Err(Failure::refused(format!("{server} refused {name}: {}", reply.status)))
    }

    /// Makes a call of whose answer the caller decides what it is worth.
    ///
    /// # Errors
    /// There was no answer.
    pub fn try_exchange(&mut self, plain: Vec<u8>) -> Result<Reply, Unanswered> {
        // Nothing is sent on a connection whose end has arrived already.
        if let Some(news) = self.meanwhile() {
            self.step(news);
        }
        let mut input = Input::Call(plain);
        loop {
            let (deadline, done) = self.step(input);
            input = match done {
                Some(Done::Answer(answer)) => return answer,
                Some(Done::Next(input)) => input,
                None => self.wait(deadline),
            };
        }
    }

    fn step(&mut self, input: Input) -> (Option<Deadline>, Option<Done>) {
        let mut intents = Vec::new();
        let deadline = self.client.step(self.clock.now().mono, input, &mut intents);
        let mut done = None;
        for intent in intents {
            match intent {
                Intent::Dial { link, to, within } => {
                    done = Some(Done::Next(match dial_within(&to, within) {
                        Ok(socket) => {
                            self.socket = Some((link, socket));
                            Input::Opened { link, entropy: entropy::fresh() }
                        }
                        Err(reason) => Input::Closed { link, reason },
                    }));
                }
                Intent::Write { link, mut bytes } => {
                    let Some((_, socket)) = &self.socket else { continue };
                    if let Err(reason) = write(socket, &mut bytes) {
                        done = Some(Done::Next(Input::Closed { link, reason }));
                    }
                }
                Intent::Close { .. } => self.socket = None,
                Intent::Answer(answer) => done = Some(Done::Answer(answer)),
            }
        }
        (deadline, done)
    }

    /// What has come on the connection since the last call: mostly nothing, or its end.
    fn meanwhile(&mut self) -> Option<Input> {
        let (_, socket) = self.socket.as_ref()?;
        let patience = socket.set_nonblocking(true);
        let read = patience.map_err(|error| broken(&error)).and_then(|()| read(socket));
        let read = read.and_then(|read| {
            let blocks = socket.set_nonblocking(false);
            blocks.map(|()| read).map_err(|error| broken(&error))
        });
        self.arrived(read)
    }

    /// What comes next on the connection, or the time.
    fn wait(&mut self, deadline: Option<Deadline>) -> Input {
        let due = deadline.and_then(|deadline| self.clock.instant(deadline.at));
        let left = due.map_or(Duration::ZERO, |due| due.saturating_duration_since(Instant::now()));
        let Some((_, socket)) = &self.socket else {
            thread::sleep(left);
            return Input::Tick;
        };
        let patience = socket.set_read_timeout(Some(left.max(SHORTEST)));
        let read = patience.map_err(|error| broken(&error)).and_then(|()| read(socket));
        self.arrived(read).unwrap_or(Input::Tick)
    }

    fn arrived(&mut self, read: Result<Option<Vec<u8>>, CloseReason>) -> Option<Input> {
        let link = self.socket.as_ref()?.0;
        let reason = match read {
            Ok(None) => return None,
            Ok(Some(bytes)) if !bytes.is_empty() => return Some(Input::Received { link, bytes }),
            Ok(Some(_)) => CloseReason::Eof,
            Err(reason) => reason,
        };
        self.socket = None;
        Some(Input::Closed { link, reason })
    }
}

/// What there is to read; nothing is its end, and `None` that there is nothing yet.
fn read(socket: &TcpStream) -> Result<Option<Vec<u8>>, CloseReason> {
    let mut buffer = vec![0; CHUNK];
    let read = read_some(socket, &mut buffer)?;
    Ok(read.map(|count| {
        buffer.truncate(count);
        buffer
    }))
}

/// What a step came to.
enum Done {
    Next(Input),
    Answer(Result<Reply, Unanswered>),
}

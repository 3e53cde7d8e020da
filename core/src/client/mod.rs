//! A client of licence servers that survives a change of fronts.
//!
//! What lives here: the choice of the server, the time at which a connection is given up and made
//! again, and the choice of calls that are repeated. What never lives here: a socket, a clock, the
//! meaning of an answer to a program. There is one call at a time, as in the protocol.
//!
//! A call ends within 15 s ([`CLIENT_CALL`]), with an answer or an [`Unanswered`]. The following
//! rules are for authors of other clients as well:
//!
#![doc = include_str!("../../docs/client.md")]

mod effect;
mod unanswered;

#[cfg(test)]
mod client_test;

pub use effect::Effect;
pub use unanswered::Unanswered;

use crate::base::limits::{
    CLIENT_CALL, CLIENT_CONNECT, CLIENT_FIRST, CLIENT_GREETING, CLIENT_PAUSE, CLIENT_REPLY,
};
use crate::base::network::Address;
use crate::base::random::Random;
use crate::base::time::{Deadline, Duration, Mono};
use crate::link::channel::SecureChannel;
use crate::link::{CloseReason, Frame, LinkId};
use crate::wire::{CmError, Reply, Request};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

/// An input of a client, from its runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The passing of time.
    Tick,
    /// The plaintext of a request to make; not before the last one has its answer.
    Call(Vec<u8>),
    /// A connection is established.
    Opened {
        /// The connection.
        link: LinkId,
        /// Fresh random bytes, for this connection alone.
        entropy: [u8; 32],
    },
    /// Bytes arrived.
    Received {
        /// The connection.
        link: LinkId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A connection is gone, or could not be opened.
    Closed {
        /// The connection.
        link: LinkId,
        /// The reason.
        reason: CloseReason,
    },
}

/// An output of a client, for its runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Open a connection.
    Dial {
        /// The name of the connection.
        link: LinkId,
        /// The server.
        to: Address,
        /// The time within which the connection must be established.
        within: Duration,
    },
    /// Send these bytes.
    Write {
        /// The connection.
        link: LinkId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Close a connection, or stop opening it.
    Close {
        /// The connection.
        link: LinkId,
    },
    /// The call has ended; always the last intent of a step.
    Answer(Result<Reply, Unanswered>),
}

/// A client and its servers.
#[derive(Debug)]
pub struct Client {
    servers: Vec<Address>,
    /// The index of the server that is connected, or tried next.
    at: usize,
    /// Failed attempts since the last answer.
    tries: usize,
    /// The time before which there is no attempt and no repeat.
    not_before: Mono,
    random: Random,
    links: u64,
    line: Line,
    /// Whether a server has ever agreed on a key.
    reached: bool,
    call: Option<Call>,
}

#[derive(Debug)]
enum Line {
    Down,
    Dialling(LinkId),
    /// `due`: the time by which the key agreement has to be complete; `None` if it is.
    Up {
        link: LinkId,
        stream: Box<SecureChannel>,
        due: Option<Mono>,
    },
}

#[derive(Debug)]
struct Call {
    plain: Vec<u8>,
    name: &'static str,
    effect: Effect,
    begun: Mono,
    /// The time since which the answer is awaited.
    sent: Option<Mono>,
    /// Whether it was sent before, and it is not known if it was done.
    lost: bool,
    /// The last reply with 238.
    pending: Option<Reply>,
    /// The end of the last attempt at each server.
    tried: BTreeMap<usize, CloseReason>,
}

impl Client {
    /// Returns a client of these servers, which are tried in this order. It dials nothing before the
    /// first call. `entropy` decides the pauses only.
    ///
    /// # Panics
    /// Panics if there is no server.
    #[must_use]
    pub fn new(servers: Vec<Address>, entropy: [u8; 32]) -> Self {
        assert!(!servers.is_empty(), "a client has a server");
        Self {
            servers,
            at: 0,
            tries: 0,
            not_before: Mono(0),
            random: Random::new(entropy),
            links: 0,
            line: Line::Down,
            reached: false,
            call: None,
        }
    }

    /// Returns the server that is connected, or tried next.
    #[must_use]
    pub fn server(&self) -> &Address {
        &self.servers[self.at]
    }

    /// Takes one input at one time, appends intents to `out`, and returns the next deadline. Due timers
    /// run first. An unknown connection is ignored.
    ///
    /// # Panics
    /// Panics on a call while another one has no answer.
    pub fn step(&mut self, now: Mono, input: Input, out: &mut Vec<Intent>) -> Option<Deadline> {
        self.timers(now, out);
        match input {
            Input::Tick => {}
            Input::Call(plain) => self.begin(now, plain),
            Input::Opened { link, entropy } => self.opened(now, link, entropy, out),
            Input::Received { link, bytes } => self.received(now, link, &bytes, out),
            Input::Closed { link, reason } => {
                if self.link() == Some(link) {
                    self.failed(now, reason, out);
                }
            }
        }
        self.go_on(now, out);
        self.deadline()
    }

    fn begin(&mut self, now: Mono, plain: Vec<u8>) {
        assert!(self.call.is_none(), "one call at a time");
        let (name, effect) = Request::parse(&plain)
            .map_or(("a malformed call", Effect::Unknown), |it| (it.name(), Effect::of(&it)));
        self.call = Some(Call {
            plain,
            name,
            effect,
            begun: now,
            sent: None,
            lost: false,
            pending: None,
            tried: BTreeMap::new(),
        });
    }

    fn opened(&mut self, now: Mono, link: LinkId, entropy: [u8; 32], out: &mut Vec<Intent>) {
        if !matches!(self.line, Line::Dialling(dialled) if dialled == link) {
            return;
        }
        let mut stream = Box::new(SecureChannel::dial_server(entropy));
        let mut bytes = Vec::new();
        stream.greet(&mut bytes);
        out.push(Intent::Write { link, bytes });
        self.line = Line::Up { link, stream, due: Some(now + self.grown(CLIENT_GREETING)) };
    }

    fn received(&mut self, now: Mono, link: LinkId, bytes: &[u8], out: &mut Vec<Intent>) {
        let Line::Up { link: known, stream, due } = &mut self.line else { return };
        if *known != link {
            return;
        }
        let (mut wire, mut frames) = (Vec::new(), Vec::new());
        let taken = stream.open(bytes, &mut wire, &mut frames);
        if due.is_some() && stream.duplex() {
            *due = None;
            self.reached = true;
        }
        if let Err(reason) = taken {
            return self.give_up_line(now, reason, out);
        }
        let asked = self.call.as_ref().is_some_and(|call| call.sent.is_some());
        let reply = match &frames[..] {
            [] => return,
            [Frame::Reply(reply)] if asked => Reply::parse(reply).ok(),
            _ => None,
        };
        match reply {
            Some(reply) => self.replied(now, reply, out),
            None => {
                self.give_up_line(now, CloseReason::Protocol("no reply to what was asked"), out);
            }
        }
    }

    /// Takes the reply to the call that was sent.
    fn replied(&mut self, now: Mono, reply: Reply, out: &mut Vec<Intent>) {
        let Some(mut call) = self.call.take() else { return };
        if reply.status == CmError::SERVER_START_PENDING {
            call.sent = None;
            call.tried.insert(self.at, CloseReason::Stepped("does not lead"));
            call.pending = Some(reply);
            self.call = Some(call);
            // With one address the servers change behind it: the connection may be to the front that
            // leads in a moment.
            if self.servers.len() > 1 {
                self.close(out);
            }
            return self.next(now);
        }
        self.tries = 0;
        let was_done =
            call.lost && call.effect == Effect::Release && reply.status == CmError::INVALID_HANDLE;
        out.push(Intent::Answer(Ok(if was_done { Reply::ok(0) } else { reply })));
    }

    /// Closes the connection, and treats the call on it as lost.
    fn give_up_line(&mut self, now: Mono, reason: CloseReason, out: &mut Vec<Intent>) {
        self.close(out);
        self.failed(now, reason, out);
    }

    fn close(&mut self, out: &mut Vec<Intent>) {
        if let Some(link) = self.link() {
            out.push(Intent::Close { link });
        }
        self.line = Line::Down;
    }

    /// Handles a connection that is gone, or was not established.
    fn failed(&mut self, now: Mono, reason: CloseReason, out: &mut Vec<Intent>) {
        self.line = Line::Down;
        if let Some(call) = &mut self.call {
            call.lost |= call.sent.take().is_some();
            if call.lost && !call.effect.is_repeatable() {
                let tried = vec![(self.servers[self.at].clone(), reason)];
                let lost = Unanswered { call: call.name, doubt: Some(call.effect), tried };
                self.call = None;
                out.push(Intent::Answer(Err(lost)));
            } else {
                call.tried.insert(self.at, reason);
            }
        }
        self.next(now);
    }

    /// Handles a failed attempt: the next server is tried, after a pause if all were tried.
    fn next(&mut self, now: Mono) {
        self.tries += 1;
        self.at = (self.at + 1) % self.servers.len();
        if self.tries % self.servers.len() == 0 {
            let rounds = self.tries / self.servers.len() - 1;
            let pause = grown(CLIENT_PAUSE, rounds);
            self.not_before = now + self.random.pause((pause / 2, pause));
        }
    }

    /// Dials or sends, if the call waits for that.
    fn go_on(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let left = self.until().map(|until| until.since(now));
        let within = self.grown(CLIENT_CONNECT);
        let (Some(call), Some(left)) = (&mut self.call, left) else { return };
        if call.sent.is_some() || self.not_before > now {
            return;
        }
        match &mut self.line {
            Line::Down => {
                self.links += 1;
                let link = LinkId(self.links);
                self.line = Line::Dialling(link);
                let to = self.servers[self.at].clone();
                out.push(Intent::Dial { link, to, within: within.min(left) });
            }
            Line::Up { link, stream, due: None } => {
                let mut bytes = Vec::new();
                stream.seal(core::slice::from_ref(&call.plain), &mut bytes);
                call.sent = Some(now);
                out.push(Intent::Write { link: *link, bytes });
            }
            Line::Dialling(_) | Line::Up { .. } => {}
        }
    }

    fn timers(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let due = |at: Option<Mono>| at.is_some_and(|at| at <= now);
        if due(self.greeted_by()) {
            self.give_up_line(now, CloseReason::Timeout("the key agreement"), out);
        }
        if due(self.reply_by()) {
            self.give_up_line(now, CloseReason::Timeout("a reply"), out);
        }
        if due(self.until()) {
            self.out_of_time(now, out);
        }
    }

    /// Ends a call whose time is over.
    fn out_of_time(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let awaited = match &self.line {
            Line::Down => None,
            Line::Dialling(_) => Some("connecting"),
            Line::Up { due: Some(_), .. } => Some("the key agreement"),
            Line::Up { .. } => self.reply_by().map(|_| "a reply"),
        };
        // A later reply on that connection would be taken for the answer to another call.
        if let Some(what) = awaited {
            self.give_up_line(now, CloseReason::Timeout(what), out);
        }
        let Some(Call { name, effect, lost, pending, tried, .. }) = self.call.take() else {
            return;
        };
        let doubt = Some(effect).filter(|effect| lost && *effect != Effect::Nothing);
        out.push(Intent::Answer(match (pending, doubt) {
            (Some(reply), None) => Ok(reply),
            (_, doubt) => {
                let server =
                    |(at, reason): (usize, CloseReason)| (self.servers[at].clone(), reason);
                Err(Unanswered {
                    call: name,
                    doubt,
                    tried: tried.into_iter().map(server).collect(),
                })
            }
        }));
    }

    fn link(&self) -> Option<LinkId> {
        match &self.line {
            Line::Down => None,
            Line::Dialling(link) | Line::Up { link, .. } => Some(*link),
        }
    }

    /// Returns the time at which the call ends at the latest.
    fn until(&self) -> Option<Mono> {
        let within = if self.reached { CLIENT_CALL } else { CLIENT_FIRST };
        self.call.as_ref().map(|call| call.begun + within)
    }

    fn greeted_by(&self) -> Option<Mono> {
        if let Line::Up { due, .. } = &self.line { *due } else { None }
    }

    fn reply_by(&self) -> Option<Mono> {
        self.call.as_ref()?.sent.map(|sent| sent + CLIENT_REPLY)
    }

    fn deadline(&self) -> Option<Deadline> {
        let until = self.until()?;
        let paused = match &self.line {
            Line::Dialling(_) => None,
            _ => self.call.as_ref().filter(|call| call.sent.is_none()).map(|_| self.not_before),
        };
        let mut deadline = Deadline { at: until, reason: "the call's end" };
        for (at, reason) in [
            (self.greeted_by(), "the key agreement"),
            (self.reply_by(), "a reply"),
            (paused.filter(|_| self.greeted_by().is_none()), "the next attempt"),
        ] {
            deadline = at.map_or(deadline, |at| deadline.min(Deadline { at, reason }));
        }
        Some(deadline)
    }

    /// Returns a time-out by the number of failed rounds.
    fn grown(&self, range: (Duration, Duration)) -> Duration {
        grown(range, self.tries / self.servers.len())
    }
}

/// Returns the first duration, doubled for each round, at most the second.
fn grown((first, most): (Duration, Duration), rounds: usize) -> Duration {
    let doubled = u32::try_from(rounds).ok().and_then(|rounds| 2_u32.checked_pow(rounds));
    doubled.and_then(|times| first.checked_mul(times)).unwrap_or(most).min(most)
}

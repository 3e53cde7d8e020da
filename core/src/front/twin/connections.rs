//! The two links: how they come up and go, and what a message on either means to the rest of the
//! front.

use super::context::Context;
use super::forward_in::LostClient;
use super::forward_out::CallOutcome;
use super::hello::{Accepted, Rejected};
use super::receiver::Received;
use super::{Twin, strangers::Stranger};
use crate::base::time::Mono;
use crate::front::replication::link_state::LinkState;
use crate::io::Intent;
use crate::link::{CloseReason, LinkId};
use crate::messages::twin::TwinAck;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// What a message of the twin means to the rest of the front.
#[derive(Debug)]
pub(in crate::front) enum Event {
    /// The link that this front dialled is up: the twin is to be sent the configuration.
    SenderUp,
    /// The twin knows of more than this front has proposed: another front leads.
    KnowsMore,
    /// The twin has answered a call of a client of this front.
    Answered(CallOutcome),
    /// The front of this id now uses this link, and these clients of the previous link are gone.
    ReceiverUp { front: u32, lost: Vec<LostClient> },
    /// A message was received.
    Received(Box<Received>),
}

/// What has ended with a link of the twin.
#[derive(Debug, Default)]
pub(in crate::front) struct Closed {
    /// Clients of this front whose calls the twin had.
    pub(in crate::front) calls: Vec<LinkId>,
    /// Clients of the twin.
    pub(in crate::front) clients: Vec<LostClient>,
}

impl Twin {
    /// Whether both connections are up.
    pub(in crate::front) fn is_connected(&self) -> bool {
        self.sender.link.link().is_some() && self.receiver.link().is_some()
    }

    /// Returns the link that this front dialled.
    pub(in crate::front) fn dialled(&self) -> Option<LinkId> {
        match self.sender.link.state() {
            LinkState::Down(_) => None,
            LinkState::Dialling(link, _) | LinkState::Up(link) => Some(link),
        }
    }

    /// Takes a connection that was accepted on the twin's listener.
    pub(in crate::front) fn accepted(
        &mut self,
        link: LinkId,
        from: SocketAddr,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        self.strangers.accepted(link, from);
        out.push(Intent::Send { link, frame: self.hellos.own(context.log, context.history) });
    }

    /// Takes a message of the twin, on either link. Returns what it means to the rest of the front.
    ///
    /// # Errors
    /// Why its link has to be closed.
    pub(in crate::front) fn frame(
        &mut self,
        now: Mono,
        link: LinkId,
        bytes: &[u8],
        context: Context<'_>,
        out: &mut Vec<Intent>,
    ) -> Result<Option<Event>, CloseReason> {
        match self.sender.link.state() {
            LinkState::Dialling(at, _) if at == link => {
                match self.hellos.judge(&self.config.address, bytes) {
                    Ok(Accepted { minor, hello }) => {
                        self.hellos.greeted(hello);
                        self.sender.link_up(now, link, minor);
                        Ok(Some(Event::SenderUp))
                    }
                    Err(Rejected { text, reason }) => {
                        self.sender.lost(now);
                        self.sender.link.trouble.note(now, text);
                        Err(reason)
                    }
                }
            }
            LinkState::Up(at) if at == link => match TwinAck::decode(bytes) {
                Ok(ack) if !self.sender.answered(now, &ack, context.log) => {
                    Ok(Some(Event::KnowsMore))
                }
                Ok(ack) => Ok(self.answered(ack.answer).map(Event::Answered)),
                Err(_) => Err(CloseReason::Protocol("a twin sent no answer")),
            },
            _ if self.strangers.has(link) => {
                self.strangers.remove(link);
                match self.hellos.judge(&self.config.address, bytes) {
                    Ok(accepted) => Ok(Some(self.receiver_up(now, link, accepted, out))),
                    Err(Rejected { text, reason }) => {
                        self.receiver.trouble.note(now, text);
                        Err(reason)
                    }
                }
            }
            _ if self.receiver.link() == Some(link) => {
                let received = self.receiver.received(now, bytes, context, out)?;
                Ok(Some(Event::Received(Box::new(received))))
            }
            _ => Ok(None),
        }
    }

    /// Makes this link the one by which the twin sends.
    fn receiver_up(
        &mut self,
        now: Mono,
        link: LinkId,
        accepted: Accepted,
        out: &mut Vec<Intent>,
    ) -> Event {
        let Accepted { minor, hello } = accepted;
        let front = hello.front;
        self.hellos.greeted(hello);
        let old = self.receiver.link_up(now, link, minor);
        // The twin is up, so no pause is needed before it is dialled.
        self.sender.link.dial_soon(now);
        let lost = match old {
            Some(link) => {
                let reason = CloseReason::Stepped("a later link of the twin took its place");
                out.push(Intent::Close { link, reason });
                self.incoming.lose()
            }
            None => Vec::new(),
        };
        Event::ReceiverUp { front, lost }
    }

    /// Handles a closed link. Returns what has ended with it; `None` if it was not a link with the
    /// twin.
    pub(in crate::front) fn closed(
        &mut self,
        now: Mono,
        link: LinkId,
        reason: &CloseReason,
    ) -> Option<Closed> {
        let address = &self.config.address;
        let mut closed = Closed::default();
        match self.sender.link.state() {
            LinkState::Dialling(at, _) if at == link => {
                let text = match reason {
                    CloseReason::Eof => format!(
                        "{address} closed the connection before it proved the group key: another \
                         key there, or no front"
                    ),
                    reason => format!("{address} cannot be reached: {reason}"),
                };
                self.sender.lost(now);
                self.sender.link.trouble.note(now, text);
            }
            LinkState::Up(at) if at == link => {
                let text = format!("the connection to {address} is lost: {reason}");
                self.sender.lost(now);
                self.sender.link.trouble.note(now, text);
                closed.calls = self.outgoing.lose();
            }
            _ if self.receiver.link() == Some(link) => {
                self.receiver.lost();
                let text = format!("the connection from {address} is lost: {reason}");
                self.receiver.trouble.note(now, text);
                closed.clients = self.incoming.lose();
            }
            _ => {
                let Stranger { trouble } = self.strangers.closed(now, link, reason)?;
                // As long as the twin has a link, this concerns only the stranger.
                if let Some(text) = trouble.filter(|_| self.receiver.link().is_none()) {
                    self.receiver.trouble.keep(text);
                }
            }
        }
        Some(closed)
    }
}

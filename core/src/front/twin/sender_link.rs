//! The link that this front dialled: its state, and how many of the messages on it the twin has
//! processed.
//!
//! What never lives here: what the messages are about.

use super::trouble::Trouble;
use crate::base::limits::{REDIAL_MIN, TWIN_REDIAL_MAX};
use crate::base::time::{Duration, Mono};
use crate::front::replication::link_state::LinkState;
use crate::io::Intent;
use crate::link::LinkId;
use crate::messages::twin::TwinMessage;
use alloc::vec::Vec;

/// The link that this front dialled.
#[derive(Clone, Debug)]
pub(super) struct SenderLink {
    state: LinkState,
    pub(super) trouble: Trouble,
    /// The pause before the twin is dialled again.
    pause: Duration,
    /// The minor version of the link.
    minor: u16,
    /// The number of messages after the hello.
    sent: u64,
    /// The number of those that the twin has processed.
    processed: u64,
    /// When the twin last processed a message, or when the first of the waiting ones was sent.
    progress: Mono,
    /// When something was last sent.
    last_sent: Mono,
}

impl Default for SenderLink {
    fn default() -> Self {
        Self {
            state: LinkState::Down(Mono(0)),
            trouble: Trouble::default(),
            pause: REDIAL_MIN,
            minor: 0,
            sent: 0,
            processed: 0,
            progress: Mono(0),
            last_sent: Mono(0),
        }
    }
}

impl SenderLink {
    /// Returns a link on which both ends have sent their hello.
    pub(super) fn up(now: Mono, link: LinkId, minor: u16) -> Self {
        let state = LinkState::Up(link);
        Self { state, minor, progress: now, last_sent: now, ..Self::default() }
    }

    /// Forgets the link; the next one is dialled after a pause.
    pub(super) fn lost(&mut self, now: Mono) {
        self.state = LinkState::Down(now + self.pause);
        self.pause = (self.pause * 2).min(TWIN_REDIAL_MAX);
        self.sent = 0;
        self.processed = 0;
    }

    /// Notes that a link is being dialled, which has to be up at this time.
    pub(super) fn dialling(&mut self, link: LinkId, until: Mono) {
        self.state = LinkState::Dialling(link, until);
    }

    /// Has a link that is down dialled at once.
    pub(super) fn dial_soon(&mut self, now: Mono) {
        if let LinkState::Down(_) = self.state {
            self.state = LinkState::Down(now);
        }
    }

    /// Gives the link up without a pause, because the twin is at another address.
    pub(super) fn moved(&mut self, now: Mono) {
        self.state = LinkState::Down(now);
        self.trouble = Trouble::default();
    }

    pub(super) fn state(&self) -> LinkState {
        self.state
    }

    /// Returns the link, once both ends have sent their hello.
    pub(super) fn link(&self) -> Option<LinkId> {
        match self.state {
            LinkState::Up(link) => Some(link),
            _ => None,
        }
    }

    /// Whether the link is up with this minor version or a later one.
    pub(super) fn has_version(&self, minor: u16) -> bool {
        self.link().is_some() && self.minor >= minor
    }

    /// Returns the number of messages that were sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether the twin has processed a message of this link, so that it knows that the link is up.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.processed > 0
    }

    /// Returns the number of messages that the twin has not processed.
    pub(super) fn waiting(&self) -> u64 {
        self.sent - self.processed
    }

    /// Returns when a message without an answer is too old.
    pub(super) fn due(&self, transfer: Duration) -> Option<Mono> {
        (self.waiting() > 0).then(|| self.progress + transfer)
    }

    /// Returns when an idle link needs another message.
    pub(super) fn heartbeat_due(&self, heartbeat: Duration) -> Option<Mono> {
        (self.waiting() == 0).then(|| self.last_sent + heartbeat)
    }

    /// Returns for how long the twin has processed none of the messages that wait.
    pub(super) fn quiet(&self, now: Mono) -> Duration {
        if self.waiting() > 0 { now.since(self.progress) } else { Duration::ZERO }
    }

    /// Sends a message, if the minor version of the link has it.
    pub(super) fn send(&mut self, now: Mono, message: &TwinMessage, out: &mut Vec<Intent>) {
        let LinkState::Up(link) = self.state else { return };
        let Some(frame) = message.encode(self.minor) else { return };
        if self.waiting() == 0 {
            self.progress = now;
        }
        self.sent += 1;
        self.last_sent = now;
        out.push(Intent::Send { link, frame });
    }

    /// Notes that the twin has processed so many messages.
    pub(super) fn acknowledged(&mut self, now: Mono, count: u64) {
        if count > self.processed {
            self.processed = count.min(self.sent);
            self.progress = now;
        }
    }
}

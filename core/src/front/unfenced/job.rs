//! The purpose of a call to a stock server, and what its reply means to the front.

use crate::link::{CloseReason, LinkId};
use crate::log::{Grant, Handle, LicenceKey};
use crate::wire::{CmError, Request};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The purpose of a call to the server.
#[derive(Clone, Debug)]
pub(super) enum Job {
    Discover,
    Ping,
    /// `quiet`: no client waits for it.
    Take {
        grant: Box<Grant>,
        quiet: bool,
    },
    Give {
        order: u64,
        licence: LicenceKey,
        number: u32,
        again: bool,
    },
    /// A client's call; `holder`: the seat over whose handle it was done.
    Perform {
        line: LinkId,
        correlation: u32,
        holder: Option<(Handle, u32)>,
    },
    Keep(Handle, u32),
}

impl Job {
    /// Whether it is one of those of which one is done at a time.
    pub(super) fn is_background(&self) -> bool {
        matches!(
            self,
            Self::Discover | Self::Ping | Self::Keep(..) | Self::Take { quiet: true, .. }
        )
    }
}

/// A call to be made.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) job: Job,
    pub(super) request: Request,
}

/// A client's call that waits for a connection.
#[derive(Clone, Debug)]
pub(super) struct ClientCall {
    /// The link of the front on which it came.
    pub(super) line: LinkId,
    pub(super) correlation: u32,
    pub(super) licence: LicenceKey,
    pub(super) call: Request,
}

/// What the server has done, or will not do, as far as the front is concerned.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// The server has replied for a seat, or will not.
    Seat { handle: Handle, error: Option<CmError> },
    /// The reply to a client's call that came on this link of the front; `None`: another server has
    /// to do it.
    Performed { line: LinkId, correlation: u32, reply: Option<Vec<u8>> },
    /// A client's call that was not made at all: another server has to do it.
    Unable(u32),
    /// What the server holds is known.
    Known,
    /// The server is lost, or what it holds has changed: the front has to connect again.
    HangUp(CloseReason),
}

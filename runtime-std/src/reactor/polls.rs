//! The polls of a reactor: which of them watches which link and listener, and waiting for events.
//!
//! What never lives here: what a link or a listener is watched for.

use super::refused;
use crate::exit::halt;
use crate::reactor::listeners::{Open, Watch};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use tmr_core::link::LinkId;
use tmr_core::link::turns::Turns;

/// The number of bytes that one read takes at most.
pub(super) const CHUNK: usize = 64 * 1024;
/// The number of events that one turn takes at most.
const EVENTS: usize = 1024;

/// The polls of links that are served, and last the one of links that are not greeted.
#[derive(Debug)]
pub(super) struct Polls(Arc<[OwnedFd]>);

/// What a thread keeps between turns: its poll, its events, and a buffer to read into.
pub struct PollBuffer {
    poll: usize,
    pub(super) buffer: Vec<u8>,
    pub(super) events: Vec<epoll::Event>,
    pub(super) turns: Turns,
}

impl fmt::Debug for PollBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollBuffer").field("poll", &self.poll).finish_non_exhaustive()
    }
}

impl PollBuffer {
    /// Makes the buffers for this poll.
    #[must_use]
    pub fn new(poll: usize) -> Self {
        let events = Vec::with_capacity(EVENTS);
        Self { poll, buffer: vec![0; CHUNK], events, turns: Turns::default() }
    }

    /// Returns the ids in the events: links and listeners.
    pub(super) fn names(&self) -> impl Iterator<Item = u64> {
        self.events.iter().map(|event| event.data.u64())
    }
}

impl Polls {
    /// Creates this many polls for links that are served, and one more.
    pub(super) fn new(serving: usize) -> Result<Self, Errno> {
        let poll = |_| epoll::create(epoll::CreateFlags::CLOEXEC);
        Ok(Self((0..=serving).map(poll).collect::<Result<_, _>>()?))
    }

    pub(super) fn get(&self, poll: usize) -> BorrowedFd<'_> {
        self.0[poll].as_fd()
    }

    /// Returns the number of the poll of links that are not greeted.
    pub(super) fn greeting(&self) -> usize {
        self.0.len() - 1
    }

    /// Returns the poll of a link; `greets`: it is not greeted.
    pub(super) fn of(&self, link: LinkId, greets: bool) -> &OwnedFd {
        let serving = self.greeting();
        // Accepted links and dialled ones have ids of different parity, so consecutive links differ
        // by 2.
        let number = usize::try_from(link.0 / 2).unwrap_or_default();
        &self.0[if greets { serving } else { number % serving }]
    }

    /// Takes the events of the poll of `poll_buffer`; `waits`: blocks until there are some. Returns
    /// whether there are any.
    pub(super) fn wait(&self, poll_buffer: &mut PollBuffer, waits: bool) -> bool {
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        let patience = if waits { None } else { Some(&none) };
        let poll = self.get(poll_buffer.poll);
        poll_buffer.events.clear();
        match epoll::wait(poll, spare_capacity(&mut poll_buffer.events), patience) {
            Ok(0) | Err(Errno::INTR) => false,
            Ok(_) => true,
            Err(error) => halt(&format!("waiting for links: {}", refused(error))),
        }
    }

    /// Returns how listeners are watched: they are spread over the polls of links that are served.
    pub(super) fn watch_listeners(&self) -> Watch {
        let polls = Arc::clone(&self.0);
        Box::new(move |open: &Open, watched| {
            let number = usize::try_from(open.name.0 & u64::from(u32::MAX)).unwrap_or_default();
            let poll = &polls[number % (polls.len() - 1)];
            if watched {
                let data = epoll::EventData::new_u64(open.name.0);
                return Ok(epoll::add(poll, open, data, epoll::EventFlags::IN)?);
            }
            match epoll::delete(poll, open) {
                // It may not be watched already.
                Ok(()) | Err(Errno::NOENT) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
    }
}

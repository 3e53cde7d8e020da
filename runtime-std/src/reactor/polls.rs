//! The polls of a reactor: which link and which listener is watched by which, and waiting for them.
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

/// Bytes read at once.
pub(super) const CHUNK: usize = 64 * 1024;
/// Links that one turn looks at.
const EVENTS: usize = 1024;

/// Polls of links that are served, and a last one of links that are not greeted yet.
#[derive(Debug)]
pub(super) struct Polls(Arc<[OwnedFd]>);

/// What a thread that takes turns keeps between them: its poll, and room for what it reads.
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
    /// For the links of this poll.
    #[must_use]
    pub fn new(poll: usize) -> Self {
        let events = Vec::with_capacity(EVENTS);
        Self { poll, buffer: vec![0; CHUNK], events, turns: Turns::default() }
    }

    /// Returns what the poll has named: links and listeners.
    pub(super) fn names(&self) -> impl Iterator<Item = u64> {
        self.events.iter().map(|event| event.data.u64())
    }
}

impl Polls {
    /// So many for links that are served, and one more.
    pub(super) fn new(serving: usize) -> Result<Self, Errno> {
        let poll = |_| epoll::create(epoll::CreateFlags::CLOEXEC);
        Ok(Self((0..=serving).map(poll).collect::<Result<_, _>>()?))
    }

    pub(super) fn get(&self, poll: usize) -> BorrowedFd<'_> {
        self.0[poll].as_fd()
    }

    /// Returns the number of the poll of links that are not greeted yet.
    pub(super) fn greeting(&self) -> usize {
        self.0.len() - 1
    }

    /// Returns the poll that a link is in; `greets`: it is not greeted yet.
    pub(super) fn of(&self, link: LinkId, greets: bool) -> &OwnedFd {
        let serving = self.greeting();
        // Of accepted links and of dialled ones each the next has the next number but one.
        let number = usize::try_from(link.0 / 2).unwrap_or_default();
        &self.0[if greets { serving } else { number % serving }]
    }

    /// Looks at the poll of `poll_buffer`; `waits`: and waits until it names something. Returns whether it
    /// does.
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

    /// Returns how listeners are watched: spread over the polls of links that are served.
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
                // It may be left alone already.
                Ok(()) | Err(Errno::NOENT) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
    }
}

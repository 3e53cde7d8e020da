//! The node: the role of this process, behind one entry point.

pub mod hub;

use crate::backend::Backend;
use crate::base::time::{Deadline, Now};
use crate::front::Front;
use crate::io::{Input, Intent};
use crate::link::LinkId;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// The role of a process.
#[derive(Debug)]
pub enum Node {
    /// Serves clients for the group.
    Front(Box<Front>),
    /// Holds one of the three parts of every licence.
    Backend(Box<Backend>),
}

impl Node {
    /// Takes one input at one time, appends the intents that result, and returns the next deadline.
    ///
    /// Due timers run first; the output is complete when this returns. Nothing else drives a node.
    pub fn step(&mut self, now: Now, input: Input, out: &mut Vec<Intent>) -> Option<Deadline> {
        match self {
            Self::Front(front) => front.step(now, input, out),
            Self::Backend(backend) => backend.step(now, input, out),
        }
    }

    /// Returns the client links by which handles that may still be held were taken or used.
    #[must_use]
    pub fn holding(&self) -> BTreeSet<LinkId> {
        match self {
            Self::Front(front) => front.holding(),
            Self::Backend(backend) => backend.holding(),
        }
    }
}

//! The TMR server role.

use crate::desk::Identity;
use crate::io::{Address, Input, Intent};
use crate::time::{Deadline, Duration, Now};
use alloc::vec::Vec;

/// What a front is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who it says it is.
    pub identity: Identity,
    /// Its id: random, kept in its state folder, never 0.
    pub front: u32,
    /// The three backends.
    pub backends: [Address; 3],
    /// Longest pause before a backend is dialled again.
    pub retry: Duration,
    /// Serials of virtual containers that the operator chose: (CmActId, serial).
    pub virtuals: Vec<(u32, u32)>,
    /// Clean-up time of a client that asks for none.
    pub cleanup: Duration,
    /// The other front, as configured; shown in status.
    pub twin: Option<Address>,
    /// Entropy for everything this node draws; 32 fresh bytes at every start.
    pub seed: [u8; 32],
}

/// A front.
#[derive(Debug)]
pub struct Front {
    config: Config,
}

impl Front {
    /// A front that stands by until it is activated.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// See [`Node::step`](crate::node::Node::step).
    pub fn step(&mut self, _now: Now, _input: Input, _out: &mut Vec<Intent>) -> Option<Deadline> {
        let _ = &self.config;
        None
    }
}

//! The open backend role.

pub mod crypt;
#[cfg(test)]
mod crypt_test;
pub mod keys;

use crate::desk::Identity;
use crate::io::{Input, Intent};
use crate::licence::Container;
use crate::time::{Deadline, Now};
use alloc::string::String;
use alloc::vec::Vec;

/// What a backend is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who it says it is.
    pub identity: Identity,
    /// Its containers, checked already.
    pub containers: Vec<Container>,
    /// [`GroupKey::check`](crate::channel::GroupKey::check) of the key it was started with.
    pub group_check: [u8; 8],
    /// Entropy for everything this node draws; 32 fresh bytes at every start.
    pub seed: [u8; 32],
}

/// A backend.
#[derive(Debug)]
pub struct Backend {
    config: Config,
}

impl Backend {
    /// A backend with the journal found in its state folder; `None` if there is none yet.
    /// Returns beside it how many bytes of the journal to keep: a torn tail is to be cut off
    /// before anything is appended.
    ///
    /// # Errors
    /// The journal is damaged, of another version, or of another group; in words for people.
    pub fn open(config: Config, _journal: Option<&[u8]>) -> Result<(Self, usize), String> {
        Ok((Self { config }, 0))
    }

    /// See [`Node::step`](crate::node::Node::step).
    pub fn step(&mut self, _now: Now, _input: Input, _out: &mut Vec<Intent>) -> Option<Deadline> {
        let _ = &self.config;
        None
    }
}

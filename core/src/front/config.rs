//! What a front is told at its start, and which of it changes while it runs.

use crate::base::network::Address;
use crate::base::time::Duration;
use crate::config::{Policy, Twin as TwinConfig};
use crate::log::ContainerId;
use crate::service::{HandleKey, Identity};
use alloc::vec::Vec;

/// What a front is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who it says it is.
    pub identity: Identity,
    /// The three backends.
    pub backends: [Address; 3],
    /// Longest pause before a backend is dialled again.
    pub retry: Duration,
    /// All three backends are stock servers, which cannot promise.
    pub unfenced: bool,
    /// Virtual containers that the operator named: which, and the serial if one was chosen. Lists
    /// of serials are what joins containers without a CmActId; none share a serial.
    pub virtuals: Vec<(ContainerId, Option<u32>)>,
    /// Clean-up time of a client that asks for none.
    pub cleanup: Duration,
    /// What stands against an access.
    pub policy: Policy,
    /// The other front, as configured; `None`: there is none.
    pub twin: Option<TwinConfig>,
    /// Its id: drawn anew at every start and never 0, so that no epoch is ever used twice.
    pub front: u32,
    /// What handle numbers are made with: of the group key.
    pub handle_key: HandleKey,
    /// Entropy for everything this node draws; 32 fresh bytes at every start.
    pub seed: [u8; 32],
}

//! The configuration of a front, as values. All of it is given at the start. While the front runs,
//! `backends`, `retry`, `virtuals`, `cleanup`, `twin` and the address in `identity` are replaced
//! when another configuration takes effect (`front/routes/reconfigure.rs`); the rest stays for the
//! life of the process.
//!
//! What never lives here: `tmrconf.json`, its keys and its mistakes (that is
//! [`config`](crate::config)), and what follows from a changed value (that is
//! `routes/reconfigure`).
//!
//! Tests: `front/tests/reconfigure.rs`.

use super::backend_kind::BackendKind;
use crate::base::network::Address;
use crate::base::time::Duration;
use crate::config::{Policy, Twin as TwinConfig};
use crate::log::ContainerId;
use crate::service::{HandleKey, Identity};
use alloc::vec::Vec;

/// The configuration of a front at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// The identity that this front reports to clients.
    pub identity: Identity,
    /// The three backends.
    pub backends: [Address; 3],
    /// Longest pause before a backend is dialled again.
    pub retry: Duration,
    /// Whether all three backends are stock servers, which cannot promise (`CmServer.Unfenced`).
    pub unfenced: bool,
    /// Virtual containers that the operator named, each with its serial if one was chosen. Lists of
    /// serials merge containers without a CmActId; no two lists share a serial.
    pub virtuals: Vec<(ContainerId, Option<u32>)>,
    /// Clean-up time of a client that asks for none.
    pub cleanup: Duration,
    /// The operator's rules by which an access is refused, as of the start. Later ones go to the
    /// service, which applies them.
    pub policy: Policy,
    /// The other front, as configured; `None` if there is none.
    pub twin: Option<TwinConfig>,
    /// The id of this front: drawn anew at every start and never 0, so that no epoch is used twice.
    pub front: u32,
    /// The key for handle numbers, derived from the group key.
    pub handle_key: HandleKey,
    /// The entropy for everything that this node draws: 32 new bytes at every start.
    pub seed: [u8; 32],
}

impl Config {
    /// Returns the kind of the backends, which says what may be expected of them.
    pub(super) fn backend_kind(&self) -> BackendKind {
        if self.unfenced { BackendKind::Stock } else { BackendKind::Tmrd }
    }
}

//! The basis of all layers, independent of the domain: time, randomness that is passed in, named
//! limits, metrics, JSON with positions, log throttling and suggestions.
//!
//! What never lives here: anything that knows a licence, a link, or a role.

pub(crate) mod bytes;
pub mod credentials;
pub mod json;
pub mod keepalived;
pub mod limits;
pub(crate) mod log_throttle;
pub mod metrics;
pub mod network;
pub(crate) mod noise;
pub(crate) mod random;
pub mod rfc3339;
pub mod server_files;
pub(crate) mod suggest;
pub mod time;

//! What an operator sees of a front and does to it: status, metrics, events, the configuration, and
//! whether this machine could take the virtual address.

pub(super) mod admin_requests;
pub(super) mod config_sync;
pub(super) mod events;
pub(super) mod metrics;
pub(super) mod own_machine;
pub(super) mod readiness;
pub(super) mod reconfigure;
pub(super) mod status;

//! The calls of clients: which are decided, which wait, which a backend does, and the virtual
//! containers that they are decided by.

pub(super) mod copies;
pub(super) mod dispatch;
pub(super) mod gone;
pub(super) mod pending;
pub(super) mod virtual_containers;

//! The project's own messages between servers: bytes to values and back.
//!
//! | module | contents |
//! |---|---|
//! | [`group`] | orders of a front to a backend, and its reports |
//! | [`twin`] | messages between the two fronts |
//!
//! What never lives here: when a message is sent, and what follows from one.

pub mod group;
#[cfg(test)]
mod group_test;
pub mod twin;
#[cfg(test)]
mod twin_test;

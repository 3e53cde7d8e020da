//! What crosses the boundary between a pure node and its runtime: [`Input`] in, [`Intent`] out.
//!
//! A runtime is accept, dial, read, write, wait and append; it decides nothing. A link that a
//! node does not know is a no-op on both sides.

mod input;
mod intent;

pub use input::{Input, Stored};
pub use intent::Intent;

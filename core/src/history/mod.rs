//! Usage history: who used which licence from when to when, and who was refused.
//!
//! What lives here: a [`Record`] and its two forms (a JSON line, and the lines of a licence tracking
//! file), its place among the others ([`Mark`]), the latest ones in memory
//! ([`History`]), and counting for charts ([`Charts`]). What never lives here: when an event is
//! recorded and sent to the twin (that is [`front`](crate::front)) and files (that is the runtime).
//!
#![doc = include_str!("../../docs/history.md")]

mod chart;
mod position;
mod recent;
mod record;
mod tracking;

pub use chart::{Chart, Charts, Span};
pub use position::Mark;
pub use recent::{Block, History, Since, Unknown};
pub use record::{Kind, Record};
pub use tracking::{Server, Tracking};

use core::fmt;

/// Bytes that are no line of a usage history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no line of a usage history")
    }
}

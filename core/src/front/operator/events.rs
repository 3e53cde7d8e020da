//! The last events of this front and its surroundings, in words, for its admin page. The log has
//! the same and more.
//!
//! What never lives here: any consequence of an event.

use crate::base::limits::{EVENTS_DENIED, EVENTS_KEPT};
use crate::base::time::{Now, Wall};
use crate::front::replication::backend_link::BackendLink;
use crate::front::twin::Twin;
use crate::messages::twin::TwinRole;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Reverse;
use serde_json::{Value, json};

/// The last events, the latest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    last: VecDeque<Event>,
    /// Refusals, which are kept apart so that many of them push no other events out.
    denied: VecDeque<Denials>,
    /// What was last observed of what may change with any step.
    seen: Option<Observed>,
}

/// One event.
#[derive(Clone, Debug)]
struct Event {
    time: Wall,
    /// The subject in a word.
    topic: &'static str,
    text: String,
}

/// Refusals with equal texts.
#[derive(Clone, Debug)]
struct Denials {
    /// When the last one was.
    last: Wall,
    text: String,
    count: u64,
    /// When the first one was.
    since: Wall,
}

/// What is noted when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) struct Observed {
    pub(in crate::front) part: TwinRole,
    /// Which backends are connected.
    pub(in crate::front) backends: [bool; 3],
    /// Whether the twin is connected; `None` if there is none.
    pub(in crate::front) twin: Option<bool>,
    /// Whether the virtual address is here; `None` if there is none.
    pub(in crate::front) address: Option<bool>,
}

/// What the text of a note needs beside that.
#[derive(Debug)]
pub(in crate::front) struct Surroundings<'a> {
    pub(in crate::front) backends: &'a [BackendLink; 3],
    pub(in crate::front) twin: Option<&'a Twin>,
    /// The round of the epoch under which this front leads, or of the highest that it has seen.
    pub(in crate::front) epoch: u32,
}

impl Events {
    /// Adds an event; `topic` names its subject in a word.
    pub(super) fn note(&mut self, now: Wall, topic: &'static str, text: String) {
        self.last.truncate(EVENTS_KEPT - 1);
        self.last.push_front(Event { time: now, topic, text });
    }

    /// Adds a refusal; equal ones share one line.
    pub(super) fn denied(&mut self, now: Wall, text: String) {
        let same = self.denied.iter().position(|denials| denials.text == text);
        let same = same.and_then(|at| self.denied.remove(at));
        let mut denials = same.unwrap_or(Denials { last: now, text, count: 0, since: now });
        denials.last = now;
        denials.count += 1;
        self.denied.truncate(EVENTS_DENIED - 1);
        self.denied.push_front(denials);
    }

    pub(super) fn shown(&self) -> Value {
        let denied = self.denied.iter().map(|Denials { last, text, count, since }| {
            let times =
                if *count > 1 { format!(", {count} times since {since}") } else { "".into() };
            Event { time: *last, topic: "denied", text: text.clone() + &times }
        });
        let mut all: Vec<Event> = self.last.iter().cloned().chain(denied).collect();
        all.sort_by_key(|event| Reverse(event.time));
        let one = |event: &Event| json!({ "time": event.time.to_string(), "topic": event.topic, "text": event.text });
        Value::Array(all.iter().map(one).collect())
    }

    /// Notes what is another way than it was.
    pub(super) fn observe(&mut self, now: Now, seen: Observed, around: &Surroundings<'_>) {
        if self.seen == Some(seen) {
            return;
        }
        let part = TwinRole::Standby;
        let nothing = Observed { part, backends: [false; 3], twin: None, address: None };
        let before = self.seen.replace(seen).unwrap_or(nothing);
        if seen.part != before.part {
            let text = match seen.part {
                TwinRole::Active => format!("this front leads, in epoch {}", around.epoch),
                TwinRole::Starting => "this front tries to lead".into(),
                TwinRole::Standby => "this front stands by".into(),
            };
            self.note(now.wall, "role", text);
        }
        for (index, backend) in around.backends.iter().enumerate() {
            let address = backend.address();
            let text = match (before.backends[index], seen.backends[index]) {
                (false, true) => format!("backend {address} is connected"),
                (true, false) => {
                    let reason = backend.trouble().map(|reason| format!(": {reason}"));
                    format!("backend {address} is gone{}", reason.unwrap_or_default())
                }
                _ => continue,
            };
            self.note(now.wall, "backend", text);
        }
        if let (Some(twin), true) = (around.twin, seen.twin != before.twin) {
            let is = if seen.twin == Some(true) { "is connected" } else { "is not connected" };
            self.note(now.wall, "twin", format!("the other front, {}, {is}", twin.address()));
        }
        if let (Some(here), true) = (seen.address, seen.address != before.address) {
            let is = if here { "has come to" } else { "is not on" };
            self.note(now.wall, "address", format!("the virtual address {is} this machine"));
        }
    }
}

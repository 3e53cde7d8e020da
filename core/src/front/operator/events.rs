//! What happened to this front and around it, for its page: the last of it, in words. The same is in
//! the log, and more.
//!
//! What never lives here: what follows from anything of it.

use crate::front::Front;
use crate::front::replication::backend_link::LinkState;
use crate::front::twin::Twin;
use crate::limits::{EVENTS_DENIED, EVENTS_KEPT};
use crate::time::{Now, Wall};
use crate::wire::twin::Part;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Reverse;
use serde_json::{Value, json};

/// The last events, the latest first.
#[derive(Clone, Debug, Default)]
pub(in crate::front) struct Events {
    last: VecDeque<(Wall, &'static str, String)>,
    /// Refusals: when such a one was the last time, of what, how often, and since when. Apart, so
    /// that many of them push nothing else out.
    denied: VecDeque<(Wall, String, u64, Wall)>,
    /// What was noted last of what may change with any step.
    seen: Option<Seen>,
}

/// What is worth a note when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    part: Part,
    backends: [bool; 3],
    twin: Option<bool>,
    address: Option<bool>,
}

impl Events {
    /// One more; `topic`: what it is about, in a word.
    pub(in crate::front) fn note(&mut self, now: Wall, topic: &'static str, text: String) {
        self.last.truncate(EVENTS_KEPT - 1);
        self.last.push_front((now, topic, text));
    }

    /// One more refusal; of those that are alike there is one line.
    pub(in crate::front) fn denied(&mut self, now: Wall, text: String) {
        let same = self.denied.iter().position(|(_, same, ..)| *same == text);
        let same = same.and_then(|at| self.denied.remove(at));
        let (count, since) = same.map_or((0, now), |(.., count, since)| (count, since));
        self.denied.truncate(EVENTS_DENIED - 1);
        self.denied.push_front((now, text, count + 1, since));
    }

    pub(in crate::front) fn shown(&self) -> Value {
        let denied = self.denied.iter().map(|(time, text, count, since)| {
            let times =
                if *count > 1 { format!(", {count} times since {since}") } else { "".into() };
            (*time, "denied", text.clone() + &times)
        });
        let mut all: Vec<_> = self.last.iter().cloned().chain(denied).collect();
        all.sort_by_key(|(time, ..)| Reverse(*time));
        let one = |(time, topic, text): &(Wall, &str, String)| json!({ "time": time.to_string(), "topic": topic, "text": text });
        Value::Array(all.iter().map(one).collect())
    }
}

impl Front {
    /// The last thing of a step: what is another way than it was is noted.
    pub(in crate::front) fn take_notes(&mut self, now: Now) {
        let seen = Seen {
            part: self.part(now.mono),
            backends: self
                .backends
                .each_ref()
                .map(|backend| matches!(backend.link_state, LinkState::Up(_))),
            twin: self.twin.as_ref().map(Twin::stands),
            address: self.wish.address,
        };
        if self.events.seen == Some(seen) {
            return;
        }
        let nothing = Seen { part: Part::Standby, backends: [false; 3], twin: None, address: None };
        let before = self.events.seen.replace(seen).unwrap_or(nothing);
        let mut notes = Vec::new();
        if seen.part != before.part {
            let epoch = self.phase.epoch().unwrap_or(self.highest).round;
            let text = match seen.part {
                Part::Active => format!("this front leads, in epoch {epoch}"),
                Part::Starting => "this front tries to lead".into(),
                Part::Standby => "this front stands by".into(),
            };
            notes.push(("role", text));
        }
        for (index, backend) in self.backends.iter().enumerate() {
            let address = &backend.address;
            match (before.backends[index], seen.backends[index]) {
                (false, true) => notes.push(("backend", format!("backend {address} is connected"))),
                (true, false) => {
                    let why = backend.trouble.as_deref().map(|why| format!(": {why}"));
                    let why = why.unwrap_or_default();
                    notes.push(("backend", format!("backend {address} is gone{why}")));
                }
                _ => {}
            }
        }
        if let (Some(twin), true) = (&self.twin, seen.twin != before.twin) {
            let is = if seen.twin == Some(true) { "is connected" } else { "is not connected" };
            notes.push(("twin", format!("the other front, {}, {is}", twin.address())));
        }
        if let (Some(here), true) = (seen.address, seen.address != before.address) {
            let is = if here { "has come to" } else { "is not on" };
            notes.push(("address", format!("the virtual address {is} this machine")));
        }
        for (topic, text) in notes {
            self.events.note(now.wall, topic, text);
        }
    }
}

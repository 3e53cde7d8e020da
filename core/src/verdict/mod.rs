//! The verdict on a server and its group: what is wrong, how bad it is, and what to do.
//!
//! What lives here: the rules, as pure functions of facts that status shows. The admin page, `tmrd
//! status`, `tmrd doctor`, their exit codes, the metrics and the alert rules show this verdict and
//! judge nothing on their own. What never lives here: how a fact is found out. A new kind of fact
//! becomes a field of [`Facts`] and a rule beside the others, and a row of the table
//! of states.

mod front;
mod licences;
mod machine;
mod places;
#[cfg(any(test, feature = "model"))]
pub mod states;
#[cfg(test)]
mod verdict_test;

use crate::base::credentials::tokens::Token;
use crate::base::metrics::Page;
use crate::base::server_files::Places;
use crate::base::time::Wall;
use crate::status::{FrontStatus, Severity};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Display;
use serde::Serialize;

pub use front::until;
pub use licences::licence_state;
pub use machine::with_machine;

/// One trouble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// The severity.
    pub severity: Severity,
    /// The kind, fixed for programs, like `backend-down`.
    pub code: &'static str,
    /// The subject: `front`, `twin`, `machine`, the address of a backend, or a licence as Firm
    /// Code, Product Code and TMR-Id with colons between them.
    pub about: String,
    /// The trouble, in one or more sentences.
    pub text: String,
    /// The remedy, in a sentence.
    pub what_to_do: String,
}

/// The facts about a front and its group.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The front's status. Its handles and clients are not used, and may be left out.
    pub status: &'a FrontStatus,
    /// Whether the front serves or could, with the reason if not, as in `/readyz`.
    pub ready: Result<(), String>,
    /// The date that licences are judged by.
    pub now: Wall,
    /// Accesses that were refused in the last minutes, the last hour and the last day, by Firm
    /// Code, Product Code and TMR-Id.
    pub denied: Vec<Denied>,
    /// Connections of clients, and their limit; 0: not known.
    pub links: (usize, usize),
    /// The tokens for its admin pages.
    pub tokens: &'a [Token],
    /// The time at which this front last found a gap in its usage history that no machine can fill.
    pub history_gap: Option<Wall>,
}

/// Accesses to one licence that were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Firm Code, Product Code, TMR-Id.
    pub licence: (u32, u32, u32),
    /// In the last five minutes.
    pub recent: u64,
    /// In the last hour.
    pub hour: u64,
    /// In the last day.
    pub day: u64,
}

/// The troubles found so far.
#[derive(Debug, Default)]
struct Found(Vec<Trouble>);

/// Adds troubles about one subject.
#[derive(Debug)]
struct About<'a> {
    found: &'a mut Found,
    about: &'a str,
}

impl Found {
    fn on<'a>(&'a mut self, about: &'a str) -> About<'a> {
        About { found: self, about }
    }
}

impl About<'_> {
    fn red(self, code: &'static str, text: String, what_to_do: &str) {
        self.add(Severity::Red, code, text, what_to_do);
    }

    fn yellow(self, code: &'static str, text: String, what_to_do: &str) {
        self.add(Severity::Yellow, code, text, what_to_do);
    }

    fn info(self, code: &'static str, text: String, what_to_do: &str) {
        self.add(Severity::Info, code, text, what_to_do);
    }

    fn add(self, severity: Severity, code: &'static str, text: String, what_to_do: &str) {
        let (about, what_to_do) = (self.about.into(), what_to_do.into());
        self.found.0.push(Trouble { severity, code, about, text, what_to_do });
    }
}

/// Returns the verdict on a front and its group, in the order of weight; it is empty if all is
/// well. [`with_machine`] sorts the worst first.
#[must_use]
pub fn of_front(facts: &Facts<'_>) -> Vec<Trouble> {
    let mut found = Found::default();
    front::judge(facts, &mut found);
    licences::judge(facts, &mut found);
    found.0
}

/// Returns the verdict on a backend.
#[must_use]
pub fn of_backend(ready: Result<(), String>, holds_licences: bool) -> Vec<Trouble> {
    let mut found = Found::default();
    if !holds_licences {
        let text = "This backend has no licence to serve.".into();
        let todo = "Put a licence file where --license says.";
        found.on("backend").red("no-licence", text, todo);
    }
    if let Err(reason) = ready {
        let text = format!("This backend does not count for the group: {reason}.");
        let todo =
            "See tmrd status on the front that leads; do not stop another backend meanwhile.";
        found.on("backend").yellow("backend-not-ready", text, todo);
    }
    found.0
}

/// Adds the files of the server that are not in their places any more.
#[must_use]
pub fn with_places(troubles: Vec<Trouble>, places: &Places, is_front: bool) -> Vec<Trouble> {
    let mut found = Found(troubles);
    places::own(places, is_front, &mut found);
    found.0
}

/// Writes the verdict for monitors: the number of troubles of each kind and subject.
pub fn write_metrics(troubles: &[Trouble], page: &mut Page) {
    let mut kinds: BTreeMap<_, u64> = BTreeMap::new();
    for trouble in troubles {
        *kinds.entry((trouble.severity, trouble.code, &*trouble.about)).or_default() += 1;
    }
    if kinds.is_empty() {
        return;
    }
    let help = "What is wrong by the verdict that /api/status tells: how many of each kind.";
    let mut family = page.gauge("tmrd_trouble", help);
    for ((severity, code, about), count) in kinds {
        let labels: [(&str, &dyn Display); 3] =
            [("code", &code), ("severity", &severity.name()), ("about", &about)];
        family.is(&labels, count);
    }
}

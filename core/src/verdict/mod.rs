//! The verdict on a server and its group: what is wrong, how bad it is, and what to do.
//!
//! What lives here: the rules, as pure functions of facts that status shows. The admin page, `tmrd
//! status` and the metrics show this verdict and judge nothing on their own. What never lives
//! here: how a fact is found out. A new kind of fact (keepalived, disks) becomes a field of
//! [`Facts`] and a rule beside the others.

mod front;
mod licences;
#[cfg(test)]
mod verdict_test;

use crate::admin::FileTrouble;
use crate::admin::status::FrontStatus;
use crate::time::Wall;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

/// How bad a trouble is. The worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody is not served or not protected.
    Red,
    /// All are served, and the next fault, or the passing of time, may end that.
    Yellow,
    /// Worth knowing; nothing has to be done.
    Info,
}

impl Severity {
    /// As status and metrics call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Yellow => "yellow",
            Self::Info => "info",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// How bad it is.
    pub severity: Severity,
    /// The kind, fixed for programs, like `backend-down`.
    pub code: &'static str,
    /// What is wrong, in one or more sentences.
    pub text: String,
    /// What mends it, in a sentence.
    pub what_to_do: String,
}

/// What is known of a front and its group.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// What its status shows.
    pub status: &'a FrontStatus,
    /// Whether it serves or could, and why not: what `/readyz` says.
    pub ready: Result<(), String>,
    /// The date that licences are judged by.
    pub now: Wall,
    /// Accesses that were refused in the last hour and in the last day, by Firm Code, Product Code
    /// and TMR-Id.
    pub denied: Vec<Denied>,
}

/// Accesses to one licence that were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Firm Code, Product Code, TMR-Id.
    pub licence: (u32, u32, u32),
    /// In the last hour.
    pub hour: u64,
    /// In the last day.
    pub day: u64,
}

/// The troubles found so far.
#[derive(Debug, Default)]
struct Found(Vec<Trouble>);

impl Found {
    fn red(&mut self, code: &'static str, text: String, what_to_do: &str) {
        self.add(Severity::Red, code, text, what_to_do);
    }

    fn yellow(&mut self, code: &'static str, text: String, what_to_do: &str) {
        self.add(Severity::Yellow, code, text, what_to_do);
    }

    fn add(&mut self, severity: Severity, code: &'static str, text: String, what_to_do: &str) {
        self.0.push(Trouble { severity, code, text, what_to_do: what_to_do.into() });
    }
}

/// The verdict on a front and its group, the worst first and of equal ones in the order of weight;
/// empty: all is well.
#[must_use]
pub fn of_front(facts: &Facts<'_>) -> Vec<Trouble> {
    let mut found = Found::default();
    front::judge(facts, &mut found);
    licences::judge(facts, &mut found);
    found.0
}

/// The verdict on a backend.
#[must_use]
pub fn of_backend(ready: Result<(), String>, holds_licences: bool) -> Vec<Trouble> {
    let mut found = Found::default();
    if !holds_licences {
        let text = "This backend has no licence to serve.".into();
        found.red("no-licence", text, "Put a licence file where --license says.");
    }
    if let Err(reason) = ready {
        let text = format!("This backend does not count for the group: {reason}.");
        let todo =
            "See tmrd status on the front that leads; do not stop another backend meanwhile.";
        found.yellow("backend-not-ready", text, todo);
    }
    found.0
}

/// Adds files of the machine that the server does without, and puts the worst first.
#[must_use]
pub fn with_files(troubles: Vec<Trouble>, files: &[FileTrouble]) -> Vec<Trouble> {
    let mut found = Found(troubles);
    for FileTrouble { file, trouble, what_to_do } in files {
        let text = format!("{file} cannot be used: {trouble}.");
        found.red("file-unusable", text, &format!("{what_to_do}."));
    }
    found.0.sort_by_key(|trouble| trouble.severity);
    found.0
}

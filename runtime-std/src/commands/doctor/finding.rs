//! The result of one examination, and its text.

use serde_json::{Value, json};
use std::fmt::Write;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Ok,
    /// Clients are served, but an operator has something to do.
    Warning,
    /// Clients are not served or not protected, or will not be at the next fault.
    Problem,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// The topic that was examined.
    pub(super) topic: &'static str,
    /// The finding in a sentence.
    pub(super) what: String,
    /// What to do; empty if nothing.
    pub(super) todo: String,
    /// Whether a server could not be reached from here, or did not prove the group key.
    pub(super) refused: bool,
}

/// All findings, in the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn ok(&mut self, topic: &'static str, what: impl Into<String>) {
        self.add(Level::Ok, topic, what, "");
    }

    pub(super) fn warning(&mut self, topic: &'static str, what: impl Into<String>, todo: &str) {
        self.add(Level::Warning, topic, what, todo);
    }

    pub(super) fn problem(&mut self, topic: &'static str, what: impl Into<String>, todo: &str) {
        self.add(Level::Problem, topic, what, todo);
    }

    /// Adds that a server cannot be reached, or does not prove the group key.
    pub(super) fn refused(&mut self, topic: &'static str, what: impl Into<String>, todo: &str) {
        self.problem(topic, what, todo);
        if let Some(last) = self.0.last_mut() {
            last.refused = true;
        }
    }

    fn add(&mut self, level: Level, topic: &'static str, what: impl Into<String>, todo: &str) {
        let (what, todo) = (what.into(), todo.to_owned());
        self.0.push(Finding { level, topic, what, todo, refused: false });
    }

    /// Returns the number of findings of this severity.
    pub(super) fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|finding| finding.level == level).count()
    }

    /// Returns the text for people: a line for each finding, and below it what to do.
    pub(super) fn text(&self) -> String {
        let wide = self.0.iter().map(|it| it.topic.chars().count()).max().unwrap_or_default();
        let mut out = String::new();
        for Finding { level, topic, what, todo, .. } in &self.0 {
            let _ = writeln!(out, "{:<8} {topic:<wide$}  {what}", level.name());
            if !todo.is_empty() {
                let _ = writeln!(out, "{:<8} {:<wide$}  -> {todo}", "", "");
            }
        }
        let (problems, warnings) = (self.count(Level::Problem), self.count(Level::Warning));
        let _ = match (problems, warnings) {
            (0, 0) => write!(out, "All is well."),
            _ => write!(out, "Problems: {problems}. Warnings: {warnings}."),
        };
        out
    }

    /// Returns the findings as JSON.
    pub(super) fn json(&self) -> Value {
        let finding = |it: &Finding| json!({ "level": it.level.name(), "topic": it.topic, "what": it.what, "todo": it.todo });
        json!({
            "problems": self.count(Level::Problem),
            "warnings": self.count(Level::Warning),
            "findings": self.0.iter().map(finding).collect::<Vec<_>>(),
        })
    }

    /// Asserts that there is exactly one finding of that severity, with these words.
    #[cfg(test)]
    #[track_caller]
    pub(super) fn has(&self, level: Level, words: &[&str]) {
        let fits =
            |it: &&Finding| it.level == level && words.iter().all(|word| it.what.contains(word));
        let found: Vec<_> = self.0.iter().filter(fits).collect();
        assert_eq!(found.len(), 1, "{level:?} {words:?} in {self:#?}");
        assert_eq!(found[0].todo.is_empty(), level == Level::Ok, "what to do: {found:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_lines_for_people_and_a_list_for_programs() {
        let mut findings = Findings::default();
        assert_eq!(findings.text(), "All is well.");
        findings.ok("port", "it listens");
        findings.warning("licences", "one ends soon", "renew it");
        findings.problem("vip", "it is nowhere", "start keepalived");
        let text = "ok       port      it listens\n\
                    warning  licences  one ends soon\n                   -> renew it\n\
                    problem  vip       it is nowhere\n                   -> start keepalived\n\
                    Problems: 1. Warnings: 1.";
        assert_eq!(findings.text(), text);
        let json = findings.json();
        assert_eq!((&json["problems"], &json["warnings"]), (&json!(1), &json!(1)));
        assert_eq!(json["findings"][2]["todo"], "start keepalived");
    }
}

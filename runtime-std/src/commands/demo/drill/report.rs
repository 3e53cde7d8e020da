//! The result of the drill, printed as a table for an operator or as one JSON value.
//!
//! What lives here: the layout of the result, which the tests below compare with its text. What
//! never lives here: what counts as a violation (`history`), and the steps (the parent module).

use super::clients::{CLIENTS, KEEPERS};
use super::history::{Counts, History};
use crate::commands::table::Table;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::time::Duration;

/// The result of one step.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// The fault or order of the step.
    pub(super) what: String,
    /// The expected effect, and how long it took; no time: it did not come.
    pub(super) then: Option<(String, Option<Duration>)>,
    /// What clients saw in this step.
    pub(super) counts: Counts,
}

/// The result of the whole drill.
#[derive(Clone, Debug)]
pub(super) struct Report {
    quantity: u32,
    rows: Vec<Row>,
    /// The number of seats that lost answers left behind.
    left: u32,
    errors: BTreeMap<String, u32>,
    broken: Vec<String>,
}

impl Report {
    pub(super) fn new(quantity: u32, rows: Vec<Row>, left: u32, history: &History) -> Self {
        let (errors, broken) = (history.errors().clone(), history.all_broken().to_vec());
        Self { quantity, rows, left, errors, broken }
    }

    /// Returns whether no acknowledged seat was lost, none was granted twice, and every expected
    /// effect came.
    pub(super) fn is_clean(&self) -> bool {
        self.broken.is_empty()
    }

    /// Returns the result as one JSON value, with times in milliseconds.
    pub(super) fn as_json(&self) -> Value {
        let steps = self.rows.iter().map(|row| {
            let Counts { taken, given_back, used, none_free, failed, lost, most, pause } =
                row.counts;
            let then = row.then.as_ref();
            json!({
                "what": row.what,
                "then": then.map(|(words, _)| words),
                "then_after_ms": then.and_then(|(_, took)| took.map(|took| took.as_millis() as u64)),
                "taken": taken, "given_back": given_back, "used": used, "none_free": none_free,
                "failed": failed, "lost": lost, "most_in_hands": most,
                "pause_ms": pause.as_millis() as u64,
            })
        });
        json!({
            "ok": self.is_clean(), "clients": CLIENTS, "quantity": self.quantity,
            "steps": steps.collect::<Value>(), "left_behind": self.left,
            "errors": self.errors, "broken": self.broken,
        })
    }

    fn sum(&self, of: impl Fn(&Counts) -> u32) -> u32 {
        self.rows.iter().map(|row| of(&row.counts)).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quantity = self.quantity;
        writeln!(f, "\n{CLIENTS} clients shared {quantity} seats through one address.")?;
        writeln!(f, "{KEEPERS} kept theirs all the time, the others took one and gave it back.\n")?;
        let headings =
            ["", "what was done", "taken", "given back", "none free", "failed", "lost", "in hands"];
        let mut table = Table::new(&[&headings[..], &["pause"]].concat());
        for (index, row) in self.rows.iter().enumerate() {
            let Counts { taken, given_back, none_free, failed, lost, most, pause, .. } = row.counts;
            let numbers = [taken, given_back, none_free, failed, lost];
            table.row(
                [(index + 1).to_string(), row.what.clone()]
                    .into_iter()
                    .chain(numbers.iter().zip(&headings[2..]).map(|(n, h)| right(n, h.len())))
                    .chain([right(&format!("{most} of {quantity}"), headings[7].len())])
                    .chain([millis(pause)]),
            );
            if let Some((words, took)) = &row.then {
                table.note(&[match took {
                    Some(took) => format!("{words} after {}", millis(*took).trim_start()),
                    None => format!("NOT: {words}"),
                }]);
            }
        }
        write!(f, "{table}")?;
        writeln!(
            f,
            "\ntaken, given back: what a client was told is done.  none free: refused, 212.\n\
             failed: ended in another error, and was not done.  lost: the answer was lost on the \
             way,\nand a client cannot know if it was done.  in hands: the most at a time.\n\
             pause: the longest time in which nobody was given a seat.\n"
        )?;
        for (error, count) in &self.errors {
            writeln!(f, "{count} × {error}")?;
        }
        let lost = self.sum(|counts| counts.lost);
        if lost > 0 {
            match self.left {
                0 => writeln!(f, "No lost answer had left a seat behind.")?,
                left => writeln!(
                    f,
                    "Of {lost} lost answers {left} had left a seat that nobody held. It would have\n\
                     been free again after its clean-up time; the drill gave it back."
                )?,
            }
        }
        let mut sum = String::new();
        let (taken, given_back) = (self.sum(|it| it.taken), self.sum(|it| it.given_back));
        let used = self.sum(|it| it.used);
        let _ = write!(sum, "{taken} seats taken, {used} times used, {given_back} given back.");
        if self.is_clean() {
            return write!(
                f,
                "{sum} After each step the front that led\nknew every seat in a client's hands, \
                 and it answered. No acknowledged seat was lost,\nand none was granted twice."
            );
        }
        writeln!(f, "{sum}\n\nFAILED:")?;
        let broken: Vec<String> = self.broken.iter().map(|what| format!("  {what}")).collect();
        f.write_str(&broken.join("\n"))
    }
}

fn right(what: &impl ToString, width: usize) -> String {
    format!("{:>width$}", what.to_string())
}

fn millis(time: Duration) -> String {
    format!("{:>5} ms", time.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn report(history: &History) -> Report {
        let row = Row {
            what: "backend-3 killed (-9)".to_owned(),
            then: Some(("two parts serve".to_owned(), Some(Duration::from_millis(57)))),
            counts: Counts { taken: 7, lost: 2, most: 5, ..Counts::default() },
        };
        let never = Row {
            what: "backend-3 started again".to_owned(),
            then: Some(("three parts".to_owned(), None)),
            counts: Counts::default(),
        };
        Report::new(5, vec![row, never], 1, history)
    }

    #[test]
    fn a_clean_drill_says_so_and_another_one_says_what_went_wrong() {
        let mut history = History::new(5);
        let clean = report(&history);
        assert!(clean.is_clean());
        let text = clean.to_string();
        for words in [
            "1  backend-3 killed (-9)        7           0",
            "5 of 5      0 ms\n     two parts serve after 57 ms\n",
            "NOT: three parts",
            "Of 2 lost answers 1 had left a seat",
            "none was granted twice.",
        ] {
            assert!(text.contains(words), "{words:?} is in\n{text}");
        }
        assert_eq!(clean.as_json()["steps"][0]["then_after_ms"], 57);

        history.granted(Instant::now(), 1);
        history.granted(Instant::now(), 1);
        let broken = report(&history);
        assert!(!broken.is_clean());
        assert!(broken.to_string().ends_with("FAILED:\n  handle 1 was granted a second time"));
        assert_eq!(broken.as_json()["ok"], false);
        assert_eq!(broken.as_json()["broken"][0], "handle 1 was granted a second time");
    }
}

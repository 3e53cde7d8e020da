//! Log lines at ERROR level: they call an operator, so a run with such a line fails, unless the
//! fault that the line names was made on purpose.

use std::cell::RefCell;
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Metadata, Subscriber};

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Beginnings of lines that faults explain. Keepalived may leave the address where it was asked to
/// take it away, and may have been stopped: a front that gave its role away says so. One whose backends
/// are out of reach says that it cannot lead, and why. That the memory of the group is lost is never
/// explained: of the disks, one at a time is lost.
const EXPLAINED: &[&str] = &[
    "planned failover: the twin leads, but the virtual address",
    "this front cannot lead: fewer than two backends count",
    "this front cannot lead: a new group needs all three backends once",
];

/// Beginnings of lines that a disk which was put back, copied or has rotted explains, and a machine that
/// takes the place of another one with the same part: an operator is to hear of that.
const MISTAKEN: &[&str] = &[
    "the front that leads says that this disk has gone back in time",
    "the journal is damaged at byte",
    "the journal does not begin with a whole record",
    "backends backend-",
];

/// Keeps this thread's log lines at ERROR level until the returned guard is dropped.
#[must_use]
pub fn keep() -> DefaultGuard {
    LINES.take();
    tracing::subscriber::set_default(Keeper)
}

/// What was logged since it was last looked at. `faulty`: things go wrong on purpose,
/// or did a moment ago; `mistaken`: a disk lies, or a list is wrong.
///
/// # Errors
/// There is a line that no fault explains.
pub fn check(faulty: bool, mistaken: bool) -> Result<(), String> {
    let lines = LINES.take();
    let begins = |line: &str, with: &[&str]| with.iter().any(|start| line.starts_with(start));
    let explained =
        |line: &str| faulty && begins(line, EXPLAINED) || mistaken && begins(line, MISTAKEN);
    match lines.iter().find(|line| !explained(line)) {
        Some(line) => Err(format!("at ERROR level: {line}")),
        None => Ok(()),
    }
}

struct Keeper;

impl Subscriber for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::ERROR)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        LINES.with_borrow_mut(|lines| lines.push(line.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}{}", self.0);
        } else {
            self.0 += &format!(" {field}={value:?}");
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_line_at_error_level_is_found_unless_a_fault_explains_it() {
        let guard = keep();
        tracing::warn!("a backend is down");
        assert_eq!(check(false, false), Ok(()));
        tracing::error!(slot = 7, "the log has a hole");
        let found = check(true, false).unwrap_err();
        assert_eq!(found, "at ERROR level: the log has a hole slot=7");
        assert_eq!(check(true, false), Ok(()), "each is found once");
        for faulty in [true, false] {
            tracing::error!("{} has not left", EXPLAINED[0]);
            assert_eq!(check(faulty, false).is_ok(), faulty);
        }
        for mistaken in [true, false] {
            tracing::error!("{}, says the leader", MISTAKEN[0]);
            assert_eq!(check(false, mistaken).is_ok(), mistaken);
        }
        drop(guard);
        tracing::error!("nobody listens");
        assert_eq!(check(false, false), Ok(()));
    }
}

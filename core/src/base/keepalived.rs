//! Keepalived's reports to a server: notices about its instances, and calls of its track scripts.

use super::limits::{TRACK_NAME, TRACK_STATE};
use alloc::format;
use alloc::string::String;
use core::fmt;

/// A notice of keepalived about one of its instances or groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// `GROUP` or `INSTANCE`, and its name.
    pub(crate) whose: String,
    /// The state it has entered.
    pub(crate) state: NoticeState,
    /// When the process of the notice was started, in steps that only rise
    /// ([`TRACK_LATE`](super::limits::TRACK_LATE)). Keepalived starts one for each change of a
    /// state, and if two run at once the later one may report first.
    pub(crate) begun: Option<u64>,
    /// When the keepalived that started this process was itself started, in the same steps.
    pub(crate) keepalived: Option<u64>,
}

/// The states of a [`Notice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoticeState {
    /// MASTER or BACKUP: it could have the address.
    Ready,
    /// FAULT: it cannot have the address.
    Fault,
    /// It was stopped, or is no longer configured.
    Gone,
}

/// The reason why words are no [`Notice`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeError {
    /// They do not have the form of the words that keepalived adds to a command.
    Words,
    /// Keepalived has no such state.
    State(String),
    /// The name is too long; its length in bytes.
    LongName(usize),
    /// The name has control characters.
    Control,
}

impl fmt::Display for NoticeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words => f.write_str(
                "these are not the words that keepalived adds; right would be GROUP or INSTANCE, a name, a \
                 state and a priority",
            ),
            Self::State(found) => write!(
                f,
                "keepalived has no state {found}; right would be MASTER, BACKUP, FAULT, STOP or DELETED"
            ),
            Self::LongName(bytes) => write!(
                f,
                "the name of an instance or group of keepalived has {bytes} bytes; right would be \
                 {TRACK_NAME} at most"
            ),
            Self::Control => f.write_str(
                "the name of an instance or group of keepalived has control characters; right would be one \
                 without",
            ),
        }
    }
}

impl core::error::Error for NoticeError {}

impl Notice {
    /// Parses the words that keepalived adds to a `notify` command: kind, name, state and priority.
    /// Returns `None` if there are none, or if they report a priority only.
    ///
    /// # Errors
    /// Returns what is wrong with them.
    pub fn of_words(words: &[&str]) -> Result<Option<Self>, NoticeError> {
        if words.is_empty() {
            return Ok(None);
        }
        let [.., kind @ ("GROUP" | "INSTANCE"), name, state, _] = words else {
            return Err(NoticeError::Words);
        };
        let state = match *state {
            "MASTER" | "BACKUP" => NoticeState::Ready,
            "FAULT" => NoticeState::Fault,
            "STOP" | "DELETED" => NoticeState::Gone,
            "MASTER_PRIORITY" | "BACKUP_PRIORITY" | "MASTER_RX_LOWER_PRI" => return Ok(None),
            other => return Err(NoticeError::State(shown(other))),
        };
        if name.len() > TRACK_NAME {
            return Err(NoticeError::LongName(name.len()));
        }
        if name.chars().any(char::is_control) {
            return Err(NoticeError::Control);
        }
        Ok(Some(Self { whose: format!("{kind} {name}"), state, begun: None, keepalived: None }))
    }

    /// Adds when the process of the notice and its keepalived were started.
    #[must_use]
    pub fn timed(self, begun: Option<u64>, keepalived: Option<u64>) -> Self {
        // A process cannot start before the one that starts it.
        let keepalived = keepalived.filter(|it| begun.is_some_and(|begun| *it <= begun));
        Self { begun, keepalived, ..self }
    }
}

/// Returns the beginning of a wrong word, for people.
fn shown(word: &str) -> String {
    word.chars().filter(|one| !one.is_control()).take(TRACK_STATE).collect()
}

/// The track scripts of keepalived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Asks whether this front could serve.
    Status,
    /// Asks whether the address is to leave this machine.
    ManualFailover,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn words_that_are_no_notice_are_refused_and_those_of_a_priority_say_nothing() {
        assert_eq!(Notice::of_words(&[]), Ok(None));
        for state in ["MASTER_PRIORITY", "BACKUP_PRIORITY", "MASTER_RX_LOWER_PRI"] {
            assert_eq!(Notice::of_words(&["INSTANCE", "four", state, "250"]), Ok(None));
        }
        let (fits, long) = ("x".repeat(TRACK_NAME), "x".repeat(TRACK_NAME + 1));
        let rows: [(&[&str], NoticeError); 6] = [
            (&["junk"], NoticeError::Words),
            (&["GROUP", "tmr", "BACKUP"], NoticeError::Words),
            (&["group", "tmr", "BACKUP", "250"], NoticeError::Words),
            (&["GROUP", "tmr", "FAL\nT", "250"], NoticeError::State("FALT".into())),
            (&["GROUP", &long, "FAULT", "1"], NoticeError::LongName(TRACK_NAME + 1)),
            (&["GROUP", "t\tmr", "FAULT", "1"], NoticeError::Control),
        ];
        for (words, error) in rows {
            assert_eq!(Notice::of_words(words), Err(error.clone()));
            assert!(error.to_string().contains("right would be"), "{error}");
        }
        assert!(Notice::of_words(&["GROUP", &fits, "FAULT", "1"]).is_ok_and(|it| it.is_some()));
    }
}

//! What keepalived tells a server: notices about its instances, and calls of its track scripts.

use super::limits::TRACK_NAME;
use alloc::format;
use alloc::string::String;

/// What keepalived says of one of its instances or groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// `GROUP` or `INSTANCE`, and its name.
    pub(crate) whose: String,
    /// The state it has entered.
    pub(crate) state: NoticeState,
    /// When the process that tells it was begun, in steps that only rise. Keepalived begins one for
    /// each change of a state, and of two that run at once the later one may be heard first.
    pub(crate) begun: Option<u64>,
}

/// The states of a [`Notice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoticeState {
    /// MASTER or BACKUP.
    Ready,
    /// It cannot have the address.
    Fault,
    /// It was stopped, or is not configured any more.
    Gone,
}

impl Notice {
    /// From the words that keepalived adds to a `notify` command: kind, name, state, and priority; and
    /// when that command was begun, if it says so. Returns `None` where the words are something else.
    #[must_use]
    pub fn of_words(words: &[&str], begun: Option<u64>) -> Option<Self> {
        let [.., kind @ ("GROUP" | "INSTANCE"), name, state, _] = words else { return None };
        let state = match *state {
            "MASTER" | "BACKUP" => NoticeState::Ready,
            "FAULT" => NoticeState::Fault,
            "STOP" | "DELETED" => NoticeState::Gone,
            _ => return None,
        };
        let fits = name.len() <= TRACK_NAME && !name.chars().any(char::is_control);
        fits.then(|| Self { whose: format!("{kind} {name}"), state, begun })
    }
}

/// Which of keepalived's track scripts asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Could this front serve?
    Status,
    /// Is the address to leave this machine?
    ManualFailover,
}

//! What the two fronts say of themselves when a link comes up: which front it is, which versions it
//! speaks, and how far it knows the log to be chosen.

use crate::base::limits::TWIN_FIRST_WORD;
use crate::base::network::Address;
use crate::base::time::{Duration, Mono};
use crate::front::replication::replicated_log::ReplicatedLog;
use crate::history::{History, Mark};
use crate::link::CloseReason;
use crate::log::{GroupId, Slot};
use crate::messages::twin::{Hello, Version};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A hello of the twin that can be spoken with.
#[derive(Debug)]
pub(super) struct Accepted {
    /// The minor version to speak.
    pub(super) minor: u16,
    pub(super) hello: Hello,
}

/// Why a link cannot be used.
#[derive(Debug)]
pub(super) struct Rejected {
    /// A text for operators.
    pub(super) text: String,
    pub(super) reason: CloseReason,
}

/// What this front says in a hello, and what its twin has said.
#[derive(Clone, Debug)]
pub(super) struct Hellos {
    /// The id of this front.
    front: u32,
    /// The version that this front speaks.
    version: Version,
    /// The name and version of the twin's program.
    program: Option<String>,
    /// The last place in the log that the twin has reported as chosen.
    chosen: Option<Mark>,
    /// When this front first dialled the twin.
    begun: Option<Mono>,
}

impl Hellos {
    pub(super) fn new(front: u32) -> Self {
        Self { front, version: Version::OWN, program: None, chosen: None, begun: None }
    }

    /// Sets another version than [`Version::OWN`], to simulate an older or newer program.
    pub(super) fn speak(&mut self, version: Version) {
        self.version = version;
    }

    /// Returns the name and version of the twin's program, once it has said hello.
    pub(super) fn program(&self) -> Option<&String> {
        self.program.as_ref()
    }

    /// Notes that the twin is being dialled.
    pub(super) fn begin(&mut self, now: Mono) {
        self.begun.get_or_insert(now);
    }

    /// Returns when a wait for the twin ends that began with the first attempt to connect.
    pub(super) fn waited_for(&self, span: Duration) -> Mono {
        self.begun.map_or(Mono(u64::MAX), |begun| begun + span)
    }

    /// Returns the hello of this front.
    pub(super) fn own(&self, log: &ReplicatedLog, history: &History) -> Vec<u8> {
        let program = env!("CARGO_PKG_VERSION").to_owned();
        let chosen = chosen_place(log, history, self.chosen);
        Hello { version: self.version, front: self.front, program, chosen }.encode()
    }

    /// Judges the hello of a twin at this address.
    ///
    /// # Errors
    /// Why the link has to be closed.
    pub(super) fn judge(&self, address: &Address, bytes: &[u8]) -> Result<Accepted, Rejected> {
        let Ok(hello) = Hello::decode(bytes) else {
            let text = format!("{address} holds the group key, but says no hello of a twin");
            return Err(Rejected { text, reason: CloseReason::Protocol("no hello of a twin") });
        };
        if hello.front == self.front {
            let text = format!(
                "TwinServer {address} is this front itself; right would be the address of the \
                 other front's TwinListen"
            );
            let reason = CloseReason::Stepped("a front that is its own twin");
            return Err(Rejected { text, reason });
        }
        let Some(minor) = self.version.spoken_with(hello.version) else {
            let text = format!(
                "the twin at {address} (tmrd {}) speaks version {} of the protocol between twins, \
                 this front (tmrd {}) version {}; run versions on both that differ behind the \
                 point only",
                hello.program,
                hello.version,
                env!("CARGO_PKG_VERSION"),
                self.version
            );
            let reason = CloseReason::Stepped("a twin of another major version");
            return Err(Rejected { text, reason });
        };
        Ok(Accepted { minor, hello })
    }

    /// Takes the hello of the twin.
    pub(super) fn greeted(&mut self, hello: Hello) {
        self.program = Some(hello.program);
        let later = |chosen: &Mark| chosen.follows(self.chosen.as_ref());
        self.chosen = hello.chosen.filter(later).or(self.chosen);
    }

    /// Returns until when a front that has just started waits for the first hello of its twin.
    pub(super) fn first_word_awaited(&self) -> Mono {
        if self.program.is_some() {
            return Mono(0);
        }
        self.waited_for(TWIN_FIRST_WORD)
    }

    /// Returns the last slot of a group that the twin has reported as chosen.
    pub(super) fn chosen_of(&self, group: GroupId) -> Slot {
        let chosen = self.chosen.filter(|mark| mark.is_of(group));
        chosen.map_or(Slot(0), |mark| mark.slot())
    }
}

/// Returns the last place that a front knows to be chosen: by its copy of the log, or by its files
/// and its twin's report if these know more of the same group, or if it has no copy yet.
fn chosen_place(log: &ReplicatedLog, history: &History, told: Option<Mark>) -> Option<Mark> {
    let known = [log.mark(), history.covered(), told];
    known.into_iter().flatten().reduce(|best, other| {
        let more = other.is_beside(&best) && other.slot() > best.slot();
        if more { other } else { best }
    })
}

//! What a front may expect of its three backends: those of tmrd, or stock servers in unfenced mode.
//! This is the one place that says how the two modes differ. Elsewhere a component asks one of
//! these questions, and never which mode is on
//! (`core/docs/decisions/017-questions-to-the-kind-of-backends.md`).
//!
//! What never lives here: state, and what a component does with an answer.
//!
//! Tests: each question is asked in both modes, by `front/tests/` and `front/tests/unfenced/`.

/// The kind of the three backends of a front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BackendKind {
    /// Backends of tmrd.
    Tmrd,
    /// Stock licence servers, each with a stand-in in the memory of this front.
    Stock,
}

impl BackendKind {
    /// Returns whether a backend refuses the orders of a front that another one has replaced. If
    /// not, the twin's report decides which front leads, and no planned failover is possible.
    pub(super) fn fences(self) -> bool {
        self == Self::Tmrd
    }

    /// Returns whether a backend keeps the log, the group and the date on a disk, which outlives
    /// the front. If not, there are no members, witnesses or lost memories to look at, and the twin
    /// has the only other copy: a claim begins with the twin's log, and a reply waits until the
    /// twin has its slot.
    pub(super) fn keeps_log(self) -> bool {
        self == Self::Tmrd
    }

    /// Returns whether units that two backends have taken and the third one has not can be given
    /// back. If not, calls that take units are refused.
    pub(super) fn gives_units_back(self) -> bool {
        self == Self::Tmrd
    }

    /// Returns whether a stand-in takes the place of each backend, and runs after each turn of the
    /// front.
    pub(super) fn has_stand_ins(self) -> bool {
        self == Self::Stock
    }
}

//! What a front may expect of its three backends. This is the one place that says how the two modes
//! differ: elsewhere a component asks one of these questions, never which mode it is.

/// The kind of the three backends of a front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BackendKind {
    /// Backends of tmrd.
    Tmrd,
    /// Stock licence servers, each with a stand-in in the memory of this front.
    Stock,
}

impl BackendKind {
    /// Whether a backend refuses the orders of a front that another one has replaced. If not, the
    /// twin's word decides which front leads, and a lead cannot be handed over in good order.
    pub(super) fn fences(self) -> bool {
        self == Self::Tmrd
    }

    /// Whether a backend keeps the log, the group and the date on a disk, which outlives the front.
    /// If not, there are no members, witnesses or lost memories to look at, and the twin has the
    /// only other copy: a claim begins with its log, and replies wait until it has their slots.
    pub(super) fn keeps_log(self) -> bool {
        self == Self::Tmrd
    }

    /// Whether units that two backends have taken and the third one has not can be given back.
    pub(super) fn gives_units_back(self) -> bool {
        self == Self::Tmrd
    }

    /// Whether a stand-in takes the place of each backend, and runs after each turn of the front.
    pub(super) fn has_stand_ins(self) -> bool {
        self == Self::Stock
    }
}

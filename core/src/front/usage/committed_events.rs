//! What committed entries mean to the usage history: what happened to licences, in slot order, each
//! event once, whichever front applies the log.

use crate::base::time::Wall;
use crate::history::Mark;
use crate::log::{Entry, Grant, Outcome, Setting, State};

/// An effect of a committed entry that the usage history records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::front) enum Happened {
    /// A licence is in use.
    Granted(Grant),
    /// A licence was released; its seat may linger.
    Released(Grant),
    /// A licence was taken back.
    Expired(Grant),
    /// A seat lingers no longer.
    Lingered(Grant),
    /// The group was born.
    Born,
    /// The front with this id begins to lead.
    Leads(u32),
    /// Of the slots up to here only the outcome is known.
    Unknown,
}

impl Happened {
    /// Applies an entry; `None` if there is nothing to record.
    pub(in crate::front) fn by(entry: &Entry, state: &mut State) -> Option<Self> {
        let lingers = match entry {
            Entry::Expire(handle) => state.lingers(*handle),
            _ => false,
        };
        // Released, and the seat lingers.
        let stays = match entry {
            Entry::Release(handle) => {
                state.held(*handle).filter(|seat| seat.linger_seconds > 0).cloned()
            }
            _ => None,
        };
        let born = state.members().is_none();
        let happened = match (entry, state.apply(entry)) {
            (Entry::Grant(grant), Outcome::Granted) => Self::Granted(grant.clone()),
            (Entry::Release(_), Outcome::Ended(grant)) => Self::Released(grant),
            (Entry::Release(_), _) => Self::Released(stays?),
            (Entry::Expire(_), Outcome::Ended(grant)) if lingers => Self::Lingered(grant),
            (Entry::Expire(_), Outcome::Ended(grant)) => Self::Expired(grant),
            (Entry::Configure(Setting::Members(_)), _) if born => Self::Born,
            (Entry::Configure(Setting::Leader(epoch)), _) => Self::Leads(epoch.front),
            _ => return None,
        };
        match &happened {
            Self::Granted(grant)
            | Self::Released(grant)
            | Self::Expired(grant)
            | Self::Lingered(grant) => grant.held.licence().is_some().then_some(happened),
            _ => Some(happened),
        }
    }

    /// Returns the grant of the handle that the event concerns.
    pub(in crate::front) fn grant(&self) -> Option<&Grant> {
        match self {
            Self::Granted(grant)
            | Self::Released(grant)
            | Self::Expired(grant)
            | Self::Lingered(grant) => Some(grant),
            Self::Born | Self::Leads(_) | Self::Unknown => None,
        }
    }
}

/// An event for the usage history.
#[derive(Clone, Debug)]
pub(in crate::front) struct CommittedEvent {
    /// The mark of its entry.
    pub(in crate::front) mark: Mark,
    /// When this front learned that it is committed.
    pub(in crate::front) time: Wall,
    pub(in crate::front) what: Happened,
    /// The number of seats of the licence in use after it.
    pub(in crate::front) used: u32,
}

impl CommittedEvent {
    pub(in crate::front) fn new(mark: Mark, time: Wall, what: Happened, state: &State) -> Self {
        let licence = what.grant().and_then(|grant| grant.held.licence());
        let used = licence.and_then(|key| state.usage(key)).map_or(0, |usage| usage.used());
        Self { mark, time, what, used }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{DiskId, Epoch, Handle, HandleScope};
    use crate::testing::grant;

    #[test]
    fn each_entry_happens_as_it_is_folded() {
        let (one, two) = (grant(1, 0), grant(2, 30));
        let void = Grant { take: 9, ..grant(3, 0) };
        let none = Grant { held: HandleScope::Subsystem, ..grant(4, 0) };
        let members = Setting::Members([DiskId(1), DiskId(2), DiskId(3)]);
        let epoch = Epoch { round: 1, front: 9 };
        let mut state = State::default();
        for (entry, happened) in [
            (Entry::Configure(members.clone()), Some(Happened::Born)),
            (Entry::Configure(members), None),
            (Entry::Configure(Setting::Leader(epoch)), Some(Happened::Leads(9))),
            (Entry::Configure(Setting::Handles(9)), None),
            (Entry::Grant(one.clone()), Some(Happened::Granted(one.clone()))),
            (Entry::Grant(one.clone()), None),
            (Entry::Grant(void), None),
            (Entry::Grant(none), None),
            (Entry::Grant(two.clone()), Some(Happened::Granted(two.clone()))),
            (Entry::Release(Handle(2)), Some(Happened::Released(two.clone()))),
            (Entry::Release(Handle(2)), None),
            (Entry::Expire(Handle(2)), Some(Happened::Lingered(two))),
            (Entry::Expire(Handle(2)), None),
            (Entry::Expire(Handle(1)), Some(Happened::Expired(one))),
            (Entry::Release(Handle(4)), None),
        ] {
            assert_eq!(Happened::by(&entry, &mut state), happened, "{entry:?}");
        }
    }
}

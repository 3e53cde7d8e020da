//! Statistics of calls for `/metrics`: their number, results and durations.
//!
//! A call lasts from the step that receives it to the step that has its reply. A call that is
//! answered at once therefore took no time, and the processing of its bytes is not included.

use super::LicenceService;
use crate::base::metrics::Histogram;
use crate::base::time::{Mono, Wall};
use crate::link::LinkId;
use crate::wire::{CmError, Request};
use alloc::collections::BTreeMap;

/// The servers that were needed to answer a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// This server alone.
    Own,
    /// Any one backend.
    AnyOne,
    /// Two backends.
    Quorum,
    /// The leading front, while this one stands by.
    Passed,
}

impl Kind {
    /// All kinds, in order.
    pub(crate) const ALL: [Self; 4] = [Self::Own, Self::AnyOne, Self::Quorum, Self::Passed];

    /// Returns the name used in metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::AnyOne => "any-one",
            Self::Quorum => "quorum",
            Self::Passed => "passed",
        }
    }
}

/// The kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aim {
    Access,
    Release,
    Other,
}

/// A call that has no reply yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    since: Mono,
    aim: Aim,
    pub(super) kind: Kind,
}

impl Asked {
    /// Returns a call that arrived now and is not parsed yet.
    pub(super) fn at(now: Mono) -> Self {
        Self { since: now, aim: Aim::Other, kind: Kind::Own }
    }

    /// Records the parsed request.
    pub(super) fn understood(&mut self, request: &Request) {
        self.aim = match request {
            Request::Access { .. } | Request::Access2 { .. } => Aim::Access,
            Request::Release { .. } => Aim::Release,
            _ => Aim::Other,
        };
    }
}

/// Statistics of answered calls. Their statuses are those of the API's table, and one for all
/// others.
#[derive(Clone, Debug)]
pub(crate) struct CallStats {
    took: [Histogram; Kind::ALL.len()],
    results: BTreeMap<(Kind, CmError), u64>,
    denied: BTreeMap<CmError, u64>,
    granted: u64,
    released: u64,
    expired: u64,
}

/// The usual reasons why accesses are refused. They are exported with 0 from the start, so that a
/// monitor also sees the first refusal as an increase.
const USUAL: [CmError; 13] = [
    CmError::NO_MORE_HANDLES,
    CmError::USER_RUNTIME_VERSION_TOO_OLD,
    CmError::REDUNDANCY_SERVER_MISSING,
    CmError::ENTRY_NOT_FOUND,
    CmError::BOX_NOT_FOUND,
    CmError::NO_MORE_LICENSES,
    CmError::EXCLUSIVE_MODE_CONFLICT,
    CmError::NO_LICENSE_AVAILABLE,
    CmError::WRONG_ACCESS_MODE,
    CmError::ACCESS_DENIED,
    CmError::SERVER_START_PENDING,
    CmError::EXPIRATIONTIMEOVERRUN,
    CmError::REQUEST_OVERLOAD_REJECTED,
];

impl Default for CallStats {
    fn default() -> Self {
        Self {
            took: <[Histogram; Kind::ALL.len()]>::default(),
            results: BTreeMap::new(),
            denied: USUAL.into_iter().map(|status| (status, 0)).collect(),
            granted: 0,
            released: 0,
            expired: 0,
        }
    }
}

impl CallStats {
    /// Counts a call by its reply, which begins with its status.
    pub(super) fn answered(&mut self, asked: Asked, now: Mono, reply: &[u8]) {
        let status = reply.first_chunk().map(|bytes| CmError(u32::from_le_bytes(*bytes)));
        let status = status.filter(|status| status.is_known()).unwrap_or(CmError::OTHER);
        self.took[asked.kind as usize].observe(now.since(asked.since));
        *self.results.entry((asked.kind, status)).or_default() += 1;
        // Forwarded calls are counted by the front that decides them.
        match asked.aim {
            _ if asked.kind == Kind::Passed => {}
            Aim::Access if status == CmError::NO_ERROR => self.granted += 1,
            Aim::Access => *self.denied.entry(status).or_default() += 1,
            Aim::Release if status == CmError::NO_ERROR => self.released += 1,
            Aim::Release | Aim::Other => {}
        }
    }

    /// Counts a handle that ended because its client was silent.
    pub(super) fn expired(&mut self) {
        self.expired += 1;
    }

    /// Returns the durations of calls by kind.
    pub(crate) fn took(&self) -> impl Iterator<Item = (Kind, &Histogram)> {
        Kind::ALL.into_iter().zip(&self.took)
    }

    /// Returns the results of calls by kind.
    pub(crate) fn results(&self) -> impl Iterator<Item = (Kind, CmError, u64)> {
        self.results.iter().map(|((kind, status), count)| (*kind, *status, *count))
    }

    /// Returns the numbers of refused accesses by error.
    pub(crate) fn denied(&self) -> impl Iterator<Item = (CmError, u64)> {
        self.denied.iter().map(|(status, count)| (*status, *count))
    }

    /// Returns the numbers of handles granted, released, and ended because of silence.
    pub(crate) fn handles(&self) -> [u64; 3] {
        [self.granted, self.released, self.expired]
    }
}

impl LicenceService {
    /// Returns when the service started.
    #[must_use]
    pub fn started(&self) -> Option<Wall> {
        self.started
    }

    /// Returns the statistics of calls.
    pub(crate) fn call_stats(&self) -> &CallStats {
        &self.call_stats
    }

    /// Records which servers the waiting call of a link needs.
    pub(crate) fn needs(&mut self, link: LinkId, kind: Kind) {
        let asked = self.sessions.get_mut(&link).and_then(|session| session.asks.as_mut());
        if let Some(asked) = asked {
            asked.kind = kind;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{release, seat};
    use std::vec::Vec;

    fn asked(bytes: &[u8], kind: Kind) -> Asked {
        let mut asked = Asked::at(Mono(1_000));
        asked.understood(&Request::parse(bytes).unwrap());
        Asked { kind, ..asked }
    }

    #[test]
    fn replies_are_counted_by_what_was_asked_and_how_it_ended() {
        let mut call_stats = CallStats::default();
        let status = |code: u32| [code.to_le_bytes(), [0; 4]].concat();
        call_stats.answered(asked(&seat(), Kind::Quorum), Mono(1_400), &status(0));
        call_stats.answered(asked(&seat(), Kind::Own), Mono(1_000), &status(212));
        call_stats.answered(asked(&seat(), Kind::Own), Mono(1_000), &status(99_999));
        call_stats.answered(asked(&seat(), Kind::Own), Mono(1_000), &[1]);
        call_stats.answered(asked(&release(7), Kind::Quorum), Mono(1_400), &status(0));
        call_stats.answered(asked(&release(7), Kind::Own), Mono(1_000), &status(106));
        call_stats.answered(asked(&seat(), Kind::Passed), Mono(1_000), &status(212));
        call_stats.expired();
        assert_eq!(call_stats.handles(), [1, 1, 1]);
        let denied = call_stats.denied().filter(|(_, count)| *count > 0);
        let denied: Vec<_> = denied.map(|(status, count)| (status.code(), count)).collect();
        assert_eq!(denied, [(212, 1), (u32::MAX, 2)]);
        assert_eq!(call_stats.denied().count(), USUAL.len() + 1);
        let quorum = call_stats.took().find(|(kind, _)| *kind == Kind::Quorum).unwrap().1;
        assert_eq!(quorum.total(), (2, crate::base::time::Duration::from_micros(800)));
        assert_eq!(call_stats.results().map(|(_, _, count)| count).sum::<u64>(), 7);
    }
}

//! What goes into the usage history, and when. It owns the part of the history that is in memory,
//! the refusals that are only counted, and the time of the last gap; no other component writes
//! these.
//!
//! The front that leads records what the log says, when it is committed, and which accesses were
//! refused; it sends its twin every line ([`twin`](crate::front::twin)). The front that stands by
//! writes the lines that it receives. It keeps later events of the log until it receives their
//! lines or leads itself; then it records the rest, so that no line is missing and none is there
//! twice.
//!
//! No call ever waits for this.

mod backfill;
pub(super) mod committed_events;
mod refusals;

use super::Config;
use super::replication::replicated_log::ReplicatedLog;
use crate::base::time::{Mono, Wall};
use crate::history::{History, Kind, Record};
use crate::log::{Grant, GroupId, LicenceKey, Slot};
use crate::service::Catalogue;
use crate::wire::CmError;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
pub(super) use backfill::Backfill;
use committed_events::{CommittedEvent, Happened};
use refusals::{Counted, Refusals};

/// The usage history of a front, and the events that are still to be recorded.
#[derive(Clone, Debug, Default)]
pub(super) struct Usage {
    history: History,
    refusals: Refusals,
    /// When a gap in the usage history was last found.
    gap: Option<Wall>,
}

/// What recording is lent.
#[derive(Debug)]
pub(super) struct Context<'a> {
    /// Whether this front leads, so that it has a place for lines of its own.
    pub(super) leads: bool,
    pub(super) log: &'a mut ReplicatedLog,
    /// The properties of the licences.
    pub(super) catalogue: &'a Catalogue,
    pub(super) config: &'a Config,
}

/// A refusal that was recorded, for the events that an operator sees.
#[derive(Debug)]
pub(super) struct Denial {
    pub(super) time: Wall,
    /// What was refused, and why, as a text.
    pub(super) text: String,
}

impl Usage {
    /// Takes lines of the usage history that were written before this process began, oldest first.
    pub(super) fn remember(&mut self, lines: &[u8]) {
        self.history.remember(lines);
    }

    /// Returns the part of the usage history that is in memory.
    pub(super) fn history(&self) -> &History {
        &self.history
    }

    /// Lends the history to the twin, which sends lines of it.
    pub(super) fn history_mut(&mut self) -> &mut History {
        &mut self.history
    }

    /// Returns when a gap in the usage history was last found.
    pub(super) fn gap(&self) -> Option<Wall> {
        self.gap
    }

    /// Returns the last slot of a group that the history has recorded; 0 if it is of another group.
    pub(super) fn told_of(&self, group: GroupId) -> Slot {
        let told = self.history.covered().filter(|mark| mark.is_of(group));
        told.map(|mark| mark.slot()).unwrap_or_default()
    }

    /// Records what was committed, or leaves it to the front that leads. `told`: the front that
    /// leads sends this one every line.
    pub(super) fn record_committed(&mut self, told: bool, context: &mut Context<'_>) {
        let Some(mark) = context.log.mark() else { return };
        let covered = self.history.covered();
        while let Some(event) = context.log.oldest_event() {
            let passed = !event.mark.follows(covered.as_ref()) || !event.mark.is_beside(&mark);
            if told && !passed {
                break;
            }
            let Some(event) = context.log.pop_event() else { break };
            if !passed {
                self.record_event(&event, context);
            }
        }
        if !told {
            self.history.cover(mark);
        }
        self.history.leads(context.leads, context.log.committed_state());
    }

    fn record_event(&mut self, event: &CommittedEvent, context: &Context<'_>) {
        let kind = match event.what {
            Happened::Granted(_) => Kind::Access,
            Happened::Released(_) => Kind::Release,
            Happened::Expired(_) => Kind::Expire,
            Happened::Lingered(_) => Kind::Lingered,
            Happened::Born => Kind::Started,
            Happened::Leads(_) => Kind::Leads,
            Happened::Unknown => Kind::Gap,
        };
        let mut record = match event.what.grant() {
            Some(grant) => Record::of_grant(kind, grant),
            None => Record { kind, ..Record::default() },
        };
        record.id = event.mark;
        record.time = event.time;
        record.used = event.used;
        match &event.what {
            // By the clock of the front that granted it, whichever front records it.
            Happened::Granted(grant) => record.time = grant.since,
            Happened::Born => context.name_front(&mut record),
            // Another front records its own name.
            Happened::Leads(front) if *front == context.config.front => {
                context.name_front(&mut record);
            }
            Happened::Unknown => {
                record.id = event.mark.end();
                // The history of a new front has no gap.
                if self.history.covered().is_some() {
                    self.gap = Some(event.time);
                }
            }
            _ => {}
        }
        if let Some(key) = event.what.grant().and_then(|grant| grant.held.licence()) {
            context.describe(&mut record, key);
        }
        self.history.add(&record);
    }

    /// Records that an access was refused: what was `asked` for, and the `error` in the reply.
    pub(super) fn denied(
        &mut self,
        asked: &Grant,
        error: CmError,
        context: &Context<'_>,
    ) -> Option<Denial> {
        let mut record = Record::of_grant(Kind::Denied, asked);
        let offers = &context.catalogue.offers;
        let key = asked.held.key().map(|asked| {
            let same = |key: &&LicenceKey| {
                (key.firm_code, key.product_code) == (asked.firm_code, asked.product_code)
            };
            offers.keys().find(same).copied().unwrap_or(*asked)
        })?;
        record.name(&key);
        record.quantity = offers.get(&key).map_or(0, |offer| offer.product.license_quantity);
        self.record_denial(record, &key, error, context)
    }

    /// Records that a grant that was proposed is refused.
    pub(super) fn denied_grant(
        &mut self,
        grant: &Grant,
        error: CmError,
        context: &Context<'_>,
    ) -> Option<Denial> {
        let key = grant.held.licence()?;
        self.record_denial(Record::of_grant(Kind::Denied, grant), key, error, context)
    }

    fn record_denial(
        &mut self,
        mut record: Record,
        key: &LicenceKey,
        error: CmError,
        context: &Context<'_>,
    ) -> Option<Denial> {
        let place = self.history.covered().and_then(|covered| covered.behind());
        record.id = place.filter(|_| context.leads)?;
        record.time = context.log.now();
        record.error = error.code();
        record.handle = 0;
        record.since = None;
        record.used = context.used(key);
        context.describe(&mut record, key);
        if self.refusals.count(key, &record) {
            self.history.add(&record);
        }
        Some(Denial { time: record.time, text: format!("{key} refused: {error}") })
    }

    /// Records, with a heartbeat, refusals that were only counted, once their minute is over.
    pub(super) fn beat(&mut self, now: Mono, context: &Context<'_>) {
        let counted = self.refusals.beat(now);
        self.record_counted(counted, context);
    }

    /// Records the refusals that were only counted, before this front stops or gives the lead away.
    pub(super) fn flush(&mut self, context: &Context<'_>) {
        let counted = self.refusals.take();
        self.record_counted(counted, context);
    }

    fn record_counted(&mut self, counted: Vec<Counted>, context: &Context<'_>) {
        for Counted { licence, mut record } in counted {
            let place = self.history.covered().and_then(|covered| covered.behind());
            // A front that does not lead any more has no place for them.
            let Some(place) = place.filter(|_| context.leads) else { return };
            record.id = place;
            record.time = context.log.now();
            record.used = licence.map_or(0, |key| context.used(&key));
            self.history.add(&record);
        }
    }

    /// Takes the recorded lines that are to be written.
    pub(super) fn take_lines(&mut self) -> Vec<u8> {
        self.history.take()
    }
}

impl Context<'_> {
    fn name_front(&self, record: &mut Record) {
        record.host.clone_from(&self.config.identity.name);
        record.address = Some(self.config.identity.address);
    }

    /// Returns how many seats of a licence are in use by the committed entries.
    fn used(&self, key: &LicenceKey) -> u32 {
        self.log.committed_state().usage(key).map_or(0, |usage| usage.used())
    }

    /// Adds the properties of the licence to a record.
    fn describe(&self, record: &mut Record, key: &LicenceKey) {
        let state = self.log.committed_state();
        record.serial = state.virtual_serial(&key.container).unwrap_or(0);
        let Some(offer) = self.catalogue.offers.get(key) else { return };
        let product = &offer.product;
        record.product.clone_from(&product.text);
        record.feature_map = product.feature_map.unwrap_or(0);
        record.expires = offer.ends(state);
    }
}

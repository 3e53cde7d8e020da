//! What goes into the usage history, and when.
//!
//! The front that leads records what the log says, as it is committed, and who was refused; it tells
//! its twin every line ([`twin`](crate::front::twin)). The one that stands by writes what it is told, and
//! keeps what follows from the log beyond that until it is told of it too, or leads itself: then it
//! records the rest, and neither a line is missing nor one there twice.
//!
//! A call never waits for any of this.

pub(super) mod backfill;
pub(super) mod committed_events;
pub(super) mod refusals;

use super::{Front, Phase};
use crate::history::{History, Kind, Record};
use crate::io::{HistoryRequest, Intent};
use crate::link::Link;
use crate::log::{Grant, LicenceKey};
use crate::wire::{CmError, Request};
use alloc::format;
use alloc::vec::Vec;
use committed_events::{CommittedEvent, Happened};
use refusals::Counted;

impl Front {
    /// Takes lines of the usage history that were written before this process began, oldest first.
    /// Before the first step.
    pub fn remember(&mut self, lines: &[u8]) {
        self.history.remember(lines);
    }

    /// The usage history as far as it is in memory.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Records what was committed, or leaves it to the one that leads.
    pub(super) fn record_committed(&mut self) {
        let leads = matches!(self.phase, Phase::Leading { .. });
        let told = !leads && !self.twin_tells_no_history();
        let Some(mark) = self.log.mark() else { return };
        let covered = self.history.covered();
        while let Some(event) = self.log.oldest_event() {
            let passed = !event.mark.follows(covered.as_ref()) || !event.mark.is_beside(&mark);
            if told && !passed {
                break;
            }
            let Some(event) = self.log.pop_event() else { break };
            if !passed {
                self.record_event(&event);
            }
        }
        if !told {
            self.history.cover(mark);
        }
        self.history.leads(leads, self.log.committed_state());
    }

    fn record_event(&mut self, event: &CommittedEvent) {
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
        (record.id, record.time, record.used) = (event.mark, event.time, event.used);
        match &event.what {
            // By the clock of who granted it, whoever records it.
            Happened::Granted(grant) => record.time = grant.since,
            Happened::Born => self.name_itself(&mut record),
            // What another front is called, it says itself.
            Happened::Leads(front) if *front == self.config.front => self.name_itself(&mut record),
            Happened::Unknown => {
                record.id = event.mark.end();
                // A front that is new here has missed nothing that it should have.
                if self.history.covered().is_some() {
                    self.seen.history_gap = Some(event.time);
                }
            }
            _ => {}
        }
        if let Some(key) = event.what.grant().and_then(|grant| grant.held.licence()) {
            self.describe(&mut record, key);
        }
        self.history.add(&record);
    }

    fn name_itself(&self, record: &mut Record) {
        record.host.clone_from(&self.config.identity.name);
        record.address = Some(self.config.identity.address);
    }

    /// Says what the licence is like.
    fn describe(&self, record: &mut Record, key: &LicenceKey) {
        let state = self.log.committed_state();
        record.serial = state.virtual_serial(&key.container).unwrap_or(0);
        let Some(offer) = self.virtuals.catalogue.offers.get(key) else { return };
        let product = &offer.product;
        record.product.clone_from(&product.text);
        record.feature_map = product.feature_map.unwrap_or(0);
        record.expires = offer.ends(state);
    }

    /// An access is refused.
    pub(super) fn denied(&mut self, link: Link, request: &Request, error: CmError) {
        let Some(asked) = self.desk.asked(link, request) else { return };
        let mut record = Record::of_grant(Kind::Denied, &asked);
        let offers = self.virtuals.catalogue.offers.keys();
        let key = asked.held.key().and_then(|asked| {
            let same = |key: &&LicenceKey| {
                (key.firm_code, key.product_code) == (asked.firm_code, asked.product_code)
            };
            offers.into_iter().find(same).copied().or(Some(*asked))
        });
        if let Some(key) = key {
            record.name(&key);
            let offer = self.virtuals.catalogue.offers.get(&key);
            record.quantity = offer.map_or(0, |offer| offer.product.license_quantity);
            self.record_denial(record, &key, error);
        }
    }

    /// A grant that was on its way is refused.
    pub(super) fn denied_grant(&mut self, grant: &Grant, error: CmError) {
        let Some(key) = grant.held.licence() else { return };
        self.record_denial(Record::of_grant(Kind::Denied, grant), key, error);
    }

    fn record_denial(&mut self, mut record: Record, key: &LicenceKey, error: CmError) {
        let place = self.history.covered().and_then(|covered| covered.behind());
        let (Phase::Leading { .. }, Some(place)) = (&self.phase, place) else { return };
        (record.id, record.time, record.error) = (place, self.log.now(), error.code());
        (record.handle, record.since) = (0, None);
        let usage = self.log.committed_state().usage(key);
        record.used = usage.map_or(0, |usage| usage.used());
        self.describe(&mut record, key);
        if self.refused.count(key, &record) {
            self.history.add(&record);
        }
        self.events.denied(record.time, format!("{key} refused: {error}"));
    }

    /// Records refusals that were only counted.
    pub(super) fn record_refused(&mut self, counted: Vec<Counted>) {
        for (licence, mut record) in counted {
            let place = self.history.covered().and_then(|covered| covered.behind());
            // Who does not lead any more has no place for them.
            let (Phase::Leading { .. }, Some(place)) = (&self.phase, place) else { return };
            (record.id, record.time) = (place, self.log.now());
            let usage = licence.and_then(|key| self.log.committed_state().usage(&key));
            record.used = usage.map_or(0, |usage| usage.used());
            self.history.add(&record);
        }
    }

    /// The last thing of a step: what was recorded is to be written.
    pub(super) fn write_history(&mut self, out: &mut Vec<Intent>) {
        let lines = self.history.take();
        if !lines.is_empty() {
            out.push(HistoryRequest::Record(lines).into());
        }
    }
}

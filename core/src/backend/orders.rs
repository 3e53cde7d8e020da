//! Orders of a front, and how each is executed.

use super::Backend;
use super::acceptor::{Anew, OrderEffects};
use crate::base::time::Now;
use crate::crypt::{cipher, sign};
use crate::io::Intent;
use crate::licence::Container;
use crate::link::LinkId;
use crate::log::{Entry, LicenceKey, Slot};
use crate::messages::group::{Message, Order, Report, encode};
use crate::wire::{CmError, Reply, Request};
use alloc::vec::Vec;

impl Backend {
    pub(super) fn order(
        &mut self,
        now: Now,
        link: LinkId,
        message: Message<Order>,
        out: &mut Vec<Intent>,
    ) {
        let Message { correlation, body } = message;
        let report = match body {
            Order::Describe => self.describe(now.mono),
            Order::Disown { epoch, disk } if disk == self.names.disk => {
                self.begin_anew(epoch, now.mono)
            }
            Order::Recover { epoch, group, disk, slot, offset, bytes, last } => {
                let bytes = bytes.as_slice();
                let anew = Anew { group, disk, slot, offset, bytes, last };
                match self.acceptor.recover(epoch, &anew) {
                    Ok(acceptor) => self.recovered(acceptor, now.mono),
                    Err(report) => *report,
                }
            }
            Order::Perform { licence, call } => {
                Report::Performed { reply: self.perform(&licence, &call) }
            }
            order => {
                let differing = self.differing(&order);
                let serves = matches!(order, Order::Confirm { serves: true, .. });
                let witness = matches!(order, Order::Witness { .. });
                let told = match &order {
                    Order::Append { committed, .. }
                    | Order::Confirm { committed, .. }
                    | Order::Witness { committed, .. } => *committed,
                    _ => Slot(0),
                };
                let mut taken = OrderEffects::default();
                let mut report = self.acceptor.order(order, &mut taken);
                if let Report::Stored { differing: slots, .. } = &mut report {
                    *slots = differing;
                }
                if !matches!(report, Report::Refused { .. }) {
                    self.fronts.told = self.fronts.told.max(told);
                }
                match report {
                    Report::Confirmed if witness => report = Report::Facts(self.facts(now)),
                    Report::Promised(_) => {
                        self.fronts.served = None;
                        self.fronts.told = Slot(0);
                    }
                    Report::Confirmed if serves => self.fronts.served = Some(now.mono),
                    _ => {}
                }
                for record in &taken.records {
                    self.writer.record(record);
                }
                if taken.rewrite {
                    self.writer.demand_rewrite();
                }
                report
            }
        };
        // A description also reveals a promise, to a front whose link broke during its claim. A gap
        // report also reveals that every lower slot is here, which may still be in the write in
        // progress.
        let durable = matches!(
            report,
            Report::Stored { .. } | Report::Gap { .. } | Report::Promised(_) | Report::Described(_)
        );
        let mut frame = Vec::new();
        if matches!(report, Report::Promised(_) | Report::Described(_)) && self.tells_facts(link) {
            frame = encode(0, &Report::Facts(self.facts(now)));
        }
        frame.extend(encode(correlation, &report));
        if durable {
            self.writer.hold(link, frame, out);
        } else {
            out.push(Intent::Send { link, frame });
        }
    }

    /// Returns the slots of an append's grants whose licence is missing here or has other
    /// properties.
    pub(super) fn differing(&self, order: &Order) -> Vec<Slot> {
        let Order::Append { first, entries, .. } = order else { return Vec::new() };
        let differs = (0..).zip(entries).filter(|(_, entry)| match entry {
            Entry::Grant(grant) => {
                let licence = grant.held.licence();
                licence.is_some_and(|key| self.print(key) != Some(grant.fingerprint))
            }
            _ => false,
        });
        // If the sum does not fit, the append is rejected as a gap.
        differs.filter_map(|(offset, _)| first.0.checked_add(offset).map(Slot)).collect()
    }

    /// Executes a call with the keys of a licence.
    pub(super) fn perform(&self, licence: &LicenceKey, call: &[u8]) -> Vec<u8> {
        let Ok(request) = Request::parse(call) else {
            return Reply::error(CmError::INVALID_PARAMETER).encode();
        };
        let holder = self.holder(licence).filter(|_| self.print(licence).is_some());
        match holder {
            Some(container) => match request {
                Request::CalculateSignature { .. } | Request::GetPublicKey { .. } => {
                    sign::perform(&container.secret, licence, &request).encode()
                }
                _ => cipher::perform(&container.secret, licence, &request).encode(),
            },
            None => Reply::error_for(&request, CmError::ENTRY_NOT_FOUND).encode(),
        }
    }

    /// Returns the fingerprint of a licence, if its part is here.
    pub(super) fn print(&self, licence: &LicenceKey) -> Option<u64> {
        let part = &self.holder(licence)?.part;
        self.licences.prints.get(&LicenceKey { container: part.id(), ..*licence }).copied()
    }

    /// Returns the container that holds a licence, or would hold it.
    pub(super) fn holder(&self, licence: &LicenceKey) -> Option<&Container> {
        self.licences
            .containers
            .iter()
            .find(|container| container.part.belongs_to(&licence.container))
    }
}

//! The orders to a backend that have no report yet, each with what it was sent for.

use crate::base::limits::BACKEND_SILENCE;
use crate::base::time::Mono;
use crate::io::Intent;
use crate::link::LinkId;
use crate::log::{Epoch, Slot};
use crate::messages::group::correlate;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What an order was sent for, kept until its report arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) enum OrderPurpose {
    /// To describe itself.
    Describe,
    /// To promise the epoch.
    Claim(Epoch),
    /// To send a piece of its copy, for the claim of that epoch.
    Fetch(Epoch),
    /// To store the group's name.
    Found(Epoch),
    /// To accept entries.
    Append(Epoch),
    /// To install a state. The last piece carries the slot of the state.
    Install(Epoch, Option<Slot>),
    /// To confirm its promise.
    Confirm(Epoch),
    /// To store what this front knows of the group.
    Witness(Epoch),
    /// To begin anew under another disk id.
    Disown(Epoch),
    /// To begin anew in a new group.
    Recover(Epoch),
    /// An any-one call, by flight number.
    Perform(u64),
}

/// An order without a report.
#[derive(Clone, Copy, Debug)]
pub(in crate::front) struct PendingOrder {
    /// The purpose of the order.
    pub(in crate::front) what: OrderPurpose,
    /// When it was sent.
    pub(in crate::front) sent: Mono,
    /// The round in which it was sent.
    pub(in crate::front) round: u32,
}

/// The orders to one backend that have no report yet.
#[derive(Clone, Debug, Default)]
pub(super) struct PendingOrders {
    /// The orders by their correlation, which grows with each order.
    orders: BTreeMap<u32, PendingOrder>,
    /// The correlation of the latest order.
    correlation: u32,
    /// The round in which orders are sent.
    round: u32,
    /// When the backend last sent anything.
    heard: Mono,
}

impl PendingOrders {
    /// Sets the round in which orders are sent from now on.
    pub(super) fn set_round(&mut self, round: u32) {
        self.round = round;
    }

    /// Notes that the backend has sent something.
    pub(super) fn heard(&mut self, now: Mono) {
        self.heard = now;
    }

    /// Returns when the backend counts as silent; `None` if it owes no report.
    pub(super) fn silent_at(&self) -> Option<Mono> {
        (!self.orders.is_empty()).then(|| self.heard + BACKEND_SILENCE)
    }

    /// Returns whether an order with this purpose has no report yet.
    pub(super) fn has(&self, purpose: OrderPurpose) -> bool {
        self.orders.values().any(|order| order.what == purpose)
    }

    /// Sends an encoded order under a correlation of its own.
    pub(super) fn send(
        &mut self,
        now: Mono,
        link: LinkId,
        what: OrderPurpose,
        mut frame: Vec<u8>,
        out: &mut Vec<Intent>,
    ) {
        if self.orders.is_empty() {
            // Silence is measured from the first order that waits.
            self.heard = now;
        }
        self.correlation = self.correlation.wrapping_add(1).max(1);
        self.orders.insert(self.correlation, PendingOrder { what, sent: now, round: self.round });
        correlate(&mut frame, self.correlation);
        out.push(Intent::Send { link, frame });
    }

    /// Takes the order that a report answers; `None` if no order has this correlation.
    pub(super) fn answered(&mut self, now: Mono, correlation: u32) -> Option<PendingOrder> {
        self.heard = now;
        self.orders.remove(&correlation)
    }

    /// Removes all orders, and returns their purposes.
    pub(super) fn drain(&mut self) -> Vec<OrderPurpose> {
        core::mem::take(&mut self.orders).into_values().map(|order| order.what).collect()
    }

    /// For an exhaustive check: returns the orders by their correlation, the oldest first.
    #[cfg(feature = "model")]
    pub(super) fn orders(&self) -> &BTreeMap<u32, PendingOrder> {
        &self.orders
    }
}

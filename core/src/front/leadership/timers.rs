//! What is due: dials, heartbeats, claims, the fence; and when to come back.

use crate::front::replication::backend_link::{Asked, Peer, Wire};
use crate::front::{Front, Phase};
use crate::io::Intent;
use crate::limits::{BACKEND_SILENCE, FENCE, HEARTBEAT};
use crate::link::{Link, Why};
use crate::time::{Deadline, Mono};
use crate::wire::group::Order;
use alloc::vec::Vec;

/// What is said of a backend that accepts, or whose machine does, and is silent: a hung one, or another service.
const UNPROVEN: Why = Why::Timeout("it took the connection and did not prove the group key");

impl Front {
    pub(in crate::front) fn timers(&mut self, now: Mono, out: &mut Vec<Intent>) {
        for index in 0..3 {
            let peer = &mut self.peers[index];
            match peer.wire {
                Wire::Down(at) if at <= now => {
                    self.dialled += 2;
                    peer.dial(now, Link(self.dialled), out);
                }
                Wire::Dialling(link, until) if until <= now => {
                    self.drop_peer(now, link, index, UNPROVEN, out);
                }
                Wire::Up(link) if !peer.asked.is_empty() && peer.heard + BACKEND_SILENCE <= now => {
                    self.drop_peer(now, link, index, Why::Timeout("a backend is silent"), out);
                }
                _ => {}
            }
        }
        if self.heartbeat <= now {
            self.beat(now, out);
        }
        self.claim_timers(now, out);
        if self.wish.offered.is_some_and(|until| until <= now) {
            tracing::warn!(
                target: "tmr_core::front::timing",
                "the role that the twin gives away could not be taken in time"
            );
            self.stand_by();
        }
        self.redial_doubled(now, out);
        self.handover_timers(now, out);
        self.twin_timers(now, out);
        self.end_late(now, out);
    }

    /// Asks every backend to confirm this front, and what else is asked as often.
    pub(in crate::front) fn beat(&mut self, now: Mono, out: &mut Vec<Intent>) {
        self.heartbeat = now + HEARTBEAT;
        let epoch = self.phase.epoch().unwrap_or_default();
        let (committed, serves) = (self.ledger.committed(), self.serves(now));
        let order = Order::Confirm { epoch, committed, serves };
        let stuck = self.wish.lead && self.phase.epoch().is_none() && !self.could_claim();
        // Who stands by is told of nothing that others change, as the birth of a group; and what
        // the one that leads was told is old.
        let still = matches!(self.phase, Phase::Standby | Phase::Leading { .. });
        let unsure = still && !self.has_two_members();
        let asks = self.wish.deposed || self.wish.waits || self.futile > 0 || stuck || unsure;
        let asks = asks || self.silenced || self.misses_clocks(now) || self.doubt.is_some();
        let doubled = [0, 1, 2].map(|index| self.is_doubled(index));
        let peers = self.peers.iter_mut().zip(doubled);
        for (peer, doubled) in peers.filter(|(peer, _)| peer.known().is_some()) {
            peer.ask(now, Asked::Confirm(epoch), &order, out);
            // Who is left out may have been put right, and is asked for no promise.
            if asks || doubled || peer.exclusion.is_some() {
                peer.ask(now, Asked::Describe, &Order::Describe, out);
            }
        }
        self.tell_witness(now, out);
        self.peers.iter_mut().for_each(Peer::log_what_lasts);
        self.log_obstacle();
        let refused = self.refused.beat(now);
        self.record_refused(refused);
    }

    /// A claim that is due, or that gets nowhere; and the fence.
    fn claim_timers(&mut self, now: Mono, out: &mut Vec<Intent>) {
        match self.phase {
            Phase::Pausing { until }
                if until.max(self.twin_awaited()) <= now && self.could_claim() =>
            {
                self.wish.deposed = false;
                self.claim(now, out);
            }
            Phase::Claiming { .. }
            | Phase::Reading(_)
            | Phase::Founding { .. }
            | Phase::Recovering { .. }
            | Phase::Proving { .. }
                if self.claim_until <= now =>
            {
                self.claim_again(now, "it took too long");
            }
            Phase::Leading { .. } if !self.confirmed(now, FENCE) && !self.silenced => {
                tracing::warn!(
                    target: "tmr_core::front::timing",
                    "no majority of backends has confirmed this front: clients dropped"
                );
                self.silenced = true;
                self.drop_flights();
                self.desk.drop_clients(Why::Stepped("no majority of backends"), out);
            }
            _ => {}
        }
    }

    pub(in crate::front) fn deadline(&self) -> Option<Deadline> {
        let peers = self.peers.iter().filter_map(|peer| match peer.wire {
            Wire::Down(at) => Some(Deadline { at, reason: "dial a backend" }),
            Wire::Dialling(_, at) => Some(Deadline { at, reason: "backend does not answer" }),
            Wire::Up(_) if !peer.asked.is_empty() => {
                Some(Deadline { at: peer.heard + BACKEND_SILENCE, reason: "backend is silent" })
            }
            Wire::Up(_) => None,
        });
        let heartbeat = Deadline { at: self.heartbeat, reason: "heartbeat" };
        let claim = match self.phase {
            Phase::Standby | Phase::Leading { .. } => None,
            Phase::Pausing { until } if self.could_claim() => Some(until.max(self.twin_awaited())),
            Phase::Pausing { .. } => None,
            _ => Some(self.claim_until),
        };
        let claim = claim.map(|at| Deadline { at, reason: "claim" });
        let flights = self.flights_due().map(|at| Deadline { at, reason: "call" });
        let strange = self.desk.waits_until().map(|at| Deadline { at, reason: "a wrong handle" });
        let twin = self.twin_deadline();
        let handover = self.handover.deadline();
        let offered = self.wish.offered.map(|at| Deadline { at, reason: "role offered" });
        let doubled = self.redial_due().map(|at| Deadline { at, reason: "look an address up" });
        let single = [Some(heartbeat), claim, flights, strange, twin, handover, offered, doubled];
        let first = peers.chain(single.into_iter().flatten()).min();
        let cleanup = self.desk.due().map(|at| Deadline { at, reason: "clean-up" });
        // Members are counted only where it would matter.
        let cleanup =
            cleanup.filter(|it| first.is_none_or(|first| *it < first) && self.hears_clients());
        cleanup.or(first)
    }
}

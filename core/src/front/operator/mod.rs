//! What an operator sees of a front and orders it to do: status, metrics, events, the
//! configuration, and whether this machine could take the virtual address.
//!
//! What lives here: the admin pages with their sessions, and what is kept only for them. What never
//! lives here: a decision. A command goes back to the front as a value.

mod clocks;
mod config_sync;
mod events;
mod metrics;
mod notices;
mod own_machine;
mod status;

use super::usage::Denial;
use crate::admin::{Admin, Asked, Command, Reply};
use crate::base::credentials::{AdminAccess, Rights};
use crate::base::keepalived::{Notice, NoticeError};
use crate::base::server_files::{Misplaced, Place};
use crate::base::time::{Mono, Now, Wall};
use crate::config;
use crate::io::Intent;
use crate::link::{HubMetrics, LinkId, Listener};
use crate::log::Epoch;
use crate::messages::twin::MachineReport;
use alloc::string::String;
use alloc::vec::Vec;
pub(super) use config_sync::Compared;
use config_sync::ConfigSync;
use core::net::IpAddr;
use events::Events;
pub(super) use events::{Observed, Surroundings};
use metrics::LeaderChanges;
use own_machine::OwnMachine;
pub(super) use own_machine::{address_status, could_take_over};
use serde_json::Value;
pub(super) use status::{At, holder};

/// What is kept for an operator.
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub(super) struct Operator {
    admin: Admin,
    events: Events,
    /// What the hub has counted.
    counts: HubMetrics,
    leaders: LeaderChanges,
    config_sync: ConfigSync,
    /// Whether this machine could take the virtual address.
    machine: OwnMachine,
}

impl Operator {
    /// Returns the state of a front that has just started; `seed` is the entropy for sessions.
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self {
            admin: Admin::new(seed),
            events: Events::default(),
            counts: HubMetrics::default(),
            leaders: LeaderChanges::default(),
            config_sync: ConfigSync::default(),
            machine: OwnMachine::default(),
        }
    }

    /// Begins a step.
    pub(super) fn start(&mut self, now: Mono) {
        self.machine.start(now);
    }

    /// Puts another configuration of the admin pages into effect. `name`: the name of this machine.
    pub(super) fn configure(&mut self, web: &config::Web, name: String) {
        self.admin.set_names(web.host_names.iter().cloned().chain([name]).collect());
        self.admin.set_proxies(web.trusted_proxies.clone());
    }

    /// Keeps the counters of the hub.
    pub(super) fn counted(&mut self, counts: HubMetrics) {
        self.counts = counts;
    }

    /// Sets the access to the admin pages.
    pub(super) fn set_entrance(&mut self, entrance: AdminAccess) {
        self.admin.set_entrance(entrance);
    }

    /// Takes a connection to the admin pages.
    pub(super) fn accepted(&mut self, link: LinkId, listener: Listener, from: IpAddr) {
        self.admin.accepted(link, listener, from);
    }

    /// Handles a closed link. Returns whether it was one of the admin pages.
    pub(super) fn closed(&mut self, link: LinkId) -> bool {
        self.admin.closed(link)
    }

    /// Keeps whether a file was found at another place than the configured one.
    pub(super) fn misplace(&mut self, place: Place, found: Option<Misplaced>) {
        let _ = self.admin.misplace(place, found);
    }

    /// Drops an order whose sender has given up waiting for it. Returns whether it did.
    pub(super) fn drops(&mut self, link: LinkId, request: &[u8], out: &mut Vec<Intent>) -> bool {
        self.admin.drops(link, request, out)
    }

    /// Admits a request. `checked`: the rights of the password that came with it. Returns `None` if
    /// it has its response already, or waits.
    pub(super) fn admit<'a>(
        &mut self,
        now: Now,
        link: LinkId,
        request: &'a [u8],
        checked: Option<Rights>,
        out: &mut Vec<Intent>,
    ) -> Option<Asked<'a>> {
        let asked = self.admin.admit(now, link, request, checked, out)?;
        if let Some(script) = asked.script() {
            self.machine.asked(now.mono, script);
        }
        Some(asked)
    }

    /// Sends a response. Returns the command that the request was, for the front to carry out.
    pub(super) fn reply(
        &mut self,
        now: Now,
        asked: &Asked<'_>,
        reply: Reply,
        out: &mut Vec<Intent>,
    ) -> Option<Command> {
        self.admin.reply(now, asked, reply, out)
    }

    /// Takes the result of a password check. Returns the request that came with the password.
    pub(super) fn verified(
        &mut self,
        now: Now,
        link: LinkId,
        granted: Option<Rights>,
        out: &mut Vec<Intent>,
    ) -> Option<Vec<u8>> {
        self.admin.verified(now, link, granted, out)
    }

    /// Sends a response that has waited for the outcome of a command: its status and its body.
    pub(super) fn conclude(
        &mut self,
        now: Now,
        link: LinkId,
        response: (u16, &Value),
        out: &mut Vec<Intent>,
    ) {
        self.admin.conclude(now, link, response, out);
    }

    /// Notes an event; `topic` names its subject in a word.
    pub(super) fn note(&mut self, now: Wall, topic: &'static str, text: String) {
        self.events.note(now, topic, text);
    }

    /// Notes a refusal, if it was recorded.
    pub(super) fn note_denial(&mut self, denial: Option<Denial>) {
        if let Some(Denial { time, text }) = denial {
            self.events.denied(time, text);
        }
    }

    /// Notes at the end of a step what has changed, and which front leads as far as this one knows.
    pub(super) fn observe(
        &mut self,
        now: Now,
        observed: Observed,
        leader: Option<Epoch>,
        surroundings: &Surroundings<'_>,
    ) {
        self.events.observe(now, observed, surroundings);
        self.leaders.observe(leader);
    }

    /// Sets what the system reports against the virtual address on this machine; `None` if nothing.
    pub(super) fn set_obstacle(&mut self, obstacle: Option<String>) {
        self.machine.set_obstacle(obstacle);
    }

    /// Takes the state of an instance or group of keepalived, or the error in such a notice.
    pub(super) fn notified(&mut self, now: Mono, notice: Result<Option<Notice>, NoticeError>) {
        match notice {
            Ok(Some(notice)) => self.machine.notified(now, notice),
            Ok(None) => {}
            Err(error) => self.machine.misunderstood(now, &error),
        }
    }

    /// Notes that the virtual address has come to this machine.
    pub(super) fn has_address(&mut self) {
        self.machine.has_address();
    }

    /// Returns the report on this machine. `unready`: why this front, which stands by, could not
    /// serve.
    pub(super) fn machine_report(&self, now: Mono, unready: Option<String>) -> MachineReport {
        self.machine.report(now, unready)
    }
}

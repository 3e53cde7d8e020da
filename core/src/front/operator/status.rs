//! The status of a front on its admin pages: every field is taken from the component that knows it.
//! The front is only read here; nothing is kept and nothing is decided.
//!
//! What never lives here: the fields' meaning and format (that is [`status`](crate::status)), the
//! verdict on them (that is [`verdict`](crate::verdict)), pages and requests (that is
//! [`admin`](crate::admin)), metrics (that is `metrics`), and clocks (those are in `clocks`).
//!
//! Tests: values in `front/tests/` (`copies.rs`, `gone.rs`, `lists.rs`, `twin.rs`, and what is
//! taken back in `admin_requests.rs`); a field that is added needs its words in
//! `core/docs/interfaces.md` (`tests/tests/documents.rs`).

use crate::admin::usage::usage;
use crate::admin::{Asked, Refusal, Reply, View};
use crate::base::limits::{ALLOCATIONS_SHOWN, DENIED_RECENT, HISTORY_GAP_TOLD};
use crate::base::metrics::Page;
use crate::base::time::{Now, Wall};
use crate::config::InForce;
use crate::front::BackendId;
use crate::front::Front;
use crate::front::calls::{MergedLicence, gone_in_words, handles_of};
use crate::front::replication::follower::Progress;
use crate::front::replication::link_state::LinkState;
use crate::history::{Chart, Span};
use crate::link::Listener;
use crate::log::{Client, DiskId, Grant, Handle, LicenceKey, Usage};
use crate::messages::twin::TwinRole;
use crate::status::{
    Allocation, BackendState, BackendStatus, ContainerStatus, CopyStatus, Difference, FrontStatus,
    GoneStatus, LicenceState, LicenceStatus, Role, StrayStatus, Twin as TwinStatus,
};
use crate::verdict::{self, Trouble};
use crate::wire::constants::mask;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;
use serde_json::Value;

/// A front at one point in time, to be read only: what admin pages show of it.
pub(in crate::front) struct At<'a> {
    pub(in crate::front) front: &'a Front,
    pub(in crate::front) now: Now,
}

impl View for At<'_> {
    fn status(&self) -> Value {
        serde_json::to_value(self.shown()).unwrap_or_default()
    }

    fn troubles(&self) -> Vec<Trouble> {
        let (front, now) = (self.front, self.front.leadership.date());
        let charts = front.usage.history().charts();
        let sum = |steps: &[u32]| steps.iter().copied().map(u64::from).sum();
        let denied = |(minutes, hours): (Chart, Chart)| {
            let recent = minutes.denied.len().saturating_sub(DENIED_RECENT);
            verdict::Denied {
                licence: (minutes.firm_code, minutes.product_code, minutes.tmr_id),
                recent: sum(&minutes.denied[recent..]),
                hour: sum(&minutes.denied),
                day: sum(&hours.denied),
            }
        };
        let spans = [Span::Hour, Span::Day].map(|span| charts.show(span, now));
        let [minutes, hours] = spans;
        let denied = minutes.into_iter().zip(hours).map(denied);
        let recent = |at: &Wall| now.0.saturating_sub(at.0) < HISTORY_GAP_TOLD.as_secs();
        let facts = verdict::Facts {
            status: &self.facts(),
            ready: front.leadership.readiness(self.now.mono, front.view()),
            now,
            denied: denied.collect(),
            links: front.operator.counts.listeners[Listener::Licence as usize],
            tokens: front.operator.admin.tokens(),
            history_gap: front.usage.gap().filter(recent),
        };
        verdict::of_front(&facts)
    }

    fn usage(&self, span: Span) -> Option<Value> {
        Some(usage(self.front.usage.history().charts(), span, self.front.leadership.date()))
    }

    fn events(&self) -> Value {
        self.front.operator.events.shown()
    }

    fn allocations(&self, from: usize) -> Value {
        let total = self.front.replication.log().speculative_state().seat_count();
        serde_json::json!({ "total": total, "allocations": self.page(from) })
    }

    fn held_from(&self, address: IpAddr) -> Result<usize, Refusal> {
        self.takes_back("handles")?;
        match self
            .front
            .calls
            .service()
            .held_from(address, self.front.replication.log().speculative_state())
            .len()
        {
            0 => Err(format!("{address} holds no handle").into()),
            count => Ok(count),
        }
    }

    fn held(&self, handle: Handle) -> Result<String, Refusal> {
        self.takes_back("the handle")?;
        let seat = self.front.replication.log().speculative_state().seat(handle);
        seat.map(holder).ok_or_else(|| format!("nobody holds handle {handle} any more").into())
    }

    fn ready(&self) -> Result<(), Refusal> {
        Ok(self.front.leadership.readiness(self.now.mono, self.front.view())?)
    }

    fn holds(&self) -> Result<(), Refusal> {
        if self.front.leadership.is_misplaced(self.front.view()) {
            return Err("another front leads: the virtual address belongs there".into());
        }
        Ok(())
    }

    fn yields(&self) -> Result<(), Refusal> {
        Ok(self.front.leadership.could_fail_over(self.now.mono, self.front.view())?)
    }

    fn recovery(&self) -> Result<Value, Refusal> {
        Ok(self.front.leadership.plan_shown(self.now.mono, self.front.view())?)
    }

    fn measure(&self, page: &mut Page) {
        self.write(page);
    }

    fn settings(&self) -> Option<(Option<&InForce>, bool)> {
        let settings = &self.front.operator.config_sync;
        Some((settings.in_force(), settings.is_busy()))
    }
}

/// Returns the holder of a handle, as a text.
pub(in crate::front) fn holder(seat: &Grant) -> String {
    let Client { address, host, user, .. } = &seat.client;
    let host = if host.is_empty() { address.to_string() } else { format!("{host} ({address})") };
    if user.is_empty() { host } else { format!("{user} at {host}") }
}

impl At<'_> {
    /// Returns the reply to a request at the admin pages.
    pub(in crate::front) fn answer(&self, asked: &Asked<'_>) -> Reply {
        asked.answer(&self.front.operator.admin, self)
    }

    /// Returns the status, with all clients and the first page of handles.
    fn shown(&self) -> FrontStatus {
        let (clients, allocations) = (self.front.calls.service().client_list(), self.page(0));
        FrontStatus { clients, allocations, ..self.facts() }
    }

    /// Returns the status without the lists of handles and clients, which are long and do not
    /// affect the verdict.
    fn facts(&self) -> FrontStatus {
        let front = self.front;
        FrontStatus {
            version: env!("CARGO_PKG_VERSION"),
            runtime: front.config.identity.runtime,
            process: format!("{:08x}", front.config.front),
            role: self.role(),
            epoch: front.leadership.latest_epoch().round,
            fenced: front.config.backend_kind().fences(),
            cluster: front.replication.log().group().map(|group| group.to_string()),
            virtual_ip: front.leadership.role().address(),
            address: front.leadership.address_status(self.now.mono, front.view()),
            failover_trouble: front.leadership.failover().trouble.clone(),
            obstacle: front.leadership.obstacle(front.view()),
            twin: self.twin(),
            backends: BackendId::all().map(|id| self.backend(id)).collect(),
            clocks: self.clocks(),
            containers: self.containers(),
            strays: self.strays(),
            copies: self.copies(),
            certificate_ends: front.operator.admin.certificate_ends(),
            licenses: self.licences(),
            gone: self.gone(),
            clients: Vec::new(),
            handles: front.replication.log().speculative_state().seat_count() as u64,
            allocations: Vec::new(),
            strangers: front.calls.service().strangers(self.now.mono),
        }
    }

    /// Returns the role of this front as it is shown: active also for a leader that has asked its
    /// backends anew a moment ago, since a backend has returned.
    pub(in crate::front) fn role(&self) -> Role {
        let front = self.front;
        match front.leadership.part(self.now.mono, front.view()) {
            _ if front.leadership.leads()
                && front.leadership.seems_confirmed(self.now.mono, front.view()) =>
            {
                Role::Active
            }
            TwinRole::Standby => Role::Standby,
            TwinRole::Starting => Role::Starting,
            TwinRole::Active => Role::Active,
        }
    }

    /// Returns the status of the twin.
    pub(super) fn twin(&self) -> Option<TwinStatus> {
        let front = self.front;
        let leads = front.leadership.leads();
        let status =
            front.twin.as_ref()?.status(self.now.mono, leads, front.replication.log().committed());
        let trouble = front.operator.configuration_trouble().map(ToString::to_string);
        Some(TwinStatus { configuration_trouble: trouble, ..status })
    }

    /// Returns whether a disk is a member of the group, by the committed entries.
    fn member(&self, disk: &DiskId) -> bool {
        self.front
            .replication
            .log()
            .committed_state()
            .members()
            .is_some_and(|members| members.contains(disk))
    }

    /// Returns the status of one backend.
    pub(in crate::front) fn backend(&self, id: BackendId) -> BackendStatus {
        let front = self.front;
        let backend = front.replication.backend(id);
        let standing = backend.standing();
        let leading = front.leadership.leads();
        let state = match (backend.link_state(), backend.progress(), standing) {
            (LinkState::Up(_), _, Some(_)) if !front.config.backend_kind().fences() => {
                BackendState::Unfenced
            }
            (LinkState::Up(_), _, Some(_)) if !leading && backend.trouble().is_none() => {
                BackendState::Up
            }
            (LinkState::Up(_), Progress::Following { matched, .. }, Some(standing))
                if self.member(&standing.disk) && matched >= self.floor() =>
            {
                BackendState::Up
            }
            (LinkState::Up(_), _, Some(_)) => BackendState::Repairing,
            _ => BackendState::Down,
        };
        let matched = backend.matched();
        let on_disk = leading && matched >= front.replication.log().committed();
        let on_disk =
            if on_disk { front.replication.log().committed_state().seat_count() } else { 0 };
        let handles = backend.seats().map_or(on_disk, BTreeSet::len);
        let lost_files = backend.reported().lost_files();
        BackendStatus {
            address: backend.address().to_string(),
            state,
            serial: backend.known().and_then(|d| d.parts.first()).map(|part| part.name()),
            epoch: standing.map_or(0, |standing| standing.promised.round),
            handles: handles as u64,
            trouble: backend.trouble().map(ToString::to_string),
            disk_slow: backend.is_disk_slow(self.now.mono),
            state_lost: lost_files.state,
            socket_lost: lost_files.socket,
            files_unusable: backend.reported().unusable(),
        }
    }

    /// Returns the slot that a backend must have acknowledged to count as up to date; entries that
    /// are on their way do not make it late.
    fn floor(&self) -> crate::log::Slot {
        let committed = self.front.replication.log().committed();
        crate::log::Slot(committed.0.saturating_sub(crate::base::limits::UNCOMMITTED_MAX))
    }

    /// Returns the virtual containers, each with the names of its parts.
    fn containers(&self) -> Vec<ContainerStatus> {
        let virtuals = self.front.calls.virtuals();
        let shown = virtuals.catalogue.containers.iter().map(|shown| ContainerStatus {
            serial: format!("{}-{}", mask::TMR, shown.serial),
            cm_act_id: shown.cm_act_id,
            parts: virtuals.containers.get(&shown.id).cloned().unwrap_or_default(),
        });
        shown.collect()
    }

    /// Returns the containers that belong to no virtual container.
    fn strays(&self) -> Vec<StrayStatus> {
        let stray = |(id, serial): &(BackendId, String)| StrayStatus {
            backend: self.front.replication.backend(*id).address().to_string(),
            serial: serial.clone(),
            trouble: "it has no CmActId, and no list of Serials in VirtualContainers names it: \
                      its TMR licences are not served",
        };
        self.front.calls.virtuals().strays.iter().map(stray).collect()
    }

    /// Returns the containers that more than one backend holds.
    fn copies(&self) -> Vec<CopyStatus> {
        let addresses = self
            .front
            .replication
            .backends()
            .each_ref()
            .map(|backend| backend.address().to_string());
        let shown = self.front.calls.virtuals().copies.iter().map(|copied| CopyStatus {
            serial: copied.name.clone(),
            backends: copied.backends.iter().map(|id| addresses[*id].clone()).collect(),
            trouble: copied.trouble(&addresses),
        });
        shown.collect()
    }

    /// Returns every licence of which a backend holds a part, with its use and the parts that
    /// differ.
    pub(in crate::front) fn licences(&self) -> Vec<LicenceStatus> {
        let front = self.front;
        let served = !front.config.backend_kind().keeps_log()
            || front.replication.has_two_members(&front.leadership.surroundings(front.view()));
        let one = |(key, merged): (&LicenceKey, &MergedLicence)| {
            let offer = front.calls.virtuals().catalogue.offers.get(key);
            let quantity = offer.map_or(0, |offer| offer.product.license_quantity);
            let state = front.replication.log().speculative_state();
            let used = state.usage(key).map_or(0, Usage::used);
            let gone = offer.map_or(0, |offer| offer.seats_gone(state));
            let expires = offer.and_then(|offer| offer.ends(state));
            let differs = merged.differs.iter().map(|part| Difference {
                backend: front.replication.backend(part.backend).address().to_string(),
                field: part.field.to_string(),
                value: part.value.clone(),
                expected: part.expected.clone(),
            });
            // A connected backend without a part of the licence.
            let lacks = |id: &BackendId| {
                let backend = front.replication.backend(*id);
                merged.prints[*id].is_none()
                    && backend.known().is_some()
                    && backend.trouble().is_none()
            };
            let missing = BackendId::all().filter(lacks).map(|id| Difference {
                backend: front.replication.backend(id).address().to_string(),
                field: "ProductCode".to_string(),
                value: format!("missing in part {}", id.part()),
                expected: key.product_code.to_string(),
            });
            let now = front.leadership.date();
            let expired = expires.is_some_and(|end| end <= now);
            let activates = offer.and_then(|offer| offer.product.activation_time);
            let mut licence = LicenceStatus {
                firm_code: key.firm_code,
                product_code: key.product_code,
                tmr_id: key.tmr_id,
                quantity,
                used,
                free: quantity.saturating_sub(used).saturating_sub(gone),
                gone,
                matching: u32::try_from(merged.matching).unwrap_or_default(),
                available: served
                    && merged.matching >= 2
                    && !expired
                    && activates.is_none_or(|start| start <= now),
                state: LicenceState::default(),
                severity: None,
                units_left: offer.and_then(|offer| offer.units_left(state)),
                units: offer.and_then(|offer| offer.product.unit_counter),
                activates,
                expires,
                expired,
                differs: differs.chain(missing).collect(),
            };
            licence.state = verdict::licence_state(&licence, served, now);
            licence.severity = licence.state.severity();
            licence
        };
        front.calls.virtuals().merged.iter().map(one).collect()
    }

    /// Returns the licences that are gone while handles of them are held.
    fn gone(&self) -> Vec<GoneStatus> {
        let front = self.front;
        let state = front.replication.log().speculative_state();
        let one = |key: &LicenceKey| GoneStatus {
            firm_code: key.firm_code,
            product_code: key.product_code,
            tmr_id: key.tmr_id,
            cm_act_id: key.container.cm_act_id(),
            handles: handles_of(key, state) as u64,
            seats: state.usage(key).map_or(0, Usage::used),
            trouble: gone_in_words(key, state),
        };
        let held = front.calls.virtuals().gone.iter().filter(|key| state.usage(key).is_some());
        held.map(one).collect()
    }

    /// Checks whether `what` can be taken back here; only a front that leads and serves can.
    ///
    /// # Errors
    /// Where it can be taken back, as a sentence.
    fn takes_back(&self, what: &str) -> Result<(), Refusal> {
        if self.front.leadership.leads()
            && self.front.leadership.serves(self.now.mono, self.front.view())
        {
            return Ok(());
        }
        let where_else = match &self.front.config.twin {
            Some(twin) => format!("at the one that does, which may be {}", twin.address.host),
            None => "when it does".to_string(),
        };
        Err(format!("this front does not lead: take {what} back {where_else}").into())
    }

    /// Returns a page of the handles that are held, without the first `from`: seats first, then by
    /// age.
    fn page(&self, from: usize) -> Vec<Allocation> {
        let mut seats: Vec<&Grant> =
            self.front.replication.log().speculative_state().seats().collect();
        seats.sort_unstable_by_key(|seat| (seat.takes() == 0, seat.since, seat.handle));
        let page = seats.into_iter().skip(from).take(ALLOCATIONS_SHOWN);
        page.map(|seat| self.allocation(seat)).collect()
    }

    /// Returns one row of that page, with the number of backends that have the handle on disk.
    fn allocation(&self, seat: &Grant) -> Allocation {
        let log = self.front.replication.log();
        // A seat that is not committed yet does not count.
        let there = log.committed_state().seat(seat.handle).is_some();
        let holders = self.front.replication.backends().iter().filter(|backend| {
            let follows = backend.follows();
            let given = backend.seats().is_none_or(|seats| seats.contains(&seat.handle));
            there && given && follows && backend.matched() >= log.committed()
        });
        Allocation {
            handle: seat.handle.0,
            id: self.front.calls.service().alias(seat.handle),
            kind: seat.held.kind(),
            firm_code: seat.held.key().map_or(0, |key| key.firm_code),
            product_code: seat.held.licence().map_or(0, |key| key.product_code),
            mode: seat.mode.name(),
            client: seat.client.address,
            host: seat.client.host.clone(),
            user: seat.client.user.clone(),
            since: seat.since,
            gone: seat
                .held
                .licence()
                .is_some_and(|key| self.front.calls.virtuals().gone.contains(key)),
            backends: u32::try_from(holders.count()).unwrap_or_default(),
        }
    }
}

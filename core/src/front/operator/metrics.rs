//! The metrics of a front, at `/metrics`.

use super::status::At;
use crate::admin::metrics::common;
use crate::base::metrics::Page;
use crate::front::BackendId;
use crate::front::leadership::phase::Phase;
use crate::log::{Epoch, Mode};
use crate::status::{AddressStatus, BackendState, LicenceStatus};
use crate::wire::constants::mask;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Display;

/// How often the lead has changed, as far as this front has seen.
#[derive(Clone, Debug, Default)]
pub(super) struct LeaderChanges {
    /// The epoch of the front that led last, as far as this front knows.
    leader: Option<Epoch>,
    /// The number of changes.
    count: u64,
}

impl LeaderChanges {
    /// Counts a change at the end of a step. `leader`: the epoch under which a front leads now.
    pub(super) fn observe(&mut self, leader: Option<Epoch>) {
        if leader.is_some() && leader != self.leader {
            self.leader = leader;
            self.count += 1;
        }
    }
}

impl At<'_> {
    /// Writes all metrics.
    pub(super) fn write(&self, page: &mut Page) {
        common(page, self.front.calls.service(), &self.front.operator.counts);
        self.write_role(page);
        self.write_backends(page);
        self.write_twin(page);
        self.write_clocks(page);
        self.write_licences(page);
    }

    fn write_role(&self, page: &mut Page) {
        let front = self.front;
        let role = self.role().name();
        let help = "What part this server plays: 1 for the one it does.";
        page.state("tmrd_role", help, "role", &["active", "standby", "starting"], role);
        let epoch = front.leadership.latest_epoch().round;
        page.gauge("tmrd_epoch", "Round of the highest epoch that was seen.").is(&[], epoch);
        page.counter("tmrd_leader_changes", "How often a front was seen to begin to lead.")
            .is(&[], front.operator.leaders.count);
        page.gauge(
            "tmrd_ready",
            "Whether this front serves, or could: two members of the group are there.",
        )
        .is(&[], u8::from(front.replication.could_serve()));
        page.gauge("tmrd_fenced", "Whether backends keep two fronts from granting the same seat.")
            .is(&[], u8::from(front.config.backend_kind().fences()));
        if let Some(here) = front.leadership.role().address() {
            page.gauge("tmrd_virtual_ip", "Whether this machine has the virtual address.")
                .is(&[], u8::from(here));
        }
        if let Some(AddressStatus { this, other }) =
            front.leadership.address_status(self.now.mono, front.view())
        {
            let help = "Whether a machine could take the virtual address, or keep it.";
            let mut family = page.gauge("tmrd_address_could_take", help);
            for (machine, could) in [("this", this.could_take), ("other", other.could_take)] {
                if let Some(could) = could {
                    family.is(&[("machine", &machine)], u8::from(could));
                }
            }
        }
        let help = "Whether the last planned failover did not come to its end.";
        page.gauge("tmrd_failover_trouble", help)
            .is(&[], u8::from(front.leadership.failover().trouble.is_some()));
        page.gauge("tmrd_committed_slot", "Log entries that are known to hold for ever.")
            .is(&[], front.replication.log().committed().0);
        page.gauge("tmrd_uncommitted_entries", "Log entries that two backends have not confirmed.")
            .is(&[], front.replication.log().uncommitted());
    }

    fn write_backends(&self, page: &mut Page) {
        let rows = BackendId::ALL.map(|id| self.backend(id));
        let up = |state| matches!(state, BackendState::Up | BackendState::Unfenced);
        let counting = rows.iter().filter(|row| up(row.state)).count();
        page.gauge("tmrd_backends_up", "Backends that count, of three; two are needed.")
            .is(&[], counting);
        let mut family =
            page.gauge("tmrd_backend_state", "How a backend stands: 1 for how it does.");
        for row in &rows {
            for state in BackendState::ALL {
                let labels: [(&str, &dyn Display); 2] =
                    [("backend", &row.address), ("state", &state.name())];
                family.is(&labels, u8::from(row.state == state));
            }
        }
        let front = self.front;
        let committed = front.replication.log().committed().0;
        if let Phase::Leading { .. } = *front.leadership.phase() {
            let help = "Committed log entries that a backend does not have yet.";
            let mut family = page.gauge("tmrd_backend_lag_entries", help);
            for (row, backend) in rows.iter().zip(front.replication.backends()) {
                let lag = committed.saturating_sub(backend.matched().0);
                family.is(&[("backend", &row.address)], lag);
            }
        }
        let mut family = page.counter("tmrd_backend_dials", "How often a backend was dialled.");
        for (row, backend) in rows.iter().zip(front.replication.backends()) {
            family.is(&[("backend", &row.address)], backend.dials());
        }
        let mut family = page.gauge("tmrd_backend_calls", "Calls that a backend works on.");
        for (row, backend) in rows.iter().zip(front.replication.backends()) {
            family.is(&[("backend", &row.address)], backend.busy());
        }
        let help = "Handles whose grant a backend has on disk.";
        let mut family = page.gauge("tmrd_backend_handles", help);
        rows.iter().for_each(|row| family.is(&[("backend", &row.address)], row.handles));
    }

    fn write_twin(&self, page: &mut Page) {
        let Some(twin) = self.twin() else { return };
        let help = "Whether both connections with the other front stand.";
        page.gauge("tmrd_twin_connected", help).is(&[], u8::from(twin.connected));
        let help = "Whether the front that stands by has all that the other one has.";
        page.gauge("tmrd_twin_synced", help).is(&[], u8::from(twin.synced));
        let help = "Committed log entries that the front that stands by does not have.";
        page.gauge("tmrd_twin_lag_entries", help).is(&[], twin.lag);
        let help = "For how long the other front has said nothing, if that is longer than usual.";
        page.gauge("tmrd_twin_silent_seconds", help).is(&[], twin.silent_seconds);
        let help = "Keys in which the configurations of the two fronts differ and must not.";
        page.gauge("tmrd_twin_differing_keys", help).is(&[], twin.differs.len());
        let help = "Clients whose calls one front passes on to the other.";
        let mut family = page.gauge("tmrd_twin_clients", help);
        family.is(&[("passed", &"to")], twin.passed_to);
        family.is(&[("passed", &"from")], twin.passed_from);
    }

    fn write_clocks(&self, page: &mut Page) {
        let help =
            "Seconds that a machine's clock is ahead of the date that licences are judged by.";
        let mut family = page.gauge("tmrd_clock_offset_seconds", help);
        for clock in self.clocks() {
            if let Some(offset) = clock.offset_seconds {
                family.is(&[("machine", &clock.machine)], offset);
            }
        }
    }

    fn write_licences(&self, page: &mut Page) {
        let front = self.front;
        let container = |key| match front.calls.virtuals().catalogue.container_of(key) {
            Some(shown) => format!("{}-{}", mask::TMR, shown.serial),
            None => String::new(),
        };
        let names: Vec<_> = front.calls.virtuals().merged.keys().map(container).collect();
        let rows = self.licences();
        let mut family = |name, help: &str, value: &dyn Fn(&LicenceStatus) -> Option<u64>| {
            let mut family = page.gauge(name, help);
            for (row, container) in rows.iter().zip(&names) {
                let labels: [(&str, &dyn Display); 4] = [
                    ("firm_code", &row.firm_code),
                    ("product_code", &row.product_code),
                    ("tmr_id", &row.tmr_id),
                    ("container", container),
                ];
                if let Some(value) = value(row) {
                    family.is(&labels, value);
                }
            }
        };
        family("tmrd_licence_seats", "Seats of a licence.", &|row| Some(row.quantity.into()));
        family("tmrd_licence_used_seats", "Seats in use.", &|row| Some(row.used.into()));
        family("tmrd_licence_free_seats", "Seats that are left.", &|row| Some(row.free.into()));
        family("tmrd_licence_parts", "Parts of a licence that agree, of three.", &|row| {
            Some(row.matching.into())
        });
        family(
            "tmrd_licence_available",
            "Whether a licence is served: two parts agree, two members are there, and it is its time.",
            &|row| Some(row.available.into()),
        );
        let help = "From when on a licence that ends cannot be used, in Unix time.";
        family("tmrd_licence_expiry_timestamp_seconds", help, &|row| row.expires.map(|end| end.0));
        family("tmrd_licence_units_left", "Units that are left, where they are counted.", &|row| {
            row.units_left.map(u64::from)
        });
        let mut held = [0_u64; Mode::ALL.len()];
        for seat in front.replication.log().speculative_state().seats() {
            held[seat.mode as usize] += 1;
        }
        let mut family = page.gauge("tmrd_handles", "Handles that are held, by access mode.");
        for (mode, count) in Mode::ALL.into_iter().zip(held) {
            family.is(&[("mode", &mode.name())], count);
        }
        page.gauge("tmrd_strays", "Containers with TMR licences that no client sees.")
            .is(&[], front.calls.virtuals().strays.len());
        page.gauge("tmrd_copied_parts", "Containers that more than one backend holds.")
            .is(&[], front.calls.virtuals().copies.len());
    }
}

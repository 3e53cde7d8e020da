//! What this front knows of its twin: whether the twin leads, whether its machine could, and
//! whether calls go to it.

use super::{Context, Leadership, View};
use crate::base::time::Mono;
use crate::front::leadership::phase::Phase;
use crate::front::operator::{address_status, could_take_over};
use crate::front::twin::Twin;
use crate::io::Intent;
use crate::log::{Epoch, Slot};
use crate::messages::twin::{MachineReport, TwinRole};
use crate::status::AddressStatus;
use alloc::string::String;
use alloc::vec::Vec;

impl Leadership {
    /// Returns the report on this machine. Only a front that stands by reports whether it could
    /// serve.
    pub(in crate::front) fn machine_report(&self, now: Mono, view: View<'_>) -> MachineReport {
        let stands_by = matches!(self.phase, Phase::Standby);
        let unready = if stands_by { self.readiness(now, view).err() } else { None };
        view.operator.machine_report(now, unready)
    }

    /// Returns whether the twin could serve, and its machine take the virtual address if that is
    /// here. A twin that reports nothing of its machine is assumed able.
    ///
    /// # Errors
    /// Why not, in words that continue "the twin".
    pub(in crate::front) fn twin_machine_could(
        &self,
        now: Mono,
        view: View<'_>,
    ) -> Result<(), String> {
        let Some(theirs) = self.twin_machine(now, view) else { return Ok(()) };
        could_take_over(&theirs, &self.machine_report(now, view), self.role.has_address())
    }

    /// Returns which machines could take the virtual address; `None` if there is none.
    pub(in crate::front) fn address_status(
        &self,
        now: Mono,
        view: View<'_>,
    ) -> Option<AddressStatus> {
        self.role.address()?;
        Some(address_status(&self.machine_report(now, view), self.twin_machine(now, view).as_ref()))
    }

    /// Orders the twin to lead, when no call is being worked on any more.
    pub(in crate::front) fn tell_twin_to_lead(
        &self,
        now: Mono,
        epoch: Epoch,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        if let Some((twin, context)) = self.with_twin(ctx) {
            twin.send_lead(now, epoch, &context, out);
        }
    }

    /// Returns the twin's report on its machine, as of now; `None` if there is none.
    pub(in crate::front) fn twin_machine(
        &self,
        now: Mono,
        view: View<'_>,
    ) -> Option<MachineReport> {
        view.twin.and_then(|twin| twin.machine(now))
    }

    /// Returns the epoch under which the twin reports that it leads.
    pub(in crate::front) fn twin_epoch(&self, view: View<'_>) -> Option<Epoch> {
        view.twin.and_then(Twin::leads)
    }

    /// Returns the epoch under which a front is known to lead: this one, or the twin.
    pub(in crate::front) fn leader(&self, view: View<'_>) -> Option<Epoch> {
        if self.leads() { self.epoch() } else { self.twin_epoch(view) }
    }

    /// Returns when this front may claim, as far as the twin is concerned.
    pub(in crate::front) fn twin_awaited(&self, view: View<'_>) -> Mono {
        view.twin.map_or(Mono(0), |twin| twin.awaited(view.replication.log()))
    }

    /// Whether the twin has every entry up to this slot.
    pub(in crate::front) fn twin_has(&self, slot: Slot, view: View<'_>) -> bool {
        view.twin.is_some_and(|twin| twin.copy() >= slot)
    }

    /// Returns the role of a twin that takes calls of this front's clients; `None` if there is
    /// none, or if this front leads or is about to.
    fn other_part(&self, view: View<'_>) -> Option<TwinRole> {
        let quiet = matches!(self.phase, Phase::Standby) || self.role.is_deposed();
        view.twin.filter(|_| quiet).and_then(Twin::takes_calls)
    }

    /// Whether calls of clients go to the twin.
    pub(in crate::front) fn passes(&self, view: View<'_>) -> bool {
        self.other_part(view) == Some(TwinRole::Active)
    }

    /// Whether calls of clients will go to the twin if its claim succeeds.
    pub(in crate::front) fn may_pass(&self, view: View<'_>) -> bool {
        self.other_part(view) == Some(TwinRole::Starting)
    }
}

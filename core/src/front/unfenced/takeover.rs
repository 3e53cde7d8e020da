//! Which handles at the servers belong to which seats, as reported by the twin, for a front that
//! takes the lead; and the same of this front, for the twin.
//!
//! A handle at a stock server is assumed to be bound neither to the connection nor to the machine
//! that it was given to (inferred; protocol facts 3.3 and 8 leave it open). If it is bound, the
//! server reports that it does not know the handle, and the seat is taken there again.

use super::Unfenced;
use super::initial_log::InitialLog;
use super::seat_table::{NOBODY, ServerHandle};
use super::stand_in::StandIn;
use crate::base::limits::TWIN_SEATS_MAX;
use crate::base::time::Now;
use crate::front::Front;
use crate::front::leadership::phase::Phase;
use crate::front::twin::RemoteHandles;
use crate::log::{Entry, Epoch, Setting};
use crate::messages::twin::RemoteHandle;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Handles by the serial of the container and their number there, each with whether the server is
/// known not to have restarted since, as far as this front can see.
#[derive(Clone, Debug, Default)]
pub(super) struct TakeoverHandles(BTreeMap<(u32, u32), (RemoteHandle, bool)>);

impl TakeoverHandles {
    fn note(&mut self, remote: RemoteHandle, sure: bool) {
        let key = (remote.server, remote.number);
        if remote.handle == NOBODY {
            self.0.remove(&key);
        } else if self.0.len() < TWIN_SEATS_MAX {
            self.0.insert(key, (remote, sure));
        }
    }

    fn at(serial: u32) -> core::ops::RangeInclusive<(u32, u32)> {
        (serial, 0)..=(serial, u32::MAX)
    }

    /// Notes that the server of this container may have been restarted.
    fn doubt(&mut self, serial: u32) {
        self.0.range_mut(Self::at(serial)).for_each(|(_, (_, sure))| *sure = false);
    }

    pub(super) fn take(&mut self, serial: u32) -> Vec<(RemoteHandle, bool)> {
        let found: Vec<(RemoteHandle, bool)> =
            self.0.range(Self::at(serial)).map(|(_, it)| *it).collect();
        for (remote, _) in &found {
            self.0.remove(&(serial, remote.number));
        }
        found
    }
}

impl StandIn {
    /// Returns a handle as it is sent to the twin; `None` if this server does not have its licence
    /// any more.
    fn remote_handle(&self, there: ServerHandle) -> Option<RemoteHandle> {
        let ServerHandle { number, handle, licence } = there;
        let server = self.serial_of(&licence)?;
        Some(RemoteHandle { server, number, handle, licence })
    }
}

impl Unfenced {
    /// Has the stand-ins follow the phase of the front after this turn.
    pub(super) fn follow(&mut self, front: &mut Front) {
        if let Some(RemoteHandles { all, handles }) = front.reported_handles.take() {
            if all {
                self.takeover_handles = TakeoverHandles::default();
            }
            for remote in handles {
                let holds = |stand: &StandIn| stand.serials().any(|it| it == remote.server);
                let there = |stand: &&StandIn| stand.is_there() && holds(stand);
                self.takeover_handles
                    .note(remote, self.stand_ins.iter().any(|stand| there(&stand)));
            }
        }
        match *front.leadership.phase() {
            Phase::Standby => self.set_down(),
            Phase::Claiming { epoch } if self.claimed != Some(epoch) => {
                self.claimed = Some(epoch);
                self.begin(front, epoch);
            }
            _ => {}
        }
    }

    /// Keeps what the front had at the servers, because it stands by: the handles are the twin's
    /// now, or its own again later. It neither uses nor releases them.
    fn set_down(&mut self) {
        for stand in &mut self.stand_ins {
            for remote in stand.set_down().handles_there().filter_map(|it| stand.remote_handle(it))
            {
                self.takeover_handles.note(remote, true);
            }
        }
    }

    /// Prepares a claim of the front. If its log is another front's, the stand-ins continue with
    /// that log and drop their own. If it has none, they begin with a new group.
    fn begin(&mut self, front: &mut Front, epoch: Epoch) {
        self.stand_ins.iter_mut().for_each(|stand| stand.claimed());
        let id = front.config.front;
        if front.replication.log().committed_state().leader().front == id {
            return;
        }
        let log = match front.replication.log().group() {
            Some(group) => {
                // From here on it is this front's own log, whatever the claim's outcome.
                front
                    .replication
                    .log_mut()
                    .propose(Entry::Configure(Setting::Members(self.members)));
                let leader = Entry::Configure(Setting::Leader(epoch));
                let (slot, _) = front.replication.log_mut().propose(leader);
                front.replication.log_mut().commit(slot);
                let settled = front.replication.log().committed_state();
                tracing::info!(
                    target: "tmr_core::front::stock::told",
                    %slot, handles = settled.seat_count(), "going on with the twin's log"
                );
                InitialLog { front: id, group, slot, state: settled.encode() }
            }
            None => InitialLog::birth(id, self.group, self.members),
        };
        self.stand_ins.iter_mut().for_each(|stand| stand.begin(&log));
    }

    /// Hands the reported handles to each stand-in whose server is known.
    pub(super) fn take_up(&mut self, front: &Front, now: Now) {
        let leads = front.leadership.epoch().is_some();
        for stand in &mut self.stand_ins {
            let serials: Vec<u32> = stand.serials().collect();
            if stand.may_have_restarted() {
                serials.iter().for_each(|serial| self.takeover_handles.doubt(*serial));
            }
            if !leads || !stand.knows_seats() || !stand.is_there() {
                continue;
            }
            for serial in serials {
                for (remote, sure) in self.takeover_handles.take(serial) {
                    stand.take_up(now.mono, &remote, sure);
                }
            }
        }
    }

    /// Returns the handles for the twin: all, or the changed ones.
    pub(super) fn handles_for_twin(&mut self, all: bool) -> Vec<RemoteHandle> {
        let mut remote = Vec::new();
        for stand in &mut self.stand_ins {
            let changed = stand.changed_handles();
            let some = if all { stand.seat_table().handles_there().collect() } else { changed };
            remote.extend(some.into_iter().filter_map(|it| stand.remote_handle(it)));
        }
        remote
    }
}

//! What follows from a reply of the stock server, and from one that never comes.

use super::{Driver, Reach};
use crate::base::limits::{STOCK_CLEANUP, STOCK_KEEP, STOCK_RETRY};
use crate::base::network::Address;
use crate::base::time::Mono;
use crate::front::unfenced::discovery::is_unknown;
use crate::front::unfenced::inventory::Discovered;
use crate::front::unfenced::job::{Job, Outcome};
use crate::front::unfenced::pool::Pool;
use crate::front::unfenced::seat_changes::seat_of;
use crate::front::unfenced::seat_table::At;
use crate::io::Intent;
use crate::link::{CloseReason, LinkId};
use crate::log::{ContainerId, Grant, Handle, LicenceKey};
use crate::wire::{CmError, Reply, Request};
use alloc::vec::Vec;

/// Whether another server may do a call that this one could not.
fn elsewhere(status: CmError) -> bool {
    let here = [
        CmError::NETWORK_FAULT,
        CmError::SERVER_NOT_FOUND,
        CmError::SEND_FAULT,
        CmError::RECEIVE_FAULT,
        CmError::INTERNAL_ORGANISATION,
        CmError::NO_MORE_HANDLES,
        CmError::NO_MORE_MEMORY,
        CmError::BOXBUSY,
        CmError::BOXLOST,
        CmError::BOX_NOT_FOUND,
        CmError::SERVER_START_PENDING,
        CmError::REQUEST_OVERLOAD_REJECTED,
    ];
    is_unknown(status) || here.contains(&status)
}

impl Driver {
    /// Closes all connections when a call is late, because the server is silent.
    pub(in crate::front::unfenced) fn timers(&mut self, now: Mono, out: &mut Vec<Intent>) {
        if self.pool.due().is_some_and(|at| at <= now) {
            self.lost(now, CloseReason::Timeout("a stock server is silent"), out);
        }
    }

    /// Takes a reply of the server.
    pub(in crate::front::unfenced) fn replied(
        &mut self,
        now: Mono,
        link: LinkId,
        bytes: &[u8],
        out: &mut Vec<Intent>,
    ) {
        let job = self.pool.answered(link);
        let (Some(job), Ok(reply)) = (job, Reply::parse(bytes)) else {
            return self.lost(
                now,
                CloseReason::Protocol("a stock server sent no reply to a call"),
                out,
            );
        };
        self.last_reply = now;
        self.background &= !job.is_background();
        match job {
            Job::Discover => self.discovered(now, &reply, out),
            Job::Ping if is_unknown(reply.status) => {
                self.inventory.begin_at(now);
                self.may_have_restarted = true;
            }
            Job::Ping => {}
            Job::Take { grant, .. } => self.taken(now, &grant, &reply),
            Job::Give { order, licence, number, .. } => self.given(order, licence, number),
            Job::Keep(handle, number) if is_unknown(reply.status) => {
                self.unknown(now, handle, number);
            }
            Job::Keep(..) => {}
            Job::Perform { line, correlation, holder } => {
                if is_unknown(reply.status) {
                    match holder {
                        Some((handle, number)) => self.unknown(now, handle, number),
                        None => self.inventory.begin_at(now),
                    }
                }
                let done = reply.status == CmError::NO_ERROR || !elsewhere(reply.status);
                let reply = done.then(|| bytes.to_vec());
                self.outcomes.push_back(Outcome::Performed { line, correlation, reply });
            }
        }
    }

    fn discovered(&mut self, now: Mono, reply: &Reply, out: &mut Vec<Intent>) {
        let given = reply.status == CmError::NO_ERROR;
        if given && matches!(self.inventory.call(), Some(Request::Access2 { .. })) {
            self.seat_table.taken_over(now, reply.result);
        }
        match self.inventory.replied(now, reply) {
            Discovered::More => {}
            Discovered::Failed(reason) => self.lost(now, CloseReason::Broken(reason), out),
            Discovered::All { same } => {
                if self.reach == Reach::Coming {
                    if self.parts().is_empty() {
                        let server = self.pool.address();
                        tracing::warn!(
                            target: "tmr_core::front::stock::server",
                            %server,
                            "a stock server has no TMR licence in a container of those CmActIds \
                             that VirtualContainers names"
                        );
                    }
                    self.reach = Reach::There;
                    self.outcomes.push_back(Outcome::Known);
                } else if !same {
                    let reason = "what this stock server holds has changed";
                    self.outcomes.push_back(Outcome::HangUp(CloseReason::Stepped(reason)));
                }
            }
        }
    }

    /// Takes the server's reply for a seat.
    fn taken(&mut self, now: Mono, grant: &Grant, reply: &Reply) {
        let handle = grant.handle;
        let wanted = self.seat_table.at(handle) == Some(At::Asked);
        let number = (reply.status == CmError::NO_ERROR).then_some(reply.result);
        match number.filter(|&number| number != 0) {
            Some(number) if wanted => {
                self.seat_table.set(now, handle, At::Held(number, now + STOCK_KEEP));
                self.replied_for(handle, None);
            }
            Some(number) => {
                if let Some(licence) = seat_of(grant) {
                    self.give_number(licence, number, handle);
                }
                self.replied_for(handle, None);
            }
            None => {
                if wanted {
                    self.seat_table.set(now, handle, At::Lacking(now + STOCK_RETRY));
                }
                let reason = if number.is_none() { reply.status } else { CmError::NO_MORE_HANDLES };
                self.replied_for(handle, Some(reason));
            }
        }
    }

    /// Ends a release, whatever the reply: a handle that the server does not know takes no seat
    /// there.
    fn given(&mut self, order: u64, licence: LicenceKey, number: u32) {
        self.seat_table.left(number);
        self.changes.released(order, licence);
    }

    /// Has a seat taken again whose handle the server does not know.
    fn unknown(&mut self, now: Mono, handle: Handle, number: u32) {
        if matches!(self.seat_table.at(handle), Some(At::Held(held, _)) if held == number) {
            tracing::info!(
                target: "tmr_core::front::stock::server",
                %handle, server = %self.pool.address(), "a stock server has lost a seat"
            );
            self.seat_table.set(now, handle, At::Lacking(now));
        }
    }

    /// Handles a connection that is closed, or could not be opened.
    pub(in crate::front::unfenced) fn closed(
        &mut self,
        now: Mono,
        link: LinkId,
        reason: CloseReason,
        out: &mut Vec<Intent>,
    ) {
        let Some(left) = self.pool.gone(link) else { return };
        let Some(job) = left.job else {
            // The server is asked at once, since the other connections may be the next to close.
            self.last_reply = Mono(0);
            return;
        };
        self.undone(now, job, left.spoke);
        if !left.spoke || self.reach == Reach::Coming {
            self.lost(now, reason, out);
        }
    }

    /// Handles a call without a reply. `doubt`: the server may have done it. A seat that it may
    /// have given has an unknown handle; it stays taken there until the server cleans it up, and
    /// only then another one is requested. A call is repeated at once only once, since the server
    /// may break the connection at that same call.
    fn undone(&mut self, now: Mono, job: Job, doubt: bool) {
        self.background &= !job.is_background();
        match job {
            Job::Take { grant, .. } => {
                let at = if doubt { now + STOCK_CLEANUP } else { now };
                if self.seat_table.at(grant.handle) == Some(At::Asked) {
                    self.seat_table.set(now, grant.handle, At::Lacking(at));
                }
                self.replied_for(grant.handle, Some(CmError::NETWORK_FAULT));
            }
            Job::Give { order, licence, number, again: false } => {
                self.changes.repeat(order, licence, number);
            }
            Job::Give { order, licence, number, .. } => self.given(order, licence, number),
            Job::Perform { line, correlation, .. } => {
                self.outcomes.push_back(Outcome::Performed { line, correlation, reply: None });
            }
            Job::Discover => self.inventory.stop(now),
            Job::Ping => self.last_reply = now,
            Job::Keep(..) => {}
        }
    }

    /// Continues from the start with another server, or with this one and other containers.
    pub(in crate::front::unfenced) fn moved(
        &mut self,
        now: Mono,
        address: Address,
        wanted: Vec<ContainerId>,
        out: &mut Vec<Intent>,
    ) {
        self.lost(now, CloseReason::Stepped("another configuration is in force"), out);
        self.inventory.reset(wanted);
        if *self.pool.address() != address {
            self.pool = Pool::new(address);
            self.seat_table.lack(now);
        }
    }

    /// Handles the loss of the server. Releases that were not made are dropped: after a restart
    /// their numbers may be those of other seats, and without a release the server cleans them up.
    fn lost(&mut self, now: Mono, reason: CloseReason, out: &mut Vec<Intent>) {
        for left in self.pool.close(&reason, out) {
            if let Some(job) = left.job {
                self.undone(now, job, left.spoke);
            }
        }
        self.reach = Reach::Away;
        self.may_have_restarted = true;
        self.changes.clear();
        self.seat_table.stay();
        self.inventory.forget_handles();
        self.seat_table.doubt(now);
        self.outcomes.push_back(Outcome::HangUp(reason));
    }
}

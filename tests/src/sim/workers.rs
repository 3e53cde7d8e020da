//! The machine of a node beside its links: its disk, its usage history, its address and its
//! configuration.

use super::event::Event;
use super::world::{SECOND, World};
use tmr_core::io::{HistoryRequest, HostRequest, JournalWrite, VipRequest};

impl World {
    /// Performs a node's request to its machine.
    pub(super) fn host_request(&mut self, host: usize, request: HostRequest) {
        let life = self.hosts[host].process.life;
        match request {
            HostRequest::Journal(write) => self.write_journal(host, write),
            HostRequest::Vip(VipRequest::GiveAway(away)) => {
                self.hosts[host].address.away = away;
                // Without an operator the request is ignored: the address moves independently.
                if let Some(operator) = self.operator.failovers.as_mut().filter(|_| away) {
                    let wait = operator.span(500, SECOND / 2);
                    self.after(wait, Event::Follow { host });
                }
            }
            HostRequest::History(HistoryRequest::Record(lines)) => {
                self.hosts[host].history.push((self.now, lines));
            }
            HostRequest::History(HistoryRequest::ReadAfter(after)) => {
                self.after(SECOND / 100, Event::Recall { host, life, after });
            }
            HostRequest::Vip(VipRequest::Look) | HostRequest::AdminFiles(_) => {}
            HostRequest::StoreConfig(text) => self.wants_stored(host, text),
            HostRequest::Halt(reason) => {
                let found = Err(format!("host {host} halts: {reason}"));
                self.checks.note(self.now, "service", found);
            }
        }
    }

    fn write_journal(&mut self, host: usize, write: JournalWrite) {
        let life = self.hosts[host].process.life;
        let disk = &mut self.hosts[host].disk;
        let alone = match write {
            JournalWrite::Append(bytes) => disk.append(bytes),
            JournalWrite::Rewrite(bytes) | JournalWrite::BeginAnew(bytes) => disk.rewrite(bytes),
        };
        if !alone {
            let found = Err(format!("backend {host} writes twice at once"));
            self.checks.note(self.now, "disk", found);
        }
        let (until, by) = self.hosts[host].slow;
        let slow = if until > self.now { self.rng.between(by / 2, by) } else { 0 };
        let wait = self.rng.between(self.plan.disk / 4, self.plan.disk) + slow;
        let fits = self.hosts[host].disk.fits();
        let done = if fits { Event::Durable { host, life } } else { Event::Full { host, life } };
        self.after(wait, done);
    }
}

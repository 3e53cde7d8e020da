//! What a backend reports about itself to fronts, apart from reports on orders.

use super::Backend;
use crate::base::credentials::AdminAccess;
use crate::base::limits::{CONFIRMED, THIRDS_MAX};
use crate::base::time::{Mono, Now};
use crate::io::Intent;
use crate::licence::Container;
use crate::link::LinkId;
use crate::messages::group::{Description, Facts, Lost, Report, Third, encode};
use alloc::vec::Vec;

impl Backend {
    /// Whether the front of a link understands [`Report::Facts`].
    pub(super) fn tells_facts(&self, link: LinkId) -> bool {
        self.fronts.links.get(&link).is_some_and(|joined| joined.minor >= 1)
    }

    /// Returns which files and folders of this backend are not where they belong.
    pub(super) fn lost(&self) -> Lost {
        let places = self.admin.places();
        Lost { state: places.state.is_some(), socket: places.socket.is_some() }
    }

    /// Reports them to a front that understands [`Report::Lost`].
    pub(super) fn tell_lost(&self, link: LinkId, out: &mut Vec<Intent>) {
        if self.fronts.links.get(&link).is_some_and(|joined| joined.minor >= 2) {
            out.push(Intent::Send { link, frame: encode(0, &Report::Lost(self.lost())) });
        }
    }

    /// Sets the access to the admin pages, and reports to fronts how many files cannot be used.
    pub(super) fn entrance(&mut self, entrance: AdminAccess, out: &mut Vec<Intent>) {
        let before = self.unusable();
        self.admin.set_entrance(entrance);
        if self.unusable() != before {
            self.fronts.links.keys().for_each(|link| self.tell_unusable(*link, out));
        }
    }

    /// Returns the number of files that cannot be used, or are used as they were read before.
    pub(super) fn unusable(&self) -> u32 {
        u32::try_from(self.admin.files().len()).unwrap_or(u32::MAX)
    }

    /// Reports that number to a front that understands [`Report::Unusable`].
    pub(super) fn tell_unusable(&self, link: LinkId, out: &mut Vec<Intent>) {
        if self.fronts.links.get(&link).is_some_and(|joined| joined.minor >= 3) {
            let files = self.unusable();
            out.push(Intent::Send { link, frame: encode(0, &Report::Unusable { files }) });
        }
    }

    pub(super) fn facts(&self, now: Now) -> Facts {
        let witness = self.acceptor.witness();
        let third = |held: &Container| Third { serial: held.part.serial, number: held.number };
        Facts {
            process: self.names.process,
            before: self.acceptor.before(),
            known: witness.known().max(self.acceptor.standing().committed),
            digest: self.acceptor.digest(),
            differs: self.acceptor.differs(),
            acked: witness.acked(),
            clock: now.wall,
            date: witness.date(),
            thirds: self.licences.containers.iter().map(third).take(THIRDS_MAX).collect(),
        }
    }

    pub(super) fn describe(&self, now: Mono) -> Report {
        Report::Described(Description {
            standing: self.acceptor.standing(),
            led: self.fronts.served.is_some_and(|at| now.since(at) < CONFIRMED),
            parts: self
                .licences
                .containers
                .iter()
                .map(|container| container.part.clone())
                .collect(),
        })
    }
}

//! Calls of clients to the backend itself, for ordinary licences, whose seats are in its own state.

use super::Backend;
use crate::base::limits::HANDLE_BLOCK;
use crate::base::time::Now;
use crate::io::Intent;
use crate::link::LinkId;
use crate::log::Entry;
use crate::service::{CallAction, CallContext};
use crate::wire::Request;
use alloc::vec::Vec;

impl Backend {
    /// Takes a client's call to this backend.
    pub(super) fn call(&mut self, now: Now, link: LinkId, bytes: &[u8], out: &mut Vec<Intent>) {
        self.service.heard(now.mono, link);
        let request = match Request::parse(bytes) {
            Ok(request) => request,
            Err(malformed) => return self.service.misread(link, &malformed, out),
        };
        self.service.named(now.mono, link, &request, &self.direct.state);
        self.serve(now, link, &request, bytes, out);
    }

    /// Serves the calls whose delay for a wrong handle has ended.
    pub(super) fn resume(&mut self, now: Now, out: &mut Vec<Intent>) {
        for (link, bytes) in self.service.waited(now.mono) {
            if let Ok(request) = Request::parse(&bytes) {
                self.serve(now, link, &request, &bytes, out);
            }
        }
    }

    /// Decides a call; `bytes` are its encoding.
    fn serve(
        &mut self,
        now: Now,
        link: LinkId,
        request: &Request,
        bytes: &[u8],
        out: &mut Vec<Intent>,
    ) {
        let context =
            CallContext { now, state: &self.direct.state, catalogue: &self.licences.catalogue };
        match self.service.call(link, request, &context, out) {
            CallAction::Done | CallAction::Refused(_) => {}
            CallAction::Perform(licence) => {
                let reply = self.perform(&licence, bytes);
                self.service.pass(link, reply, out);
            }
            CallAction::Spend(entry, licence) => {
                let reply = self.perform(&licence, bytes);
                self.write_direct(entry);
                self.writer.hold(link, reply, out);
            }
            CallAction::Commit(entry) => self.commit(now, link, entry, out),
        }
    }

    /// Writes an entry of a client. The client is answered when the entry is durable, or at once if
    /// it takes nothing.
    fn commit(&mut self, now: Now, link: LinkId, entry: Entry, out: &mut Vec<Intent>) {
        let mut replies = Vec::new();
        let mut waits = true;
        match &entry {
            Entry::Grant(grant) => {
                // Before the block of its number is durable, a restart could give the number again.
                waits = grant.waits_for_disk() || !self.writer.is_durable(self.direct.reserved);
                self.service.granted(now.mono, link, grant, &mut replies);
            }
            _ => self.service.released(link, &mut replies),
        }
        let released = if let Entry::Release(handle) = entry { Some(handle) } else { None };
        self.write_direct(entry);
        if let Some(handle) = released {
            self.service.linger(now.mono, handle, &self.direct.state);
        }
        for reply in replies {
            match reply {
                Intent::Send { link, frame } if waits => self.writer.hold(link, frame, out),
                reply => out.push(reply),
            }
        }
        if self.service.numbers_left() < HANDLE_BLOCK / 2 {
            self.reserve_handles();
        }
    }
}

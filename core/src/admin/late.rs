//! Orders that come too late: nobody may hear any more what becomes of them.

use super::http::{Request, Response};
use super::{Admin, routes};
use crate::io::Intent;
use crate::link::LinkId;
use alloc::vec::Vec;

impl Admin {
    /// Answers an order whose sender may not hear the answer any more: it is not carried out. `false`:
    /// the request orders nothing, or is none, and may be answered like any other.
    pub fn drops(&mut self, link: LinkId, bytes: &[u8], out: &mut Vec<Intent>) -> bool {
        let Ok(request) = Request::parse(bytes) else { return false };
        let Ok(route) = routes::find(&request) else { return false };
        let busy = self.waiting.contains_key(&link) || self.later.contains_key(&link);
        if busy || !route.is_order() || !self.links.contains_key(&link) {
            return false;
        }
        tracing::info!(
            target: "tmr_core::admin::late",
            "{route:?} is not carried out: its sender has given up waiting for it"
        );
        let sentence = "This was not carried out: its sender had ended the connection, or had waited \
                        for too long, before it could be looked at. Ask again.";
        self.send(link, &request, &Response::text(408, sentence), out);
        true
    }
}

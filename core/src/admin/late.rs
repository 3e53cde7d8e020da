//! Orders that arrive too late: their sender may not read the result any more.

use super::http::{Request, Response};
use super::{Admin, routes};
use crate::io::Intent;
use crate::link::LinkId;
use alloc::vec::Vec;

impl Admin {
    /// Rejects an order whose sender may not read the answer any more. Returns `false` if the
    /// request is no order, or is malformed: it may then be answered like any other.
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

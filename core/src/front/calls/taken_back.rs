//! Handles that an operator takes back.

use super::{Calls, Context};
use crate::base::time::Wall;
use crate::front::operator::holder;
use crate::log::Handle;
use alloc::format;
use core::net::IpAddr;

impl Calls {
    /// Takes back a handle by an operator's order.
    pub(in crate::front) fn take_back(now: Wall, handle: Handle, context: &mut Context<'_>) {
        let Some(seat) = context.log.speculative_state().seat(handle) else { return };
        let text = format!("handle {handle} ({}) taken back from {}", seat.held, holder(seat));
        context.operator.note(now, "seat", text);
        context.give_back(handle, "an operator took it back");
    }

    /// Takes back all handles of an address by an operator's order. That is one event for any
    /// number of handles.
    pub(in crate::front) fn take_all_back(
        &self,
        now: Wall,
        address: IpAddr,
        context: &mut Context<'_>,
    ) {
        let handles = self.service.held_from(address, context.log.speculative_state());
        let text = format!("all {} handles of {address} taken back", handles.len());
        context.operator.note(now, "seat", text);
        for handle in handles {
            context.give_back(handle, "an operator took back all of its address");
        }
    }
}

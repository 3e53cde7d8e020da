//! The virtual containers, merged from what the backends hold, and their serials, which are kept in
//! the log.

use super::copies::log_copies;
use super::gone::log_gone;
use super::virtual_containers::VirtualContainers;
use super::{Calls, Context};
use crate::log::{ContainerId, Entry, Setting};
use alloc::string::ToString;
use alloc::vec::Vec;

impl Calls {
    /// Merges the parts again after a backend came, went, or changed its licences.
    pub(in crate::front) fn merge_parts(&mut self, context: &Context<'_>) {
        let parts = context.backends.each_ref().map(|backend| {
            let known = backend.known().filter(|_| backend.trouble().is_none());
            known.map(|description| description.parts.as_slice())
        });
        let lists = context.config.virtuals.iter().map(|(id, _)| *id);
        let state = context.log.speculative_state();
        let merged = VirtualContainers::merge(parts, state, lists);
        let before = core::mem::replace(&mut self.virtuals, merged);
        let addresses = context.backends.each_ref().map(|backend| backend.address().to_string());
        log_copies(&before.copies, &self.virtuals.copies, &addresses);
        log_gone(&before.gone, &self.virtuals.gone, state);
        self.unnamed = true;
    }

    /// Gives serials to virtual containers that may have been added since the last time: the
    /// operator's, or a random one, kept in the log. The operator's lists of serials are proposed
    /// first, so that all fronts merge alike: the lists of the front that leads apply, and beside
    /// them those that other fronts have left in the log.
    pub(in crate::front) fn name_containers(&mut self, context: &mut Context<'_>) {
        if !core::mem::take(&mut self.unnamed) {
            return;
        }
        let lists = |(id, _): &&(ContainerId, _)| matches!(id, ContainerId::Serials(_));
        let listed = context.config.virtuals.iter().filter(lists).map(|(id, _)| *id);
        for container in listed.collect::<Vec<ContainerId>>() {
            name_container(container, context);
        }
        self.merge_parts(context);
        let there: Vec<ContainerId> = self.virtuals.containers.keys().copied().collect();
        for container in there {
            name_container(container, context);
        }
        self.merge_parts(context);
        self.unnamed = false;
    }

    /// Has new containers named when this front next serves.
    pub(in crate::front) fn name_anew(&mut self) {
        self.unnamed = true;
    }
}

fn name_container(container: ContainerId, context: &mut Context<'_>) {
    let chosen = context.config.virtuals.iter().find(|(id, _)| *id == container);
    let chosen = chosen.and_then(|(_, serial)| *serial);
    let state = context.log.speculative_state();
    let kept = state.virtual_serial(&container);
    if kept.is_some() && (chosen.is_none() || chosen == kept) {
        return;
    }
    let serial = chosen.or_else(|| state.serial_before(&container));
    let serial = serial.unwrap_or_else(|| context.random.between(10_000_000, 99_999_999));
    tracing::info!(
        target: "tmr_core::front::backends",
        %container, serial, "a virtual container has its serial"
    );
    context.log.propose(Entry::Configure(Setting::Virtual { container, serial }));
}

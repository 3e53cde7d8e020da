//! What keeps a front from leading although it should, and whether a claim could lead anywhere.
//!
//! What never lives here: whose word counts ([`membership`](crate::front::replication::membership)), and
//! what an operator can do about a loss (that is `loss`).

use super::phase::Phase;
use super::{Context, Leadership, View};
use crate::base::time::Mono;
use crate::front::replication::membership::is_unborn;
use crate::io::Intent;
use crate::log::Slot;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What was found to stand against leading.
#[derive(Clone, Debug, Default)]
pub(super) struct Obstacles {
    /// Fewer than two of the backends that were last read are members.
    pub(super) unproved: bool,
    /// The last slot that is known to be chosen, and the last one that could be read.
    pub(super) shortfall: Option<(Slot, Slot)>,
    /// A backend knows more to be chosen than this front led with; in words.
    pub(super) contradiction: Option<String>,
    /// What was last logged to keep this front from leading.
    pub(super) logged: Option<String>,
}

impl Leadership {
    /// A claim could lead somewhere: two backends remember one group, or three are there and a
    /// group can be born. To ask fewer for a promise could only take the lead from another front,
    /// maybe of another group.
    pub(in crate::front) fn could_claim(&self, view: View<'_>) -> bool {
        if self.obstacles.contradiction.is_some() {
            return false;
        }
        if view.config.unfenced {
            return view.replication.could_serve();
        }
        let groups = || view.replication.counted().filter_map(|(_, standing)| standing.group);
        let two = groups().any(|group| groups().filter(|other| *other == group).count() >= 2);
        two || view.replication.are_all_unborn()
            && !view.replication.seems_emptied(&self.surroundings(view))
    }

    /// What keeps this front from leading although it should, in words for people; `None`: nothing
    /// that it knows of.
    pub(in crate::front) fn obstacle(&self, view: View<'_>) -> Option<String> {
        if let Some(contradiction) = &self.obstacles.contradiction {
            return Some(contradiction.clone());
        }
        let strangers = view.replication.strangers(&self.surroundings(view));
        if strangers.len() >= 2 {
            let named = |&index: &usize| format!("{}", view.replication.backend(index).address);
            let named: Vec<String> = strangers.iter().map(named).collect();
            return Some(format!(
                "the group's memory is lost: the disks of {} are not those that it was on; put the old \
                 ones back, or run tmrd recover",
                named.join(" and ")
            ));
        }
        let leads = matches!(self.phase, Phase::Leading { .. });
        if let Some((known, last)) = self.obstacles.shortfall.filter(|_| !leads) {
            return Some(format!(
                "slots up to {known} are known to be chosen, and the backends that are here end at \
                 {last}: a disk went back in time while another one was away; start the backend that \
                 is missing, or run tmrd recover"
            ));
        }
        let counted = view.replication.counted().count();
        let unborn = view.replication.counted().all(|(_, standing)| is_unborn(&standing));
        // Of backends that are all away nothing is known.
        if (1..3).contains(&counted)
            && unborn
            && !view.replication.remembers(&self.surroundings(view))
            && !view.config.unfenced
        {
            let missing = view.replication.missing();
            return Some(format!("a new group needs all three backends once; missing: {missing}"));
        }
        if self.role.is_to_lead() && !leads && !view.replication.could_serve() {
            return Some(format!(
                "fewer than two backends count; missing: {}",
                view.replication.missing()
            ));
        }
        // Who claims is told soon how the others stand.
        let waits = matches!(self.phase, Phase::Pausing { .. }) && !view.config.unfenced;
        if self.role.is_to_lead()
            && waits
            && view.replication.remembers(&self.surroundings(view))
            && !view.replication.has_two_members(&self.surroundings(view))
        {
            let missing = view.replication.not_counted(&self.surroundings(view));
            return Some(format!("fewer than two members of the group count; missing: {missing}"));
        }
        None
    }

    /// Says in the log what keeps this front from leading, once for each thing that does.
    pub(in crate::front) fn log_obstacle(&mut self, ctx: &Context<'_>) {
        if !self.role.is_to_lead() {
            return;
        }
        let obstacle = self.obstacle(ctx.view());
        // Who is missing, and why, changes with every attempt to reach them.
        let kind = |text: &String| text.split(';').next().map(String::from);
        if obstacle.as_ref().and_then(kind) == self.obstacles.logged.as_ref().and_then(kind) {
            return;
        }
        match &obstacle {
            Some(text) if self.is_memory_lost(ctx.view()) => {
                tracing::error!(
                    target: "tmr_core::front::members",
                    "this front cannot lead: {text}"
                );
            }
            Some(text) => tracing::warn!(
                target: "tmr_core::front::members",
                "this front cannot lead yet: {text}"
            ),
            None => tracing::info!(
                target: "tmr_core::front::members",
                "nothing keeps this front from leading any more"
            ),
        }
        self.obstacles.logged = obstacle;
    }

    /// Nobody leads before an operator has done something about it.
    fn is_memory_lost(&self, view: View<'_>) -> bool {
        self.obstacles.contradiction.is_some()
            || self.obstacles.shortfall.is_some()
            || view.replication.strangers(&self.surroundings(view)).len() >= 2
    }

    /// A backend contradicts this front, as [`contradicts`](Self::contradicts) says: nobody is served
    /// any more, until an operator has said which memory counts.
    pub(in crate::front) fn contradicted(
        &mut self,
        now: Mono,
        index: usize,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let backend = ctx.replication.backend(index);
        let text = format!(
            "{} knows slots up to {} to be chosen, and the other backends, which led on, end at {}: \
             their disks went back in time; run tmrd recover",
            backend.address,
            backend.known_chosen(),
            ctx.replication.log().last()
        );
        self.obstacles.contradiction = Some(text);
        self.step_back(ctx, out);
        self.phase = Phase::Pausing { until: now };
        self.log_obstacle(ctx);
    }
}

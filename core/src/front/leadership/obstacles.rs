//! What keeps a front from leading although it should, and whether a claim could succeed.
//!
//! What never lives here: which backends count as members
//! ([`membership`](crate::front::replication::membership)), and what an operator can do about a
//! loss (that is `recovery_plan`).

use super::phase::Phase;
use super::{Context, Leadership, View};
use crate::base::time::Mono;
use crate::front::BackendId;
use crate::front::replication::membership::is_unborn;
use crate::io::Intent;
use crate::log::Slot;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What was found to keep this front from leading.
#[derive(Clone, Debug, Default)]
pub(super) struct Obstacles {
    /// Fewer than two of the backends that were last read are members.
    pub(super) unproved: bool,
    /// The last slot that is known to be chosen, and the last one that could be read.
    pub(super) shortfall: Option<(Slot, Slot)>,
    /// A backend knows slots to be chosen that this front did not lead with; as a text for people.
    pub(super) contradiction: Option<String>,
    /// The obstacle that was last logged.
    pub(super) logged: Option<String>,
}

impl Leadership {
    /// Whether a claim could succeed: two backends remember one group, or three are connected and a
    /// group can be born. With fewer promises a claim could only take the lead from another front,
    /// perhaps of another group.
    pub(in crate::front) fn could_claim(&self, view: View<'_>) -> bool {
        if self.obstacles.contradiction.is_some() {
            return false;
        }
        if !view.config.backend_kind().keeps_log() {
            return view.replication.could_serve();
        }
        let groups = || view.replication.counted().filter_map(|(_, standing)| standing.group);
        let two = groups().any(|group| groups().filter(|other| *other == group).count() >= 2);
        two || view.replication.are_all_unborn()
            && !view.replication.seems_emptied(&self.surroundings(view))
    }

    /// Returns what keeps this front from leading although it should, as a text for people; `None`
    /// if nothing is known to.
    pub(in crate::front) fn obstacle(&self, view: View<'_>) -> Option<String> {
        if let Some(contradiction) = &self.obstacles.contradiction {
            return Some(contradiction.clone());
        }
        let strangers = view.replication.strangers(&self.surroundings(view));
        if strangers.len() >= 2 {
            let named = |&id: &BackendId| format!("{}", view.replication.backend(id).address());
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
        // If no backend is connected, nothing is known of any of them.
        if (1..3).contains(&counted)
            && unborn
            && !view.replication.remembers(&self.surroundings(view))
            && view.config.backend_kind().keeps_log()
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
        // A front that claims learns soon how the other backends stand.
        let waits =
            matches!(self.phase, Phase::Pausing { .. }) && view.config.backend_kind().keeps_log();
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

    /// Logs what keeps this front from leading, once for each obstacle.
    pub(in crate::front) fn log_obstacle(&mut self, ctx: &Context<'_>) {
        if !self.role.is_to_lead() {
            return;
        }
        let obstacle = self.obstacle(ctx.view());
        // Which backends are missing, and why, changes with every attempt to connect.
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

    /// Whether no front can lead before an operator has acted.
    fn is_memory_lost(&self, view: View<'_>) -> bool {
        self.obstacles.contradiction.is_some()
            || self.obstacles.shortfall.is_some()
            || view.replication.strangers(&self.surroundings(view)).len() >= 2
    }

    /// Stops serving because a backend contradicts this front (see
    /// [`contradicts`](crate::front::replication::Replication::contradicts)), until an operator has
    /// decided which memory counts.
    pub(in crate::front) fn contradicted(
        &mut self,
        now: Mono,
        id: BackendId,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let backend = ctx.replication.backend(id);
        let text = format!(
            "{} knows slots up to {} to be chosen, and the other backends, which led on, end at {}: \
             their disks went back in time; run tmrd recover",
            backend.address(),
            backend.known_chosen(),
            ctx.replication.log().last()
        );
        self.obstacles.contradiction = Some(text);
        self.step_back(ctx, out);
        self.phase = Phase::Pausing { until: now };
        self.log_obstacle(ctx);
    }
}

//! What is left of a group's memory that two backends do not hold any more, and what may be lost
//! with the rest: the plan that an operator sees before `recover` carries it out.

use super::{Leadership, View};
use crate::base::time::Mono;
use crate::front::BackendId;
use crate::front::replication::eligibility::Exclusion;
use crate::front::replication::membership::{is_blank, is_unborn};
use crate::history::Since;
use crate::log::{Epoch, GroupId, Slot};
use crate::messages::group::Standing;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Which copy replaces the lost ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) enum Source {
    /// The copy of a backend.
    Backend(BackendId),
    /// The copy that this front has in memory.
    Front,
    /// There is no copy: the group begins without any handles.
    Nothing,
}

/// What a recovery would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::front) struct Plan {
    /// Why a recovery is needed.
    pub(in crate::front) reason: String,
    /// The group whose memory is recovered; `None` if no group is remembered.
    pub(in crate::front) group: Option<GroupId>,
    pub(in crate::front) source: Source,
    /// The source has everything that was chosen up to this slot.
    pub(in crate::front) slot: Slot,
    /// The last slot that is known to have been chosen.
    pub(in crate::front) known: Slot,
    /// The backends that begin anew.
    pub(in crate::front) takes_part: Vec<BackendId>,
    /// Copies of the log contradict each other: only the source is used.
    pub(in crate::front) contradicts: bool,
}

/// A remembered group, ordered by its claim to be the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claimant {
    promised: Epoch,
    committed: Slot,
    group: GroupId,
}

impl Leadership {
    /// Returns what a recovery would do.
    ///
    /// # Errors
    /// Why no recovery is possible or needed here, in a sentence for people.
    pub(in crate::front) fn plan(&self, now: Mono, view: View<'_>) -> Result<Plan, String> {
        if !view.config.backend_kind().keeps_log() {
            return Err("the backends are stock servers: there is no group to recover".into());
        }
        if self.recovery.is_busy() {
            return Err("it is being done already".into());
        }
        if self.serves(now, view) {
            return Err("this front leads and serves: nothing is lost".into());
        }
        if view.replication.another_serves(&self.surroundings(view)) {
            return Err(
                "another front leads, a backend says: nothing is lost; see tmrd status there"
                    .into(),
            );
        }
        let reason = self.loss(view).ok_or("no memory of the group is known to be lost")?;
        let here: Vec<BackendId> =
            BackendId::all().filter(|&id| self.can_take_part(id, view)).collect();
        if here.len() < 2 {
            return Err(format!(
                "two backends must be reached, each under one address; missing: {}",
                view.replication.missing()
            ));
        }
        let group = self.group_to_recover(&here, view);
        let own = |&id: &BackendId| {
            let standing = view.replication.backend(id).standing();
            standing.is_some_and(|own| is_blank(own) || own.group == group)
        };
        let mut takes_part: Vec<BackendId> = here.iter().copied().filter(own).collect();
        if takes_part.len() < 2 {
            // A recovery that was only half done is repeated; the plan names disks of another
            // group.
            takes_part = here;
        }
        let log = group
            .filter(|_| view.replication.log().group() == group)
            .map(|_| view.replication.log().committed());
        let disks = takes_part.iter().filter_map(|&id| {
            let standing = view.replication.backend(id).standing()?;
            (standing.group == group && !is_blank(standing)).then_some((standing.committed, id))
        });
        let best = disks.max_by_key(|&(slot, id)| (slot, core::cmp::Reverse(id)));
        let (source, slot) = match (best, log) {
            (Some((slot, _)), Some(own)) if own >= slot && own > Slot(0) => (Source::Front, own),
            (Some((slot, id)), _) => (Source::Backend(id), slot),
            (None, Some(own)) if own > Slot(0) => (Source::Front, own),
            (None, _) => (Source::Nothing, Slot(0)),
        };
        let known = takes_part.iter().filter_map(|&id| {
            let of_group =
                view.replication.backend(id).standing().is_some_and(|own| own.group == group);
            of_group.then(|| view.replication.backend(id).known_chosen())
        });
        let known = known.chain([self.known_of(group, view)]).max().unwrap_or_default().max(slot);
        let contradicts = self.obstacles.contradiction.is_some();
        Ok(Plan { reason, group, source, slot, known, takes_part, contradicts })
    }

    /// Returns the plan as it is shown to an operator.
    ///
    /// # Errors
    /// Those of [`plan`](Self::plan).
    pub(in crate::front) fn plan_shown(&self, now: Mono, view: View<'_>) -> Result<Value, String> {
        let plan = self.plan(now, view)?;
        let backends: Vec<Value> =
            BackendId::all().map(|id| self.backend_shown(&plan, id, view)).collect();
        let log = view.replication.log();
        let since = plan
            .group
            .map(|group| view.usage.history().since(group, plan.slot))
            .unwrap_or_default();
        let mut shown = json!({
            "reason": plan.reason,
            "source": self.name_source(&plan, view),
            "slot": plan.slot.0,
            "known": plan.known.0,
            "group": plan.group.map(|group| group.to_string()),
            "front": {
                "group": log.group().map(|group| group.to_string()),
                "slot": log.committed().0,
                "handles": log.committed_state().seat_count(),
            },
            "backends": backends,
            "lost": self.lost(&plan, &since, view),
        });
        let digest = Sha256::digest(shown.to_string().as_bytes());
        let token: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        shown["token"] = token.into();
        Ok(shown)
    }

    /// Returns what is wrong with the group's memory, if it is known to be lost: fewer than two
    /// members of the group count, although the backends are connected.
    fn loss(&self, view: View<'_>) -> Option<String> {
        if self.obstacles.contradiction.is_some()
            || view.replication.strangers(&self.surroundings(view)).len() >= 2
        {
            return self.obstacle(view);
        }
        if self.obstacles.shortfall.is_some() {
            return self.obstacle(view);
        }
        let somebody = view.replication.remembers(&self.surroundings(view))
            || view
                .replication
                .counted()
                .any(|(_, standing)| standing.group.is_some() && !is_unborn(&standing));
        if !somebody
            || view.replication.has_two_members(&self.surroundings(view))
                && !self.obstacles.unproved
        {
            return None;
        }
        Some(format!(
            "fewer than two members of the group count; not counted: {}",
            view.replication.not_counted(&self.surroundings(view))
        ))
    }

    /// Whether the backend is connected, knows the order, and is not a second address of another
    /// one.
    pub(super) fn can_take_part(&self, id: BackendId, view: View<'_>) -> bool {
        let backend = view.replication.backend(id);
        let twice = matches!(backend.exclusion(), Some(Exclusion::Doubled(_)));
        backend.known().is_some() && backend.minor() >= 1 && !twice
    }

    /// Returns the group whose memory is recovered: the one whose log this front has; otherwise, of
    /// those that backends remember, the one that promised last.
    fn group_to_recover(&self, here: &[BackendId], view: View<'_>) -> Option<GroupId> {
        let claimant = |&id: &BackendId| {
            let standing = view.replication.backend(id).standing().filter(|own| !is_blank(own))?;
            let Standing { promised, committed, group, .. } = *standing;
            Some(Claimant { promised, committed, group: group? })
        };
        let own =
            view.replication.log().group().filter(|_| view.replication.log().committed() > Slot(0));
        own.or_else(|| here.iter().filter_map(claimant).max().map(|claimant| claimant.group))
    }

    /// Returns the last slot of a group that this front knows to have been chosen.
    fn known_of(&self, group: Option<GroupId>, view: View<'_>) -> Slot {
        let Some(group) = group else { return Slot(0) };
        let told = view.usage.told_of(group);
        if view.replication.log().group() == Some(group) {
            told.max(view.replication.known_chosen(&self.surroundings(view)))
        } else {
            told
        }
    }

    fn backend_shown(&self, plan: &Plan, id: BackendId, view: View<'_>) -> Value {
        let backend = view.replication.backend(id);
        let standing = backend.standing();
        let takes_part = plan.takes_part.contains(&id);
        let text = match standing {
            None => format!(
                "cannot be reached ({}): if its state folder still exists, start it instead, for it may \
                 be all that is needed",
                backend.trouble().unwrap_or("not connected yet")
            ),
            Some(_) if plan.source == Source::Backend(id) => {
                "its copy is the best one and counts; its journal is kept as journal.old".into()
            }
            Some(own) if takes_part && is_blank(own) => {
                "its state folder is empty: it takes the copy that counts".into()
            }
            Some(own) if takes_part => format!(
                "its copy ends at slot {}: it takes the one that counts, and its own journal is kept \
                 as journal.old",
                own.last
            ),
            Some(_) => match backend.trouble() {
                Some(trouble) => format!("is left alone: {trouble}"),
                None => "is left alone".into(),
            },
        };
        json!({
            "address": backend.address().to_string(),
            "disk": standing.map(|own| own.disk.to_string()),
            "group": standing.and_then(|own| own.group).map(|group| group.to_string()),
            "committed": standing.map(|own| own.committed.0),
            "last": standing.map(|own| own.last.0),
            "begins_anew": takes_part,
            "text": text,
        })
    }

    /// Describes what may be lost: numbers where they are known, and the consequences in sentences.
    fn lost(&self, plan: &Plan, since: &Since, view: View<'_>) -> Value {
        let (slot, known) = (plan.slot, plan.known);
        let mut text: Vec<String> = Vec::new();
        if plan.source == Source::Nothing {
            text.push(
                "nobody remembers who holds what: every seat is free afterwards, units and usage \
                 periods begin anew, and every client has to ask for its licence again"
                    .into(),
            );
        } else if known > slot {
            text.push(format!("slots {} to {known} were chosen and are lost", slot.next()));
        } else {
            text.push(format!("no slot behind {slot} is known to have been chosen"));
        }
        if let Some(first) = since.first {
            text.push(format!(
                "this front has recorded since {first}: {} seats taken and {} given back; whoever took \
                 one since has to ask again, and a seat that was given back is taken until the clean-up \
                 time of its client is over",
                since.taken, since.ended
            ));
        } else if let Some(before) = since.before {
            text.push(format!("the copy has everything that this front recorded, up to {before}"));
        }
        if plan.source != Source::Nothing {
            text.push(
                "what was decided later and is recorded nowhere cannot be known: a seat of that time \
                 may be granted a second time while its holder still runs, and units taken then are \
                 there again"
                    .into(),
            );
        }
        if view.twin.is_some() {
            text.push(
                "what the other front remembers is not looked at: run tmrd recover there as well, and \
                 confirm it where the slot is higher"
                    .into(),
            );
        }
        let slots = (known > slot || plan.source == Source::Nothing)
            .then(|| json!({ "from": slot.0 + 1, "to": known.0 }));
        json!({
            "slots": slots,
            "seats": since.first.map(|_| since.taken),
            "given_back": since.first.map(|_| since.ended),
            "since": since.first.or(since.before).map(|time| time.to_string()),
            "text": text,
        })
    }
}

//! The verdict on the licences of a group: parts, dates, units, seats and refused accesses.

use super::front::{count, until};
use super::{Facts, Found};
use crate::base::limits::LICENCE_ENDS_SOON;
use crate::base::time::Wall;
use crate::status::{
    BackendState, BackendStatus, Difference, FrontStatus, LicenceState, LicenceStatus, Severity,
};
use alloc::format;
use alloc::string::String;

/// Returns the state of a licence. `members`: two members of the group are there; `now`: the date
/// of the group.
#[must_use]
pub fn licence_state(licence: &LicenceStatus, members: bool, now: Wall) -> LicenceState {
    if licence.matching < 2 {
        LicenceState::TooFewParts
    } else if !members {
        LicenceState::TooFewBackends
    } else if licence.expired {
        LicenceState::Expired
    } else if licence.activates.is_some_and(|start| now < start) {
        LicenceState::NotActiveYet
    } else if licence.units_left == Some(0) {
        LicenceState::NoUnits
    } else if is_full(licence) {
        LicenceState::AllInUse
    } else if licence.matching < 3 {
        LicenceState::TwoParts
    } else {
        LicenceState::Served
    }
}

fn is_full(licence: &LicenceStatus) -> bool {
    licence.quantity > 0 && licence.used.saturating_add(licence.gone) >= licence.quantity
}

pub(super) fn judge(facts: &Facts<'_>, found: &mut Found) {
    let status = facts.status;
    let there = status.backends.iter().filter(|one| super::front::counts(one.state));
    if status.licenses.is_empty() && there.count() >= 2 {
        let text = "No licence is there: every access is refused.".into();
        let todo = "Put each backend's own licence file where its --license says.";
        found.on("front").red("no-licence", text, todo);
    }
    for licence in &status.licenses {
        parts(status, licence, found);
        dates(facts, licence, found);
        units(licence, found);
        seats(facts, licence, found);
    }
    for copy in &status.copies {
        let text = format!("A licence file was copied: {}.", copy.trouble);
        let todo = "Put the file there that was issued for that backend.";
        found.on("front").red("part-copied", text, todo);
    }
    for gone in &status.gone {
        let todo = "Take the handles back, or wait until their programs end.";
        found.on("front").yellow("licence-gone", format!("{}.", gone.trouble), todo);
    }
    for stray in &status.strays {
        let text = format!("Container {} at {}: {}.", stray.serial, stray.backend, stray.trouble);
        let todo = "Name it in VirtualContainers, with the two that it belongs to.";
        found.on(&stray.backend).yellow("container-stray", text, todo);
    }
    for stranger in &status.strangers {
        let todo = "See which program runs at that address; it is slowed down, and nobody else is.";
        found.on("front").yellow("stranger", format!("{}.", stranger.trouble), todo);
    }
}

fn name(licence: &LicenceStatus) -> String {
    format!("{}:{}", licence.firm_code, licence.product_code)
}

fn about(licence: &LicenceStatus) -> String {
    format!("{}:{}", name(licence), licence.tmr_id)
}

/// Returns how many parts of any licence are missing for a reason that has a line of its own: their
/// backends are down or left out, or hold another backend's file.
fn parts_out(status: &FrontStatus) -> usize {
    let is_out = |one: &&BackendStatus| one.state == BackendState::Down || one.trouble.is_some();
    let down = status.backends.iter().filter(is_out).count();
    let copied = status.copies.iter().map(|copy| copy.backends.len().saturating_sub(1));
    down + copied.sum::<usize>()
}

fn parts(status: &FrontStatus, licence: &LicenceStatus, found: &mut Found) {
    let missing = 3_usize.saturating_sub(licence.matching as usize);
    if licence.differs.is_empty() && missing <= parts_out(status) {
        return;
    }
    let name = name(licence);
    let differs: String = licence
        .differs
        .iter()
        .map(|Difference { backend, field, value, expected }| match value.starts_with("missing") {
            true => format!(" It is {value}, at {backend}."),
            false => format!(" At {backend}, {field} is {value}; the others have {expected}."),
        })
        .collect();
    let about = about(licence);
    if licence.matching < 2 {
        let agree = count(licence.matching.into(), "part agrees", "parts agree");
        let text = format!("Licence {name} cannot be used: only {agree}, and two must.{differs}");
        let todo = "Give each backend its own part of one issue, and start those that are down.";
        found.on(&about).red("licence-parts", text, todo);
    } else if licence.matching < 3 {
        let text = format!("Licence {name} has 2 of 3 parts.{differs}");
        let todo =
            "Give that backend its own part of this issue; tmrd issue --only N makes it again.";
        found.on(&about).yellow("licence-two-parts", text, todo);
    }
}

fn dates(facts: &Facts<'_>, licence: &LicenceStatus, found: &mut Found) {
    let (name, about) = (name(licence), about(licence));
    if let Some(start) = licence.activates.filter(|start| facts.now < *start) {
        let text = format!("Licence {name} is not active before {start}: every access is refused.");
        found.on(&about).info(
            "licence-not-active",
            text,
            "Wait, or ask the vendor if that is wrong.",
        );
    }
    let Some(end) = licence.expires else { return };
    let todo = "Ask the vendor for its parts anew; a backend takes the files without a restart.";
    if licence.expired {
        let text = format!("Licence {name} has expired on {end}: every access is refused.");
        return found.on(&about).red("licence-expired", text, todo);
    }
    let left = end.0.saturating_sub(facts.now.0);
    if left < LICENCE_ENDS_SOON.as_secs() {
        let text = format!("Licence {name} ends in {}, on {end}.", until(left));
        found.on(&about).yellow("licence-ends", text, todo);
    }
}

fn units(licence: &LicenceStatus, found: &mut Found) {
    let Some(left) = licence.units_left else { return };
    let (name, about) = (name(licence), about(licence));
    let todo = "Ask the vendor for its parts anew, with more units.";
    if left == 0 {
        let text = format!("Licence {name} has no units left: calls that take some are refused.");
        found.on(&about).red("units-used-up", text, todo);
    } else if licence.units.is_some_and(|issued| left <= issued / 10) {
        let issued = licence.units.unwrap_or_default();
        let text = format!("Licence {name} has {left} of {issued} units left.");
        found.on(&about).yellow("units-nearly-used", text, todo);
    }
}

fn seats(facts: &Facts<'_>, licence: &LicenceStatus, found: &mut Found) {
    let this = (licence.firm_code, licence.product_code, licence.tmr_id);
    let denied = facts.denied.iter().find(|denied| denied.licence == this);
    let name = name(licence);
    let spans = denied.map_or([0; 3], |denied| [denied.recent, denied.hour, denied.day]);
    let [recent, hour, _] = spans;
    let refused = |from: usize| {
        let mut told = spans.into_iter().zip(["five minutes", "hour", "day"]).skip(from);
        told.find(|(count, _)| *count > 0).map_or_else(String::new, |(refused, span)| {
            let requests = count(refused, "request was", "requests were");
            format!(" {requests} refused in the last {span}.")
        })
    };
    let todo = "See in tmrd status who holds them; take back what is left over, or buy seats.";
    let about = about(licence);
    if is_full(licence) {
        let used = licence.used.saturating_add(licence.gone);
        let quantity = licence.quantity;
        let text = format!("All seats of {name} are in use, {used} of {quantity}.{}", refused(1));
        found.on(&about).yellow("seats-used-up", text, todo);
    } else if hour > 0 {
        let text = format!("Licence {name}:{}", refused(0));
        let todo = "See the reasons under Events, or in the log.";
        let severity = if recent > 0 { Severity::Yellow } else { Severity::Info };
        found.on(&about).add(severity, "requests-denied", text, todo);
    }
}

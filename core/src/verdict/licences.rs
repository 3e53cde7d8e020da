//! What is wrong with the licences of a group: parts, dates, units, seats and refused accesses.

use super::front::count;
use super::{Facts, Found};
use crate::admin::status::LicenceStatus;
use crate::limits::LICENCE_ENDS_SOON;
use alloc::format;
use alloc::string::String;

pub(super) fn judge(facts: &Facts<'_>, found: &mut Found) {
    let status = facts.status;
    let there = status.backends.iter().filter(|one| super::front::counts(one.state));
    if status.licenses.is_empty() && there.count() >= 2 {
        let text = "No licence is there: every access is refused.".into();
        let todo = "Put each backend's own licence file where its --license says.";
        found.red("no-licence", text, todo);
    }
    for licence in &status.licenses {
        parts(licence, found);
        dates(facts, licence, found);
        if licence.units_left == Some(0) {
            let text = format!("Licence {} has no units left.", name(licence));
            found.red("units-used-up", text, "Ask the vendor for its parts anew, with more units.");
        }
        seats(facts, licence, found);
    }
    for copy in &status.copies {
        let text = format!("A licence file was copied: {}.", copy.trouble);
        found.red("part-copied", text, "Put the file there that was issued for that backend.");
    }
    for gone in &status.gone {
        let todo = "Take the handles back, or wait until their programs end.";
        found.yellow("licence-gone", format!("{}.", gone.trouble), todo);
    }
    for stray in &status.strays {
        let text = format!("Container {} at {}: {}.", stray.serial, stray.backend, stray.trouble);
        let todo = "Name it in VirtualContainers, with the two that it belongs to.";
        found.yellow("container-stray", text, todo);
    }
    for stranger in &status.strangers {
        let todo = "See which program runs at that address; it is slowed down, and nobody else is.";
        found.yellow("stranger", format!("{}.", stranger.trouble), todo);
    }
}

fn name(licence: &LicenceStatus) -> String {
    format!("{}:{}", licence.firm_code, licence.product_code)
}

fn parts(licence: &LicenceStatus, found: &mut Found) {
    let name = name(licence);
    let differs: String = licence
        .differs
        .iter()
        .map(|one| {
            format!(
                " At {}, {} is {}; the others have {}.",
                one.backend, one.field, one.value, one.expected
            )
        })
        .collect();
    if licence.matching < 2 {
        let agree = count(licence.matching.into(), "part agrees", "parts agree");
        let text = format!("Licence {name} cannot be used: only {agree}, and two must.{differs}");
        let todo =
            "Start the backends that are down, or give each backend its own part of one issue.";
        found.red("licence-parts", text, todo);
    } else if licence.matching < 3 {
        let text = format!("Licence {name} has 2 of 3 parts.{differs}");
        let todo = "Start the backend that is down, or give it its own part of this issue.";
        found.yellow("licence-two-parts", text, todo);
    }
}

fn dates(facts: &Facts<'_>, licence: &LicenceStatus, found: &mut Found) {
    let Some(end) = licence.expires else { return };
    let todo = "Ask the vendor for its parts anew; a backend takes the files without a restart.";
    if licence.expired {
        let text = format!("Licence {} has expired on {end}.", name(licence));
        return found.red("licence-expired", text, todo);
    }
    let left = end.0.saturating_sub(facts.now.0);
    if left < LICENCE_ENDS_SOON.as_secs() {
        let days = count(left / 86_400, "day", "days");
        let text = format!("Licence {} ends in {days}, on {end}.", name(licence));
        found.yellow("licence-ends", text, todo);
    }
}

fn seats(facts: &Facts<'_>, licence: &LicenceStatus, found: &mut Found) {
    let this = (licence.firm_code, licence.product_code, licence.tmr_id);
    let denied = facts.denied.iter().find(|denied| denied.licence == this);
    let (hour, day) = denied.map_or((0, 0), |denied| (denied.hour, denied.day));
    let name = name(licence);
    let refused = match (hour, day) {
        (0, 0) => String::new(),
        (0, day) => {
            format!(" {} refused in the last day.", count(day, "request was", "requests were"))
        }
        (hour, _) => {
            format!(" {} refused in the last hour.", count(hour, "request was", "requests were"))
        }
    };
    let todo = "See in tmrd status who holds them; take back what is left over, or buy seats.";
    if licence.quantity > 0 && licence.used.saturating_add(licence.gone) >= licence.quantity {
        let used = licence.used.saturating_add(licence.gone);
        let quantity = licence.quantity;
        let text = format!("All seats of {name} are in use, {used} of {quantity}.{refused}");
        found.yellow("seats-used-up", text, todo);
    } else if hour > 0 {
        let text = format!("Licence {name}:{refused}");
        found.yellow("requests-denied", text, "See the reasons under Events, or in the log.");
    }
}

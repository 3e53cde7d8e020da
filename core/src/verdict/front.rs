//! The verdict on a front, its backends, its twin, the virtual address, clocks and certificate.

use super::{Facts, Found, Severity, places};
use crate::base::limits::{CERTIFICATE_ENDS_SOON, DISK_SLOW, HANDLES_MAX, TOKEN_ENDS_SOON};
use crate::status::{
    AddressStatus, BackendState, BackendStatus, ClockStatus, ClockVerdict, CouldTake, FrontStatus,
    Role, Twin,
};
use alloc::format;
use alloc::string::String;

pub(super) fn judge(facts: &Facts<'_>, found: &mut Found) {
    let front = facts.status;
    leading(facts, found);
    backends(front, found);
    places::of_backends(front, found);
    if let Some(twin) = &front.twin {
        other_front(facts, twin, found);
    }
    address(facts, found);
    if front.role == Role::Active && front.virtual_ip == Some(false) {
        let text = "This front leads, but the virtual address is not on this machine.".into();
        let todo =
            "See keepalived on both machines; tmrd doctor says why a machine does not get it.";
        found.on("front").yellow("address-elsewhere", text, todo);
    }
    if !front.fenced {
        let text = "The backends are stock servers, which cannot promise: no seat is protected \
                    against two leaders.";
        let todo = "See that one front at a time runs, or use backends of tmrd.";
        found.on("front").yellow("unfenced", text.into(), todo);
    }
    front.clocks.iter().for_each(|clock| one_clock(clock, found));
    if let Some(trouble) = &front.failover_trouble {
        let text = format!("The last planned failover: {trouble}.");
        let todo = "Do what it says, then run tmrd failover again.";
        found.on("front").yellow("failover", text, todo);
    }
    certificate(facts, found);
    tokens(facts, found);
    fill(facts, found);
    if let Some(since) = facts.history_gap {
        let text = format!(
            "The usage history of this front has a gap, found on {since}: what happened meanwhile \
             nobody has told it."
        );
        let todo = "Nothing, or give tmrd report the history folders of both fronts.";
        found.on("front").info("history-gap", text, todo);
    }
}

/// Adds the machines that could not take the virtual address. If this front could not serve either,
/// that is the trouble, and mostly the same backends are missing at both.
fn address(facts: &Facts<'_>, found: &mut Found) {
    let (front, Ok(())) = (facts.status, &facts.ready) else { return };
    let Some(AddressStatus { this, other }) = &front.address else { return };
    let reason = |of: &CouldTake| of.reason.clone().filter(|_| of.could_take == Some(false));
    if let Some(reason) = reason(this) {
        let text = format!("This machine could not take the virtual address: {reason}.");
        let todo = "Start keepalived here, or mend what the sentence names; tmrd doctor says more.";
        found.on("front").yellow("address-not-here", text, todo);
    }
    let starting = front.twin.as_ref().is_some_and(|twin| twin.starting);
    if let Some(reason) = reason(other).filter(|_| !starting) {
        let mut text = format!("The other machine could not take the virtual address: {reason}.");
        if front.virtual_ip == Some(true) {
            text += " If this machine fails, clients have no server.";
        }
        let todo = "Start keepalived there, or mend what the sentence names; tmrd doctor on that \
                    machine says more.";
        found.on("twin").yellow("address-not-there", text, todo);
    }
}

/// Adds bounds that are nearly reached: handles and connections.
fn fill(facts: &Facts<'_>, found: &mut Found) {
    let handles = facts.status.handles;
    if handles >= HANDLES_MAX as u64 / 10 * 9 {
        let text = format!("{handles} of {HANDLES_MAX} handles are held.");
        let todo = "See in tmrd status who holds them, and take back what is left over.";
        found.on("front").yellow("handles-nearly-full", text, todo);
    }
    let (links, most) = facts.links;
    if most > 0 && links >= most.div_ceil(10) * 9 {
        let text = format!("{links} of {most} connections of clients are taken.");
        let todo =
            "See in tmrd status which clients have many; raise LimitNOFILE if it is below 16640.";
        found.on("front").yellow("links-nearly-full", text, todo);
    }
}

/// Returns whether fewer than two backends are there; each of them has a line of its own.
fn too_few(front: &FrontStatus) -> bool {
    front.backends.iter().filter(|one| one.state == BackendState::Down).count() > 1
}

fn leading(facts: &Facts<'_>, found: &mut Found) {
    let front = facts.status;
    if let Some(obstacle) = &front.obstacle {
        let what = match front.role {
            Role::Active => "Clients cannot be served",
            _ => "This front cannot lead",
        };
        let todo = "Do what the sentence says; the manual's runbook has each step.";
        found.on("front").red("cannot-lead", format!("{what}: {obstacle}."), todo);
    } else if too_few(front) {
        // The line of each backend has the cause.
    } else if let Err(reason) = &facts.ready {
        let text = format!("This front cannot serve: {reason}.");
        let todo = "Start the backends that are missing, with their disks.";
        found.on("front").red("not-ready", text, todo);
    } else if front.role == Role::Starting {
        let text = "This front is to lead and does not yet.".into();
        let todo = "Wait: a take-over lasts a second or two; if it lasts, run tmrd doctor.";
        found.on("front").red("starting", text, todo);
    }
}

/// Returns whether the acknowledgements of a backend in this state count.
pub(super) fn counts(state: BackendState) -> bool {
    matches!(state, BackendState::Up | BackendState::Unfenced)
}

fn backends(front: &FrontStatus, found: &mut Found) {
    let out = front.backends.iter().filter(|one| !counts(one.state)).count();
    let severity = if out > 1 { Severity::Red } else { Severity::Yellow };
    let too_few = if too_few(front) { " Two must be there: no client is served." } else { "" };
    // A front that cannot lead repairs no backend, and its obstacle has a line.
    let waits = |one: &&BackendStatus| {
        front.obstacle.is_some() && one.state == BackendState::Repairing && one.trouble.is_none()
    };
    for one in front.backends.iter().filter(|one| !counts(one.state) && !waits(one)) {
        let reason = one.trouble.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let (code, is, todo) = match (one.state, &one.trouble) {
            (BackendState::Down, _) => (
                "backend-down",
                "down",
                "Start that machine and its service, or mend what the sentence names; journalctl -u \
                 tmrd-backend there says why it ended.",
            ),
            (_, Some(_)) => ("backend-left-out", "left out", "Mend what the sentence names."),
            (_, None) => (
                "backend-repairing",
                "being brought up to date",
                "Wait; do not stop another backend meanwhile.",
            ),
        };
        let text = format!("Backend {} is {is}{reason}.{too_few}", one.address);
        found.on(&one.address).add(severity, code, text, todo);
    }
    for one in front.backends.iter().filter(|one| one.disk_slow) {
        let text = format!(
            "Backend {} is slow: most durable writes there take longer than {} ms.",
            one.address,
            DISK_SLOW.as_millis()
        );
        let todo = "See what else writes to its disk, whether it is failing, and the network there; \
                    two slow ones are felt by all.";
        found.on(&one.address).yellow("disk-slow", text, todo);
    }
}

fn other_front(facts: &Facts<'_>, twin: &Twin, found: &mut Found) {
    let front = facts.status;
    let address = &twin.address;
    if !twin.connected {
        let after = match front.role {
            Role::Active => "nobody takes over if this one dies",
            _ => "whether it leads cannot be seen from here",
        };
        let reason = twin.trouble.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let text = format!("The other front, {address}, is not connected{reason}: {after}.");
        let todo = "Start the front there, or mend what the sentence names.";
        found.on("twin").yellow("twin-down", text, todo);
    } else if twin.silent_seconds > 0 {
        let after = match front.role {
            Role::Active => "whether it would take over if this one dies is not known",
            _ => "whether it still works cannot be seen from here",
        };
        let span = count(twin.silent_seconds, "second", "seconds");
        let text = format!("The other front, {address}, has said nothing for {span}: {after}.");
        let todo = "See whether its process is stopped or its machine overloaded, and look at the line \
                    between the fronts.";
        found.on("twin").yellow("twin-silent", text, todo);
    } else if front.role == Role::Standby && twin.role != Some(Role::Active) {
        // A front that cannot serve has a line with the reason.
        if facts.ready.is_ok() {
            let text = "Neither front leads: clients are served by nobody.".into();
            let todo = "See why no machine gets the virtual address (tmrd doctor), or without one: tmrd activate.";
            found.on("front").red("nobody-leads", text, todo);
        }
    } else if front.role == Role::Active && twin.role == Some(Role::Active) {
        let text = "Both fronts say that they lead: one of them is cut off from the backends. No seat \
                    is given twice.";
        let todo = "Mend the network between that front and the backends.";
        found.on("front").red("both-lead", text.into(), todo);
    } else if front.role == Role::Active && twin.behind_seconds > 0 {
        let text = format!(
            "The other front is {} behind, for {}: a takeover would be slower.",
            count(twin.lag, "entry", "entries"),
            count(twin.behind_seconds, "second", "seconds")
        );
        let todo = "Wait; if it lasts, look at the line between the fronts.";
        found.on("twin").yellow("twin-behind", text, todo);
    }
    if let Some(trouble) = twin.trouble.as_ref().filter(|_| twin.connected) {
        let text = format!("The other front: {trouble}.");
        found.on("twin").yellow("twin-trouble", text, "Mend what the sentence names.");
    }
    // Reports of a twin that is gone may be outdated.
    let version = twin.version.as_ref().filter(|_| twin.connected);
    if let Some(other) = version.filter(|other| *other != front.version) {
        let text = format!("The other front runs tmrd {other}, this one {}.", front.version);
        let todo = "Finish the upgrade: the same version on all five machines.";
        found.on("twin").yellow("twin-version", text, todo);
    }
    for differs in twin.differs.iter().filter(|_| twin.connected) {
        let (key, ours, theirs) = (&differs.key, &differs.ours, &differs.theirs);
        let text =
            format!("The fronts are configured apart in {key}: {ours} here, {theirs} there.");
        let todo = "Make it alike in both files, and restart the standby.";
        found.on("twin").yellow("twin-differs", text, todo);
    }
    if let Some(trouble) = &twin.configuration_trouble {
        let text = format!("This front does not follow the other one's configuration: {trouble}.");
        let todo = "Mend what the sentence names, then store it again.";
        found.on("front").yellow("configuration-not-followed", text, todo);
    }
    if front.virtual_ip == Some(true)
        && front.role != Role::Active
        && twin.role == Some(Role::Active)
    {
        let text = "The virtual address is on this machine, and the other front leads: both machines \
                    may have it.";
        let todo =
            "See that keepalived runs on both machines and that they hear each other (VRRP).";
        found.on("front").red("address-wrong-machine", text.into(), todo);
    }
}

fn one_clock(clock: &ClockStatus, found: &mut Found) {
    let Some(offset) = clock.offset_seconds else { return };
    let whose = match &*clock.machine {
        "front" => "this front",
        "twin" => "the other front",
        address => address,
    };
    let off = offset.unsigned_abs();
    let span = match off {
        off if off > 86_400 => count((off + 43_200) / 86_400, "day", "days"),
        off if off > 3_600 => count((off + 1_800) / 3_600, "hour", "hours"),
        off => format!("{off} seconds"),
    };
    let side = if offset < 0 { "behind" } else { "ahead of" };
    let text = format!("The clock of {whose} is {span} {side} the date of the group.");
    let todo = "Run a time service (chrony, systemd-timesyncd) on that machine.";
    match ClockVerdict::of(offset) {
        ClockVerdict::Ok => {}
        ClockVerdict::Off => found.on(&clock.machine).yellow("clock-off", text, todo),
        ClockVerdict::Wrong => found.on(&clock.machine).red("clock-wrong", text, todo),
    }
}

fn certificate(facts: &Facts<'_>, found: &mut Found) {
    let Some(end) = facts.status.certificate_ends else { return };
    let todo = "Put a new one in the place of WebAdmin.CertificateChainFile.";
    if end <= facts.now {
        let text = format!("The certificate of the admin pages has ended on {end}.");
        found.on("machine").red("certificate-ended", text, todo);
    } else if end.0 - facts.now.0 < CERTIFICATE_ENDS_SOON.as_secs() {
        let text = format!("The certificate of the admin pages ends on {end}.");
        found.on("machine").yellow("certificate-ends", text, todo);
    }
}

/// Adds tokens that end soon. A token may have been made for a night, so this is `info` only.
fn tokens(facts: &Facts<'_>, found: &mut Found) {
    for token in facts.tokens.iter().filter(|it| it.holds(facts.now)) {
        let left = token.ends.0.saturating_sub(facts.now.0);
        if left < TOKEN_ENDS_SOON.as_secs() {
            let (name, ends) = (&token.name, token.ends);
            let text =
                format!("The token {name} of the admin pages ends in {}, on {ends}.", until(left));
            let todo = "Nothing, if nobody needs it any more; else make another one (tmrd token) and \
                        give it to whoever shows this one.";
            found.on("machine").info("token-ends", text, todo);
        }
    }
}

/// Returns the remaining seconds as text: days, or hours if less than two days are left.
#[must_use]
pub fn until(seconds: u64) -> String {
    match seconds {
        0..3_600 => "less than an hour".into(),
        3_600..172_800 => count(seconds / 3_600, "hour", "hours"),
        _ => count(seconds / 86_400, "day", "days"),
    }
}

/// Returns a number with its noun.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

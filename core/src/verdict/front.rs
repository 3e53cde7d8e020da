//! What is wrong with a front, its backends, its twin, the virtual address, clocks and certificate.

use super::{Facts, Found, Severity};
use crate::admin::status::{BackendState, ClockStatus, ClockVerdict, FrontStatus, Role, Twin};
use crate::limits::{CERTIFICATE_ENDS_SOON, HANDLES_MAX};
use alloc::format;
use alloc::string::String;

pub(super) fn judge(facts: &Facts<'_>, found: &mut Found) {
    let front = facts.status;
    leading(facts, found);
    backends(front, found);
    if let Some(twin) = &front.twin {
        other_front(front, twin, found);
    }
    if front.role == Role::Active && front.virtual_ip == Some(false) {
        let text = "This front leads, but the virtual address is not on this machine.".into();
        let todo =
            "See keepalived on both machines; tmrd doctor says why a machine does not get it.";
        found.yellow("address-elsewhere", text, todo);
    }
    if !front.fenced {
        let text = "The backends are stock servers, which cannot promise: no seat is protected \
                    against two leaders.";
        found.yellow(
            "unfenced",
            text.into(),
            "See that one front at a time runs, or use backends of tmrd.",
        );
    }
    front.clocks.iter().for_each(|clock| one_clock(clock, found));
    if let Some(trouble) = &front.failover_trouble {
        let text = format!("The last planned failover: {trouble}.");
        found.yellow("failover", text, "Do what it says, then run tmrd failover again.");
    }
    certificate(facts, found);
    if front.handles >= HANDLES_MAX as u64 / 10 * 9 {
        let text = format!("{} of {HANDLES_MAX} handles are held.", front.handles);
        let todo = "See in tmrd status who holds them, and take back what is left over.";
        found.yellow("handles-nearly-full", text, todo);
    }
}

fn leading(facts: &Facts<'_>, found: &mut Found) {
    let front = facts.status;
    if let Some(obstacle) = &front.obstacle {
        let what = match front.role {
            Role::Active => "Clients cannot be served",
            _ => "This front cannot lead",
        };
        let todo = "Do what the sentence says; the README's runbook has each step.";
        found.red("cannot-lead", format!("{what}: {obstacle}."), todo);
    } else if let Err(reason) = &facts.ready {
        let text = format!("This front cannot serve: {reason}.");
        found.red("not-ready", text, "Start the backends that are missing, with their disks.");
    } else if front.role == Role::Starting {
        let text = "This front is to lead and does not yet.".into();
        found.red(
            "starting",
            text,
            "Wait: a take-over lasts a second or two; if it lasts, run tmrd doctor.",
        );
    }
}

/// Whether what a backend in this state acknowledges counts.
pub(super) fn counts(state: BackendState) -> bool {
    matches!(state, BackendState::Up | BackendState::Unfenced)
}

fn backends(front: &FrontStatus, found: &mut Found) {
    let out = front.backends.iter().filter(|one| !counts(one.state)).count();
    let severity = if out > 1 { Severity::Red } else { Severity::Yellow };
    for one in front.backends.iter().filter(|one| !counts(one.state)) {
        let why = one.trouble.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let text = format!("Backend {} is {}{why}.", one.address, one.state.name());
        let (code, todo) = match (one.state, &one.trouble) {
            (BackendState::Down, _) => (
                "backend-down",
                "Start that machine and its service, or mend what the sentence names.",
            ),
            (_, Some(_)) => ("backend-left-out", "Mend what the sentence names."),
            (_, None) => ("backend-repairing", "Wait; do not stop another backend meanwhile."),
        };
        found.add(severity, code, text, todo);
    }
}

fn other_front(front: &FrontStatus, twin: &Twin, found: &mut Found) {
    let address = &twin.address;
    if !twin.connected {
        let after = match front.role {
            Role::Active => "nobody takes over if this one dies",
            _ => "whether it leads cannot be seen from here",
        };
        let why = twin.trouble.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        let text = format!("The other front, {address}, is not connected{why}: {after}.");
        let todo = "Start the front there, or mend what the sentence names.";
        found.yellow("twin-down", text, todo);
    } else if front.role == Role::Standby && twin.role != Some(Role::Active) {
        let text = "Neither front leads: clients are served by nobody.".into();
        let todo = "See why no machine gets the virtual address (tmrd doctor), or without one: tmrd activate.";
        found.red("nobody-leads", text, todo);
    } else if front.role == Role::Active && twin.role == Some(Role::Active) {
        let text = "Both fronts say that they lead: one of them is cut off from the backends. No seat \
                    is given twice.";
        let todo = "Mend the network between that front and the backends.";
        found.red("both-lead", text.into(), todo);
    } else if front.role == Role::Active && !twin.synced {
        let text = format!(
            "The other front is {} behind: a takeover would be slower.",
            count(twin.lag, "entry", "entries")
        );
        found.yellow(
            "twin-behind",
            text,
            "Wait; if it lasts, look at the line between the fronts.",
        );
    }
    if let Some(trouble) = twin.trouble.as_ref().filter(|_| twin.connected) {
        let text = format!("The other front: {trouble}.");
        found.yellow("twin-trouble", text, "Mend what the sentence names.");
    }
    for differs in &twin.differs {
        let (key, ours, theirs) = (&differs.key, &differs.ours, &differs.theirs);
        let text =
            format!("The fronts are configured apart in {key}: {ours} here, {theirs} there.");
        found.yellow("twin-differs", text, "Make it alike in both files, and restart the standby.");
    }
    if let Some(trouble) = &twin.configuration_trouble {
        let text = format!("This front does not follow the other one's configuration: {trouble}.");
        found.yellow(
            "configuration-not-followed",
            text,
            "Mend what the sentence names, then store it again.",
        );
    }
    if front.virtual_ip == Some(true)
        && front.role != Role::Active
        && twin.role == Some(Role::Active)
    {
        let text = "The virtual address is on this machine, and the other front leads: both machines \
                    may have it.";
        let todo =
            "See that keepalived runs on both machines and that they hear each other (VRRP).";
        found.red("address-wrong-machine", text.into(), todo);
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
        ClockVerdict::Off => found.yellow("clock-off", text, todo),
        ClockVerdict::Wrong => found.red("clock-wrong", text, todo),
    }
}

fn certificate(facts: &Facts<'_>, found: &mut Found) {
    let Some(end) = facts.status.certificate_ends else { return };
    let todo = "Put a new one in the place of WebAdmin.CertificateChainFile.";
    if end <= facts.now {
        let text = format!("The certificate of the admin pages has ended on {end}.");
        found.red("certificate-ended", text, todo);
    } else if end.0 - facts.now.0 < CERTIFICATE_ENDS_SOON.as_secs() {
        let text = format!("The certificate of the admin pages ends on {end}.");
        found.yellow("certificate-ends", text, todo);
    }
}

/// A number with its noun.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

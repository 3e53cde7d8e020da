//! Examines the status of this machine's front, and where the virtual address is.

use super::finding::Findings;
use serde_json::Value;
use std::net::IpAddr;

/// Adds the verdict of the front on itself and its group, which is not judged again here. Returns
/// `false` for an older front, which gives none.
pub(super) fn verdict(status: &Value, findings: &mut Findings) -> bool {
    let Some(troubles) = status["verdict"].as_array() else {
        older(status, findings);
        return false;
    };
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    for trouble in troubles {
        let topic = topic(&text(&trouble["code"]), &text(&trouble["about"]));
        let (what, todo) = (text(&trouble["text"]), text(&trouble["what_to_do"]));
        match trouble["severity"].as_str() {
            Some("red") => findings.problem(topic, what, &todo),
            Some("yellow") => findings.warning(topic, what, &todo),
            _ => findings.ok(topic, what),
        }
    }
    let about = |about: &str| troubles.iter().any(|it| it["about"] == about);
    if !about("front") {
        let role = text(&status["role"]);
        findings.ok("front", format!("it runs, {role}, epoch {}", status["epoch"]));
    }
    if let Some(address) = status["twin"]["address"].as_str().filter(|_| !about("twin")) {
        findings.ok("twin", format!("{address} is connected and in sync"));
    }
    versions(status, findings);
    too_old(status, findings);
    true
}

/// Returns doctor's topic for a trouble.
fn topic(code: &str, about: &str) -> &'static str {
    match (code, about) {
        ("file-unusable", _) => "files",
        ("disk-full" | "disk-nearly-full", _) => "state folder",
        ("certificate-ended" | "certificate-ends", _) => "certificate",
        ("clock-off" | "clock-wrong", _) => "clocks",
        (code, _) if code.starts_with("address-") => "virtual address",
        ("container-stray" | "part-copied" | "licence-gone" | "no-licence", _) => "licences",
        (_, "front") => "front",
        (_, "twin") => "twin",
        // `6000010:201:1`; an address has a dot, a bracket or a letter.
        (_, about) if about.split(':').count() == 3 && about.split(':').all(is_number) => {
            "licences"
        }
        _ => "backends",
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn versions(status: &Value, findings: &mut Findings) {
    let (version, own) = (status["version"].as_str().unwrap_or("?"), env!("CARGO_PKG_VERSION"));
    if version == own {
        findings.ok("versions", format!("the front that runs is the one that is installed, {own}"));
    } else {
        let what = format!("the front that runs is tmrd {version}, installed is {own}");
        findings.warning("versions", what, "restart it: systemctl restart tmrd-front");
    }
}

fn too_old(status: &Value, findings: &mut Findings) {
    let clients = status["clients"].as_array().into_iter().flatten();
    let old = clients.filter(|client| client["too_old"] == true).count();
    if old > 0 {
        let what =
            format!("{old} clients are refused: their runtime is below MinimumClientVersion");
        findings.warning(
            "clients",
            what,
            "see clients in tmrd status --json, and bring them up to date",
        );
    }
}

/// Examines the status of an older front.
fn older(status: &Value, findings: &mut Findings) {
    let topic = "front";
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let role = text(&status["role"]);
    let twin = &status["twin"];
    let other = text(&twin["role"]);
    match (&*role, &*other) {
        ("active", "active") => {
            let what = "both fronts say that they lead: the one with the lower epoch is cut off from \
                        the backends";
            let todo =
                "mend the network between that front and the backends; no seat is given twice";
            findings.problem(topic, what, todo);
        }
        ("standby", "standby") => {
            let what = "both fronts stand by: nobody leads, and no client is served";
            let todo = "see why no machine gets the virtual address (keepalived, below), or without \
                        one: tmrd activate";
            findings.problem(topic, what, todo);
        }
        // The obstacle is reported below.
        ("starting", _) if status["obstacle"].is_string() => {}
        ("starting", _) => {
            let what = "the front is to lead, and has not got the backends to follow";
            findings.problem(topic, what, "see the backends; a take-over lasts a second or two");
        }
        _ => findings.ok(topic, format!("it runs, {role}, epoch {}", status["epoch"])),
    }
    if let Some(obstacle) = status["obstacle"].as_str() {
        let what = format!("the front cannot lead: {obstacle}");
        findings.problem(
            topic,
            what,
            "do what the sentence says; the manual's runbook has each step",
        );
    }
    if status["fenced"] == false {
        let what =
            "the backends are stock servers: no seat is protected against two fronts that lead";
        findings.warning(topic, what, "see that one front at a time runs, or use backends of tmrd");
    }
    versions(status, findings);
    if !twin.is_null() {
        let address = text(&twin["address"]);
        match (twin["connected"] == true, twin["synced"] == true) {
            (true, true) => findings.ok("twin", format!("{address} is connected and in sync")),
            (true, false) if twin["silent_seconds"].as_u64() > Some(0) => {
                let what = format!("{address} has said nothing for {} s", twin["silent_seconds"]);
                let todo = "see whether its process is stopped or its machine overloaded";
                findings.warning("twin", what, todo);
            }
            (true, false) => {
                let what = format!("{address} is connected and {} entries behind", twin["lag"]);
                findings.warning(
                    "twin",
                    what,
                    "wait; if it lasts, look at the line between the fronts",
                );
            }
            (false, _) => {
                let what = format!(
                    "the front is not connected with {address}: {}",
                    text(&twin["trouble"])
                );
                findings.warning(
                    "twin",
                    what,
                    "start the front there, or mend what the sentence names",
                );
            }
        }
        for differs in twin["differs"].as_array().into_iter().flatten() {
            let what = format!(
                "{} differs: {} here, {} there",
                text(&differs["key"]),
                text(&differs["ours"]),
                text(&differs["theirs"])
            );
            findings.warning("twin", what, "make it alike in both files, and restart the standby");
        }
    }
    for backend in status["backends"].as_array().into_iter().flatten() {
        let (address, state) = (text(&backend["address"]), text(&backend["state"]));
        if let Some(trouble) = backend["trouble"].as_str() {
            let what = format!("the front says of {address} ({state}): {trouble}");
            findings.problem("backends", what, "mend what the sentence names");
        } else if state == "repairing" {
            let what = format!("the front is bringing {address} up to date");
            findings.warning("backends", what, "wait; do not stop another backend meanwhile");
        }
    }
    for file in status["files"].as_array().into_iter().flatten() {
        let what = format!("{}: {}", text(&file["file"]), text(&file["trouble"]));
        findings.problem("files", what, &text(&file["what_to_do"]));
    }
    if let Some(trouble) = status["failover_trouble"].as_str() {
        let what = format!("the last planned failover: {trouble}");
        findings.warning("front", what, "do what it says, then tmrd failover again");
    }
    too_old(status, findings);
}

/// Examines where the virtual addresses are. `here`: the addresses of this machine; `answers`:
/// whether a licence server answers at an address elsewhere.
pub(super) fn addresses(
    wanted: &[IpAddr],
    here: &[IpAddr],
    status: Option<&Value>,
    answers: impl Fn(IpAddr) -> bool,
    findings: &mut Findings,
) {
    let topic = "virtual address";
    if wanted.is_empty() {
        return findings.ok(topic, "there is none: the role is given by tmrd activate");
    }
    let active = status.map(|status| status["role"] == "active");
    let other = status.is_some_and(|status| status["twin"]["role"] == "active");
    let (own, others): (Vec<&IpAddr>, Vec<&IpAddr>) =
        wanted.iter().partition(|address| here.contains(address));
    if !own.is_empty() && !others.is_empty() {
        let what = format!("{} is here and {} is not: they go together", list(&own), list(&others));
        findings.problem(topic, what, "put both instances into one vrrp_sync_group");
    } else if others.is_empty() {
        match (active, other) {
            (_, true) => {
                let what = format!("{} is on this machine, and the other front leads", list(&own));
                let todo = "see that keepalived runs on both machines and that they hear each other \
                            (VRRP, protocol 112): the address may be on both";
                findings.problem(topic, what, todo);
            }
            (Some(true), _) => {
                findings.ok(topic, format!("{} is here, and this front leads", list(&own)));
            }
            _ => {
                let what =
                    format!("{} is on this machine, and its front does not lead", list(&own));
                findings.problem(
                    topic,
                    what,
                    "see why in the findings on the front and the backends",
                );
            }
        }
    } else if active == Some(true) {
        let what = format!("this front leads, and {} is not on this machine", list(&others));
        // Clients that connect to the other machine are passed on.
        findings.warning(
            topic,
            what,
            "see keepalived; tmrd failover gives the role to the other front",
        );
    } else {
        for address in others {
            if answers(*address) {
                findings
                    .ok(topic, format!("{address} is on the other machine, and is served there"));
            } else {
                let what = format!("{address} is not on this machine, and nobody answers there");
                let todo = "start keepalived and the front on both machines; tmrd track status and \
                            tmrd track manual-failover say why a machine does not get it";
                findings.problem(topic, what, todo);
            }
        }
    }
}

fn list(addresses: &[&IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level::{Ok as Fine, Problem, Warning};
    use super::*;
    use serde_json::json;

    fn well() -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"), "role": "active", "epoch": 3, "fenced": true,
            "failover_trouble": null,
            "twin": { "address": "b:2", "connected": true, "synced": true, "lag": 0,
                      "role": "standby", "trouble": null, "differs": [] },
            "backends": [{ "address": "c:3", "state": "up", "trouble": null }],
            "clients": [{ "too_old": false }]
        })
    }

    fn found(change: impl FnOnce(&mut Value)) -> Findings {
        let (mut value, mut findings) = (well(), Findings::default());
        change(&mut value);
        assert!(!verdict(&value, &mut findings), "it is an older one");
        findings
    }

    #[test]
    fn a_front_that_is_well_is_said_to_be() {
        let findings = found(|_| ());
        assert!(findings.0.iter().all(|it| it.level == Fine), "{findings:#?}");
        findings.has(Fine, &["it runs, active, epoch 3"]);
    }

    #[test]
    fn what_the_front_says_is_wrong_is_said_with_what_to_do() {
        found(|it| it["twin"]["role"] = "active".into()).has(Problem, &["both fronts say"]);
        found(|it| it["role"] = "standby".into()).has(Problem, &["nobody leads"]);
        found(|it| it["role"] = "starting".into()).has(Problem, &["to lead"]);
        found(|it| it["fenced"] = false.into()).has(Warning, &["stock servers"]);
        found(|it| it["version"] = "0.0.1".into()).has(Warning, &["tmrd 0.0.1, installed"]);
        found(|it| it["twin"]["synced"] = false.into()).has(Warning, &["b:2", "behind"]);
        found(|it| it["twin"] = json!({ "address": "b:2", "connected": false, "trouble": "cut" }))
            .has(Warning, &["not connected with b:2: cut"]);
        found(|it| it["twin"]["differs"] = json!([{ "key": "K", "ours": "x", "theirs": "y" }]))
            .has(Warning, &["K differs: x here, y there"]);
        found(|it| it["backends"][0]["trouble"] = "another group key".into())
            .has(Problem, &["c:3", "another group key"]);
        let lost = found(|it| {
            it["role"] = "starting".into();
            it["obstacle"] = "the group's memory is lost".into();
        });
        lost.has(Problem, &["cannot lead: the group's memory is lost"]);
        assert_eq!(lost.count(Problem), 1, "one finding for one thing: {lost:#?}");
        found(|it| it["backends"][0]["state"] = "repairing".into()).has(Warning, &["bringing c:3"]);
        found(|it| it["failover_trouble"] = "late".into()).has(Warning, &["late"]);
        found(|it| it["clients"][0]["too_old"] = true.into()).has(Warning, &["1 clients"]);
    }

    #[test]
    fn the_verdict_of_the_front_is_told_as_it_is() {
        let mut value = well();
        value["verdict"] = json!([
            { "severity": "red", "code": "licence-expired", "about": "10:201:1", "text": "Over.",
              "what_to_do": "Ask." },
            { "severity": "yellow", "code": "backend-down", "about": "[::1]:22350", "text": "Down.",
              "what_to_do": "Start it." },
            { "severity": "info", "code": "history-gap", "about": "front", "text": "A gap.",
              "what_to_do": "Nothing." },
        ]);
        // The verdict alone decides.
        value["twin"]["role"] = "active".into();
        value["backends"][0]["trouble"] = "another group key".into();
        let mut findings = Findings::default();
        assert!(verdict(&value, &mut findings));
        findings.has(Problem, &["Over."]);
        findings.has(Warning, &["Down."]);
        findings.has(Fine, &["A gap."]);
        findings.has(Fine, &["b:2 is connected"]);
        assert_eq!((findings.count(Problem), findings.count(Warning)), (1, 1), "{findings:#?}");
        let topics: Vec<_> = findings.0.iter().take(3).map(|it| it.topic).collect();
        assert_eq!(topics, ["licences", "backends", "front"]);
    }

    #[test]
    fn a_virtual_address_is_on_one_machine() {
        let (one, two): (IpAddr, IpAddr) = ("192.0.2.42".parse().unwrap(), "::2".parse().unwrap());
        let look = |wanted: &[IpAddr], here: &[IpAddr], status: Option<Value>, answers: bool| {
            let mut findings = Findings::default();
            addresses(wanted, here, status.as_ref(), |_| answers, &mut findings);
            findings
        };
        let role = |own: &str, other: &str| Some(json!({ "role": own, "twin": { "role": other } }));
        look(&[], &[one], None, false).has(Fine, &["there is none"]);
        look(&[one], &[one], role("active", "standby"), false).has(Fine, &["is here"]);
        look(&[one], &[one], role("starting", "active"), false)
            .has(Problem, &["other front leads"]);
        look(&[one], &[one], role("standby", "standby"), false).has(Problem, &["does not lead"]);
        look(&[one], &[one], None, false).has(Problem, &["does not lead"]);
        look(&[one, two], &[one], None, false).has(Problem, &["::2 is not"]);
        look(&[one], &[], role("active", "standby"), true).has(Warning, &["not on this machine"]);
        look(&[one], &[], role("standby", "active"), true).has(Fine, &["other machine"]);
        look(&[one], &[], None, false).has(Problem, &["nobody answers"]);
    }
}

//! Checks that `keepalived.conf` is right for a front: its addresses, the two track scripts, and
//! the rules for taking the address back.

use super::finding::Findings;
use std::net::IpAddr;

const TOPIC: &str = "keepalived";
const LOOK_AT: &str = "compare it with /usr/share/doc/tmrd/examples/keepalived.conf";
/// The track scripts that a front needs.
const SCRIPTS: [&str; 2] = ["tmr_status", "tmr_manual_failover"];

/// A line of the file, with its block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Item {
    words: Vec<String>,
    inner: Vec<Self>,
}

/// Parses a file. Braces may be anywhere; `#` and `!` begin a comment.
fn parse(text: &str) -> Vec<Item> {
    let mut open: Vec<Item> = vec![Item::default()];
    let close = |open: &mut Vec<Item>| {
        if open.len() > 1 {
            let item = open.pop().unwrap_or_default();
            if let Some(above) = open.last_mut() {
                above.inner.push(item);
            }
        }
    };
    for line in text.lines() {
        let line = line.split(['#', '!']).next().unwrap_or_default();
        let spaced = line.replace('{', " { ").replace('}', " } ");
        let mut words = Vec::new();
        let last = |words: &mut Vec<String>, open: &mut Vec<Item>| {
            let words = std::mem::take(words);
            if let (false, Some(above)) = (words.is_empty(), open.last_mut()) {
                above.inner.push(Item { words, inner: Vec::new() });
            }
        };
        for word in spaced.split_whitespace() {
            match word {
                "{" => open.push(Item { words: std::mem::take(&mut words), inner: Vec::new() }),
                "}" => {
                    last(&mut words, &mut open);
                    close(&mut open);
                }
                word => words.push(word.trim_matches('"').to_owned()),
            }
        }
        last(&mut words, &mut open);
    }
    while open.len() > 1 {
        close(&mut open);
    }
    open.pop().map(|item| item.inner).unwrap_or_default()
}

impl Item {
    fn is(&self, name: &str) -> bool {
        self.words.first().is_some_and(|word| word == name)
    }

    fn blocks<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Self> {
        self.inner.iter().filter(move |item| item.is(name))
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.blocks(name).find_map(|item| item.words.get(1)).map(String::as_str)
    }

    /// Returns the first words of the lines in all blocks of that name.
    fn listed<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let lines = self.blocks(name).flat_map(|block| &block.inner);
        lines.filter_map(|line| line.words.first().map(String::as_str))
    }
}

/// Examines a file, for a front with these virtual addresses. `interfaces`: those of this machine.
pub(super) fn check(
    text: &str,
    addresses: &[IpAddr],
    interfaces: &[String],
    findings: &mut Findings,
) {
    let before = findings.0.len();
    let file = Item { words: Vec::new(), inner: parse(text) };
    let global = Item {
        words: Vec::new(),
        inner: file.blocks("global_defs").flat_map(|block| block.inner.clone()).collect(),
    };
    if global.value("vrrp_version") != Some("3") {
        let what = "vrrp_version is not 3: no interval below a second, and no IPv6 beside IPv4";
        findings.warning(TOPIC, what, "put \"vrrp_version 3\" into global_defs, on both machines");
    }
    if global.value("router_id").is_none() {
        let what = "router_id is not set: logs do not tell the two machines apart";
        findings.warning(
            TOPIC,
            what,
            "put \"router_id NAME\" into global_defs, another one on each",
        );
    }
    let instances: Vec<&Item> = file.blocks("vrrp_instance").collect();
    if instances.is_empty() {
        let what = "there is no vrrp_instance: no address is moved";
        return findings.problem(TOPIC, what, LOOK_AT);
    }
    scripts(&file, &instances, findings);
    let mut held: Vec<IpAddr> = Vec::new();
    let mut routers: Vec<(Option<&str>, bool, &str)> = Vec::new();
    for instance in &instances {
        let name = instance.words.get(1).map_or("without a name", String::as_str);
        let listed = instance
            .listed("virtual_ipaddress")
            .chain(instance.listed("virtual_ipaddress_excluded"));
        let own: Vec<IpAddr> = listed.filter_map(|it| it.split('/').next()?.parse().ok()).collect();
        if instance.blocks("nopreempt").next().is_none() {
            let what = format!(
                "{name} has no nopreempt: a machine that comes back takes the address away from the \
                 one that serves"
            );
            findings.warning(TOPIC, what, "put \"nopreempt\" and \"state BACKUP\" into it");
        } else if instance.value("state") == Some("MASTER") {
            let what = format!("{name} has state MASTER, with which nopreempt does nothing");
            findings.warning(TOPIC, what, "put \"state BACKUP\" into it, on both machines");
        }
        let interface = instance.value("interface");
        if let Some(interface) = interface.filter(|it| !interfaces.iter().any(|own| own == it)) {
            let what =
                format!("{name} is for the interface {interface}, which this machine has not");
            findings.problem(TOPIC, what, "name the interface that clients come in by");
        }
        match instance.value("virtual_router_id").map(str::parse::<u8>) {
            Some(Ok(id)) if id > 0 => {
                let six = own.iter().any(IpAddr::is_ipv6);
                let id = instance.value("virtual_router_id").unwrap_or_default();
                if routers.contains(&(interface, six, id)) {
                    let what = format!("{name} has the virtual_router_id {id} of another instance");
                    findings.problem(TOPIC, what, "give each instance of one interface its own");
                }
                routers.push((interface, six, id));
            }
            _ => {
                let what = format!("{name} has no virtual_router_id from 1 to 255");
                findings.problem(TOPIC, what, "put one into it, the same on both machines");
            }
        }
        held.extend(own);
    }
    for address in addresses.iter().filter(|address| !held.contains(address)) {
        let what = format!("{address} is in TmrServer.VirtualIp, and keepalived does not move it");
        findings.problem(TOPIC, what, "put it under virtual_ipaddress, or out of VirtualIp");
    }
    for address in held.iter().filter(|address| !addresses.contains(address)) {
        let local = matches!(address, IpAddr::V6(six) if six.is_unicast_link_local());
        if !local {
            let what = format!("keepalived moves {address}, which is not in TmrServer.VirtualIp");
            findings.warning(TOPIC, what, "put it into VirtualIp: the front follows those there");
        }
    }
    if findings.0.len() == before {
        findings.ok(TOPIC, "its file has the addresses, the scripts and no preemption");
    }
}

/// Checks that both scripts exist, and that every instance tracks them.
fn scripts(file: &Item, instances: &[&Item], findings: &mut Findings) {
    for name in SCRIPTS {
        let made = file
            .blocks("vrrp_script")
            .chain(file.blocks("vrrp_track_process"))
            .find(|item| item.words.get(1).is_some_and(|word| word == name));
        let Some(made) = made else {
            let what = format!("the script {name} is not there: the address stays on a dead front");
            findings.problem(TOPIC, what, LOOK_AT);
            continue;
        };
        let program = made.blocks("script").next().and_then(|line| line.words.get(1));
        let program = program.and_then(|it| it.split_whitespace().next());
        if let Some(path) = program.filter(|it| it.starts_with('/')) {
            if !std::path::Path::new(path).exists() {
                let what = format!("the script {name} calls {path}, which is not there");
                findings.problem(TOPIC, what, "install tmrd, or correct the path");
            }
        }
        let asks = |item: &Item| item.listed("track_script").any(|word| word == name);
        let in_groups = file.blocks("vrrp_sync_group").any(asks);
        if !in_groups && !instances.iter().all(|instance| asks(instance)) {
            let what = format!("the script {name} is not asked for every instance");
            findings.problem(TOPIC, what, "name it under track_script of the sync group");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level::{Ok, Problem, Warning};
    use super::*;

    const BLUEPRINT: &str = include_str!("../../../dist/keepalived.conf");

    fn found(text: &str, addresses: &[&str]) -> Findings {
        let mut findings = Findings::default();
        let addresses: Vec<IpAddr> = addresses.iter().map(|it| it.parse().unwrap()).collect();
        // The packaged scripts are not installed on a build machine.
        let text = text.replace("/usr/share/tmrd/", "tmrd-");
        check(&text, &addresses, &["front".into(), "back".into()], &mut findings);
        findings
    }

    fn with(from: &str, to: &str) -> Findings {
        assert!(BLUEPRINT.contains(from), "{from}");
        found(&BLUEPRINT.replace(from, to), &["192.0.2.42", "2001:db8:0:f::2a", "fe80:1::2a"])
    }

    #[test]
    fn the_blueprint_is_well() {
        let findings = with("192.0.2.42", "192.0.2.42");
        assert_eq!(findings.0.len(), 1, "{findings:#?}");
        findings.has(Ok, &["its file"]);
    }

    #[test]
    fn what_is_not_right_is_said() {
        with("vrrp_version 3", "vrrp_version 2").has(Warning, &["vrrp_version"]);
        with("router_id tmr_front_a", "").has(Warning, &["router_id"]);
        assert!(with("nopreempt\n", "\n").0.iter().all(|it| it.what.contains("nopreempt")));
        with("state BACKUP\n    nopreempt\n\n", "state MASTER\n nopreempt\n")
            .has(Warning, &["tmr_IPv4", "MASTER"]);
        with("192.0.2.42", "192.0.2.43").has(Problem, &["192.0.2.42", "does not move it"]);
        with("192.0.2.42", "192.0.2.43").has(Warning, &["192.0.2.43", "not in"]);
        with("        tmr_status\n", "").has(Problem, &["tmr_status", "not asked"]);
        with("vrrp_script tmr_status", "vrrp_script other")
            .has(Problem, &["tmr_status", "not there"]);
        with("virtual_router_id 42\n\n", "\n").has(Problem, &["tmr_IPv4", "virtual_router_id"]);
        with("interface front\n\n", "interface eth7\n").has(Problem, &["tmr_IPv4", "eth7"]);
        found("", &[]).has(Problem, &["no vrrp_instance"]);
        let twice = format!(
            "{BLUEPRINT}\n{}",
            BLUEPRINT
                .split("vrrp_instance tmr_IPv6")
                .last()
                .map(|rest| format!("vrrp_instance third{rest}"))
                .unwrap()
        );
        found(&twice, &["192.0.2.42"]).has(Problem, &["third", "another instance"]);
        let mut findings = Findings::default();
        let missing = BLUEPRINT.replace("/usr/share/tmrd/tmr_status", "/nowhere/tmr_status");
        check(&missing, &[], &["front".into()], &mut findings);
        findings.has(Problem, &["/nowhere/tmr_status"]);
    }

    #[test]
    fn braces_may_stand_anywhere() {
        let one = parse("a b { c { d } e }\n}} f # {\n! g {\nh {");
        let names: Vec<_> = one.iter().map(|item| item.words.join(" ")).collect();
        assert_eq!(names, ["a b", "f", "h"]);
        assert_eq!(one[0].listed("c").collect::<Vec<_>>(), ["d"]);
    }
}

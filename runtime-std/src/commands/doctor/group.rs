//! Examines the other servers of the group: whether they answer and belong together, and whether
//! the three parts of each licence match.

use super::finding::Findings;
use tmr_core::base::limits::LICENCE_ENDS_SOON;
use tmr_core::base::network::Address;
use tmr_core::base::time::Wall;
use tmr_core::config::Config;
use tmr_core::front::{BackendId, PartDifference, Review, review};
use tmr_core::link::CloseReason;
use tmr_core::messages::group::Description;
use tmr_core::messages::twin::{Hello, Version};
use tmr_core::verdict::until;

/// In seconds: a clock that is further off shows licences as ended too early or too late.
const CLOCKS_APART: u64 = 60;

/// The result of asking a backend.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) address: Address,
    pub(super) said: Result<Description, CloseReason>,
    /// The time there and the time here, when it was asked.
    pub(super) clocks: Option<(Wall, Wall)>,
}

/// Examines the three backends.
pub(super) fn backends(asked: &[Asked; 3], findings: &mut Findings) {
    let topic = "backends";
    let mut groups = Vec::new();
    for Asked { address, said, clocks } in asked {
        match said {
            Ok(description) => {
                let containers = description.parts.len();
                let epoch = description.standing.promised.round;
                findings.ok(
                    topic,
                    format!("{address} is there and proves the group key; containers: {containers}, epoch {epoch}"),
                );
                groups.extend(description.standing.group);
                if description.standing.group.is_none() {
                    let what =
                        format!("{address} is blank: its state folder has nothing of the group");
                    let todo = "nothing, if a front is active: it fills it. If all are blank, the \
                                group is born with the first activation";
                    findings.warning(topic, what, todo);
                }
            }
            Err(reason) => refused(topic, address, "backend", reason, findings),
        }
        if let Some((there, here)) = clocks {
            let apart = there.0.abs_diff(here.0);
            if apart > CLOCKS_APART {
                let what = format!("the clock of {address} is {apart} s away from this machine's");
                findings.warning(
                    "clocks",
                    what,
                    "run a time service (chrony, systemd-timesyncd) on both",
                );
            }
        }
    }
    let up = asked.iter().filter(|asked| asked.said.is_ok()).count();
    if up < 2 {
        let what =
            format!("{up} of three backends can be reached, and two are needed: nobody is served");
        findings.problem(topic, what, "start the backends named above");
    }
    if groups.windows(2).any(|pair| pair[0] != pair[1]) {
        let what = "the backends belong to different groups: they do not know the same seats";
        findings.problem(
            topic,
            what,
            "see in CmServer.Server whether one address is another group's",
        );
    }
}

fn refused(
    topic: &'static str,
    address: &Address,
    who: &str,
    reason: &CloseReason,
    findings: &mut Findings,
) {
    match reason {
        CloseReason::Protocol(said) => {
            let what = format!(
                "{address} takes the connection, and does not prove this group key: {said}"
            );
            let todo = "see that tmr-group.key is the same on all five machines, and that a server of \
                        tmrd listens there";
            findings.refused(topic, what, todo);
        }
        CloseReason::Eof => {
            let what = format!(
                "{address} takes the connection and closes it: another group key, or no {who}"
            );
            let todo = "see that tmr-group.key is the same on all five machines";
            findings.refused(topic, what, todo);
        }
        reason => {
            let what = format!("{address} cannot be reached: {reason}");
            let todo = "start that machine and its service, or let the port through the firewall";
            findings.refused(topic, what, todo);
        }
    }
}

/// Examines the other front.
pub(super) fn twin(address: &Address, said: &Result<Hello, CloseReason>, findings: &mut Findings) {
    let topic = "twin";
    let own = env!("CARGO_PKG_VERSION");
    match said {
        Ok(hello) if hello.version.major != Version::OWN.major => {
            let what =
                format!("the front at {address} (tmrd {}) speaks another protocol", hello.program);
            findings.problem(topic, what, "install the same version of tmrd on both");
        }
        Ok(hello) => {
            findings.ok(topic, format!("{address} is there and proves the group key"));
            if hello.program != own {
                let what = format!("{address} runs tmrd {}, this machine {own}", hello.program);
                findings.warning("versions", what, "install the same version of tmrd on both");
            }
        }
        Err(reason) => refused(topic, address, "front", reason, findings),
    }
}

/// Compares the parts of each licence that the backends report.
pub(super) fn licences(config: &Config, asked: &[Asked; 3], now: Wall, findings: &mut Findings) {
    let topic = "licences";
    let parts = asked.each_ref().map(|it| Some(it.said.as_ref().ok()?.parts.as_slice()));
    let there = parts.iter().flatten().count();
    if there == 0 {
        return;
    }
    let Review { licences, strays, copies } =
        review(parts, config.virtuals.iter().map(|(id, _)| *id));
    for copied in &copies {
        let what = copied.trouble(&asked.each_ref().map(|it| it.address.to_string()));
        let todo = "take the copy away, and put the file there that was issued for that backend";
        findings.problem(topic, what, todo);
    }
    let mut well = 0;
    for licence in &licences {
        let before = findings.0.len();
        let name = format!("{}:{}", licence.key.firm_code, licence.key.product_code);
        for PartDifference { backend, field, value, expected } in &licence.differs {
            let at = &asked[*backend].address;
            let what = format!("{name}: {field} is {value} at {at}, and {expected} at the others");
            let todo = format!(
                "issue part {} again: tmrd issue SPEC.json --only {}",
                backend.part(),
                backend.part()
            );
            findings.warning(topic, what, &todo);
        }
        let missing =
            BackendId::all().filter(|index| parts[*index].is_some() && !licence.held[*index]);
        for index in missing {
            let what = format!("{name}: {} has no part of it", asked[index].address);
            findings.warning(topic, what, "put the licence file there");
        }
        if licence.matching < 2 {
            let what = format!("{name} is not served: no two backends that are there agree on it");
            findings.problem(
                topic,
                what,
                "make two parts agree, or start the backends that are down",
            );
        }
        match licence.expires {
            Some(end) if end <= now => {
                findings.problem(topic, format!("{name} has ended on {end}"), "renew it");
            }
            Some(end) if end.0 - now.0 < LICENCE_ENDS_SOON.as_secs() => {
                let left = until(end.0 - now.0);
                findings.warning(topic, format!("{name} ends in {left}, on {end}"), "renew it");
            }
            _ => {}
        }
        well += usize::from(before == findings.0.len());
    }
    for (index, serial) in strays {
        let what =
            format!("{serial} at {} belongs to no set: it is not served", asked[index].address);
        findings.warning(topic, what, "name it in VirtualContainers, with the two it belongs to");
    }
    match (licences.len(), well) {
        (0, _) => {
            let what = "no backend that is there has a TMR licence: there is nothing to serve";
            findings.problem(
                topic,
                what,
                "issue licences with a TmrId, and give each backend its part",
            );
        }
        (all, well) if well > 0 => {
            findings.ok(topic, format!("{well} of {all}: all parts that are there agree"));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level::{Ok as Fine, Problem, Warning};
    use super::*;
    use tmr_core::licence::{FirmItem, Part, Product};
    use tmr_core::log::{DiskId, Epoch, GroupId, Slot};
    use tmr_core::messages::group::Standing;

    const NOW: Wall = Wall(1_800_000_000);

    fn config() -> Config {
        let server = |last| format!(r#"{{ "Ip": "192.0.2.{last}", "Port": 22350 }}"#);
        let servers = [1, 2, 3].map(server).join(",");
        let text = format!(
            r#"{{ "TmrServer": {{ "TwinServer": {{ "Ip": "192.0.2.9", "Port": 22354 }} }},
                  "CmServer": {{ "Server": [{servers}] }} }}"#
        );
        Config::parse(&text).unwrap()
    }

    fn product() -> Product {
        Product {
            product_code: 201,
            text: String::new(),
            license_quantity: 5,
            tmr_id: 1,
            feature_map: None,
            expiration_time: None,
            activation_time: None,
            maintenance_period: None,
            usage_period: None,
            unit_counter: None,
            linger_time: None,
            minimum_runtime_version: None,
            denied_modes: Vec::new(),
        }
    }

    fn asked() -> [Asked; 3] {
        [1, 2, 3].map(|serial| {
            let standing = Standing {
                disk: DiskId(serial.into()),
                group: Some(GroupId(7)),
                promised: Epoch::default(),
                base: Slot(0),
                committed: Slot(0),
                last: Slot(0),
            };
            let products = vec![product()];
            let item = FirmItem { firm_code: 10, text: String::new(), key_check: 1, products };
            let parts = vec![Part { serial, mask: 130, cm_act_id: 5, firm_items: vec![item] }];
            Asked {
                address: Address { host: format!("192.0.2.{serial}"), port: 22350 },
                said: Ok(Description { standing, led: false, parts }),
                clocks: Some((NOW, NOW)),
            }
        })
    }

    fn found(change: impl Fn(&mut [Asked; 3])) -> Findings {
        let (mut asked, mut findings) = (asked(), Findings::default());
        change(&mut asked);
        backends(&asked, &mut findings);
        licences(&config(), &asked, NOW, &mut findings);
        findings
    }

    fn description(asked: &mut Asked) -> &mut Description {
        asked.said.as_mut().unwrap()
    }

    fn of(asked: &mut Asked) -> &mut Product {
        &mut description(asked).parts[0].firm_items[0].products[0]
    }

    #[test]
    fn three_that_agree_are_well() {
        let findings = found(|_| ());
        assert!(findings.0.iter().all(|it| it.level == Fine), "{findings:#?}");
        findings.has(Fine, &["1 of 1", "agree"]);
    }

    #[test]
    fn a_backend_that_is_not_there_or_not_ours_is_said() {
        let lost = |index: usize, reason: CloseReason| {
            found(move |asked| asked[index].said = Err(reason.clone()))
        };
        lost(0, CloseReason::Broken("no route".into()))
            .has(Problem, &["192.0.2.1", "cannot be reached"]);
        lost(1, CloseReason::Eof).has(Problem, &["192.0.2.2", "another group key"]);
        lost(2, CloseReason::Protocol("wrong proof")).has(Problem, &["192.0.2.3", "wrong proof"]);
        let two = found(|asked| (1..3).for_each(|index| asked[index].said = Err(CloseReason::Eof)));
        two.has(Problem, &["1 of three", "nobody is served"]);
        two.has(Problem, &["10:201 is not served"]);
        found(|asked| description(&mut asked[0]).standing.group = None).has(Warning, &["blank"]);
        found(|asked| description(&mut asked[0]).standing.group = Some(GroupId(8)))
            .has(Problem, &["different groups"]);
        found(|asked| asked[2].clocks = Some((Wall(NOW.0 - 61), NOW)))
            .has(Warning, &["192.0.2.3", "61 s"]);
    }

    #[test]
    fn a_part_that_was_copied_is_named_with_the_backends_that_hold_it() {
        let copied = |from: usize, to: usize| {
            move |asked: &mut [Asked; 3]| {
                let parts = description(&mut asked[from]).parts.clone();
                description(&mut asked[to]).parts = parts;
            }
        };
        let findings = found(copied(0, 2));
        findings.has(Problem, &["192.0.2.1", "and 192.0.2.3", "hold the same part (130-1)"]);
        assert!(!findings.0.iter().any(|it| it.what.contains("is not served")), "{findings:#?}");
        let findings = found(|asked| [1, 2].into_iter().for_each(|to| copied(0, to)(asked)));
        findings.has(Problem, &["10:201 is not served"]);
    }

    #[test]
    fn a_part_that_differs_is_named_with_its_field() {
        let findings = found(|asked| of(&mut asked[1]).license_quantity = 6);
        findings.has(Warning, &["10:201", "LicenseQuantity is 6 at 192.0.2.2", "5 at the others"]);
        assert!(findings.0.iter().any(|it| it.todo.contains("--only 2")));
        found(|asked| description(&mut asked[2]).parts.clear())
            .has(Warning, &["10:201", "192.0.2.3", "no part"]);
        found(|asked| asked.iter_mut().for_each(|it| description(it).parts.clear()))
            .has(Problem, &["nothing to serve"]);
        found(|asked| {
            asked.iter_mut().zip(1..).for_each(|(it, number)| of(it).license_quantity = number);
        })
        .has(Problem, &["not served"]);
        found(|asked| description(&mut asked[0]).parts[0].cm_act_id = 0)
            .has(Warning, &["130-1", "belongs to no set"]);
    }

    #[test]
    fn a_licence_that_ends_is_said_in_time() {
        let ends = |at: u64| {
            found(move |asked| {
                asked.iter_mut().for_each(|it| of(it).expiration_time = Some(Wall(at)));
            })
        };
        ends(NOW.0).has(Problem, &["10:201 has ended"]);
        ends(NOW.0 + 3 * 24 * 60 * 60).has(Warning, &["10:201 ends in 3 days"]);
        ends(NOW.0 + LICENCE_ENDS_SOON.as_secs()).has(Fine, &["1 of 1"]);
    }

    #[test]
    fn the_other_front_is_there_and_of_this_version_or_not() {
        let address = Address { host: "192.0.2.9".into(), port: 22354 };
        let hello = |major, program: &str| {
            Ok(Hello {
                version: Version { major, minor: 0 },
                front: 1,
                program: program.into(),
                chosen: None,
            })
        };
        let found = |said: Result<Hello, CloseReason>| {
            let mut findings = Findings::default();
            twin(&address, &said, &mut findings);
            findings
        };
        let own = env!("CARGO_PKG_VERSION");
        found(hello(Version::OWN.major, own)).has(Fine, &["192.0.2.9:22354"]);
        found(hello(Version::OWN.major, "0.0.1")).has(Warning, &["runs tmrd 0.0.1"]);
        found(hello(99, "9.0")).has(Problem, &["another protocol"]);
        found(Err(CloseReason::Timeout("connecting"))).has(Problem, &["cannot be reached"]);
        found(Err(CloseReason::Eof)).has(Problem, &["another group key"]);
    }
}

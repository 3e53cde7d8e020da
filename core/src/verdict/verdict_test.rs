//! The table of states and the troubles of each; the texts are a snapshot.

use super::states::{Case, well};
use super::*;
use crate::base::server_files::{FileTrouble, Misplaced};
use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::{format, vec};
use core::fmt::Write;

fn told(name: &str, troubles: &[Trouble], out: &mut String) {
    let _ = writeln!(out, "# {name}");
    for it in troubles {
        let _ = writeln!(out, "{} {}: {}", it.severity.name(), it.code, it.text);
        let _ = writeln!(out, "  -> {}", it.what_to_do);
    }
}

#[test]
fn each_state_is_told_with_what_to_do() {
    let fine = [
        "all is well",
        "the standby is well",
        "the other machine could not take it, and its front has just started",
        "nothing is known of what moves the address",
        "entries are on their way to the twin",
        "a clock is a minute off",
        "a certificate holds",
        "a token holds",
        "a token has ended",
        "a licence ends in thirty days",
        "units are there",
        "connections are many",
        "requests were refused hours ago",
        "the disk has room",
    ];
    let (mut out, mut codes, mut count) = (String::new(), BTreeSet::new(), 0);
    for (name, case) in Case::all() {
        let troubles = case.verdict();
        assert_eq!(troubles.is_empty(), fine.contains(&name), "{name}: {troubles:?}");
        assert!(troubles.is_sorted_by_key(|it| it.severity), "{name}: the worst comes first");
        assert!(troubles.iter().all(|it| !it.what_to_do.is_empty()), "{name}");
        codes.extend(troubles.iter().map(|it| it.code));
        told(name, &troubles, &mut out);
        count += 1;
    }
    assert!(count >= 60, "{count}");
    assert!(codes.len() >= 40, "{codes:?}");
    insta::assert_snapshot!(out);
}

#[test]
fn who_is_not_ready_has_a_red_trouble() {
    for (name, case) in Case::all().filter(|(_, case)| case.ready.is_err()) {
        let troubles = case.verdict();
        assert!(troubles.iter().any(|it| it.severity == Severity::Red), "{name}: {troubles:?}");
    }
    // If no other trouble reports it, with the same reason.
    let mut case = well();
    let reason = "fewer than two members of the group are here; missing: a".to_string();
    case.ready = Err(reason.clone());
    let troubles = case.verdict();
    assert_eq!((troubles[0].code, troubles[0].severity), ("not-ready", Severity::Red));
    assert!(troubles[0].text.contains(&reason), "{troubles:?}");
    let backend = of_backend(Err("it is blank".into()), false);
    assert_eq!(
        backend.iter().map(|it| it.code).collect::<Vec<_>>(),
        ["no-licence", "backend-not-ready"]
    );
    assert!(of_backend(Ok(()), true).is_empty());
}

/// Returns the codes of a state's troubles.
fn codes(name: &str) -> Vec<&'static str> {
    let (_, case) = Case::all().find(|(other, _)| *other == name).expect("it is in the table");
    case.verdict().iter().map(|it| it.code).collect()
}

#[test]
fn what_follows_from_another_trouble_is_not_told_beside_it() {
    let down = ["backend-down"; 2];
    assert_eq!(codes("two backends are down"), down, "not what follows for fronts and licences");
    assert_eq!(codes("two backends are down, seen from the standby"), down);
    assert_eq!(codes("a backend is down, and all have its part of every licence"), down[..1]);
    assert_eq!(codes("a backend is left out"), ["backend-left-out"]);
    let gone = codes("a backend's state folder is gone, and its socket with it");
    assert_eq!(gone, ["backend-state-lost"]);
    assert_eq!(codes("memory lost"), ["cannot-lead"], "nobody is brought up to date");
    // A trouble with a cause of its own is reported.
    assert_eq!(
        codes("a backend is down, and the part of another one differs"),
        ["licence-parts", "backend-down"]
    );
    let left_out = codes("a backend is left out, and its part differs");
    assert_eq!(left_out, ["backend-left-out", "licence-two-parts"]);
    assert_eq!(codes("one part"), ["licence-parts"]);
    // Each licence with troubles of its own has its line.
    let all = codes("two licences have trouble of their own");
    assert_eq!(all, ["licence-expired", "seats-used-up"]);
}

#[test]
fn each_licence_has_the_state_that_its_trouble_tells() {
    let own =
        ["licence-parts", "licence-two-parts", "licence-expired", "units-used-up", "seats-used-up"];
    for (name, case) in Case::all() {
        let troubles = case.verdict();
        for licence in &case.status.licenses {
            let about =
                format!("{}:{}:{}", licence.firm_code, licence.product_code, licence.tmr_id);
            let worst = troubles
                .iter()
                .filter(|it| it.about == about && own.contains(&it.code))
                .map(|it| it.severity)
                .min();
            assert!(worst.is_none() || licence.severity <= worst, "{name}: {licence:?}");
            let red = licence.severity == Some(Severity::Red);
            let all = troubles.iter().any(|it| it.severity == Severity::Red);
            assert!(all || !red, "{name}: a red licence in a group without a red trouble");
            assert!(licence.available || licence.severity.is_some(), "{name}: {licence:?}");
        }
    }
}

#[test]
fn what_somebody_has_removed_under_a_server_is_told_with_its_path() {
    let found = |path: &str, what: &str| Some(Misplaced { path: path.into(), what: what.into() });
    let places = Places {
        state: found("/var/lib/tmrd/journal", "it is gone"),
        socket: found("/run/tmrd/admin.sock", "something else is there"),
    };
    let mut out = String::new();
    for is_front in [true, false] {
        let troubles = with_machine(with_places(Vec::new(), &places, is_front), &[], None);
        told(if is_front { "a front" } else { "a backend" }, &troubles, &mut out);
    }
    // Files in the lost folder are lost with it.
    for (state, socket) in
        [("/var/lib/x/journal", "/var/lib/x/admin.sock"), ("/srv", "/srv/admin.sock")]
    {
        let places = Places { state: found(state, "gone"), socket: found(socket, "gone") };
        for is_front in [true, false] {
            let troubles = with_places(Vec::new(), &places, is_front);
            assert_eq!(troubles.iter().map(|it| it.code).collect::<Vec<_>>(), ["state-lost"]);
        }
    }
    assert!(with_places(Vec::new(), &Places::default(), true).is_empty());
    insta::assert_snapshot!(out);
}

#[test]
fn refused_requests_are_told_with_the_seats() {
    let denied = vec![Denied { licence: (6_000_010, 201, 1), recent: 12, hour: 33, day: 40 }];
    let mut case = well();
    case.denied = denied;
    assert_eq!(case.verdict()[0].code, "requests-denied");
    case.status.licenses[0].used = 10;
    let full = case.verdict();
    assert_eq!(full.len(), 1);
    let told = "10 of 10. 33 requests were refused in the last hour.";
    assert!(full[0].text.contains(told), "{full:?}");
}

#[test]
fn refused_requests_are_yellow_for_five_minutes_and_worth_knowing_for_an_hour() {
    let mut case = well();
    let told = |case: &Case| {
        let troubles = case.verdict();
        troubles.first().map(|it| (it.code, it.severity))
    };
    let licence = (6_000_010, 201, 1);
    case.denied = vec![Denied { licence, recent: 1, hour: 1, day: 1 }];
    assert_eq!(told(&case), Some(("requests-denied", Severity::Yellow)));
    case.denied = vec![Denied { licence, recent: 0, hour: 1, day: 1 }];
    assert_eq!(told(&case), Some(("requests-denied", Severity::Info)));
    case.denied = vec![Denied { licence, recent: 0, hour: 0, day: 1 }];
    assert_eq!(told(&case), None);
}

#[test]
fn a_file_that_cannot_be_used_comes_before_what_is_less_bad() {
    let file = FileTrouble {
        file: "/etc/x".into(),
        trouble: "no PEM".into(),
        what_to_do: "mend it".into(),
    };
    let mut case = well();
    case.status.fenced = false;
    let troubles = with_machine(case.verdict(), &[file], None);
    assert_eq!(
        troubles.iter().map(|it| it.code).collect::<Vec<_>>(),
        ["file-unusable", "unfenced"]
    );
}

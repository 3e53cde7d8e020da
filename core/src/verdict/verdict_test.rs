//! A table of states and what is said of each; the words are a snapshot.

use super::*;
use crate::admin::status::{
    BackendState, BackendStatus, ClockStatus, CopyStatus, Difference, GoneStatus, LicenceStatus,
    Role, StrangerStatus, StrayStatus, Twin, TwinDifference,
};
use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec;
use core::fmt::Write;

const NOW: Wall = Wall(1_795_287_600);
const DAY: u64 = 86_400;

/// All is well, at the front that leads.
fn well() -> FrontStatus {
    let backend = |last| BackendStatus {
        address: format!("192.0.2.{last}:22350"),
        state: BackendState::Up,
        serial: Some(format!("130-100000{last}")),
        epoch: 3,
        handles: 2,
        trouble: None,
    };
    FrontStatus {
        version: "0.1.0",
        runtime: "smol",
        role: Role::Active,
        epoch: 3,
        fenced: true,
        cluster: Some("00ff".into()),
        virtual_ip: Some(true),
        failover_trouble: None,
        obstacle: None,
        twin: Some(Twin {
            address: "192.0.2.9:22354".into(),
            connected: true,
            synced: true,
            lag: 0,
            role: Some(Role::Standby),
            epoch: Some(3),
            since: None,
            version: Some("0.1.0".into()),
            passed_to: 0,
            passed_from: 0,
            trouble: None,
            differs: Vec::new(),
            configuration_trouble: None,
        }),
        backends: [1, 2, 3].map(backend).to_vec(),
        clocks: Vec::new(),
        containers: Vec::new(),
        strays: Vec::new(),
        copies: Vec::new(),
        certificate_ends: None,
        licenses: vec![LicenceStatus {
            firm_code: 6_000_010,
            product_code: 201,
            tmr_id: 1,
            quantity: 10,
            used: 2,
            free: 8,
            gone: 0,
            matching: 3,
            available: true,
            units_left: None,
            expires: None,
            expired: false,
            differs: Vec::new(),
        }],
        gone: Vec::new(),
        handles: 2,
        strangers: Vec::new(),
        allocations: Vec::new(),
        clients: Vec::new(),
    }
}

type Change = fn(&mut FrontStatus);

fn twin(status: &mut FrontStatus) -> &mut Twin {
    status.twin.as_mut().unwrap()
}

fn clock(status: &mut FrontStatus, machine: &str, offset: i64) {
    status.clocks.push(ClockStatus {
        machine: machine.into(),
        offset_seconds: Some(offset),
        verdict: None,
    });
}

fn down(status: &mut FrontStatus, index: usize, why: &str) {
    status.backends[index].state = BackendState::Down;
    status.backends[index].trouble = Some(why.into());
}

const STATES: &[(&str, Change)] = &[
    ("all is well", |_| ()),
    ("a backend is down", |it| down(it, 2, "connection refused")),
    ("a backend is silent", |it| down(it, 0, "timed out: a report")),
    ("a backend has another key", |it| down(it, 1, "broke the protocol: wrong proof")),
    ("two backends are down", |it| (0..2).for_each(|index| down(it, index, "no route"))),
    ("a backend is repaired", |it| it.backends[2].state = BackendState::Repairing),
    ("a backend is left out", |it| {
        it.backends[2].state = BackendState::Repairing;
        it.backends[2].trouble = Some("it belongs to another group".into());
    }),
    ("stock servers", |it| it.fenced = false),
    ("memory lost", |it| it.obstacle = Some("the group's memory is lost".into())),
    ("an obstacle while starting", |it| {
        it.role = Role::Starting;
        it.obstacle = Some("a new group needs all three backends once".into());
    }),
    ("starting", |it| it.role = Role::Starting),
    ("the twin is down", |it| twin(it).connected = false),
    ("the twin is down, seen from the standby", |it| {
        (it.role, it.virtual_ip) = (Role::Standby, Some(false));
        twin(it).connected = false;
    }),
    ("the twin is behind", |it| {
        twin(it).synced = false;
        twin(it).lag = 7;
    }),
    ("the twin has another key", |it| {
        twin(it).connected = false;
        twin(it).trouble = Some("it does not prove the group key".into());
    }),
    ("the twin differs", |it| {
        twin(it).differs.push(TwinDifference {
            key: "CmServer.Server".into(),
            ours: "a".into(),
            theirs: "b".into(),
        });
    }),
    ("the configuration is not followed", |it| {
        twin(it).configuration_trouble = Some("the file cannot be written".into());
    }),
    ("both lead", |it| twin(it).role = Some(Role::Active)),
    ("nobody leads", |it| (it.role, it.virtual_ip) = (Role::Standby, Some(false))),
    ("the standby is well", |it| {
        (it.role, it.virtual_ip) = (Role::Standby, Some(false));
        twin(it).role = Some(Role::Active);
    }),
    ("the address is elsewhere", |it| it.virtual_ip = Some(false)),
    ("the address is with the standby", |it| {
        it.role = Role::Standby;
        twin(it).role = Some(Role::Active);
    }),
    ("a failover failed", |it| it.failover_trouble = Some("the other front was late".into())),
    ("a clock is a minute off", |it| clock(it, "front", 60)),
    ("a clock is more than a minute off", |it| clock(it, "front", -61)),
    ("a clock is hours off", |it| clock(it, "twin", 7_300)),
    ("a clock is days off", |it| clock(it, "192.0.2.1:22350", -2 * 86_400)),
    ("a certificate has ended", |it| it.certificate_ends = Some(NOW)),
    ("a certificate ends", |it| it.certificate_ends = Some(Wall(NOW.0 + 20 * DAY))),
    ("a certificate holds", |it| it.certificate_ends = Some(Wall(NOW.0 + 21 * DAY))),
    ("handles are nearly full", |it| it.handles = 60_000),
    ("no licence is there", |it| it.licenses.clear()),
    ("one part", |it| it.licenses[0].matching = 1),
    ("no part", |it| it.licenses[0].matching = 0),
    ("two parts", |it| it.licenses[0].matching = 2),
    ("a part differs", |it| {
        it.licenses[0].matching = 2;
        it.licenses[0].differs.push(Difference {
            backend: "192.0.2.3:22350".into(),
            field: "LicenseQuantity".into(),
            value: "4".into(),
            expected: "10".into(),
        });
    }),
    ("a licence has ended", |it| {
        it.licenses[0].expires = Some(NOW);
        it.licenses[0].expired = true;
    }),
    ("a licence ends in ten days", |it| it.licenses[0].expires = Some(Wall(NOW.0 + 10 * DAY))),
    ("a licence ends in thirty days", |it| it.licenses[0].expires = Some(Wall(NOW.0 + 30 * DAY))),
    ("units are used up", |it| it.licenses[0].units_left = Some(0)),
    ("all seats are in use", |it| it.licenses[0].used = 10),
    ("seats of a licence that is gone fill it", |it| {
        (it.licenses[0].used, it.licenses[0].gone) = (7, 3);
    }),
    ("a licence is gone", |it| {
        it.gone.push(GoneStatus {
            firm_code: 6_000_010,
            product_code: 201,
            tmr_id: 7,
            cm_act_id: 5,
            handles: 2,
            seats: 1,
            trouble: "2 handles of 6000010:201 are held, and it is gone".into(),
        });
    }),
    ("a part is copied", |it| {
        it.copies.push(CopyStatus {
            serial: "130-1000001".into(),
            backends: Vec::new(),
            trouble: "backends a and b hold the same part (130-1000001)".into(),
        });
    }),
    ("a stray", |it| {
        it.strays.push(StrayStatus {
            backend: "192.0.2.3:22350".into(),
            serial: "130-7".into(),
            trouble: "it has no CmActId",
        });
    }),
    ("a stranger", |it| it.strangers.push(StrangerStatus::new("192.0.2.66".into(), 40))),
];

fn of(status: &FrontStatus, ready: Result<(), String>, denied: Vec<Denied>) -> Vec<Trouble> {
    with_files(of_front(&Facts { status, ready, now: NOW, denied }), &[])
}

fn told(name: &str, troubles: &[Trouble], out: &mut String) {
    let _ = writeln!(out, "# {name}");
    for it in troubles {
        let _ = writeln!(out, "{} {}: {}", it.severity.name(), it.code, it.text);
        let _ = writeln!(out, "  -> {}", it.what_to_do);
    }
}

#[test]
fn each_state_is_told_with_what_to_do() {
    assert!(STATES.len() >= 40);
    let fine = [
        "all is well",
        "the standby is well",
        "a clock is a minute off",
        "a certificate holds",
        "a licence ends in thirty days",
    ];
    let (mut out, mut codes) = (String::new(), BTreeSet::new());
    for (name, change) in STATES {
        let mut status = well();
        change(&mut status);
        let troubles = of(&status, Ok(()), Vec::new());
        assert_eq!(troubles.is_empty(), fine.contains(name), "{name}: {troubles:?}");
        assert!(troubles.is_sorted_by_key(|it| it.severity), "{name}: the worst comes first");
        assert!(troubles.iter().all(|it| !it.what_to_do.is_empty()), "{name}");
        codes.extend(troubles.iter().map(|it| it.code));
        told(name, &troubles, &mut out);
    }
    assert!(codes.len() >= 30, "{codes:?}");
    insta::assert_snapshot!(out);
}

#[test]
fn who_is_not_ready_has_a_red_trouble_with_the_same_reason() {
    let reason = "fewer than two members of the group are here; missing: a".to_string();
    let troubles = of(&well(), Err(reason.clone()), Vec::new());
    assert_eq!((troubles[0].code, troubles[0].severity), ("not-ready", Severity::Red));
    assert!(troubles[0].text.contains(&reason), "{troubles:?}");
    let backend = of_backend(Err("it is blank".into()), false);
    assert_eq!(
        backend.iter().map(|it| it.code).collect::<Vec<_>>(),
        ["no-licence", "backend-not-ready"]
    );
    assert!(of_backend(Ok(()), true).is_empty());
}

#[test]
fn refused_requests_are_told_with_the_seats() {
    let denied = vec![Denied { licence: (6_000_010, 201, 1), hour: 33, day: 40 }];
    let mut status = well();
    let only = of(&status, Ok(()), denied.clone());
    assert_eq!(only[0].code, "requests-denied");
    status.licenses[0].used = 10;
    let full = of(&status, Ok(()), denied);
    assert_eq!(full.len(), 1);
    assert!(full[0].text.contains("10 of 10. 33 requests were refused"), "{full:?}");
}

#[test]
fn a_file_that_cannot_be_used_comes_before_what_is_less_bad() {
    let file = FileTrouble {
        file: "/etc/x".into(),
        trouble: "no PEM".into(),
        what_to_do: "mend it".into(),
    };
    let mut status = well();
    status.fenced = false;
    let troubles = with_files(of(&status, Ok(()), Vec::new()), &[file]);
    assert_eq!(
        troubles.iter().map(|it| it.code).collect::<Vec<_>>(),
        ["file-unusable", "unfenced"]
    );
}

//! States of a front as sets of facts, for tests that compare page, status, doctor, exit codes,
//! `/readyz`, metrics and alert rules for the same state.

use super::{Denied, Facts, Trouble, licence_state, of_front, with_machine};
use crate::base::credentials::Rights;
use crate::base::credentials::tokens::Token;
use crate::base::limits::{ROOM_LEAST, ROOM_LOW};
use crate::base::metrics::Page;
use crate::base::server_files::{FileTrouble, Room};
use crate::base::time::Wall;
use crate::status::{
    AddressStatus, BackendState, BackendStatus, ClockStatus, CopyStatus, CouldTake, Difference,
    FrontStatus, GoneStatus, LicenceState, LicenceStatus, Role, StrangerStatus, StrayStatus, Twin,
    TwinDifference,
};
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use serde_json::{Value, json};

/// The date in all states.
pub(super) const NOW: Wall = Wall(1_795_287_600);
/// A day, in seconds.
const DAY: u64 = 86_400;

fn could(could: bool) -> CouldTake {
    let reason = (!could).then(|| "keepalived has not run its track scripts for 12 s".into());
    CouldTake { could_take: Some(could), reason }
}

/// Returns the status of a front that leads, in a group where all is well.
fn at_ease() -> FrontStatus {
    let backend = |last| BackendStatus {
        address: format!("192.0.2.{last}:22350"),
        state: BackendState::Up,
        serial: Some(format!("130-100000{last}")),
        epoch: 3,
        handles: 2,
        trouble: None,
        disk_slow: false,
        state_lost: false,
        socket_lost: false,
        files_unusable: 0,
    };
    FrontStatus {
        version: "0.1.0",
        runtime: "smol",
        process: "0000002a".into(),
        role: Role::Active,
        epoch: 3,
        fenced: true,
        cluster: Some("00ff".into()),
        virtual_ip: Some(true),
        address: Some(AddressStatus { this: could(true), other: could(true) }),
        failover_trouble: None,
        obstacle: None,
        twin: Some(Twin {
            address: "192.0.2.9:22354".into(),
            connected: true,
            synced: true,
            lag: 0,
            starting: false,
            silent_seconds: 0,
            behind_seconds: 0,
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
            state: LicenceState::Served,
            severity: None,
            units_left: None,
            units: None,
            activates: None,
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

/// A state.
#[derive(Clone, Debug)]
pub struct Case {
    /// The status.
    pub status: FrontStatus,
    /// The answer of `/readyz`.
    pub ready: Result<(), String>,
    pub(super) denied: Vec<Denied>,
    links: (usize, usize),
    history_gap: Option<Wall>,
    tokens: Vec<Token>,
    files: Vec<FileTrouble>,
    room: Option<Room>,
}

/// Returns the state in which all is well.
pub(super) fn well() -> Case {
    Case {
        status: at_ease(),
        ready: Ok(()),
        denied: Vec::new(),
        links: (2, 16_384),
        history_gap: None,
        tokens: Vec::new(),
        files: Vec::new(),
        room: None,
    }
}

impl Case {
    /// Returns all states, by name.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        STATES.iter().map(|(name, change)| {
            let mut case = well();
            change(&mut case);
            for licence in &mut case.status.licenses {
                licence.free = licence.quantity.saturating_sub(licence.used + licence.gone);
                licence.state = licence_state(licence, case.ready.is_ok(), NOW);
                licence.severity = licence.state.severity();
                licence.available = case.ready.is_ok()
                    && licence.matching >= 2
                    && !licence.expired
                    && licence.activates.is_none_or(|start| start <= NOW);
            }
            (*name, case)
        })
    }

    /// Returns the verdict.
    #[must_use]
    pub fn verdict(&self) -> Vec<Trouble> {
        let facts = Facts {
            status: &self.status,
            ready: self.ready.clone(),
            now: NOW,
            denied: self.denied.clone(),
            links: self.links,
            history_gap: self.history_gap,
            tokens: &self.tokens,
        };
        with_machine(of_front(&facts), &self.files, self.room.as_ref())
    }

    /// Returns the contents of `/api/status`.
    #[must_use]
    pub fn shown(&self) -> Value {
        let mut shown = serde_json::to_value(&self.status).unwrap_or_default();
        shown["files"] = json!(self.files);
        shown["verdict"] = json!(self.verdict());
        shown
    }

    /// Returns the verdict's lines in `/metrics`.
    #[must_use]
    pub fn metrics(&self) -> String {
        let mut page = Page::new("text/plain");
        super::write_metrics(&self.verdict(), &mut page);
        page.end().1
    }
}

type Change = fn(&mut Case);

fn twin(case: &mut Case) -> &mut Twin {
    case.status.twin.as_mut().expect("there is one")
}

fn address(case: &mut Case) -> &mut AddressStatus {
    case.status.address.as_mut().expect("there is one")
}

fn stands_by(case: &mut Case) {
    case.status.role = Role::Standby;
    case.status.virtual_ip = Some(false);
}

fn obstacle(case: &mut Case, reason: &str) {
    case.status.obstacle = Some(reason.into());
    case.ready = Err(reason.into());
}

fn clock(case: &mut Case, machine: &str, offset: i64) {
    case.status.clocks.push(ClockStatus {
        machine: machine.into(),
        offset_seconds: Some(offset),
        verdict: None,
    });
}

fn down(case: &mut Case, index: usize, reason: &str) {
    case.status.backends[index].state = BackendState::Down;
    case.status.backends[index].trouble = Some(reason.into());
}

fn differs(case: &mut Case, backend: &str, (field, value, expected): (&str, &str, &str)) {
    case.status.licenses[0].differs.push(Difference {
        backend: backend.into(),
        field: field.into(),
        value: value.into(),
        expected: expected.into(),
    });
}

/// Adds a token that ends at this time.
fn token(case: &mut Case, ends: u64) {
    let made = Token::make("grafana", Rights::Reader, Wall(ends), [0; 32]);
    case.tokens.extend(made.map(|(token, _)| token));
}

fn room(free: u64) -> Room {
    Room { folder: "/var/lib/tmrd/front".into(), free }
}

const STATES: &[(&str, Change)] = &[
    ("all is well", |_| ()),
    ("a backend is down", |it| down(it, 2, "connection refused")),
    ("a backend is silent", |it| down(it, 0, "timed out: a report")),
    ("a backend has another key", |it| down(it, 1, "broke the protocol: wrong proof")),
    ("two backends are down", |it| {
        (0..2).for_each(|index| down(it, index, "no route"));
        it.ready = Err("fewer than two members of the group are here; missing: a, b".into());
        it.status.licenses[0].matching = 1;
    }),
    ("two backends are down, seen from the standby", |it| {
        stands_by(it);
        twin(it).role = Some(Role::Starting);
        (1..3).for_each(|index| down(it, index, "connection refused"));
        it.ready = Err("fewer than two members of the group are here; missing: b, c".into());
        it.status.licenses[0].matching = 1;
    }),
    ("a backend is down, and all have its part of every licence", |it| {
        down(it, 2, "connection refused");
        it.status.licenses[0].matching = 2;
    }),
    ("a backend is down, and the part of another one differs", |it| {
        down(it, 2, "connection refused");
        it.status.licenses[0].matching = 1;
        differs(it, "192.0.2.2:22350", ("LicenseQuantity", "4", "10"));
    }),
    ("two of three disks are slow", |it| {
        (1..3).for_each(|index| it.status.backends[index].disk_slow = true);
    }),
    ("a backend is repaired", |it| it.status.backends[2].state = BackendState::Repairing),
    ("a backend is left out", |it| {
        it.status.backends[2].state = BackendState::Repairing;
        it.status.backends[2].trouble = Some("it belongs to another group".into());
        it.status.licenses[0].matching = 2;
    }),
    ("a backend is left out, and its part differs", |it| {
        it.status.backends[2].state = BackendState::Repairing;
        it.status.backends[2].trouble = Some("it belongs to another group".into());
        it.status.licenses[0].matching = 2;
        differs(it, "192.0.2.3:22350", ("LicenseQuantity", "4", "10"));
    }),
    ("a backend's state is lost", |it| it.status.backends[1].state_lost = true),
    ("two backends' states are lost", |it| {
        (0..2).for_each(|index| it.status.backends[index].state_lost = true);
    }),
    ("a backend's state folder is gone, and its socket with it", |it| {
        it.status.backends[1].state_lost = true;
        it.status.backends[1].socket_lost = true;
    }),
    ("a backend has no socket", |it| it.status.backends[2].socket_lost = true),
    ("a backend cannot use a file", |it| it.status.backends[1].files_unusable = 1),
    ("two backends cannot use files", |it| {
        (0..2).for_each(|index| it.status.backends[index].files_unusable = 2);
    }),
    ("stock servers", |it| it.status.fenced = false),
    ("memory lost", |it| {
        obstacle(it, "the group's memory is lost");
        (1..3).for_each(|index| it.status.backends[index].state = BackendState::Repairing);
    }),
    ("an obstacle while starting", |it| {
        it.status.role = Role::Starting;
        obstacle(it, "a new group needs all three backends once");
    }),
    ("starting", |it| it.status.role = Role::Starting),
    ("the twin is down", |it| twin(it).connected = false),
    ("the twin is down, seen from the standby", |it| {
        stands_by(it);
        twin(it).role = Some(Role::Active);
        twin(it).connected = false;
    }),
    ("the twin is behind", |it| {
        twin(it).synced = false;
        twin(it).lag = 7;
        twin(it).behind_seconds = 3;
    }),
    ("entries are on their way to the twin", |it| {
        twin(it).synced = false;
        twin(it).lag = 7;
    }),
    ("the twin is silent", |it| {
        twin(it).synced = false;
        twin(it).silent_seconds = 4;
    }),
    ("the twin is silent, seen from the standby", |it| {
        stands_by(it);
        twin(it).role = Some(Role::Active);
        twin(it).synced = false;
        twin(it).silent_seconds = 9;
    }),
    ("the twin has another key", |it| {
        twin(it).version = Some("0.0.9".into());
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
    ("nobody leads", stands_by),
    ("the standby is well", |it| {
        stands_by(it);
        twin(it).role = Some(Role::Active);
    }),
    ("the other machine could not take the address", |it| address(it).other = could(false)),
    ("the other machine could not take it, and its front has just started", |it| {
        address(it).other = could(false);
        twin(it).starting = true;
    }),
    ("this machine could not take the address", |it| {
        stands_by(it);
        twin(it).role = Some(Role::Active);
        address(it).this = could(false);
    }),
    ("keepalived of neither machine runs", |it| {
        *address(it) = AddressStatus { this: could(false), other: could(false) };
    }),
    ("nothing is known of what moves the address", |it| {
        address(it).this.could_take = None;
        address(it).other.could_take = None;
    }),
    ("the address is elsewhere", |it| it.status.virtual_ip = Some(false)),
    ("the address is with the standby", |it| {
        it.status.role = Role::Standby;
        twin(it).role = Some(Role::Active);
    }),
    ("a failover failed", |it| {
        it.status.failover_trouble = Some("the other front was late".into());
    }),
    ("a clock is a minute off", |it| clock(it, "front", 60)),
    ("a clock is more than a minute off", |it| clock(it, "front", -61)),
    ("a clock is hours off", |it| clock(it, "twin", 7_300)),
    ("a clock is days off", |it| clock(it, "192.0.2.1:22350", -2 * 86_400)),
    ("a certificate has ended", |it| it.status.certificate_ends = Some(NOW)),
    ("a certificate ends", |it| it.status.certificate_ends = Some(Wall(NOW.0 + 20 * DAY))),
    ("a certificate holds", |it| it.status.certificate_ends = Some(Wall(NOW.0 + 21 * DAY))),
    ("a token ends in hours", |it| token(it, NOW.0 + 7_200)),
    ("a token ends in days", |it| token(it, NOW.0 + 7 * DAY - 1)),
    ("a token holds", |it| token(it, NOW.0 + 7 * DAY)),
    ("a token has ended", |it| token(it, NOW.0)),
    ("handles are nearly full", |it| it.status.handles = 60_000),
    ("no licence is there", |it| it.status.licenses.clear()),
    ("one part", |it| it.status.licenses[0].matching = 1),
    ("no part", |it| it.status.licenses[0].matching = 0),
    ("two parts", |it| it.status.licenses[0].matching = 2),
    ("a part differs", |it| {
        it.status.licenses[0].matching = 2;
        differs(it, "192.0.2.3:22350", ("LicenseQuantity", "4", "10"));
    }),
    ("a licence has ended", |it| {
        it.status.licenses[0].expires = Some(NOW);
        it.status.licenses[0].expired = true;
    }),
    ("a licence ends in ten days", |it| {
        it.status.licenses[0].expires = Some(Wall(NOW.0 + 10 * DAY));
    }),
    ("a licence ends in thirty days", |it| {
        it.status.licenses[0].expires = Some(Wall(NOW.0 + 30 * DAY));
    }),
    ("a licence ends in hours", |it| {
        it.status.licenses[0].expires = Some(Wall(NOW.0 + DAY - 60));
    }),
    ("units are used up", |it| it.status.licenses[0].units_left = Some(0)),
    ("all seats are in use", |it| it.status.licenses[0].used = 10),
    ("seats of a licence that is gone fill it", |it| {
        it.status.licenses[0].used = 7;
        it.status.licenses[0].gone = 3;
    }),
    ("a licence is gone", |it| {
        it.status.gone.push(GoneStatus {
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
        it.status.copies.push(CopyStatus {
            serial: "130-1000001".into(),
            backends: Vec::new(),
            trouble: "backends a and b hold the same part (130-1000001)".into(),
        });
    }),
    ("a stray", |it| {
        it.status.strays.push(StrayStatus {
            backend: "192.0.2.3:22350".into(),
            serial: "130-7".into(),
            trouble: "it has no CmActId",
        });
    }),
    ("a part misses the product", |it| {
        it.status.licenses[0].matching = 2;
        differs(it, "192.0.2.3:22350", ("ProductCode", "missing in part 3", "201"));
    }),
    ("a licence is not active yet", |it| {
        it.status.licenses[0].activates = Some(Wall(NOW.0 + DAY));
    }),
    ("units are nearly used up", |it| {
        it.status.licenses[0].units_left = Some(10);
        it.status.licenses[0].units = Some(100);
    }),
    ("units are there", |it| {
        it.status.licenses[0].units_left = Some(11);
        it.status.licenses[0].units = Some(100);
    }),
    ("two licences have trouble of their own", |it| {
        let mut other = it.status.licenses[0].clone();
        other.product_code = 202;
        other.expires = Some(NOW);
        other.expired = true;
        it.status.licenses[0].used = 10;
        it.status.licenses.push(other);
    }),
    ("all seats are in use, and requests were refused", |it| {
        it.status.licenses[0].used = 10;
        it.denied = vec![Denied { licence: (6_000_010, 201, 1), recent: 12, hour: 33, day: 40 }];
    }),
    ("requests were refused a moment ago", |it| {
        it.denied = vec![Denied { licence: (6_000_010, 201, 1), recent: 1, hour: 1, day: 1 }];
    }),
    ("requests were refused a while ago", |it| {
        it.denied = vec![Denied { licence: (6_000_010, 201, 1), recent: 0, hour: 3, day: 4 }];
    }),
    ("requests were refused hours ago", |it| {
        it.denied = vec![Denied { licence: (6_000_010, 201, 1), recent: 0, hour: 0, day: 4 }];
    }),
    ("connections are nearly full", |it| it.links = (14_760, 16_384)),
    ("connections are many", |it| it.links = (14_700, 16_384)),
    ("the history has a gap", |it| it.history_gap = Some(Wall(NOW.0 - 60))),
    ("the twin has another version", |it| twin(it).version = Some("0.0.9".into())),
    ("a file cannot be used", |it| {
        it.files.push(FileTrouble {
            file: "/etc/wibu/CodeMeter/tmr-admin.pem".into(),
            trouble: "no certificate in PEM".into(),
            what_to_do: "put a certificate and its key there".into(),
        });
    }),
    ("the disk is nearly full", |it| it.room = Some(room(ROOM_LOW - 1))),
    ("the disk is full", |it| it.room = Some(room(ROOM_LEAST - 1))),
    ("the disk has room", |it| it.room = Some(room(ROOM_LOW))),
    ("a stranger", |it| it.status.strangers.push(StrangerStatus::new("192.0.2.66".into(), 40))),
];

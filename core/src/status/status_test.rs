//! `/api/status` as it is written.

use super::*;
use crate::base::time::Wall;
use alloc::vec;
use serde_json::json;

#[test]
fn a_front_says_what_the_contract_says() {
    let status = FrontStatus {
        version: "0.1.0",
        runtime: "smol",
        process: "0000002a".into(),
        role: Role::Active,
        epoch: 3,
        fenced: true,
        cluster: Some("00ff".into()),
        virtual_ip: Some(true),
        address: Some(AddressStatus {
            this: CouldTake { could_take: Some(true), reason: None },
            other: CouldTake { could_take: Some(false), reason: Some("no".into()) },
        }),
        failover_trouble: Some("late".into()),
        obstacle: Some("alone".into()),
        twin: Some(Twin {
            address: "a:1".into(),
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
            passed_from: 2,
            trouble: None,
            differs: vec![TwinDifference {
                key: "CmServer.Server".into(),
                ours: "a".into(),
                theirs: "b".into(),
            }],
            configuration_trouble: None,
        }),
        backends: vec![BackendStatus {
            address: "127.0.0.1:22361".into(),
            state: BackendState::Up,
            serial: Some("130-1000001".into()),
            epoch: 3,
            handles: 2,
            trouble: None,
            disk_slow: false,
            state_lost: false,
            socket_lost: false,
            files_unusable: 1,
        }],
        clocks: vec![
            ClockStatus {
                machine: "front".into(),
                offset_seconds: Some(-61),
                verdict: Some(ClockVerdict::of(-61)),
            },
            ClockStatus { machine: "twin".into(), offset_seconds: None, verdict: None },
        ],
        containers: vec![ContainerStatus {
            serial: "131-59885682".into(),
            cm_act_id: 305_419_896,
            parts: vec!["130-1000001".into()],
        }],
        strays: vec![StrayStatus {
            backend: "127.0.0.1:22363".into(),
            serial: "130-7".into(),
            trouble: "it is alone",
        }],
        copies: vec![CopyStatus {
            serial: "130-1000001".into(),
            backends: vec!["127.0.0.1:22361".into(), "127.0.0.1:22363".into()],
            trouble: "they hold the same part".into(),
        }],
        certificate_ends: None,
        licenses: vec![LicenceStatus {
            firm_code: 6_000_010,
            product_code: 201,
            tmr_id: 1,
            quantity: 5,
            used: 2,
            free: 3,
            gone: 0,
            matching: 2,
            available: true,
            state: LicenceState::TwoParts,
            severity: Some(Severity::Yellow),
            units_left: None,
            units: None,
            activates: None,
            expires: None,
            expired: false,
            differs: vec![Difference {
                backend: "127.0.0.1:22363".into(),
                field: "LicenseQuantity".into(),
                value: "4".into(),
                expected: "5".into(),
            }],
        }],
        gone: vec![GoneStatus {
            firm_code: 6_000_010,
            product_code: 201,
            tmr_id: 7,
            cm_act_id: 5,
            handles: 2,
            seats: 1,
            trouble: "they are held".into(),
        }],
        handles: 1,
        strangers: vec![StrangerStatus::new("192.0.2.66".into(), 40)],
        allocations: vec![Allocation {
            handle: 19_857,
            id: 5,
            kind: "licence",
            firm_code: 6_000_010,
            product_code: 201,
            mode: "user-limit",
            client: "127.0.0.1".parse().unwrap(),
            host: "h".into(),
            user: "u".into(),
            since: Wall(1_795_287_600),
            gone: false,
            backends: 3,
        }],
        clients: vec![ClientStatus {
            address: "127.0.0.1".parse().unwrap(),
            host: "h".into(),
            user: "u".into(),
            runtime_version: Some("6.10".into()),
            too_old: false,
            connected: true,
            since: Wall(1_795_287_600),
            calls: 7,
        }],
    };
    let mut ends = status.clone();
    ends.licenses[0].expires = Some(Wall(1_795_287_600));
    let ends = serde_json::to_value(ends).unwrap();
    assert_eq!(ends["licenses"][0]["expires"], "2026-11-21T19:00:00Z");
    let expected = json!({
      "version": "0.1.0", "runtime": "smol", "process": "0000002a",
      "role": "active", "epoch": 3, "fenced": true,
      "cluster": "00ff", "virtual_ip": true, "failover_trouble": "late",
      "address": { "this": { "could_take": true, "reason": null },
                   "other": { "could_take": false, "reason": "no" } },
      "obstacle": "alone",
      "twin": { "address": "a:1", "connected": true, "synced": true, "lag": 0, "starting": false,
                "silent_seconds": 0, "behind_seconds": 0,
                "role": "standby", "epoch": 3, "since": null, "version": "0.1.0",
                "passed_to": 0, "passed_from": 2,
                "trouble": null,
                "differs": [ { "key": "CmServer.Server", "ours": "a", "theirs": "b" } ],
                      "configuration_trouble": null },
      "backends": [ { "address": "127.0.0.1:22361", "state": "up", "serial": "130-1000001",
                      "epoch": 3, "handles": 2, "trouble": null, "disk_slow": false,
                      "state_lost": false, "socket_lost": false, "files_unusable": 1 } ],
      "clocks": [ { "machine": "front", "offset_seconds": -61, "verdict": "off" },
                  { "machine": "twin", "offset_seconds": null, "verdict": null } ],
      "containers": [ { "serial": "131-59885682", "cm_act_id": 305_419_896,
                        "parts": ["130-1000001"] } ],
      "strays": [ { "backend": "127.0.0.1:22363", "serial": "130-7",
                    "trouble": "it is alone" } ],
      "copies": [ { "serial": "130-1000001",
                    "backends": [ "127.0.0.1:22361", "127.0.0.1:22363" ],
                    "trouble": "they hold the same part" } ],
      "licenses": [ { "firm_code": 6_000_010, "product_code": 201, "tmr_id": 1, "quantity": 5,
                      "used": 2, "free": 3, "gone": 0, "expired": false, "matching": 2, "available": true,
                      "state": "two-parts", "severity": "yellow", "units_left": null,
                      "differs": [ { "backend": "127.0.0.1:22363", "field": "LicenseQuantity",
                                     "value": "4", "expected": "5" } ] } ],
      "gone": [ { "firm_code": 6_000_010, "product_code": 201, "tmr_id": 7, "cm_act_id": 5,
                  "handles": 2, "seats": 1, "trouble": "they are held" } ],
      "handles": 1,
      "strangers": [ { "address": "192.0.2.66", "calls": 40,
          "trouble": "192.0.2.66 names handles that are not his: 40 in the last minute" } ],
      "allocations": [ { "handle": 19_857, "id": 5, "kind": "licence", "firm_code": 6_000_010,
                         "product_code": 201, "mode": "user-limit", "client": "127.0.0.1", "host": "h", "user": "u",
                         "since": "2026-11-21T19:00:00Z", "gone": false, "backends": 3 } ],
      "clients": [ { "address": "127.0.0.1", "host": "h", "user": "u", "runtime_version": "6.10",
                     "too_old": false, "connected": true, "since": "2026-11-21T19:00:00Z",
                     "calls": 7 } ]
    });
    assert_eq!(serde_json::to_value(status).unwrap(), expected);
}

#[test]
fn roles_and_states_are_small_words() {
    let roles = [Role::Active, Role::Standby, Role::Starting, Role::Backend];
    let expected = json!(["active", "standby", "starting", "backend"]);
    assert_eq!(serde_json::to_value(roles).unwrap(), expected);
    let states =
        [BackendState::Up, BackendState::Repairing, BackendState::Down, BackendState::Unfenced];
    let expected = json!(["up", "repairing", "down", "unfenced"]);
    assert_eq!(serde_json::to_value(states).unwrap(), expected);
}

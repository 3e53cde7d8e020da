//! Two fronts and the line between them: what the one that stands by knows, and what that is worth.

use super::World;
use crate::base::limits::{
    LOG_KEPT, TWIN_CONNECT, TWIN_HEARTBEAT, TWIN_REDIAL_MAX, TWIN_SILENCE, TWIN_STATE_PAUSE,
    TWIN_TRANSFER, TWIN_WINDOW,
};
use crate::base::network::Address;
use crate::base::time::Duration;
use crate::config;
use crate::io::Input;
use crate::log::{ContainerId, Entry, Handle, Slot};
use crate::messages::twin::{TwinMessage, Version};
use crate::testing::{crypt, release, seat};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::Value;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

/// Returns a world in which front 0 leads, and front 1 stands by in sync.
fn twins() -> World {
    let mut world = super::twins();
    in_sync(&mut world, "at first");
    world
}

fn twin(world: &mut World, front: usize) -> Value {
    world.status(front)["twin"].take()
}

#[track_caller]
fn in_sync(world: &mut World, when: &str) {
    for front in 0..2 {
        let twin = twin(world, front);
        let row = (&twin["connected"], &twin["synced"], &twin["lag"], &twin["trouble"]);
        let good = (&true.into(), &true.into(), &0.into(), &Value::Null);
        assert_eq!(row, good, "front {front} {when}: {twin:#}");
    }
}

/// Returns how many states, entries, and configurations a front has sent since the last time.
fn told(world: &mut World, front: usize) -> (usize, usize, usize) {
    let (mut states, mut entries, mut shared) = (0, 0, 0);
    for (from, bytes) in core::mem::take(&mut world.line.told) {
        match TwinMessage::decode(&bytes, 1) {
            Ok(TwinMessage::State { last: true, .. }) if from == front => states += 1,
            Ok(TwinMessage::Entries { entries: some, .. }) if from == front => {
                entries += some.len();
            }
            Ok(TwinMessage::Shared(_)) if from == front => shared += 1,
            _ => {}
        }
    }
    (states, entries, shared)
}

#[test]
fn the_one_that_stands_by_shows_what_the_leader_has() {
    let mut world = twins();
    let handles = world.take(0, 3);
    let client = world.connect(0);
    assert_eq!(world.ask(0, client, release(handles[0])), (0, 0));
    in_sync(&mut world, "after calls");
    let (leader, standby) = (world.status(0), world.status(1));
    assert_eq!(standby["role"], "standby");
    assert_eq!(standby["allocations"].as_array().unwrap().len(), 2);
    for key in ["epoch", "cluster", "licenses", "containers"] {
        assert_eq!(leader[key], standby[key], "{key}");
    }
    assert_eq!(standby["twin"]["role"], "active");
    assert_eq!(standby["twin"]["epoch"], leader["epoch"]);
    assert_eq!(standby["twin"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(standby["twin"]["since"], "2026-11-21T19:00:00Z");
    assert_eq!(
        (&leader["twin"]["role"], &leader["twin"]["since"]),
        (&"standby".into(), &Value::Null)
    );
    assert_eq!(leader["twin"]["differs"], serde_json::json!([]));
}

#[test]
fn a_takeover_reads_no_state_where_the_twin_has_it() {
    for warm in [true, false] {
        let mut world = if warm { twins() } else { World::serving() };
        let handles = world.take(0, 3);
        if !warm {
            world.line.cut = true;
            world.add_front();
        }
        world.told = Some(Vec::new());
        world.activate(1);
        world.advance(SECOND);
        assert!(world.leads(1));
        let story: Vec<String> = world.told.take().unwrap();
        let fetched = story.iter().any(|line| line.contains("Fetch") && line.contains("State"));
        assert_eq!(fetched, !warm, "{story:#?}");
        for handle in handles {
            let client = world.connect(1);
            assert_eq!(world.ask(1, client, crypt(handle)).0, 0);
        }
        assert_eq!(world.seats(1), 3);
    }
}

#[test]
fn after_a_break_only_what_is_missing_is_told() {
    let mut world = twins();
    world.take(0, 1);
    world.line.cut = true;
    world.break_line();
    let late = world.take(0, 2);
    let twin = twin(&mut world, 0);
    assert_eq!((&twin["connected"], &twin["synced"]), (&false.into(), &false.into()));
    assert!(twin["trouble"].as_str().unwrap().contains("twin:1"), "{twin:#}");
    assert_eq!(world.seats(1), 1);
    assert_eq!(self::twin(&mut world, 1)["synced"], false, "it cannot know");
    told(&mut world, 0);
    world.line.cut = false;
    world.advance(TWIN_REDIAL_MAX);
    in_sync(&mut world, "again");
    assert_eq!(told(&mut world, 0), (0, late.len(), 1));
    assert_eq!(world.seats(1), 3);
}

#[test]
fn one_that_starts_later_gets_a_state_and_then_entries() {
    let mut world = World::serving();
    world.take(0, 2);
    world.add_front();
    world.advance(TWIN_REDIAL_MAX);
    in_sync(&mut world, "after a state");
    assert_eq!(told(&mut world, 0), (1, 0, 1));
    world.take(0, 2);
    in_sync(&mut world, "after entries");
    assert_eq!(told(&mut world, 0), (0, 2, 0));
    assert_eq!(world.seats(1), 4);
}

#[test]
fn a_twin_that_takes_nothing_holds_nobody_up() {
    let mut world = twins();
    world.line.loses = true;
    told(&mut world, 0);
    // Far more than may be on its way to the twin, and more than the log keeps.
    let many = LOG_KEPT as u64 + TWIN_WINDOW;
    for _ in 0..many / 1000 + 1 {
        world.fronts[0].node.fill(1000);
        world.step_front(0, Input::Tick);
        world.run();
    }
    world.take(0, 2);
    let before = twin(&mut world, 0);
    assert!(before["lag"].as_u64().unwrap() >= many, "{before:#}");
    // Without progress, the link is given up after the configured time.
    world.advance(TWIN_TRANSFER);
    let after = twin(&mut world, 0);
    assert_eq!(after["connected"], false);
    assert!(after["trouble"].as_str().unwrap().contains("TransferTimeoutInSeconds"), "{after:#}");
    world.line.loses = false;
    world.advance(TWIN_TRANSFER + TWIN_CONNECT + TWIN_REDIAL_MAX + TWIN_STATE_PAUSE);
    in_sync(&mut world, "after a state in the place of what was forgotten");
    assert_eq!(told(&mut world, 0).0, 1);
}

#[test]
fn a_twin_that_says_nothing_is_not_in_sync_for_long_and_is_not_given_the_role() {
    let mut world = twins();
    world.advance(20 * SECOND);
    in_sync(&mut world, "though there is nothing to tell");
    world.line.loses = true;
    world.advance(TWIN_SILENCE + TWIN_HEARTBEAT);
    for front in 0..2 {
        let status = world.status(front);
        let twin = &status["twin"];
        assert_eq!(
            (&twin["connected"], &twin["synced"]),
            (&true.into(), &false.into()),
            "{twin:#}"
        );
        assert!(twin["silent_seconds"].as_u64() >= Some(3), "{twin:#}");
        let codes: Vec<_> = status["verdict"].as_array().into_iter().flatten().collect();
        assert!(codes.iter().any(|it| it["code"] == "twin-silent"), "{codes:?}");
    }
    let refused = world.http(0, "POST /api/failover HTTP/1.1\r\nX-Tmr-Admin: 1\r\n\r\n");
    assert!(refused.contains(" 409 ") && refused.contains("has said nothing for"), "{refused}");
    world.line.loses = false;
    world.advance(TWIN_TRANSFER + TWIN_CONNECT + TWIN_REDIAL_MAX);
    in_sync(&mut world, "again");
}

#[test]
fn a_proposal_that_was_told_is_not_committed_by_it() {
    let mut world = twins();
    world.take(0, 2);
    told(&mut world, 0);
    // The leader reaches its twin and no backend: its twin gets what it proposes, and nothing more.
    for backend in 0..3 {
        world.network.cut.push((0, backend));
        world.backends[backend].stuck = true;
    }
    let client = world.connect(0);
    world.call(0, client, seat());
    assert_eq!(world.answer(0, client), None);
    assert_eq!(told(&mut world, 0).1, 1);
    assert_eq!(world.seats(1), 2);
    for backend in 0..3 {
        world.crash(backend);
        world.restart(backend);
    }
    world.activate(1);
    world.advance(2 * SECOND);
    assert!(world.leads(1));
    assert_eq!(world.seats(1), 2);
    // The old leader learns of the new one from the line, and takes its log when it stands by.
    world.network.cut.clear();
    world.advance(5 * SECOND);
    assert_eq!(world.role(0), "standby");
    in_sync(&mut world, "the other way round");
    assert_eq!(world.seats(0), 2);
}

#[test]
fn entries_behind_a_gap_are_not_taken() {
    let mut world = twins();
    let handle = world.take(0, 1)[0];
    let mut told = world.line.told.iter().rev();
    let epoch = told.find_map(|(_, bytes)| match TwinMessage::decode(bytes, Version::OWN.minor) {
        Ok(TwinMessage::Entries { epoch, .. }) => Some(epoch),
        _ => None,
    });
    let committed = world.fronts[1].node.committed();
    let behind = TwinMessage::Entries {
        epoch: epoch.expect("the leader has told entries"),
        first: committed.next().next(),
        entries: alloc::vec![Entry::Expire(Handle(handle))],
        committed,
    };
    world.tell_as(0, &behind);
    world.take(0, 2);
    world.advance(SECOND);
    in_sync(&mut world, "after a gap");
    assert_eq!(world.seats(1), 3);
}

#[test]
fn one_that_leads_takes_nobody_elses_log() {
    let mut world = twins();
    // Both assume the lead: front 0 does not learn of its successor from the backends.
    world.part(0, 0);
    world.part(0, 1);
    world.part(0, 2);
    world.activate(1);
    world.advance(MILLI);
    assert!(world.leads(1));
    let before = world.seats(0);
    world.take(1, 3);
    assert_eq!(world.seats(0), before);
    assert_eq!(twin(&mut world, 1)["synced"], false);
    assert_eq!(twin(&mut world, 0)["role"], "active");
    world.network.cut.clear();
    world.advance(5 * SECOND);
    assert_eq!(world.role(0), "standby");
    in_sync(&mut world, "when it stands by");
    assert_eq!(world.seats(0), 3);
}

#[test]
fn a_leader_that_hears_of_another_asks_the_backends_at_once() {
    let mut world = twins();
    world.activate(1);
    // Far less than a heartbeat.
    world.advance(5 * MILLI);
    assert!(world.leads(1));
    assert_eq!(world.role(0), "starting");
    // Without the line it takes a heartbeat to find out.
    let mut world = twins();
    world.line.loses = true;
    world.activate(1);
    world.advance(5 * MILLI);
    assert!(world.leads(1) && world.leads(0));
}

#[test]
fn another_major_version_is_refused_with_both_named() {
    let mut world = World::new(1);
    world.line.cut = true;
    world.add_front();
    world.fronts[1].node.speak(Version { major: 2, minor: 3 });
    world.line.cut = false;
    world.activate(0);
    world.advance(TWIN_REDIAL_MAX);
    for front in 0..2 {
        let twin = twin(&mut world, front);
        assert_eq!(twin["connected"], false);
        let trouble = twin["trouble"].as_str().unwrap();
        assert!(
            trouble.contains("2.3") && trouble.contains(&format!("{}", Version::OWN)),
            "{trouble}"
        );
    }
    assert!(world.leads(0), "service does not depend on it");
    assert_eq!(told(&mut world, 0).0, 0);
}

#[test]
fn an_older_minor_version_is_served_as_it_is() {
    let mut world = World::new(1);
    world.activate(0);
    world.line.cut = true;
    world.add_front();
    world.fronts[1].node.speak(Version { major: 1, minor: 0 });
    world.line.cut = false;
    world.advance(TWIN_REDIAL_MAX + SECOND);
    world.take(0, 2);
    in_sync(&mut world, "with an older one");
    let (states, entries, shared) = told(&mut world, 0);
    assert_eq!((states, shared), (1, 0), "no message that it does not know");
    assert!(entries >= 2);
    assert_eq!(world.seats(1), 2);
    assert_eq!(told(&mut world, 1).2, 0);
}

#[test]
fn a_front_that_is_its_own_twin_says_so() {
    let mut world = World::new(1);
    world.add_front_with(|config| {
        let address = Address { host: "twin".into(), port: 1 };
        let (connect_timeout, transfer_timeout) = (TWIN_CONNECT, TWIN_TRANSFER);
        config.twin = Some(config::Twin { address, connect_timeout, transfer_timeout });
    });
    world.advance(TWIN_REDIAL_MAX);
    let twin = twin(&mut world, 1);
    assert_eq!(twin["connected"], false);
    let trouble = twin["trouble"].as_str().unwrap();
    assert!(trouble.contains("is this front itself"), "{trouble}");
}

#[test]
fn configurations_that_differ_are_shown_with_both_values() {
    let mut world = World::new(1);
    world.add_front_with(|config| {
        config.virtuals.push((ContainerId::CmAct(7), Some(8)));
        config.cleanup = Duration::from_secs(90);
    });
    world.advance(TWIN_REDIAL_MAX);
    in_sync(&mut world, "all the same");
    let row = |key: &str, ours: &str, theirs: &str| serde_json::json!({ "key": key, "ours": ours, "theirs": theirs });
    let expected = serde_json::json!([
        row("VirtualContainers", "none", "CmActId 7 as 8"),
        row("TmrServer.CleanUpTimeInSeconds", "7200", "90"),
    ]);
    assert_eq!(twin(&mut world, 0)["differs"], expected);
}

#[test]
fn what_the_twin_has_is_known_slot_by_slot() {
    let mut world = twins();
    let last = world.fronts[0].node.committed();
    assert!(world.fronts[0].node.twin_has(last));
    assert!(!world.fronts[0].node.twin_has(last.next()));
    world.line.loses = true;
    world.take(0, 1);
    assert!(!world.fronts[0].node.twin_has(last.next()));
    assert!(!world.fronts[1].node.twin_has(Slot(1)), "one that stands by has told nothing");
}

#[test]
fn bytes_that_are_no_message_close_the_link_and_nothing_else() {
    let mut world = twins();
    for bytes in [&b"\xff\xff"[..], b"", b"tmr twin"] {
        world.garble(bytes);
        world.advance(TWIN_REDIAL_MAX);
        in_sync(&mut world, &format!("after {bytes:?}"));
    }
    assert!(world.leads(0));
}

//! The usage history: both fronts have the same one, whatever happens between them.

use super::World;
use super::world::Event;
use crate::base::limits::{HISTORY_BLOCK, HISTORY_KEPT, PACE_REFUSED};
use crate::base::time::Duration;
use crate::front::{Config, Front};
use crate::history::{Kind, Mark, Record, Span};
use crate::io::{FrontEvent, Input};
use crate::log::Mode;
use crate::testing::{ORDINARY, TMR, access, release, seat};
use crate::wire::CmError;
use alloc::vec::Vec;

impl World {
    /// Restarts a front, which has forgotten everything except what it has recorded.
    pub(super) fn restart_front(&mut self, index: usize) {
        self.break_line();
        self.unplug(|ends| ends.front == index);
        let number = u8::try_from(index).unwrap();
        // A new id at every start, and never the other front's.
        let id = 0x100 + 2 * u32::try_from(self.now.mono.0 % 0xffff).unwrap() + u32::from(number);
        let config = self.config(number);
        let seed = [u8::try_from(id % 251).unwrap(); 32];
        let side = &mut self.fronts[index];
        side.node = Front::new(Config { front: id, seed, ..config });
        side.node.remember(&side.history);
        self.events.push_back(Event::ToFront(index, Input::Tick));
        self.run();
    }

    /// Returns lines that a front requests.
    pub(super) fn recall(&mut self, index: usize, after: Option<Mark>) {
        if self.fronts[index].forgetful {
            return;
        }
        let mut lines = Vec::new();
        for line in self.fronts[index].history.split_inclusive(|byte| *byte == b'\n') {
            let record = Record::parse(line).unwrap();
            let room = lines.len() + line.len() <= HISTORY_BLOCK;
            if room && record.id.follows(after.as_ref()) {
                lines.extend_from_slice(line);
            }
        }
        let input = FrontEvent::HistoryRead { after, lines }.into();
        self.events.push_back(Event::ToFront(index, input));
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

fn records(world: &World, front: usize) -> Vec<Record> {
    let lines = world.fronts[front].history.split_inclusive(|byte| *byte == b'\n');
    let records: Vec<Record> = lines.map(|line| Record::parse(line).unwrap()).collect();
    for pair in records.windows(2) {
        assert!(pair[1].id.follows(Some(&pair[0].id)), "{pair:?}");
    }
    records
}

/// Returns what happened to licences: kind, handle, seats in use after it.
fn uses(world: &World, front: usize) -> Vec<(Kind, u32, u32)> {
    let records = records(world, front).into_iter();
    let uses = records.filter(|record| !matches!(record.kind, Kind::Started | Kind::Leads));
    uses.map(|record| (record.kind, record.handle, record.used)).collect()
}

fn end(world: &mut World, front: usize, handle: u32) {
    let client = world.connect(front);
    assert_eq!(world.ask(front, client, release(handle)), (0, 0));
    world.hang_up(front, client, false);
}

/// Requests a sixth seat of five.
fn ask_in_vain(world: &mut World, front: usize) {
    let client = world.connect(front);
    assert_eq!(world.ask(front, client, seat()).0, CmError::NO_MORE_LICENSES.code());
    world.hang_up(front, client, false);
}

#[test]
fn what_happens_to_licences_is_recorded_and_the_twin_has_it_too() {
    let mut world = super::twins();
    let handles = world.take(0, 5);
    ask_in_vain(&mut world, 0);
    end(&mut world, 0, handles[0]);
    let client = world.connect(0);
    let unknown = access(9, Mode::UserLimit, 60);
    assert_eq!(world.ask(0, client, unknown).0, CmError::ENTRY_NOT_FOUND.code());
    // Clients that are silent.
    world.advance(61 * SECOND);
    let mut expected: Vec<_> =
        (1..).zip(&handles).map(|(used, handle)| (Kind::Access, *handle, used)).collect();
    expected.extend([(Kind::Denied, 0, 5), (Kind::Release, handles[0], 4), (Kind::Denied, 0, 0)]);
    expected.extend([3, 2, 1, 0].map(|used| (Kind::Expire, 0, used)));
    let mut found = uses(&world, 0);
    // They have been silent since the same moment.
    let mut silent: Vec<u32> = found[8..].iter().map(|it| it.1).collect();
    silent.sort_unstable();
    let mut held = handles[1..].to_vec();
    held.sort_unstable();
    assert_eq!(silent, held);
    found[8..].iter_mut().for_each(|it| it.1 = 0);
    assert_eq!(found, expected);
    assert_eq!(world.fronts[0].history, world.fronts[1].history);
    let all = records(&world, 0);
    assert_eq!((all[0].kind, all[0].host.as_str()), (Kind::Started, "server"));
    assert!(all[0].address.is_some());
    let first = &all[1];
    assert_eq!((first.firm_code, first.product_code, first.tmr_id), (6_000_010, TMR, 1));
    assert_eq!((first.product.as_str(), first.quantity, first.take), ("a product", 5, 1));
    assert!(first.serial != 0 && first.mode == Some(Mode::UserLimit) && first.since.is_none());
    let denied: Vec<_> = all.iter().filter(|record| record.kind == Kind::Denied).collect();
    assert_eq!((denied[0].error, denied[0].tmr_id, denied[0].quantity), (212, 1, 5));
    assert_eq!((denied[1].error, denied[1].product_code, denied[1].tmr_id), (200, 9, 0));
    let ended = all.iter().find(|record| record.kind == Kind::Release).unwrap();
    assert_eq!(ended.since, Some(first.time));
    // Each is counted at both fronts.
    let denials =
        world.fronts[0].node.calls.service().call_stats().denied().filter(|(_, count)| *count > 0);
    let denials: Vec<_> = denials.collect();
    assert_eq!(denials, [(CmError::ENTRY_NOT_FOUND, 1), (CmError::NO_MORE_LICENSES, 1)]);
    for front in 0..2 {
        let chart =
            &world.fronts[front].node.history().charts().show(Span::Hour, world.now.wall)[0];
        assert_eq!((chart.most[58], chart.denied[58]), (5, 1), "{chart:?}");
        let text = world.http(front, "GET /api/usage?span=hour HTTP/1.1\r\n\r\n");
        assert!(text.contains("\"max_used\""), "{text}");
    }
}

#[test]
fn handles_that_use_no_licence_are_not_recorded() {
    let mut world = super::twins();
    let client = world.connect(0);
    let before = records(&world, 0).len();
    for firm_item in [access(TMR, Mode::NoUserLimit, 60), access(ORDINARY, Mode::UserLimit, 60)] {
        world.ask(0, client, firm_item);
    }
    world.advance(SECOND);
    let kinds: Vec<Kind> = records(&world, 0)[before..].iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [Kind::Access, Kind::Denied], "one without limit is a use");
}

#[test]
fn who_takes_over_records_what_it_was_not_told_and_nothing_twice() {
    let mut world = super::twins();
    let handles = world.take(0, 2);
    world.advance(SECOND);
    // No message passes between the fronts: the second one does not learn of this.
    world.line.cut = true;
    world.break_line();
    end(&mut world, 0, handles[0]);
    let more = world.take(0, 1);
    world.advance(SECOND);
    world.activate(1);
    world.advance(SECOND);
    assert!(world.leads(1));
    let expected = [
        (Kind::Access, handles[0], 1),
        (Kind::Access, handles[1], 2),
        (Kind::Release, handles[0], 1),
        (Kind::Access, more[0], 2),
    ];
    for front in 0..2 {
        assert_eq!(uses(&world, front), expected, "front {front}");
    }
    end(&mut world, 1, more[0]);
    world.line.cut = false;
    world.advance(3 * SECOND);
    let last = (Kind::Release, more[0], 1);
    for front in 0..2 {
        assert_eq!(uses(&world, front), [&expected[..], &[last]].concat(), "front {front}");
    }
}

#[test]
fn who_asks_in_vain_again_and_again_is_two_lines_a_minute_and_counted() {
    let mut world = super::twins();
    world.take(0, 5);
    for _ in 0..1_000 {
        ask_in_vain(&mut world, 0);
        world.advance(SECOND / PACE_REFUSED);
    }
    world.advance(62 * SECOND);
    for front in 0..2 {
        let refused: Vec<_> =
            records(&world, front).into_iter().filter(|it| it.kind == Kind::Denied).collect();
        let counts: Vec<_> = refused.iter().map(|it| (it.error, it.tmr_id, it.count)).collect();
        assert_eq!(counts, [(212, 1, 0), (212, 1, 999)], "at front {front}");
        let charts = world.fronts[front].node.history().charts();
        let denied = &charts.show(Span::Hour, world.now.wall)[0].denied;
        assert_eq!(denied.iter().sum::<u32>(), 1_000, "at front {front}");
    }
}

#[test]
fn a_planned_failover_takes_every_refusal_along() {
    let mut world = super::twins();
    world.take(0, 5);
    world.advance(SECOND);
    ask_in_vain(&mut world, 0);
    ask_in_vain(&mut world, 0);
    world.http(0, "POST /api/failover HTTP/1.1\r\nX-Tmr-Admin: 1\r\n\r\n");
    world.advance(SECOND);
    assert!(world.leads(1));
    ask_in_vain(&mut world, 1);
    world.advance(SECOND);
    let refused = |front| records(&world, front).iter().map(Record::refused).sum::<u64>();
    assert_eq!([refused(0), refused(1)], [3, 3]);
    assert_eq!(world.fronts[0].history, world.fronts[1].history);
}

#[test]
fn a_front_that_was_away_catches_up_and_one_that_starts_again_goes_on() {
    let mut world = super::twins();
    let handles = world.take(0, 3);
    world.advance(SECOND);
    world.fronts[1].frozen = true;
    end(&mut world, 0, handles[0]);
    world.advance(30 * SECOND);
    ask_in_vain_after(&mut world, 3);
    world.fronts[1].frozen = false;
    world.restart_front(1);
    world.advance(5 * SECOND);
    assert_eq!(world.fronts[0].history, world.fronts[1].history);
    // Both are restarted, and have lost the last lines that were not written yet: the log has them.
    let before = uses(&world, 0);
    for front in 0..2 {
        let lines: Vec<_> =
            world.fronts[front].history.split_inclusive(|byte| *byte == b'\n').collect();
        let kept = lines[..lines.len() - 3].concat();
        world.fronts[front].history = kept;
        world.restart_front(front);
    }
    world.activate(1);
    world.advance(5 * SECOND);
    assert!(world.leads(1));
    end(&mut world, 1, handles[1]);
    world.advance(SECOND);
    for front in 0..2 {
        let lost = before.len() - 3..;
        let again: Vec<_> =
            before[lost].iter().filter(|it| it.0 != Kind::Denied).copied().collect();
        let last = (Kind::Release, handles[1], 4);
        let all = [&before[..before.len() - 3], &again, &[last]].concat();
        assert_eq!(uses(&world, front), all, "front {front}");
    }
}

fn ask_in_vain_after(world: &mut World, free: usize) {
    world.take(0, free);
    ask_in_vain(world, 0);
}

/// Returns a world in which front 0 has recorded more than it keeps in memory.
fn long_story() -> World {
    let mut world = super::twins();
    while world.fronts[0].history.len() < HISTORY_KEPT + HISTORY_KEPT / 2 {
        for handle in world.take(0, 5) {
            end(&mut world, 0, handle);
        }
    }
    world
}

#[test]
fn what_is_not_in_memory_any_more_is_read_back_for_the_twin() {
    let mut world = long_story();
    world.fronts[1].history.clear();
    world.restart_front(1);
    world.advance(20 * SECOND);
    assert!(world.fronts[0].history == world.fronts[1].history);
}

#[test]
fn what_nobody_can_tell_is_a_gap() {
    let mut world = long_story();
    world.fronts[1].history.clear();
    world.fronts[0].forgetful = true;
    world.restart_front(1);
    world.advance(5 * SECOND);
    let handles = world.take(0, 1);
    world.advance(SECOND);
    assert_eq!(uses(&world, 1), [], "it waits for what comes before");
    world.line.cut = true;
    world.break_line();
    world.activate(1);
    world.advance(SECOND);
    let expected = [(Kind::Gap, 0, 0), (Kind::Access, handles[0], 1)];
    assert_eq!(uses(&world, 1), expected, "it has nothing to begin from");
    // A front whose lines are gone from disk as well reports that to its twin; also if the latest
    // are there, as in a folder that was begun later.
    for kept in [0, 10] {
        let mut world = long_story();
        let whole = uses(&world, 0);
        let lines: Vec<_> =
            world.fronts[0].history.split_inclusive(|byte| *byte == b'\n').collect();
        world.fronts[0].history = lines[lines.len() - kept..].concat();
        world.fronts[1].history.clear();
        world.restart_front(1);
        world.advance(5 * SECOND);
        let told = uses(&world, 1);
        assert_eq!(told[0], (Kind::Gap, 0, 0));
        assert!(told.len() > 1_000);
        assert_eq!(told[1..], whole[whole.len() + 1 - told.len()..], "all that is in memory");
    }
}

#[test]
fn an_older_twin_tells_nothing_and_all_is_recorded_from_its_log() {
    let mut world = World::new(0);
    for minor in [2, 3] {
        world.add_front_with(|_| ());
        let version = crate::messages::twin::Version { major: 1, minor };
        world.fronts.last_mut().unwrap().node.speak(version);
    }
    world.activate(0);
    world.advance(SECOND);
    let handles = world.take(0, 2);
    end(&mut world, 0, handles[1]);
    world.advance(SECOND + MILLI);
    let expected = [
        // It was sent a state first.
        (Kind::Gap, 0, 0),
        (Kind::Access, handles[0], 1),
        (Kind::Access, handles[1], 2),
        (Kind::Release, handles[1], 1),
    ];
    assert_eq!(uses(&world, 1), expected);
}

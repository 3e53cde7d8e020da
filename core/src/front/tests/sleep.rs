//! A front that slept: machines that were paused, processes that were stopped, clocks that were
//! set.

use super::{World, twins};
use crate::base::time::Duration;
use crate::io::Input;
use crate::link::{Frame, LinkId};
use crate::log::Mode;
use crate::messages::group::Order;
use crate::testing::{TMR, access, crypt, release, seat};
use alloc::vec::Vec;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

impl World {
    /// Pauses a front's machine for this time, with its monotonic clock stopped or not.
    fn pause(&mut self, front: usize, span: Duration, stands_still: bool) {
        self.fronts[front].frozen = true;
        self.advance(span);
        self.wake(front, if stands_still { span } else { Duration::ZERO });
    }

    /// Delivers a client's call to a front, and nothing that follows from it.
    fn say(&mut self, front: usize, link: LinkId, call: Vec<u8>) {
        self.step_front(front, Input::Frame { link, frame: Frame::Call(call) });
    }

    fn wake(&mut self, front: usize, stood_still: Duration) {
        self.fronts[front].paused += stood_still;
        self.fronts[front].frozen = false;
    }
}

#[test]
fn a_machine_that_was_paused_tells_nothing_of_what_it_knew_before() {
    let mut world = twins();
    world.line.cut = true;
    world.break_line();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    let unlimited = [(); 2].map(|()| world.connect(0));
    world.advance(SECOND);
    let before = world.now.mono;
    world.fronts[0].frozen = true;
    world.activate(1);
    world.advance(5 * SECOND);
    assert!(world.leads(1));
    let other = world.connect(1);
    assert_eq!(world.ask(1, other, release(handle)).0, 0);
    world.advance(10 * SECOND);
    // For the former leader not a microsecond has passed.
    let stood_still = world.now.mono.since(before);
    world.wake(0, stood_still);
    world.call(0, client, crypt(handle));
    assert_eq!(world.answer(0, client), None, "the handle was given back");
    for link in unlimited {
        world.call(0, link, access(TMR, Mode::NoUserLimit, 60));
        assert_eq!(world.answer(0, link), None, "no backend has promised to keep it");
    }
    world.advance(5 * SECOND);
    for link in [client, unlimited[0], unlimited[1]] {
        assert_eq!(world.answer(0, link), None);
        assert!(world.client(0, link).closed);
    }
    assert_eq!(world.role(0), "standby");
    assert!(world.leads(1));
}

#[test]
fn a_pause_or_a_clock_that_is_set_costs_one_round_trip_and_no_client() {
    for ahead in [3_600, -3_600, 400_000_000] {
        let mut world = World::serving();
        let client = world.connect(0);
        let (_, handle) = world.ask(0, client, seat());
        world.advance(5 * SECOND);
        world.fronts[0].ahead = ahead;
        world.say(0, client, crypt(handle));
        assert_eq!(world.answer(0, client), None);
        world.run();
        assert_eq!(world.answer(0, client).map(|(status, _)| status), Some(0), "{ahead}");
        assert_eq!(world.ask(0, client, crypt(handle)).0, 0, "once");
    }
    // Short enough that its backends do not drop it.
    for (span, stands_still) in [(1_600 * MILLI, false), (25 * SECOND, true)] {
        let mut world = World::serving();
        let client = world.connect(0);
        let (_, handle) = world.ask(0, client, seat());
        world.advance(5 * SECOND);
        world.pause(0, span, stands_still);
        world.say(0, client, crypt(handle));
        assert_eq!(world.answer(0, client), None, "{span:?}");
        world.run();
        assert_eq!(world.answer(0, client).map(|(status, _)| status), Some(0), "{span:?}");
        assert!(!world.client(0, client).closed);
    }
}

#[test]
fn pauses_that_are_too_short_to_be_seen_do_not_add_up() {
    let mut world = World::serving();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    world.advance(5 * SECOND);
    world.network.lose = |_, order| matches!(order, Order::Confirm { .. } | Order::Append { .. });
    let asked = world.fronts[0].node.replication.confirmed_at().expect("it leads");
    for pauses in 1..=8 {
        // No single pause is noticed, since the wall clock counts whole seconds.
        world.pause(0, 990 * MILLI, true);
        world.call(0, client, crypt(handle));
        let served = world.answer(0, client).is_some();
        let late = world.now.mono.since(asked) >= 3 * SECOND;
        assert_eq!(served, pauses == 1 || served && !late, "{pauses}");
        assert!(pauses < 8 || !served, "none of them was seen");
    }
    world.network.lose = |_, _| false;
    world.advance(SECOND);
    assert_eq!(world.answer(0, client).map(|(status, _)| status), Some(0));
}

#[test]
fn what_clients_said_while_it_slept_is_heard_before_their_handles_end() {
    let mut world = World::serving();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, access(TMR, Mode::UserLimit, 30));
    world.advance(29 * SECOND);
    world.pause(0, 1_600 * MILLI, false);
    world.step_front(0, Input::Tick);
    world.call(0, client, crypt(handle));
    world.advance(MILLI);
    assert_eq!(world.answer(0, client).map(|(status, _)| status), Some(0));
    world.advance(20 * SECOND);
    assert_eq!(world.ask(0, client, crypt(handle)).0, 0);
    world.advance(31 * SECOND);
    assert_eq!(world.seats(0), 0, "silence ends it as ever");
}

#[test]
fn what_was_asked_before_a_pause_confirms_nothing_after_it() {
    let mut world = World::serving();
    let client = world.connect(0);
    world.advance(5 * SECOND);
    // The backends' answers to the next orders arrive after the pause.
    let answers = world.fronts[0].node.leadership.heartbeat();
    world.advance(answers.since(world.now.mono) - MILLI);
    let mut held = Vec::new();
    world.now.mono = answers;
    world.step_front(0, Input::Tick);
    while let Some(event) = world.events.pop_front() {
        match event {
            super::world::Event::ToFront(..) => held.push(event),
            super::world::Event::ToBackend(index, input) => world.step_backend(index, input),
        }
    }
    assert!(!held.is_empty());
    world.pause(0, 1_600 * MILLI, false);
    // The reply with that handle is sent as soon as it is decided, without any backend.
    world.say(0, client, access(TMR, Mode::NoUserLimit, 60));
    for event in held {
        let super::world::Event::ToFront(front, input) = event else { continue };
        world.step_front(front, input);
    }
    assert_eq!(world.answer(0, client), None);
    world.run();
    assert_eq!(world.answer(0, client).map(|(status, _)| status), Some(0));
}

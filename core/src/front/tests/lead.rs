//! Who leads: claims, refusals, calls that wait, silence.

use super::World;
use super::network::LostOrder;
use super::world::Event;
use crate::base::limits::{CALL_TIMEOUT, CLAIM_PAUSE, CONFIRMED, FENCE, HEARTBEAT};
use crate::base::time::Duration;
use crate::io::Input;
use crate::link::{Frame, LinkId, Listener};
use crate::messages::group::Order;
use crate::testing::{crypt, peer, release, seat};

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

/// Returns a world in which front 0 leads and front 1 stands by.
fn twins() -> World {
    let mut world = World::new(2);
    world.activate(0);
    world.advance(MILLI);
    assert!(world.leads(0));
    world
}

#[test]
fn a_higher_epoch_takes_over_and_the_old_front_says_no_more() {
    let mut world = twins();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    world.activate(1);
    world.advance(SECOND);
    assert_eq!(world.role(0), "standby");
    assert_eq!(world.role(1), "active");
    assert!(world.client(0, client).closed);
    // Without the line to its twin, which would take the call.
    world.line.cut = true;
    world.break_line();
    let late = world.connect(0);
    assert_eq!(world.ask(0, late, seat()).0, 238);
    // The seat was taken over, and so was its count.
    let client = world.connect(1);
    assert_eq!(world.ask(1, client, crypt(handle)).0, 0);
    for _ in 0..4 {
        let client = world.connect(1);
        assert_eq!(world.ask(1, client, seat()).0, 0);
    }
    assert_eq!(world.ask(1, client, seat()).0, 212);
    // And back again.
    world.activate(0);
    world.advance(SECOND);
    assert_eq!((world.role(0).as_str(), world.role(1).as_str()), ("active", "standby"));
    let client = world.connect(0);
    assert_eq!(world.ask(0, client, release(handle)), (0, 0));
    assert_eq!(world.seats(0), 4);
}

#[test]
fn an_order_to_lead_holds_for_a_front_that_wrongly_believes_it_leads() {
    let mut world = twins();
    for backend in 0..3 {
        world.part(0, backend);
    }
    world.activate(1);
    world.advance(SECOND);
    assert!(world.leads(1));
    // The successor dies, and the operator activates the one that is left.
    world.fronts[1].frozen = true;
    world.activate(0);
    world.network.cut.clear();
    world.advance(5 * SECOND);
    assert!(world.leads(0), "{:#}", world.status(0));
}

#[test]
fn an_old_front_that_sees_one_backend_only_grants_nothing() {
    let mut world = twins();
    let client = world.connect(0);
    world.part(0, 1);
    world.part(0, 2);
    world.part(1, 0);
    world.activate(1);
    world.advance(MILLI);
    assert!(world.leads(1));
    world.call(0, client, seat());
    world.advance(CALL_TIMEOUT);
    assert_eq!(world.answer(0, client), Some((130, 0)));
    // It cannot know of the other one, so its clients are dropped when the fence time is over.
    assert!(!world.client(0, client).closed);
    world.advance(FENCE);
    assert!(world.client(0, client).closed);
    assert_eq!(world.role(0), "starting");
    let other = world.connect(1);
    assert_eq!(world.ask(1, other, seat()).0, 0);
    // When it reaches the backends again, it learns of the other front and stands by.
    world.network.cut.clear();
    world.advance(3 * SECOND);
    assert_eq!(world.role(0), "standby");
    assert!(world.leads(1));
    assert_eq!(world.seats(1), 1);
}

#[test]
fn of_two_entries_in_one_slot_the_later_fronts_is_taken() {
    let mut world = twins();
    // What front 0 proposes reaches one backend only, in slots that its successor uses too.
    world.network.lose = |backend, order| {
        backend > 0 && matches!(order, Order::Append { epoch, .. } if epoch.front == 0xf0)
    };
    for _ in 0..4 {
        let client = world.connect(0);
        world.call(0, client, seat());
        assert_eq!(world.answer(0, client), None);
    }
    world.fronts[0].frozen = true;
    world.part(1, 0);
    world.activate(1);
    world.advance(MILLI);
    let handle = world.take(1, 1)[0];
    // No backend knows yet that it is committed.
    world.fronts[1].frozen = true;
    world.crash(2);
    let next = world.add_front();
    world.activate(next);
    world.advance(SECOND);
    let client = world.connect(next);
    assert_eq!(world.ask(next, client, crypt(handle)).0, 0);
    assert_eq!(world.seats(next), 1);
}

#[test]
fn a_confirmation_counts_from_when_it_was_asked_for() {
    let mut world = twins();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    world.fronts[0].frozen = true;
    world.advance(HEARTBEAT);
    world.fronts[0].frozen = false;
    world.step_front(0, Input::Tick);
    // Its orders reach the backends late, and later ones do not arrive at all.
    let asked = core::mem::take(&mut world.events);
    world.network.lose = |_, order| matches!(order, Order::Confirm { .. });
    world.advance(CONFIRMED - 100 * MILLI);
    world.call(0, client, crypt(handle));
    assert_eq!(world.answer(0, client), None);
    world.events = asked;
    world.run();
    assert_eq!(world.answer(0, client).map(|(status, _)| status), Some(0));
    assert_eq!(world.ask(0, client, crypt(handle)).0, 0);
    world.advance(100 * MILLI);
    world.call(0, client, crypt(handle));
    assert_eq!(world.answer(0, client), None, "another front may lead by now");
}

#[test]
fn both_told_to_lead_end_with_one_that_does() {
    for seed in 0..5 {
        let mut world = World::new(2);
        world.advance(Duration::from_millis(seed));
        world.activate(0);
        world.activate(1);
        world.advance(10 * SECOND);
        let roles = [world.role(0), world.role(1)];
        assert_eq!(roles.iter().filter(|role| *role == "active").count(), 1, "{roles:?}");
    }
}

#[test]
fn a_call_waits_for_the_claim_and_is_answered_after_it() {
    let mut world = World::serving();
    world.fronts[0].frozen = true;
    let next = world.add_front();
    for index in 0..3 {
        world.backends[index].stuck = true;
    }
    world.activate(next);
    assert_eq!(world.role(next), "starting");
    let client = world.connect(next);
    world.call(next, client, seat());
    world.advance(SECOND);
    assert_eq!(world.answer(next, client), None);
    world.unstick(0);
    world.unstick(1);
    world.advance(SECOND);
    assert!(world.leads(next));
    assert_eq!(world.answer(next, client).expect("an answer").0, 0);
}

#[test]
fn a_call_that_waits_for_a_claim_in_vain_ends_in_time() {
    let mut world = World::new(1);
    world.crash(0);
    world.crash(1);
    world.activate(0);
    let client = world.connect(0);
    world.call(0, client, seat());
    world.advance(CALL_TIMEOUT - MILLI);
    assert_eq!(world.answer(0, client), None);
    world.advance(MILLI);
    assert_eq!(world.answer(0, client), Some((130, 0)));
}

#[test]
fn an_acknowledged_seat_outlives_every_pair_of_crashes() {
    // The seat is on two disks; a new front reads any two and must find it.
    for (slow, dead) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
        let mut world = twins();
        world.backends[slow].stuck = true;
        let client = world.connect(0);
        let (status, handle) = world.ask(0, client, seat());
        assert_eq!(status, 0);
        world.fronts[0].frozen = true;
        world.crash(slow);
        world.crash(dead);
        world.restart(slow);
        world.activate(1);
        world.advance(5 * SECOND);
        assert!(world.leads(1), "slow {slow}, dead {dead}");
        let client = world.connect(1);
        assert_eq!(world.ask(1, client, crypt(handle)).0, 0, "slow {slow}, dead {dead}");
    }
}

#[test]
fn a_promise_that_is_not_on_disk_does_not_count() {
    let mut world = twins();
    for index in [0, 1] {
        world.backends[index].stuck = true;
    }
    world.part(1, 2);
    world.activate(1);
    // The connections break and return: the backends describe themselves again.
    world.unplug(|ends| ends.front == 1);
    world.advance(Duration::from_millis(1500));
    assert_ne!(world.role(1), "active");
    world.crash(0);
    world.restart(0);
    world.crash(1);
    world.restart(1);
    world.advance(5 * SECOND);
    assert!(world.leads(1), "{:#}", world.status(1));
}

#[test]
fn what_a_cut_off_front_proposed_does_not_come_back_after_its_successor_served() {
    let mut world = twins();
    let quiet = world.connect(0);
    for _ in 0..4 {
        assert_eq!(world.ask(0, quiet, seat()).0, 0);
    }
    world.advance(SECOND);
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    // Front 0 sees backend 2 only, front 1 the other two.
    world.advance(55 * SECOND);
    world.part(0, 0);
    world.part(0, 1);
    world.part(1, 2);
    world.activate(1);
    world.advance(3 * SECOND);
    let client = world.connect(1);
    assert_eq!(world.ask(1, client, crypt(handle)).0, 0);
    // The expiry that front 0 proposes for silence reaches one backend only, without effect.
    world.advance(15 * SECOND);
    assert_eq!(world.seats(1), 5);
    // A third front reads that backend, and one that front 1 has written to.
    world.crash(0);
    world.fronts[0].frozen = true;
    world.fronts[1].frozen = true;
    let next = world.add_front();
    world.activate(next);
    world.advance(5 * SECOND);
    assert!(world.leads(next));
    let client = world.connect(next);
    assert_eq!(world.ask(next, client, crypt(handle)).0, 0, "its client was heard in time");
}

#[test]
fn what_a_higher_epoch_has_written_over_is_not_taken_up_again() {
    type Lose = fn(usize, &Order) -> bool;
    let ways: [(usize, usize, Lose); 2] = [
        (0, 2, |backend, order| backend != 0 && matches!(order, Order::Append { .. })),
        (2, 0, |backend, order| backend != 2 && matches!(order, Order::Append { .. })),
    ];
    for (stale, unread, lose) in ways {
        let mut world = twins();
        world.advance(SECOND);
        // What front 0 writes reaches one backend only, and no client is answered.
        world.network.lose = lose;
        for _ in 0..4 {
            let client = world.connect(0);
            world.call(0, client, seat());
            assert_eq!(world.answer(0, client), None);
        }
        assert_eq!(world.seats(0), 4);
        world.fronts[0].frozen = true;
        // Front 1 leads with the two others, which do not learn that its first entries are
        // committed.
        world.part(1, stale);
        world.network.lose = |_, order| matches!(order, Order::Confirm { .. });
        world.activate(1);
        world.advance(MILLI);
        assert!(world.leads(1));
        world.fronts[1].frozen = true;
        world.network.lose = |_, _| false;
        // A third front reads those slots from both.
        let next = world.add_front();
        world.part(next, unread);
        world.activate(next);
        world.advance(5 * SECOND);
        assert!(world.leads(next));
        assert_eq!(world.seats(next), 0, "those slots were another's already");
    }
}

#[test]
fn a_claim_that_is_refused_is_made_again_soon() {
    let mut world = twins();
    let other = world.add_front();
    world.advance(SECOND);
    // Both claim the next round, and the one with the lower number comes second.
    world.activate(other);
    world.activate(1);
    world.advance(CLAIM_PAUSE.1 + MILLI);
    assert!(world.leads(1), "{:#}", world.status(1));
}

#[test]
fn a_backend_that_dies_while_it_is_read_is_not_waited_for() {
    let mut world = World::serving();
    world.take(0, 2);
    world.fronts[0].frozen = true;
    let next = world.add_front();
    world.network.lose = |_, order| matches!(order, Order::Fetch { .. });
    world.activate(next);
    assert_eq!(world.role(next), "starting");
    world.network.lose = |_, _| false;
    world.crash(0);
    world.advance(CLAIM_PAUSE.1 + MILLI);
    assert!(world.leads(next), "{:#}", world.status(next));
    assert_eq!(world.seats(next), 2);
}

#[test]
fn a_client_that_goes_away_before_anybody_leads_leaves_no_seat() {
    let mut world = World::new(1);
    for backend in [0, 1] {
        world.crash(backend);
    }
    world.activate(0);
    let client = world.connect(0);
    world.call(0, client, seat());
    world.hang_up(0, client, false);
    for backend in [0, 1] {
        world.restart(backend);
    }
    world.advance(2 * SECOND);
    assert!(world.leads(0));
    assert_eq!(world.seats(0), 0);
}

#[test]
fn a_backend_that_promised_by_an_earlier_connection_follows() {
    let mut world = twins();
    world.part(1, 2);
    world.activate(1);
    world.advance(SECOND);
    assert!(world.leads(1));
    world.network.cut.clear();
    // The front claims again on its new connection; the report of the broken one arrives first.
    let earlier = LinkId(9_001);
    world.network.lose = |backend, order| backend == 2 && matches!(order, Order::Claim { .. });
    world.advance(SECOND);
    world.network.lose = |_, _| false;
    let LostOrder { link, bytes: claim } = world.network.lost.take().expect("it claims there");
    for input in [
        Input::Accepted { link: earlier, listener: Listener::Licence, from: peer(0) },
        Input::Frame { link: earlier, frame: Frame::Joined { front: 0xf1, minor: 1 } },
        Input::Frame { link: earlier, frame: Frame::Batch(claim.clone()) },
        Input::Frame { link, frame: Frame::Batch(claim) },
    ] {
        world.events.push_back(Event::ToBackend(2, input));
    }
    world.advance(SECOND);
    assert_eq!(world.backend_state(1, 2), "up", "{:#}", world.status(1));
}

#[test]
fn a_front_that_lost_its_clients_and_then_the_lead_ends_no_handles() {
    let mut world = twins();
    world.take(0, 1);
    world.part(0, 1);
    world.part(0, 2);
    world.advance(FENCE + SECOND);
    world.activate(1);
    world.advance(SECOND);
    assert!(world.leads(1));
    world.fronts[1].frozen = true;
    world.network.cut.clear();
    // Its claims are promised and confirmed, and fail.
    world.network.lose = |_, order| matches!(order, Order::Append { .. });
    world.activate(0);
    world.advance(200 * SECOND);
    assert_eq!(world.role(0), "starting");
    world.network.lose = |_, _| false;
    world.advance(10 * SECOND);
    assert!(world.leads(0));
    assert_eq!(world.seats(0), 1);
}

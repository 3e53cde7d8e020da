//! Rules that one wrong identifier would break, unnoticed by other tests: what an acknowledgement
//! confirms, which front owns a number, which clock ends a handle, how far a copy is read.

use super::{World, twins};
use crate::base::limits::{CONFIRMED, HANDLE_BLOCK};
use crate::base::time::Duration;
use crate::io::Input;
use crate::log::Mode;
use crate::messages::group::Order;
use crate::testing::{TMR, access, crypt, seat};

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

fn confirm(order: &Order) -> bool {
    matches!(order, Order::Confirm { .. })
}

fn append(order: &Order) -> bool {
    matches!(order, Order::Append { .. })
}

#[test]
fn what_is_acknowledged_confirms_the_leader_as_of_when_it_was_sent() {
    let mut world = twins();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    world.network.lose = |_, order| confirm(order);
    (0..3).for_each(|backend| world.backends[backend].stuck = true);
    let other = world.connect(0);
    world.call(0, other, seat());
    world.advance(CONFIRMED - 100 * MILLI);
    // The disks finish so late that the acknowledgements no longer confirm much.
    (0..3).for_each(|backend| world.backends[backend].stuck = false);
    world.run();
    assert_eq!(world.answer(0, other).map(|(status, _)| status), Some(0));
    assert_eq!(world.ask(0, client, crypt(handle)).0, 0);
    world.advance(100 * MILLI);
    world.call(0, client, crypt(handle));
    assert_eq!(world.answer(0, client), None, "another front may lead by now");
}

#[test]
fn numbers_are_not_used_before_their_block_is_committed() {
    let mut world = World::serving();
    let left = world.fronts[0].node.calls.service().numbers_left();
    (0..3).for_each(|backend| world.backends[backend].stuck = true);
    let client = world.connect(0);
    world.call(0, client, seat());
    world.fronts[0].node.reserve_handles();
    world.step_front(0, Input::Tick);
    world.run();
    // The seat reaches the disks, and the block after it does not.
    for backend in 0..3 {
        world.backends[backend].stuck = false;
        world.backends[backend].stuck_after = Some(1);
    }
    world.run();
    assert_eq!(world.answer(0, client).map(|(status, _)| status), Some(0));
    assert_eq!(world.fronts[0].node.calls.service().numbers_left(), left - 1);
    (0..3).for_each(|backend| world.backends[backend].stuck_after = None);
    world.run();
    assert_eq!(world.fronts[0].node.calls.service().numbers_left(), left - 1 + HANDLE_BLOCK);
}

#[test]
fn no_date_ends_a_handle() {
    let mut world = World::serving();
    let client = world.connect(0);
    assert_eq!(world.ask(0, client, access(TMR, Mode::UserLimit, 60)).0, 0);
    world.advance(59 * SECOND);
    for ahead in [400_000_000, -400_000_000] {
        world.fronts[0].ahead = ahead;
        world.advance(100 * MILLI);
        assert_eq!(world.seats(0), 1, "{ahead}");
    }
    world.advance(2 * SECOND);
    assert_eq!(world.seats(0), 0);
}

#[test]
fn a_longer_copy_is_read_to_its_end() {
    type Lose = fn(usize, &Order) -> bool;
    let ways: [(Lose, [usize; 2]); 3] = [
        (|backend, order| confirm(order) || backend == 0 && append(order), [1, 2]),
        (|backend, order| confirm(order) || backend == 1 && append(order), [0, 2]),
        (|backend, order| confirm(order) || backend == 2 && append(order), [0, 1]),
    ];
    for (lose, longer) in ways {
        for dies in longer {
            let mut world = twins();
            world.advance(SECOND);
            world.network.lose = lose;
            let client = world.connect(0);
            let (status, handle) = world.ask(0, client, seat());
            assert_eq!(status, 0, "two have it on disk");
            world.fronts[0].frozen = true;
            world.fronts[1].frozen = true;
            world.crash(dies);
            world.network.lose = |_, _| false;
            // A front that knows nothing of the log reads one copy with the entry and one without.
            let next = world.add_front();
            world.activate(next);
            world.advance(SECOND);
            assert!(world.leads(next));
            let client = world.connect(next);
            assert_eq!(world.ask(next, client, crypt(handle)).0, 0, "{longer:?}, {dies} died");
        }
    }
}

#[test]
fn after_a_takeover_silence_is_measured_anew_and_whole() {
    let mut world = twins();
    let client = world.connect(0);
    assert_eq!(world.ask(0, client, access(TMR, Mode::UserLimit, 60)).0, 0);
    world.advance(50 * SECOND);
    world.activate(1);
    assert!(world.leads(1));
    world.advance(60 * SECOND - 10 * MILLI);
    assert_eq!(world.seats(1), 1);
    world.advance(20 * MILLI);
    assert_eq!(world.seats(1), 0);
}

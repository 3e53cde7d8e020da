//! The budget of bytes that all links together may make the server keep.

use super::*;
use crate::base::limits::LINKS_HELD_MAX;

const QUARTER: usize = LINKS_HELD_MAX / 4;

fn came_in(hub: &mut Hub, count: u16) -> Vec<LinkId> {
    let accept = |port| hub.accept(at(0), Listener::Licence, afar(port), &mut vec![]).unwrap();
    (1..=count).map(accept).collect()
}

fn dropped(out: &[Output]) -> Vec<LinkId> {
    out.iter()
        .filter_map(|out| if let Output::Drop { link, .. } = out { Some(*link) } else { None })
        .collect()
}

#[test]
fn links_that_hold_most_are_closed_until_a_quarter_of_the_budget_is_free() {
    let (mut hub, mut out) = (backend(), vec![]);
    let links = came_in(&mut hub, 5);
    for (link, bytes) in links.iter().zip([QUARTER + 2, QUARTER, QUARTER + 1, QUARTER - 3]) {
        hub.holds(at(1), *link, bytes, &mut out);
    }
    assert_eq!(dropped(&out), [], "that is the budget to the last byte");
    hub.holds(at(1), links[4], 1, &mut out);
    assert_eq!(dropped(&out), [links[0]], "the largest one was enough");
    hub.holds(at(1), links[0], QUARTER, &mut out);
    assert_eq!(dropped(&out), [links[0]], "a link that is being closed is not counted any more");
    let closed =
        |hub: &mut Hub, link| hub.closed(at(2), link, CloseReason::Eof, false, &mut vec![]);
    links.iter().for_each(|link| closed(&mut hub, *link));
    let links = came_in(&mut hub, 1);
    out.clear();
    hub.holds(at(3), links[0], LINKS_HELD_MAX, &mut out);
    assert_eq!(dropped(&out), [], "nothing is left of the closed ones");
}

#[test]
fn what_is_unfinished_counts_and_what_was_taken_back_does_not() {
    let (mut hub, mut out) = (backend(), vec![]);
    let links = came_in(&mut hub, 2);
    let unfinished = |link, held| Arrived { held, ..dribbled(link, vec![]) };
    hub.received(at(1), [unfinished(links[0], LINKS_HELD_MAX)], &mut out);
    hub.received(at(1), [unfinished(links[0], 1)], &mut out);
    hub.received(at(1), [unfinished(links[1], LINKS_HELD_MAX - 1)], &mut out);
    assert_eq!(dropped(&out), []);
    hub.received(at(1), [unfinished(links[0], 2)], &mut out);
    assert_eq!(dropped(&out), [links[1]]);
}

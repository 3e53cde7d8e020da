//! Seats are given, refused, taken back.

use super::World;
use crate::testing::{crypt, release, seat};
use crate::time::Duration;

#[test]
fn five_seats_and_no_sixth() {
    let mut world = World::serving();
    let mut handles = alloc::vec::Vec::new();
    for _ in 0..5 {
        let client = world.connect(0);
        let (status, handle) = world.ask(0, client, seat());
        assert_eq!(status, 0);
        assert!(!handles.contains(&handle));
        handles.push(handle);
    }
    let client = world.connect(0);
    assert_eq!(world.ask(0, client, seat()), (212, 0));
    assert_eq!(world.ask(0, client, crypt(handles[0])).0, 0);
    assert_eq!(world.ask(0, client, release(handles[0])), (0, 0));
    assert_eq!(world.ask(0, client, release(handles[0])).0, 106);
    assert_eq!(world.ask(0, client, seat()).0, 0);
    world.advance(Duration::from_secs(1));
    assert_eq!(world.seats(0), 5);
}

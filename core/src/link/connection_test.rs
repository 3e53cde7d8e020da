//! A connection's unfinished work: bytes without room, reading meanwhile, and its end.

use super::*;
use alloc::vec;

fn connection() -> Connection {
    Connection::new(SecureChannel::admin(), None)
}

fn frames(frames: &[&[u8]]) -> Outbox {
    Outbox { frames: frames.iter().map(|frame| frame.to_vec()).collect(), ..Outbox::default() }
}

fn ask(connection: &mut Connection, count: usize) -> usize {
    let mut frames = Vec::new();
    connection.received(&b"GET / HTTP/1.1\r\n\r\n".repeat(count), &mut frames).unwrap();
    frames.len()
}

#[test]
fn what_there_is_no_room_for_goes_before_what_comes_later() {
    let mut connection = connection();
    connection.send(frames(&[b"first"]));
    assert_eq!(connection.flow(), Flow::Begun);
    assert!(connection.wants_write() && !connection.wants_frames());
    assert_eq!(connection.flow(), Flow::Same, "nothing has moved");
    connection.sent(2);
    assert_eq!(connection.unsent(), b"rst");
    assert_eq!(connection.flow(), Flow::Begun);
    connection.sent(3);
    assert!(connection.wants_frames());
    assert_eq!(connection.flow(), Flow::Over);
    assert_eq!(connection.flow(), Flow::Same);
    assert_eq!(connection.held(), 0, "nothing is kept for a link that is silent");
}

#[test]
fn a_peer_has_its_time_from_when_it_took_something_last_also_where_a_request_waits() {
    let mut connection = connection();
    let waits = |frames| Outbox { waits: true, ..frames };
    connection.send(waits(frames(&[b"page"])));
    assert_eq!(connection.flow(), Flow::Begun);
    connection.sent(4);
    assert!(connection.unsent().is_empty() && connection.wants_write(), "a request waits");
    assert_eq!(connection.flow(), Flow::Begun, "it took the rest");
    connection.send(waits(Outbox::default()));
    assert_eq!(connection.flow(), Flow::Same, "nothing was there to take");
    connection.sent(0);
    assert_eq!(connection.flow(), Flow::Same, "and nothing was taken");
    assert!(connection.has_left());
    assert_eq!(connection.flow(), Flow::Over);
}

#[test]
fn it_closes_when_all_is_written() {
    let mut connection = connection();
    let close = Some(CloseReason::Stepped("done"));
    connection.send(Outbox { close: close.clone(), ..frames(&[b"the last"]) });
    assert_eq!(connection.closes(), None);
    assert!(!connection.wants_read() && !connection.wants_frames());
    connection.sent(8);
    assert_eq!(connection.closes(), close.as_ref());
    assert!(!connection.end(), "everything was written");
}

#[test]
fn what_was_not_written_counts_as_unsent_and_nothing_is_taken_any_more() {
    let mut connection = connection();
    connection.send(frames(&[b"much"]));
    assert!(connection.end());
    assert!(!connection.wants_read() && !connection.wants_write() && !connection.wants_frames());
    assert_eq!((ask(&mut connection, 1), connection.held()), (0, 0));
}

#[test]
fn who_asks_on_without_an_answer_is_not_read() {
    let mut connection = connection();
    assert!(connection.wants_read());
    assert_eq!(ask(&mut connection, 1), 1);
    assert!(!connection.wants_read());
    connection.send(frames(&[b"answer"]));
    assert!(!connection.wants_read(), "nor before the answer is written");
    connection.sent(6);
    assert!(connection.wants_read());
}

#[test]
fn a_request_that_waits_is_told_once_that_all_has_left() {
    let mut connection = connection();
    connection.send(Outbox { waits: true, ..frames(&[b"one"]) });
    assert!(!connection.has_left());
    connection.sent(3);
    assert!(connection.wants_write(), "the runtime says when there is room again");
    assert!(connection.has_left() && !connection.has_left());
    assert!(!connection.wants_write());
}

#[test]
fn a_layer_sees_all_bytes_and_the_last_ones_by_name() {
    /// A layer that doubles each byte.
    #[derive(Debug)]
    struct Doubles;
    impl Layer for Doubles {
        fn open<'a>(
            &mut self,
            bytes: &'a [u8],
            wire: &mut Vec<u8>,
        ) -> Result<Cow<'a, [u8]>, CloseReason> {
            wire.push(b'!');
            Ok(Cow::Owned(bytes.iter().copied().step_by(2).collect()))
        }
        fn seal(&mut self, plain: &[u8], last: bool, wire: &mut Vec<u8>) {
            wire.extend(plain.iter().flat_map(|byte| [*byte; 2]));
            wire.extend(last.then_some(b'.'));
        }
        fn settled(&self) -> bool {
            false
        }
    }
    let mut connection = Connection::new(SecureChannel::admin(), Some(Box::new(Doubles)));
    assert!(connection.is_layered() && !connection.greeted());
    let asked: Vec<u8> = b"GET / HTTP/1.1\r\n\r\n".iter().flat_map(|byte| [*byte; 2]).collect();
    let mut came = vec![];
    connection.received(&asked, &mut came).unwrap();
    assert_eq!((came.len(), connection.unsent()), (1, &b"!"[..]));
    connection.send(Outbox { close: Some(CloseReason::Eof), ..frames(&[b"ab"]) });
    assert_eq!(connection.unsent(), b"!aabb.");
}

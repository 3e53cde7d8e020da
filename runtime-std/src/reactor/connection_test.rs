//! One link's bytes: writes that the socket does not take, reads meanwhile, and what counts as
//! sent.

use crate::reactor::connection::SocketConnection;
use rustix::event::epoll::EventFlags;
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use tmr_core::link::channel::SecureChannel;
use tmr_core::link::{CloseReason, Connection, Flow, Frame, Outbox};

/// More bytes than any system buffers for a peer that does not read.
const MUCH: usize = 64 * 1024 * 1024;

fn pair() -> (SocketConnection, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (socket, _) = listener.accept().unwrap();
    socket.set_nonblocking(true).unwrap();
    (
        SocketConnection::new(socket.into(), Connection::new(SecureChannel::admin(), None), true),
        peer,
    )
}

fn frames(frames: Vec<Vec<u8>>) -> Outbox {
    Outbox { frames, ..Outbox::default() }
}

fn much() -> Vec<u8> {
    (0..MUCH).map(|at| (at / 7) as u8).collect()
}

fn await_flags(connection: &SocketConnection, flags: PollFlags) {
    poll(&mut [PollFd::new(&connection.socket, flags)], None).unwrap();
}

#[test]
fn what_there_is_no_room_for_follows_in_order() {
    let (mut connection, mut peer) = pair();
    assert_eq!(connection.flush(|| frames(vec![much()])), Ok(Flow::Begun));
    // Nothing more is read until that is written: a peer that does not read gets no further calls
    // served.
    assert_eq!(connection.watch(), Some(EventFlags::OUT));
    let read = thread::spawn(move || {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).map(|_| all)
    });
    let (mut taken, mut over) = (false, None);
    while over.is_none() {
        await_flags(&connection, PollFlags::OUT);
        let last = || {
            taken = true;
            Outbox {
                frames: vec![b"the last".to_vec()],
                close: Some(CloseReason::Stepped("done")),
                waits: false,
            }
        };
        match connection.flush(last) {
            Ok(Flow::Over) => panic!("it is to be closed"),
            Ok(_) => assert!(!taken, "taken although there were bytes before it"),
            Err(reason) => over = Some(reason),
        }
    }
    assert_eq!((taken, over), (true, Some(CloseReason::Stepped("done"))));
    assert!(!connection.end(&CloseReason::Eof), "everything was written");
    drop(connection);
    let all = read.join().unwrap().unwrap();
    assert!(all[..MUCH] == much()[..] && all[MUCH..] == *b"the last", "{} bytes", all.len());
}

#[test]
fn what_was_not_written_counts_as_unsent_and_no_more_is_taken() {
    let (mut connection, _peer) = pair();
    assert_eq!(connection.flush(|| frames(vec![much()])), Ok(Flow::Begun));
    assert!(connection.end(&CloseReason::Eof));
    assert_eq!(connection.flush(|| panic!("taken for a link that is over")), Ok(Flow::Same));

    let (mut connection, _peer) = pair();
    assert_eq!(connection.flush(|| frames(vec![b"little".to_vec()])), Ok(Flow::Same));
    assert!(!connection.end(&CloseReason::Eof));
}

#[test]
fn waiting_is_over_when_the_peer_has_read() {
    let (mut connection, mut peer) = pair();
    assert_eq!(connection.flush(|| frames(vec![much()])), Ok(Flow::Begun));
    connection.watch();
    let read = thread::spawn(move || peer.read_exact(&mut vec![0; MUCH]).map(|()| peer));
    let mut flow = Flow::Same;
    while flow != Flow::Over {
        await_flags(&connection, PollFlags::OUT);
        flow = connection.flush(|| frames(Vec::new())).unwrap();
    }
    assert_eq!(connection.watch(), Some(EventFlags::IN));
    drop(read.join().unwrap().unwrap());
}

#[test]
fn who_asks_on_without_an_answer_is_not_read() {
    let (mut connection, mut peer) = pair();
    let heard = |connection: &mut SocketConnection| {
        let mut frames = Vec::new();
        connection.read(false, &mut [0; 1024], &mut frames).unwrap();
        frames.len()
    };
    peer.write_all(b"GET /1 HTTP/1.1\r\n\r\n").unwrap();
    await_flags(&connection, PollFlags::IN);
    assert_eq!(heard(&mut connection), 1);
    assert_eq!(connection.watch(), Some(EventFlags::empty()));
    peer.write_all(b"GET /2 HTTP/1.1\r\n\r\n").unwrap();
    await_flags(&connection, PollFlags::IN);
    assert_eq!(heard(&mut connection), 0);
    assert_eq!(connection.flush(|| frames(vec![b"1".to_vec()])), Ok(Flow::Same));
    assert_eq!(connection.watch(), Some(EventFlags::IN));
    assert_eq!(heard(&mut connection), 1);
}

#[test]
fn whole_frames_before_the_end_are_heard() {
    let (mut connection, mut peer) = pair();
    peer.write_all(b"GET /1 HTTP/1.1\r\n\r\n").unwrap();
    drop(peer);
    let mut frames = Vec::new();
    await_flags(&connection, PollFlags::IN);
    assert_eq!(connection.read(false, &mut [0; 1024], &mut frames), Ok(()));
    assert!(matches!(&frames[..], [Frame::Http(_)]));
    assert_eq!(connection.read(true, &mut [0; 1024], &mut frames), Err(CloseReason::Eof));
}

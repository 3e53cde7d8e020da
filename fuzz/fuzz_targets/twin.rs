//! The other front: any bytes on its door, in any chunks, give frames or an error, the same ones
//! however they were cut; what was understood of a message, written and read again, is the same;
//! and a front that is told anything by its twin goes on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tmr_core::channel::{GroupKey, Stream};
use tmr_core::config::Twin;
use tmr_core::desk::Identity;
use tmr_core::front::{Config, Front};
use tmr_core::io::{Address, Door, Frame, Input, Link};
use tmr_core::time::{Duration, Mono, Now, Wall};
use tmr_core::wire::twin::{Heard, Hello, Tell, Version};

fuzz_target!(|input: (bool, Vec<Vec<u8>>)| {
    let (dials, chunks) = input;
    channel(dials, &chunks);
    for bytes in &chunks {
        messages(bytes);
    }
    front(chunks);
});

fn channel(dials: bool, chunks: &[Vec<u8>]) {
    let key = GroupKey::new([9; 32]);
    let stream = || {
        let mut stream = match dials {
            true => Stream::twin_dial([7; 32], &key),
            false => Stream::twin_accept([7; 32], &key),
        };
        stream.greet(&mut Vec::new());
        stream
    };
    let (mut cut, mut cut_wire, mut cut_frames) = (stream(), Vec::new(), Vec::new());
    let cut_end =
        chunks.iter().try_for_each(|bytes| cut.open(bytes, &mut cut_wire, &mut cut_frames));
    let (mut whole, mut wire, mut frames) = (stream(), Vec::new(), Vec::new());
    let end = whole.open(&chunks.concat(), &mut wire, &mut frames);
    assert_eq!((cut_end, cut_wire, cut_frames), (end, wire, frames));
}

fn messages(bytes: &[u8]) {
    if let Ok(hello) = Hello::decode(bytes) {
        assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
    }
    for minor in 0..=Version::OWN.minor {
        if let Ok(tell) = Tell::decode(bytes, minor) {
            let again = tell.encode(minor).expect("that version has it");
            assert_eq!(Tell::decode(&again, minor), Ok(tell));
        }
    }
    if let Ok(heard) = Heard::decode(bytes) {
        assert_eq!(Heard::decode(&heard.encode()), Ok(heard));
    }
}

fn front(chunks: Vec<Vec<u8>>) {
    let address = |port| Address { host: "127.0.0.1".into(), port };
    let ip = "127.0.0.1".parse().expect("an address");
    let timeout = Duration::from_secs(3);
    let mut front = Front::new(Config {
        identity: Identity { name: "front".into(), runtime: "fuzz", address: ip },
        backends: [1, 2, 3].map(address),
        retry: timeout,
        unfenced: false,
        virtuals: Vec::new(),
        cleanup: timeout,
        twin: Some(Twin {
            address: address(4),
            connect_timeout: timeout,
            transfer_timeout: timeout,
        }),
        front: 1,
        seed: [5; 32],
    });
    let link = Link(2);
    let hello = Hello { version: Version::OWN, front: 2, program: "0.1.0".into() };
    let accepted = Input::Accepted { link, door: Door::Twin, from: ([127, 0, 0, 1], 5).into() };
    let frames = [hello.encode()].into_iter().chain(chunks).map(Frame::Twin);
    let inputs = frames.map(|frame| Input::Frame { link, frame });
    for (at, input) in (1..).zip([accepted].into_iter().chain(inputs)) {
        let now = Now { mono: Mono(at), wall: Wall(at) };
        front.step(now, input, &mut Vec::new());
    }
}

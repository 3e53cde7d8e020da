//! The other front. Any bytes on the port for the twin, in any chunks, give frames or an error, and
//! the result is the same for every division into chunks. A parsed message that is encoded and
//! parsed again is the same, and no twin makes a front panic.

use super::node::{at, identity};
use super::stream::open;
use super::{byte, pieces};
use arbitrary::Unstructured;
use tmr_core::base::limits::{CLIENT_FRAME_MAX, TWIN_ENTRIES, TWIN_PIECE_BYTES};
use tmr_core::base::network::Address;
use tmr_core::base::time::Duration;
use tmr_core::config::Twin;
use tmr_core::front::{Config, Front};
use tmr_core::io::Input;
use tmr_core::link::channel::{GroupKey, SecureChannel};
use tmr_core::link::{Frame, LinkId, Listener};
use tmr_core::messages::twin::{Hello, TwinAck, TwinMessage, Version};

pub(super) fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let dials = byte(&mut input) % 2 == 1;
    let chunks = pieces(&mut input);
    let key = GroupKey::new([9; 32]);
    let stream = || match dials {
        true => SecureChannel::twin_dial([7; 32], &key),
        false => SecureChannel::twin_accept([7; 32], &key),
    };
    assert_eq!(open(stream(), &chunks), open(stream(), &[&chunks.concat()]));
    for bytes in &chunks {
        messages(bytes);
    }
    told(&chunks);
}

fn messages(bytes: &[u8]) {
    if let Ok(hello) = Hello::decode(bytes) {
        assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
    }
    for minor in 0..=Version::OWN.minor {
        let Ok(tell) = TwinMessage::decode(bytes, minor) else { continue };
        let again = tell.encode(minor).expect("that version has it");
        assert!(again.len() <= bytes.len(), "longer than it came");
        match &tell {
            TwinMessage::State { bytes, .. } => assert!(bytes.len() <= TWIN_PIECE_BYTES),
            TwinMessage::Entries { entries, .. } => assert!(entries.len() <= TWIN_ENTRIES),
            TwinMessage::Call { bytes, .. } => assert!(bytes.len() <= CLIENT_FRAME_MAX),
            _ => {}
        }
        assert_eq!(TwinMessage::decode(&again, minor), Ok(tell));
    }
    if let Ok(heard) = TwinAck::decode(bytes) {
        assert_eq!(TwinAck::decode(&heard.encode()), Ok(heard));
    }
}

fn told(chunks: &[&[u8]]) {
    let address = |port| Address { host: "127.0.0.1".into(), port };
    let timeout = Duration::from_secs(3);
    let twin = Twin { address: address(4), connect_timeout: timeout, transfer_timeout: timeout };
    let mut front = Front::new(Config {
        identity: identity(),
        backends: [1, 2, 3].map(address),
        retry: timeout,
        unfenced: false,
        virtuals: Vec::new(),
        cleanup: timeout,
        policy: Default::default(),
        twin: Some(twin),
        front: 1,
        handle_key: tmr_core::service::HandleKey::default(),
        seed: [5; 32],
    });
    let link = LinkId(2);
    let hello = Hello { version: Version::OWN, front: 2, program: "0.1.0".into(), chosen: None };
    let accepted =
        Input::Accepted { link, listener: Listener::Twin, from: ([127, 0, 0, 1], 5).into() };
    let frames = [hello.encode()].into_iter().chain(chunks.iter().map(|bytes| bytes.to_vec()));
    let inputs = frames.map(|bytes| Input::Frame { link, frame: Frame::Twin(bytes) });
    for (micros, input) in (1..).zip([accepted].into_iter().chain(inputs)) {
        front.step(at(micros), input, &mut Vec::new());
    }
}

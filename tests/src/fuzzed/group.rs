//! Batches of messages between front and backend: a parsed batch that is encoded and parsed again
//! is the same, and no list is longer than its limit.

use std::fmt::Debug;
use tmr_core::messages::group::{Message, Numbered, Order, Report, decode, encode};

fn messages<T: Numbered + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(messages) = decode::<T>(bytes) {
        let again: Vec<u8> =
            messages.iter().flat_map(|it| encode(it.correlation, &it.body)).collect();
        assert!(again.len() <= bytes.len(), "longer than it came");
        assert_eq!(decode::<T>(&again).as_ref(), Ok(&messages));
    }
    // Without the head, whose length and number bytes alone seldom get right.
    if let Ok((body, _)) = postcard::take_from_bytes::<T>(bytes) {
        let whole = encode(7, &body);
        if let Ok(again) = decode::<T>(&whole) {
            assert_eq!(again, [Message { correlation: 7, body }]);
        }
    }
}

pub(super) fn run(bytes: &[u8]) {
    messages::<Order>(bytes);
    messages::<Report>(bytes);
}

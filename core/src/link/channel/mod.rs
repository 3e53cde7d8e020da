//! A secured stream: bytes in, plaintext frames out, and the reverse.
//!
//! What lives here: everything that belongs to one connection alone: the envelope, the key
//! agreement, the protected message, a front's hello and its batches, the twins' handshake, and the
//! framing of HTTP. A runtime drives one [`SecureChannel`] per connection outside of the node's
//! lock.
//!
//! What never lives here: the meaning of a frame (that is [`wire`](crate::wire) and the node),
//! time, a socket.
//!
//! A second key agreement on one connection is rejected by closing it: no client was seen to make
//! one (protocol facts 1 list it as unknown).
//!
//! The format, for authors of other clients or backends:
//!
#![doc = include_str!("../../../docs/wire.md")]

mod agreement;
mod cipher;
mod envelope;
mod group;
mod http;
mod key;
mod noise;
mod sealer;
mod stream;

#[cfg(test)]
mod group_test;
#[cfg(test)]
mod http_test;
#[cfg(test)]
mod noise_test;
#[cfg(test)]
mod stream_test;
#[cfg(test)]
mod vector_test;

pub(crate) use group::OTHER_KEY;
pub use key::{GroupKey, GroupKeyError};
pub use stream::SecureChannel;

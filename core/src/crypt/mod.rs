//! Computes with a licence's keys: encrypts and decrypts data, and makes signatures.
//!
//! What lives here: pure functions of a container's secret and a call, so the three backends have
//! the same result. What never lives here: whether a call is allowed, which the
//! [`service`](crate::service) decides.

pub(crate) mod cipher;
#[cfg(test)]
mod cipher_test;
pub(crate) mod keys;
pub(crate) mod sign;
#[cfg(test)]
mod sign_test;

//! What clients ask for.

use alloc::string::String;

/// Who this server says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Host name.
    pub name: String,
    /// `smol` or `threads`.
    pub runtime: &'static str,
    /// The address clients reach it at, as far as it knows.
    pub address: core::net::IpAddr,
}

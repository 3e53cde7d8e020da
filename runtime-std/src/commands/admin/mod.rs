//! How commands reach the admin pages of a server: where they are, with which credentials, and one request.
//!
//! What never lives here: what a page says.

pub mod credentials;
pub mod http;
pub mod pages;
mod trust;

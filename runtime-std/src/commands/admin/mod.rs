//! How commands reach the admin pages of a server: their address, the credentials, and one HTTP
//! request.
//!
//! What never lives here: the content of a page.

pub mod credentials;
pub mod http;
pub mod pages;
mod trust;

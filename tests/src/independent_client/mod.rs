//! A licence client that shares no code with the server. The envelope, the channel and the calls
//! are implemented a second time from the protocol facts, so that a mistake stays unseen only if
//! both implementations make it.
//!
//! What lives here: one blocking connection, builders for the calls, a reader for the replies, and
//! the search of all replies for secrets of backends. What never lives here: anything of
//! `tmr-core`.

mod calls;
mod cipher;
pub mod error;
mod link;
mod record;
mod reply;
mod secrets;

pub use calls::{
    Sign, box_contents, crypt_older, crypt_sim, get_boxes, licence_info, secure_data, validate,
};
pub use cipher::{Key, KeyPair};
pub use link::{Client, Fault, PATIENCE, envelope, handshake_body, read_body};
pub use record::{
    AccessRequest, Crypt, INFO_BOX, INFO_COMMUNICATION, INFO_SYSTEM, INFO_TIME, INFO_VERSION,
    MODE_EXCLUSIVE, MODE_FIRM_ITEM, MODE_NO_USER_LIMIT, MODE_STATION_SHARE, MODE_SUBSYSTEM,
    MODE_USER_LIMIT, NAMES_LIST, Person, get_info, get_servers, get_version, program, release,
    with_handle,
};
pub use reply::{BoxInfo, Reply, is_known_status, text};
pub use secrets::Secrets;

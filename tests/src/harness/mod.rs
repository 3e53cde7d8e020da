//! Real programs as real processes: builds them, starts, kills, freezes and restarts them, and
//! looks at them from outside.
//!
//! What lives here: [`Program`] and [`Server`] (one process), [`Cluster`] (three backends and a
//! front), [`Recorder`] (a relay that records), [`Gate`] (a relay that can be held and cut),
//! [`Clock`] (a clock that is wrong), [`Scratch`] (a folder for commands without servers), the admin pages over plain HTTP, the files of a usage
//! history, waiting for a condition. What never lives here: an assertion on what a server should
//! do.
//!
//! No process outlives the tests: each is killed when its [`Server`] is dropped, and a guardian
//! shell kills the rest when the test process ends for any reason.

mod build;
mod clock;
mod cluster;
mod gate;
pub(crate) mod guardian;
mod history;
mod hole;
mod http;
mod process;
mod recorder;
mod request;
mod scratch;
mod seats;
mod skipped;
mod variants;
mod wait;
mod workshop;

pub use build::{Program, Runtime};
pub use clock::Clock;
pub use cluster::{BackendLine, Builder, Cluster, TWIN_PORTS, is_whole, licence_row};
pub use gate::{Gate, Speed};
pub use guardian::{forget, watch};
pub use history::{history_files, records};
pub use hole::Hole;
pub use http::{PASSWORD, get, get_json, get_with, post, post_text, sign_in};
pub use process::{Finished, Server, freeze, kill_all, signal};
pub use recorder::{Recorder, play};
pub use request::{container, write_request};
pub use scratch::Scratch;
pub use seats::{give_back, take};
pub use skipped::{missing, not_played};
pub use variants::list_servers;
pub(crate) use wait::poll;
pub use wait::{SetOnDrop, status_until, status_within, until, within};
pub use workshop::{
    CM_ACT_ID, FIRM_CODE, ORDINARY, ORDINARY_SEATS, SEATS, TMR, Workshop, specification,
};

/// One test function for each script, run against both runtimes.
#[macro_export]
macro_rules! on_both_runtimes {
    ($($script:ident),+ $(,)?) => {
        /// Runs the script against `tmrd`.
        mod smol {
            $(#[test] fn $script() { super::$script($crate::harness::Runtime::Smol); })+
        }
        /// Runs the script against `tmrd-std`.
        mod threads {
            $(#[test] fn $script() { super::$script($crate::harness::Runtime::Threads); })+
        }
    };
}

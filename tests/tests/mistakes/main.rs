//! Mistakes that operators make every week, played with real processes: parts and state folders
//! that are copied, put back or lost, addresses listed twice, changes of configuration half way,
//! clocks that jump. Clients keep books of their own: no acknowledged seat is lost, none is
//! granted twice, and what cannot be served is refused in words.
//!
//! What lives here: the books, and what is looked for in a status and in a log. The mistakes are in
//! the modules.

mod addresses;
mod birth;
mod book;
mod clocks;
mod disks;
mod groups;
mod identity;
mod load;
mod members;
mod parts;
mod readiness;
mod rounds;

use std::net::SocketAddr;
use std::time::Duration;
use tmr_tests::harness::{Cluster, Server, get_json, is_whole, status_within, until};

/// Service is whole again by then after the last fault, without anybody's help.
const WHOLE_AGAIN: Duration = Duration::from_secs(20);

/// Waits until the status of a server says something, whatever the letters' case, and returns it.
#[track_caller]
fn says(server: &Server, phrase: &str) -> String {
    let what = format!("{:?} in the status of {}", phrase, server.name());
    status_within(WHOLE_AGAIN, server.admin(), &what, |status| {
        let text = status.to_string();
        contains(&text, phrase).then_some(text)
    })
}

/// Waits until the log of a server says something, whatever the letters' case.
#[track_caller]
fn logs(server: &Server, phrase: &str) {
    let what = format!("{:?} in the log of {}", phrase, server.name());
    until(&what, || contains(&server.log_text(), phrase).then_some(()));
}

fn contains(text: &str, phrase: &str) -> bool {
    text.to_lowercase().contains(&phrase.to_lowercase())
}

/// Waits until a front leads with three parts again, as long as that may take.
#[track_caller]
fn whole_again(cluster: &Cluster, front: usize) {
    let admin = cluster.fronts[front].admin();
    status_within(WHOLE_AGAIN, admin, "three parts again", |status| {
        (status["role"] == "active" && is_whole(status)).then_some(())
    });
}

/// Tells a front to lead, and looks whether it does within this time.
fn leads_within(cluster: &Cluster, front: usize, limit: Duration) -> bool {
    let admin = cluster.fronts[front].admin();
    let url = format!("http://{admin}");
    // Whether it can is what is looked for.
    let _ = cluster.program().run(["activate", "--admin", &url]);
    let start = std::time::Instant::now();
    loop {
        if role(admin) == "active" {
            return true;
        }
        if start.elapsed() >= limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn role(admin: SocketAddr) -> String {
    let status = get_json(admin, "/api/status").expect("a front's status");
    status["role"].as_str().expect("a role is a word").to_owned()
}

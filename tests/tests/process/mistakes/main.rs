//! Frequent mistakes of operators, played with real processes: parts and state folders that are
//! copied, replaced or lost, addresses listed twice, incomplete changes of configuration, clocks
//! that jump. Clients record their own seats: no acknowledged seat is lost, none is granted twice,
//! and refusals have a message.
//!
//! What lives here: the records, and searches in a status and in a log. The mistakes are in the
//! modules.

mod addresses;
mod birth;
mod book;
mod clocks;
mod disks;
mod groups;
mod identity;
mod liveness;
mod load;
mod members;
mod parts;
mod readiness;
mod rounds;

use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tmr_tests::harness::{Cluster, Server, get_json, is_whole, post, status_within, until};

/// Service is whole again within this time after the last fault, without an operator.
const WHOLE_AGAIN: Duration = Duration::from_secs(20);

/// Waits until a sentence in the status of a server contains this phrase, in upper or lower case.
#[track_caller]
fn says(server: &Server, phrase: &str) {
    names(server, phrase, &[]);
}

/// Waits until sentences in the status of a server contain this phrase, and each of these backend
/// addresses is in such a sentence or is the address of its row.
#[track_caller]
fn names(server: &Server, phrase: &str, addresses: &[SocketAddr]) {
    let what = format!("{phrase:?} of {addresses:?} in the status of {}", server.name());
    status_within(WHOLE_AGAIN, server.admin(), &what, |status| {
        let mut found = String::new();
        sentences(status, "", &mut |row, text| {
            if contains(text, phrase) {
                found.push_str(&format!("{row}: {text}\n"));
            }
        });
        let named = addresses.iter().all(|address| found.contains(&address.to_string()));
        (named && !found.is_empty()).then_some(())
    });
}

/// Calls `take` for every text in a value, with the address of the row that contains it.
fn sentences(value: &Value, row: &str, take: &mut impl FnMut(&str, &str)) {
    match value {
        Value::String(text) => take(row, text),
        Value::Array(values) => values.iter().for_each(|value| sentences(value, row, take)),
        Value::Object(fields) => {
            let row = fields.get("address").and_then(Value::as_str).unwrap_or(row);
            fields.values().for_each(|value| sentences(value, row, take));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Waits until the log of a server contains a phrase, in upper or lower case.
#[track_caller]
fn logs(server: &Server, phrase: &str) {
    let what = format!("{:?} in the log of {}", phrase, server.name());
    until(&what, || contains(&server.log_text(), phrase).then_some(()));
}

fn contains(text: &str, phrase: &str) -> bool {
    text.to_lowercase().contains(&phrase.to_lowercase())
}

/// Waits until a front leads with three parts again.
#[track_caller]
fn whole_again(cluster: &Cluster, front: usize) {
    let admin = cluster.fronts[front].admin();
    status_within(WHOLE_AGAIN, admin, "three parts again", |status| {
        (status["role"] == "active" && is_whole(status)).then_some(())
    });
}

/// Orders a front to lead, which it does as soon as it can.
#[track_caller]
fn tell_to_lead(front: &Server) {
    let (code, words) = post(front.admin(), "/api/activate").expect("an answer");
    assert!((200..300).contains(&code), "{code}: {words}");
}

/// Orders a front to lead. Returns whether it leads within this time.
#[track_caller]
fn leads_within(cluster: &Cluster, front: usize, limit: Duration) -> bool {
    let admin = cluster.fronts[front].admin();
    tell_to_lead(&cluster.fronts[front]);
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

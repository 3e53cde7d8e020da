//! Requests of an official client: every recorded conversation is replayed to the server.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tmr_tests::harness::{Cluster, Runtime, SEATS, TMR, take};
use tmr_tests::independent_client::{Client, Reply, is_known_status};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(every_conversation_is_answered);

const ACCESS: u32 = 0x0a;
const RELEASE: u32 = 0x0b;
const SERVERS: u32 = 0x22;
const ACCESS2: u32 = 0x64;

/// One recorded conversation.
struct Conversation {
    name: String,
    requests: Vec<Vec<u8>>,
}

fn conversations() -> Vec<Conversation> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/frames");
    let entries = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("recorded conversations: {}: {error}", folder.display()));
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a folder entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files.iter().map(|file| conversation(file)).collect()
}

fn conversation(file: &Path) -> Conversation {
    let text = fs::read_to_string(file).expect("a recorded conversation can be read");
    let value: Value = serde_json::from_str(&text).expect("a recorded conversation is JSON");
    let frames = value["frames"].as_array().expect("it has frames");
    let requests = frames.iter().filter(|frame| frame["dir"] == "c2s");
    let requests = requests.map(|frame| {
        let text = frame["hex"].as_str().expect("a frame is hex text");
        hex::decode(text).expect("a frame is hex text")
    });
    Conversation { name: file.display().to_string(), requests: requests.collect() }
}

/// Plays one conversation, with the live handle in place of the recorded one.
fn play(client: &mut Client, conversation: &Conversation) {
    let mut live = None;
    for (number, request) in conversation.requests.iter().enumerate() {
        let mut request = request.clone();
        let call = u32::from_le_bytes(request[..4].try_into().expect("a call number"));
        let access = call == ACCESS || call == ACCESS2;
        if let (false, Some(live)) = (access || call == SERVERS, live) {
            request[4..8].copy_from_slice(&u32::to_le_bytes(live));
        }
        let place = format!("{}: request {number}, call {call:#x}", conversation.name);
        let reply: Reply = client.call(&request).unwrap_or_else(|fault| panic!("{place}: {fault}"));
        assert!(is_known_status(reply.status), "{place}: status {}", reply.status);
        if access {
            live = reply.done().ok();
            assert_ne!(live, Some(0), "{place}: handle 0");
        }
        if call == RELEASE {
            let expected = if live.is_some() { 0 } else { 106 };
            assert_eq!(reply.status, expected, "{place}");
        }
    }
}

fn every_conversation_is_answered(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let conversations = conversations();
    assert!(conversations.len() >= 14, "{} conversations", conversations.len());
    // Each conversation has a connection of its own; then all share one.
    for conversation in &conversations {
        let mut client = cluster.client();
        play(&mut client, conversation);
        let ask = tmr_tests::independent_client::AccessRequest::subsystem();
        let after = take(&mut client, &ask).expect("the connection is still open");
        after.expect("and serves");
    }
    let mut client = cluster.client();
    for conversation in &conversations {
        play(&mut client, conversation);
    }
    let row = cluster.licence(TMR);
    assert_eq!((&row["used"], &row["free"]), (&0.into(), &SEATS.into()), "no seat was taken");
}

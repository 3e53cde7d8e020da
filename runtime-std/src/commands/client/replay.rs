//! `client replay`: plays a recorded conversation to a live server.

use crate::commands::client::session::Session;
use crate::commands::stdout;
use crate::exit::{Failure, Outcome};
use crate::host::files;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use tmr_core::wire::constants::info;
use tmr_core::wire::structs::{CmBoxInfo, CmBoxTime, CmCommunication, CmSystem, CmVersion, Layout};
use tmr_core::wire::{CmError, Reply, Request};

/// Longest conversation, in bytes.
const CONVERSATION_MAX: usize = 16 * 1024 * 1024;

/// A file as in the project's test vectors; keys that are not named here are for people.
#[derive(Debug, Deserialize)]
struct Conversation {
    frames: Vec<Recorded>,
}

#[derive(Debug, Deserialize)]
struct Recorded {
    /// `c2s`: to be sent. Others are what a server said then.
    dir: String,
    hex: String,
}

/// Which live handle stands for a recorded one.
#[derive(Debug, Default)]
struct Handles {
    live: BTreeMap<u32, u32>,
    latest: Option<u32>,
}

impl Handles {
    /// Puts the live handle in: the recording does not say which access gave which handle, so one
    /// that is new stands for the latest.
    fn put(&mut self, request: &mut Request) {
        let Some(recorded) = request.handle().filter(|handle| *handle != 0) else { return };
        if let Some(latest) = self.latest {
            request.set_handle(*self.live.entry(recorded).or_insert(latest));
        }
    }

    fn heard(&mut self, request: &Request, reply: &Reply) {
        let is_access = matches!(request, Request::Access { .. } | Request::Access2 { .. });
        if is_access && reply.status == CmError::NO_ERROR {
            self.latest = Some(reply.result);
        }
    }
}

/// Plays the requests of a file and prints what comes back.
///
/// # Errors
/// The file holds something else, or a call gets no answer.
pub(super) fn replay(session: &mut Session, file: &Path) -> Outcome {
    let requests = read(file)?;
    let mut handles = Handles::default();
    for recorded in requests {
        let mut parsed = Request::parse(&recorded);
        let plain = match &mut parsed {
            Ok(request) => {
                handles.put(request);
                stdout::line(format!("> {} ({:#04x})", request.name(), request.number()))?;
                stdout::line(format!("  {request:?}"))?;
                request.encode()
            }
            // A server has to bear it too.
            Err(malformed) => {
                stdout::line(format!("> {malformed}"))?;
                recorded
            }
        };
        stdout::line(format!("  {}", hex::encode(&plain)))?;
        let reply = session.exchange(plain)?;
        let Reply { status, result, body } = &reply;
        stdout::line(format!("< {status}"))?;
        stdout::line(format!("  result {result} ({result:#x}), {} bytes follow", body.len()))?;
        if let Ok(request) = &parsed {
            if let Some(decoded) = decoded(request, &reply) {
                stdout::line(format!("  {decoded}"))?;
            }
            handles.heard(request, &reply);
        }
        stdout::line(format!("  {}", hex::encode(reply.encode())))?;
    }
    Ok(())
}

/// The plaintexts of the recorded requests.
fn read(file: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let text = files::text(file, CONVERSATION_MAX)?;
    let conversation: Conversation =
        serde_json::from_str(&text).map_err(|error| files::wrong(file, error))?;
    let sent = conversation.frames.iter().filter(|frame| frame.dir == "c2s");
    let requests: Result<Vec<_>, _> = sent.map(|frame| hex::decode(&frame.hex)).collect();
    match requests {
        Ok(requests) if requests.is_empty() => {
            Err(files::wrong(file, "there is no frame with \"dir\": \"c2s\" in it"))
        }
        Ok(requests) => Ok(requests),
        Err(error) => Err(files::wrong(file, format!("a frame's hex: {error}"))),
    }
}

/// What the output of CmGetInfo says, where it is understood.
fn decoded(request: &Request, reply: &Reply) -> Option<String> {
    fn show<T: Layout + std::fmt::Debug>(body: &[u8]) -> Option<String> {
        T::parse(body).ok().map(|(_, value)| format!("{value:?}"))
    }
    let Request::GetInfo { ctrl, .. } = request else { return None };
    if reply.status != CmError::NO_ERROR {
        return None;
    }
    match ctrl & info::CMDMASK {
        info::BOXINFO => show::<CmBoxInfo>(&reply.body),
        info::BOXTIME => show::<CmBoxTime>(&reply.body),
        info::SYSTEM => show::<CmSystem>(&reply.body),
        info::VERSION => show::<CmVersion>(&reply.body),
        info::COMMUNICATION => show::<CmCommunication>(&reply.body),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_live_handle_takes_the_recorded_one_s_place() {
        let access = Request::Access { ctrl: 0, access: Default::default() };
        let mut handles = Handles::default();
        let handle_of = |handles: &mut Handles, recorded| {
            let mut request = Request::Release { handle: recorded };
            handles.put(&mut request);
            request.handle().unwrap()
        };
        assert_eq!(handle_of(&mut handles, 9), 9, "no access was answered yet");
        handles.heard(&access, &Reply::ok(100));
        assert_eq!(handle_of(&mut handles, 9), 100);
        handles.heard(&access, &Reply::error(CmError::NO_MORE_LICENSES));
        handles.heard(&access, &Reply::ok(200));
        assert_eq!(handle_of(&mut handles, 9), 100, "the first one keeps its own");
        assert_eq!(handle_of(&mut handles, 8), 200);
        assert_eq!(handle_of(&mut handles, 0), 0, "no handle yet");
    }
}

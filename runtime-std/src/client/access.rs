//! `client access`: takes a seat, keeps it, gives it back.

use super::session::Session;
use crate::daemon::cli::{Access, AccessMode};
use crate::daemon::{Exit, Outcome, doors, out, signals};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};
use tmr_core::io::Address;
use tmr_core::wire::constants::{access, info};
use tmr_core::wire::structs::{CmAccess2, CmBorrowData, CmBoxInfo, CmCredential, Layout};
use tmr_core::wire::{CmError, Reply, Request};

/// Another front leads by then, if one can.
const FAILOVER: Duration = Duration::from_secs(15);
/// Pause between two attempts to reach it.
const PAUSE: Duration = Duration::from_millis(500);
/// How often a held handle is used, so that the server does not take its client for gone.
const USED_EVERY: Duration = Duration::from_secs(10);

/// Takes a seat and gives it back, after a while if asked to.
///
/// # Errors
/// No server can be reached, or it refuses.
pub(super) fn access(servers: &[Address], options: &Access) -> Outcome {
    let mut session = Session::open(servers)?;
    let handle = session.call(&request(options))?.result;
    // From here on there is something to give back.
    let (stop, stopped) = mpsc::channel();
    signals::on_stop(move || stop.send(()).unwrap_or_default())?;
    let container = container(&session.call(&box_info(handle))?);
    let Access { firm_code, product_code, .. } = options;
    out::line(format!("handle {handle} licence {firm_code}:{product_code} container {container}"))?;

    let started = Instant::now();
    let hold = Duration::from_secs(options.hold);
    while let Some(left) = hold.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
        match stopped.recv_timeout(left.min(USED_EVERY)) {
            Err(RecvTimeoutError::Timeout) => keep(&mut session, servers, handle)?,
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    give_back(&mut session, servers, handle)?;
    eprintln!("handle {handle} given back");
    Ok(())
}

/// Uses a handle. A seat is not lost with a connection, nor with a front: the next one knows it.
fn keep(session: &mut Session, servers: &[Address], handle: u32) -> Outcome {
    match session.call(&Request::GetVersion { handle }) {
        Err(failure) if failure.exit == Exit::Unreachable => {
            eprintln!("{failure}; the seat is held all the same");
            if let Ok(again) = Session::open(servers) {
                *session = again;
            }
            Ok(())
        }
        answer => answer.map(drop),
    }
}

/// Gives a handle back, to whichever front leads.
fn give_back(session: &mut Session, servers: &[Address], handle: u32) -> Outcome {
    let (started, mut again) = (Instant::now(), false);
    loop {
        match session.call(&Request::Release { handle }) {
            Err(failure) if failure.exit == Exit::Unreachable && started.elapsed() < FAILOVER => {
                if again {
                    thread::sleep(PAUSE);
                }
                again = true;
                if let Ok(next) = Session::open(servers) {
                    *session = next;
                }
            }
            // It was given back the first time, and only the answer got lost.
            Err(failure) if again && failure.text.contains(CmError::INVALID_HANDLE.name()) => {
                return Ok(());
            }
            answer => return answer.map(drop),
        }
    }
}

fn request(options: &Access) -> Request {
    let mode = match options.mode {
        AccessMode::UserLimit => access::USERLIMIT,
        AccessMode::NoUserLimit => access::NOUSERLIMIT,
        AccessMode::Exclusive => access::EXCLUSIVE,
        AccessMode::StationShare => access::STATIONSHARE,
    };
    let client_name = doors::host_name().as_str().into();
    let user = std::env::var("USER").unwrap_or_default();
    let credential = CmCredential {
        pid: std::process::id(),
        username: user.as_str().into(),
        user_defined_text: "tmrd client".into(),
        ..CmCredential::default()
    };
    let wanted = CmAccess2 {
        ctrl: mode,
        firm_code: options.firm_code,
        product_code: options.product_code,
        feature_code: options.feature,
        borrow_data: CmBorrowData { client_name, ..CmBorrowData::default() },
        credential,
        ..CmAccess2::default()
    };
    Request::Access2 { ctrl: access::LAN, access: Box::new(wanted), tail: Vec::new() }
}

fn box_info(handle: u32) -> Request {
    let size = u32::try_from(CmBoxInfo::SIZE).expect("144");
    Request::GetInfo { handle, ctrl: info::BOXINFO, size }
}

/// The container as people write it.
fn container(reply: &Reply) -> String {
    CmBoxInfo::parse(&reply.body).map_or_else(
        |_| "unknown".to_owned(),
        |(_, info)| format!("{}-{}", info.box_mask, info.serial_number),
    )
}

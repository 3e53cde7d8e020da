//! `client access`: takes a seat, keeps it, gives it back.

use crate::commands::cli::{Access, AccessMode};
use crate::commands::client::session::Session;
use crate::commands::stdout;
use crate::exit::{Exit, Outcome};
use crate::host::names;
use crate::host::signals;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use tmr_core::wire::constants::{access, info};
use tmr_core::wire::structs::{CmAccess2, CmBorrowData, CmBoxInfo, CmCredential, Layout};
use tmr_core::wire::{Reply, Request};

/// How often a held handle is used, so that the server does not take its client for gone.
const USED_EVERY: Duration = Duration::from_secs(10);

/// The client runtime that this client stands for: the newest one whose calls it makes. A front with a
/// `MinimumClientVersion` refuses who names none.
const RUNTIME_VERSION: u32 = 8 << 24 | 30 << 16;

/// Takes a seat and gives it back, after a while if asked to.
///
/// # Errors
/// No server can be reached, or it refuses.
pub(super) fn access(session: &mut Session, options: &Access) -> Outcome {
    let handle = session.call(&request(options))?.result;
    // From here on there is something to give back.
    let held = hold(session, handle, options);
    let released = session.call(&Request::Release { handle });
    held.and(released)?;
    note!("handle {handle} given back");
    Ok(())
}

fn hold(session: &mut Session, handle: u32, options: &Access) -> Outcome {
    let (stop, stopped) = mpsc::channel();
    signals::on_stop(move || stop.send(()).unwrap_or_default())?;
    let container = container(&session.call(&box_info(handle))?);
    let Access { firm_code, product_code, .. } = options;
    stdout::line(format!(
        "handle {handle} licence {firm_code}:{product_code} container {container}"
    ))?;

    let started = Instant::now();
    let hold = Duration::from_secs(options.hold);
    while let Some(left) = hold.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
        match stopped.recv_timeout(left.min(USED_EVERY)) {
            Err(RecvTimeoutError::Timeout) => keep(session, handle)?,
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(())
}

/// Uses a handle. A seat is not lost with a connection, nor with a front: the next one knows it.
fn keep(session: &mut Session, handle: u32) -> Outcome {
    match session.call(&Request::GetVersion { handle }) {
        Err(failure) if failure.exit == Exit::Unreachable => {
            note!("{failure}; the seat is held all the same");
            Ok(())
        }
        answer => answer.map(drop),
    }
}

/// The access that these options ask for.
#[must_use]
pub fn request(options: &Access) -> Request {
    let mode = match options.mode {
        AccessMode::UserLimit => access::USERLIMIT,
        AccessMode::NoUserLimit => access::NOUSERLIMIT,
        AccessMode::Exclusive => access::EXCLUSIVE,
        AccessMode::StationShare => access::STATIONSHARE,
    };
    let client_name = names::host_name().as_str().into();
    let user = std::env::var("USER").unwrap_or_default();
    let credential = CmCredential {
        pid: std::process::id(),
        username: user.as_str().into(),
        user_defined_text: "tmrd client".into(),
        ..CmCredential::default()
    };
    let wanted = CmAccess2 {
        used_runtime_version: RUNTIME_VERSION,
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

//! `client list`: lists the contents of a server's containers, by API calls alone.
//!
//! It takes no seat and begins no usage period. A server tells product texts and TMR-Ids only to
//! the holder of a licence, so the command takes a handle without a seat (no user limit) for a
//! moment. It omits that if the mode is denied, or if it would begin a usage period.

use crate::clock::Clock;
use crate::commands::client::listing::{Listed, Offered, as_json, as_text};
use crate::commands::client::session::Session;
use crate::commands::stdout;
use crate::exit::{Exit, Failure, Outcome};
use serde_json::Value;
use tmr_core::wire::Request;
use tmr_core::wire::constants::{access, boxes, info, pio, quantity};
use tmr_core::wire::structs::{
    CmAccess2, CmBoxEntry, CmBoxEntry2, CmBoxInfo, CmNetInfoCluster, CmPiEntryBase, Layout,
};

/// Prints the licences.
///
/// # Errors
/// The server is gone, or refuses.
pub(super) fn list(session: &mut Session, json: bool) -> Outcome {
    let service = CmAccess2 { ctrl: access::SUBSYSTEM, ..CmAccess2::default() };
    let rows = with_handle(session, service, |session, handle| {
        array::<CmNetInfoCluster>(session, handle, info::NETINFO_CLUSTER)
    })?;
    let mut containers: Vec<(u16, u32)> = rows.iter().map(|row| (row.mask, row.serial)).collect();
    containers.dedup();
    let mut listed: Vec<Listed> = Vec::new();
    for (mask, serial) in containers {
        let held = rows.iter().filter(|row| (row.mask, row.serial) == (mask, serial));
        listed.extend(container(session, mask, serial, held.cloned().collect())?);
    }
    let now = Clock::start().now().wall;
    if json {
        stdout::line(Value::from_iter(listed.iter().map(|one| as_json(one, now))))?;
    } else if listed.is_empty() {
        note!("no licences");
    } else {
        stdout::line(as_text(&listed, now).trim_end())?;
    }
    Ok(())
}

/// The licences of one container.
fn container(
    session: &mut Session,
    mask: u16,
    serial: u32,
    rows: Vec<CmNetInfoCluster>,
) -> Result<Vec<Listed>, Failure> {
    let wanted = CmAccess2 { box_mask: mask, serial_number: serial, ..CmAccess2::default() };
    let (entries, bases) = with_handle(session, wanted.clone(), |session, handle| {
        let entries = if_granted(contents(session, handle, mask, serial))?.unwrap_or_default();
        let bases = if_granted(array::<CmPiEntryBase>(session, handle, info::LISTALLPI))?;
        Ok((entries, bases.unwrap_or_default()))
    })?;
    let mut listed = Vec::new();
    for seats in rows {
        let entry = entries.iter().find(|entry| entry.product_item_ref == seats.product_item_ref);
        let base = bases.iter().find(|base| base.product_item_ref == seats.product_item_ref);
        let mut one = Listed { seats, offered: None };
        if let (Some(entry), Some(base)) = (entry, base) {
            let (entry, base) = (entry.clone(), base.clone());
            let named = if may_be_held(&base) {
                named(
                    session,
                    CmAccess2 {
                        ctrl: access::NOUSERLIMIT | access::IGNORE_LINGERTIME,
                        firm_code: entry.firm_code,
                        product_code: entry.product_code,
                        used_runtime_version: base.minimum_runtime_version,
                        ..wanted.clone()
                    },
                )?
            } else {
                None
            };
            // Of two licences with the same codes the server gives the first.
            let named =
                named.filter(|(entry2, _)| entry2.product_item_ref == base.product_item_ref);
            one.offered = Some(Offered { entry, base, named });
        }
        listed.push(one);
    }
    Ok(listed)
}

/// Whether a handle without a seat can be had, and changes nothing.
fn may_be_held(base: &CmPiEntryBase) -> bool {
    let begins =
        base.set_effective_pios & pio::USAGEPERIOD != 0 && base.usage_period_start_time == 0;
    !begins && base.license_quantity_flags & quantity::DENIED_NOUSERLIMIT == 0
}

/// The whole entry of a licence and its text, if the server lets this client have it now.
fn named(
    session: &mut Session,
    wanted: CmAccess2,
) -> Result<Option<(CmBoxEntry2, String)>, Failure> {
    let asked = with_handle(session, wanted, |session, handle| {
        let entry = array::<CmBoxEntry2>(session, handle, info::ENTRYINFO2)?.pop();
        // A licence without a text is refused this.
        let text = if_granted(array::<u16>(session, handle, info::PITEXT))?.unwrap_or_default();
        let end = text.iter().position(|unit| *unit == 0).unwrap_or(text.len());
        Ok(entry.map(|entry| (entry, String::from_utf16_lossy(&text[..end]))))
    });
    Ok(if_granted(asked)?.flatten())
}

/// Takes a handle, does something with it, and gives it back.
fn with_handle<T>(
    session: &mut Session,
    wanted: CmAccess2,
    ask: impl FnOnce(&mut Session, u32) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let access = Request::Access2 { ctrl: access::LAN, access: Box::new(wanted), tail: Vec::new() };
    let handle = session.call(&access)?.result;
    let asked = ask(session, handle);
    session.call(&Request::Release { handle })?;
    asked
}

/// What was asked for; `None` where the server does not tell it.
fn if_granted<T>(asked: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match asked {
        Ok(told) => Ok(Some(told)),
        Err(failure) if failure.exit == Exit::Refused => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// A selector that is answered with structures one after the other, however many there are.
fn array<T: Layout>(session: &mut Session, handle: u32, ctrl: u32) -> Result<Vec<T>, Failure> {
    let size = session.call(&Request::GetInfo { handle, ctrl, size: 0 })?.result;
    if size == 0 {
        return Ok(Vec::new());
    }
    let reply = session.call(&Request::GetInfo { handle, ctrl, size })?;
    all(session, reply.body.get(..reply.result as usize))
}

/// The products of a container.
fn contents(
    session: &mut Session,
    handle: u32,
    mask: u16,
    serial: u32,
) -> Result<Vec<CmBoxEntry>, Failure> {
    let box_info = CmBoxInfo { box_mask: mask, serial_number: serial, ..CmBoxInfo::default() };
    let ask = |number| Request::GetBoxContents {
        handle,
        ctrl: boxes::ALLENTRIES | boxes::BOX,
        firm_code: 0,
        box_info: box_info.clone(),
        number,
    };
    let number = session.call(&ask(0))?.result;
    if number == 0 {
        return Ok(Vec::new());
    }
    let reply = session.call(&ask(number))?;
    let filled = (reply.result as usize).saturating_mul(CmBoxEntry::SIZE);
    all(session, reply.body.get(..filled))
}

fn all<T: Layout>(session: &Session, bytes: Option<&[u8]>) -> Result<Vec<T>, Failure> {
    bytes.and_then(whole).ok_or_else(|| {
        Failure::failed(format!("{}: a list of licences that cannot be read", session.server()))
    })
}

/// Structures to the last byte.
fn whole<T: Layout>(mut bytes: &[u8]) -> Option<Vec<T>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (rest, one) = T::parse(bytes).ok()?;
        all.push(one);
        bytes = rest;
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_are_read_to_the_last_byte() {
        let row = CmNetInfoCluster { serial: 7, mask: 131, ..CmNetInfoCluster::default() };
        let bytes = [row.to_bytes(), row.to_bytes()].concat();
        assert_eq!(whole(&bytes), Some(vec![row.clone(), row]));
        assert_eq!(whole::<CmNetInfoCluster>(&bytes[1..]), None);
    }

    #[test]
    fn nothing_is_begun_by_looking_at_it() {
        let base = CmPiEntryBase::default();
        assert!(may_be_held(&base));
        let flags = quantity::DENIED_NOUSERLIMIT;
        assert!(!may_be_held(&CmPiEntryBase { license_quantity_flags: flags, ..base.clone() }));
        let period = CmPiEntryBase { set_effective_pios: pio::USAGEPERIOD, ..base };
        assert!(!may_be_held(&period), "its first access begins the period");
        assert!(may_be_held(&CmPiEntryBase { usage_period_start_time: 1, ..period }));
    }
}

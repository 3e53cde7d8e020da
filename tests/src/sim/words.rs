//! Messages between nodes as text for a trace. Handles, slots and epochs are kept, so that a trace
//! can be followed; a licence is its product, and frequent repetitions are left out.

use super::client::What;
use tmr_core::log::{Entry, HandleScope, Setting};
use tmr_core::messages::group::{Order, Piece, Report};
use tmr_core::messages::twin::TwinMessage;

/// Describes a front's order to a backend; `None`: it is not shown.
pub(super) fn order(order: &Order) -> Option<String> {
    Some(match order {
        Order::Describe
        | Order::Confirm { .. }
        | Order::Witness { .. }
        | Order::Disown { .. }
        | Order::Perform { .. } => return None,
        Order::Recover { slot, .. } => format!("begin a new group at slot {slot}"),
        Order::Claim { epoch } => format!("claim {epoch}"),
        Order::Fetch { piece: Piece::State { offset }, .. } => {
            format!("fetch state from byte {offset}")
        }
        Order::Fetch { piece: Piece::Log { from }, .. } => format!("fetch log from slot {from}"),
        Order::Found { .. } => "found a group".to_owned(),
        Order::Append { epoch, first, entries, committed } => {
            format!("{epoch} append {}, committed {committed}", run(first.0, entries))
        }
        Order::Install { epoch, slot, bytes, last, .. } => {
            let end = if *last { ", the last" } else { "" };
            format!("{epoch} install slot {slot}, {} bytes{end}", bytes.len())
        }
    })
}

/// Describes a backend's report; `None`: it is not shown.
pub(super) fn report(report: &Report) -> Option<String> {
    Some(match report {
        Report::Described(_)
        | Report::Facts(_)
        | Report::Confirmed
        | Report::Performed { .. }
        | Report::Lost(_)
        | Report::Unusable { .. } => return None,
        Report::Promised(standing) => format!(
            "promised {}: base {}, committed {}, last {}",
            standing.promised, standing.base, standing.committed, standing.last
        ),
        Report::Refused { promised } => format!("refused, promised {promised}"),
        Report::State { slot, bytes, last } => {
            let end = if *last { ", the last" } else { "" };
            format!("state of slot {slot}, {} bytes{end}", bytes.len())
        }
        Report::Log { entries } => format!("log of {} entries", entries.len()),
        Report::Stored { last, differing } if differing.is_empty() => {
            format!("stored to slot {last}")
        }
        Report::Stored { last, differing } => {
            let slots: Vec<_> = differing.iter().map(|slot| slot.0).collect();
            format!("stored to slot {last}, other parts in {slots:?}")
        }
        Report::Gap { committed } => format!("gap behind slot {committed}"),
    })
}

/// Describes a front's message to its twin; `None`: it is not shown.
pub(super) fn twin_message(message: &TwinMessage) -> Option<String> {
    Some(match message {
        TwinMessage::Standing(_)
        | TwinMessage::Shared(_)
        | TwinMessage::Settings { revision: 0, .. } => return None,
        TwinMessage::State { epoch, slot, bytes, .. } => {
            format!("{epoch} state of slot {slot}, {} bytes", bytes.len())
        }
        TwinMessage::Entries { epoch, first, entries, committed } => {
            format!("{epoch} {}, committed {committed}", run(first.0, entries))
        }
        TwinMessage::Lead { epoch, committed } => format!("{epoch} lead on, committed {committed}"),
        TwinMessage::Call { client, .. } => format!("a call of its client {client}"),
        TwinMessage::Gone { client, replies } => {
            format!("client {client} is gone, with {replies} replies")
        }
        TwinMessage::Seats { seats, .. } => format!("{} seats at servers", seats.len()),
        TwinMessage::Alive(signs) => format!("{} of its clients have called", signs.len()),
        TwinMessage::Machine(report) => format!("of its machine: {report:?}"),
        TwinMessage::Settings { revision, .. } => format!("configuration {revision}"),
        TwinMessage::History { lines, .. } => {
            let count = lines.iter().filter(|byte| **byte == b'\n').count();
            format!("{count} lines of history")
        }
    })
}

/// Describes a client's request.
pub(super) fn what(what: &What) -> String {
    match what {
        What::Access { product, mode, take, .. } => format!("{take} of {product}, {}", mode.name()),
        What::Subsystem { .. } => "a handle of the service".to_owned(),
        What::Info(held) => format!("about handle {}", held.handle),
        What::Crypt(held) => format!("to encrypt with handle {}", held.handle),
        What::Spend(held, take) => {
            format!("to encrypt with handle {} for {take} units", held.handle)
        }
        What::Release(held) => format!("to release handle {}", held.handle),
        What::Dead(handle) => format!("about handle {handle}, which it gave back"),
        What::Version => "for the version".to_owned(),
        What::Look(handle, which) => format!("with handle {handle} where it is ({})", which % 24),
    }
}

fn run(first: u64, entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "nothing".to_owned();
    }
    let mut words = Vec::new();
    for (slot, one) in (first..).zip(entries) {
        words.push(format!("{slot} {}", entry(one)));
    }
    words.join(", ")
}

fn entry(entry: &Entry) -> String {
    match entry {
        Entry::Grant(grant) => {
            let (handle, take, mode) = (grant.handle, grant.take, grant.mode.name());
            match &grant.held {
                HandleScope::Licence(key) => {
                    format!("grant {handle} ({take} of {}, {mode})", key.product_code)
                }
                held => format!("grant {handle} ({held})"),
            }
        }
        Entry::Release(handle) => format!("release {handle}"),
        Entry::Expire(handle) => format!("expire {handle}"),
        Entry::Configure(Setting::Members(_)) => "members".to_owned(),
        Entry::Configure(Setting::Handles(last)) => format!("handles to {last}"),
        Entry::Configure(Setting::Virtual { serial, .. }) => format!("virtual serial {serial}"),
        Entry::Configure(Setting::Leader(epoch)) => format!("leader {epoch}"),
        Entry::Units { take, .. } => format!("{take} units"),
    }
}

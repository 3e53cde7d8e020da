//! Short names of messages between fronts and backends, for a story.

use crate::messages::group::{Order, Report};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

pub(super) fn brief(order: &Order) -> String {
    match order {
        Order::Append { epoch, first, entries, committed } => {
            let kinds: Vec<&str> = entries.iter().map(kind).collect();
            format!("Append {epoch} from {first} [{}], committed {committed}", kinds.join(", "))
        }
        Order::Claim { epoch } => format!("Claim {epoch}"),
        Order::Found { epoch, .. } => format!("Found {epoch}"),
        Order::Witness { epoch, committed, .. } => {
            format!("Witness {epoch}, committed {committed}")
        }
        Order::Describe => "Describe".into(),
        other => format!("{other:?}"),
    }
}

fn kind(entry: &crate::log::Entry) -> &'static str {
    use crate::log::{Entry, Setting};
    match entry {
        Entry::Grant(_) => "grant",
        Entry::Release(_) => "release",
        Entry::Expire(_) => "expire",
        Entry::Configure(Setting::Members(_)) => "members",
        Entry::Configure(Setting::Handles(_)) => "handles",
        Entry::Configure(Setting::Leader(_)) => "leader",
        Entry::Configure(Setting::Virtual { .. }) => "virtual serial",
        Entry::Units { .. } => "units",
    }
}

pub(super) fn brief_report(report: &Report) -> String {
    match report {
        Report::Described(_) => "Described".into(),
        Report::Promised(standing) => format!("Promised {}", standing.promised),
        Report::Stored { last, .. } => format!("Stored up to {last}"),
        other => format!("{other:?}"),
    }
}

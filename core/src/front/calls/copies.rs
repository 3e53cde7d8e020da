//! Containers that more than one backend holds. The three parts of a licence come from three
//! containers; a licence file that was copied to a second backend is the same part once more, not
//! another part.
//!
//! What lives here: which backends hold the same container, and how that is reported. What never
//! lives here: how parts become one licence (that is `virtual_containers`), and how many parts a
//! grant needs (that is `pending`).
//!
//! Tests: `front/tests/copies.rs`; planted bug `copies-count-twice`.

use crate::front::BackendId;
use crate::licence::Part;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// One container at more than one backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The name of the container for people, like `130-1000001`.
    pub name: String,
    /// The backends that hold it: two or three, lowest first.
    pub backends: Vec<BackendId>,
}

impl Copied {
    /// Returns what is wrong and how to correct it, in a sentence; `addresses` are those of the
    /// three backends.
    #[must_use]
    pub fn trouble(&self, addresses: &[String; 3]) -> String {
        let holders: Vec<&str> = self.backends.iter().map(|id| addresses[*id].as_str()).collect();
        let holders = match holders.as_slice() {
            [one, other] => format!("backends {one} and {other}"),
            _ => format!("backends {}", holders.join(", ")),
        };
        format!("{holders} hold the same part ({}): install each backend's own file", self.name)
    }
}

/// Returns the containers with TMR licences that more than one of three backends holds, in the
/// order of their serials. `parts` is what each backend holds, by place; `None`: not known.
pub(super) fn copies(parts: &[Option<&[Part]>; 3]) -> Vec<Copied> {
    let mut holders: BTreeMap<u32, (String, BTreeSet<BackendId>)> = BTreeMap::new();
    for (id, held) in BackendId::all().zip(parts) {
        for part in held.unwrap_or_default() {
            if part.licences(part.id()).any(|(key, ..)| key.tmr_id != 0) {
                let (_, backends) =
                    holders.entry(part.serial).or_insert_with(|| (part.name(), BTreeSet::new()));
                backends.insert(id);
            }
        }
    }
    let copied = holders.into_values().filter(|(_, backends)| backends.len() > 1);
    copied
        .map(|(name, backends)| Copied { name, backends: backends.into_iter().collect() })
        .collect()
}

/// Returns how many different containers these serials name.
pub(super) fn distinct(serials: impl Iterator<Item = u32>) -> usize {
    serials.collect::<BTreeSet<u32>>().len()
}

/// Logs each copy that is not in `before`, and that there are none any more once the last one is
/// gone.
pub(super) fn log_copies(before: &[Copied], copies: &[Copied], addresses: &[String; 3]) {
    for copied in copies.iter().filter(|copied| !before.contains(copied)) {
        tracing::error!(target: "tmr_core::front::copies", "{}", copied.trouble(addresses));
    }
    if copies.is_empty() && !before.is_empty() {
        tracing::info!(
            target: "tmr_core::front::copies",
            "no two backends hold the same part any more"
        );
    }
}

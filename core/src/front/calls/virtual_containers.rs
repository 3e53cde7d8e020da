//! Three parts become one licence if their containers have an equal CmActId, or none and are in one
//! list of three serials; if Firm Code, Product Code and TMR-Id are equal; and if all other
//! properties are equal in at least two. A part that differs does not count, and the field in which
//! it differs is reported. Two parts that agree must be of different containers: the same container
//! at two backends is a copy, and counts once.

use super::copies::{Copied, copies, distinct};
use super::gone::{Places, find_gone};
use crate::base::time::Wall;
use crate::front::BackendId;
use crate::licence::{FirmItem, Part, Product, differences};
use crate::log::{ContainerId, LicenceKey, State};
use crate::service::{Catalogue, ContainerInfo, Offer};
use crate::wire::CmError;
use crate::wire::constants::mask;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

/// A property in which one backend's part of a licence differs from the agreed one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartDifference {
    /// The backend.
    pub backend: BackendId,
    /// The name of the property.
    pub field: &'static str,
    /// Its value in that part.
    pub value: String,
    /// The agreed value.
    pub expected: String,
}

/// One licence, merged from its three parts.
#[derive(Clone, Debug)]
pub(in crate::front) struct MergedLicence {
    /// The fingerprint of each backend's part.
    pub(in crate::front) prints: [Option<u64>; 3],
    /// The serial of the container that each backend's part is in.
    pub(in crate::front) serials: [Option<u32>; 3],
    /// The fingerprint on which two different containers agree; that of the first part while none
    /// do.
    pub(in crate::front) print: u64,
    /// The number of containers whose part has that fingerprint.
    pub(in crate::front) matching: usize,
    /// Where the other parts differ.
    pub(in crate::front) differs: Vec<PartDifference>,
}

/// What the three backends hold, merged.
#[derive(Clone, Debug, Default)]
pub(in crate::front) struct VirtualContainers {
    /// The licences that clients are served.
    pub(in crate::front) catalogue: Catalogue,
    /// How each licence was merged.
    pub(in crate::front) merged: BTreeMap<LicenceKey, MergedLicence>,
    /// The containers of each virtual container, in their form for people.
    pub(in crate::front) containers: BTreeMap<ContainerId, Vec<String>>,
    /// Containers with TMR licences that have no CmActId and are in no list: backend and name.
    pub(in crate::front) strays: Vec<(BackendId, String)>,
    /// Containers with TMR licences that more than one backend holds.
    pub(in crate::front) copies: Vec<Copied>,
    /// Licences that are not available any more and of which seats are held.
    pub(in crate::front) gone: BTreeSet<LicenceKey>,
}

impl VirtualContainers {
    /// Merges the parts of three backends; `None` is a backend that is not connected. A virtual
    /// container has its serial in `state`; one without a serial is not shown yet. A container
    /// without a CmActId has its list there, or in `lists` as long as the log has none.
    pub(in crate::front) fn merge(
        parts: [Option<&[Part]>; 3],
        state: &State,
        lists: impl Iterator<Item = ContainerId> + Clone,
    ) -> Self {
        let list_of = |part: &Part| {
            let listed = lists.clone().find(|list| part.belongs_to(list));
            state.list_of(part.serial).or(listed)
        };
        let mut all: BTreeMap<LicenceKey, [Option<HeldPart<'_>>; 3]> = BTreeMap::new();
        let mut places = Places::default();
        let mut made = Self { copies: copies(&parts), ..Self::default() };
        for (backend, held) in BackendId::all().zip(parts) {
            for part in held.unwrap_or_default() {
                let id = match part.cm_act_id {
                    0 => list_of(part),
                    cm_act_id => Some(ContainerId::CmAct(cm_act_id)),
                };
                let Some(id) = id else {
                    if part.licences(part.id()).any(|(key, ..)| key.tmr_id != 0) {
                        made.strays.push((backend, part.name()));
                    }
                    continue;
                };
                made.containers.entry(id).or_default().push(part.name());
                places[backend].push((id, part.serial));
                for (key, item, product) in part.licences(id).filter(|(key, ..)| key.tmr_id != 0) {
                    // One backend has two containers of one list: it does calls with the first.
                    let held = HeldPart { serial: part.serial, item, product };
                    all.entry(key).or_default()[backend].get_or_insert(held);
                }
            }
        }
        for &id in made.containers.keys() {
            if let Some(serial) = state.virtual_serial(&id) {
                let shown =
                    ContainerInfo { id, mask: mask::TMR, serial, cm_act_id: id.cm_act_id() };
                made.catalogue.containers.push(shown);
            }
        }
        for (key, three) in all {
            if let Some((merged, offer)) = merge_one(key, three) {
                made.merged.insert(key, merged);
                made.catalogue.offers.insert(key, offer);
            }
        }
        let merged = |key: &LicenceKey| made.merged.contains_key(key);
        made.gone = find_gone(&mut made.catalogue.offers, merged, &parts, &places, state);
        made
    }
}

/// A licence of three backends, for callers that are not a front.
#[derive(Clone, Debug)]
pub struct Reviewed {
    /// Which licence.
    pub key: LicenceKey,
    /// Which backends hold a part of it.
    pub held: [bool; 3],
    /// How many parts agree, each of a container of its own.
    pub matching: usize,
    /// The time from which it cannot be used.
    pub expires: Option<Wall>,
    /// Where the other parts differ.
    pub differs: Vec<PartDifference>,
}

/// What three backends hold, for callers that are not a front.
#[derive(Clone, Debug)]
pub struct Review {
    /// The licences.
    pub licences: Vec<Reviewed>,
    /// Containers without a CmActId that no list names: backend and name.
    pub strays: Vec<(BackendId, String)>,
    /// Containers that more than one backend holds.
    pub copies: Vec<Copied>,
}

/// Merges what three backends hold, as a front does. `lists` are the containers that the
/// configuration names by their serials.
pub fn review(
    parts: [Option<&[Part]>; 3],
    lists: impl Iterator<Item = ContainerId> + Clone,
) -> Review {
    let VirtualContainers { catalogue, merged, strays, copies, .. } =
        VirtualContainers::merge(parts, &State::default(), lists);
    let reviewed = |(key, merged): (LicenceKey, MergedLicence)| Reviewed {
        key,
        held: merged.prints.map(|print| print.is_some()),
        matching: merged.matching,
        expires: catalogue.offers.get(&key).and_then(|offer| offer.product.expiration_time),
        differs: merged.differs,
    };
    Review { licences: merged.into_iter().map(reviewed).collect(), strays, copies }
}

/// One backend's part of a licence.
#[derive(Clone, Copy, Debug)]
struct HeldPart<'a> {
    /// The serial of its container.
    serial: u32,
    item: &'a FirmItem,
    product: &'a Product,
}

/// Returns the fingerprint of parts of at least two different containers; `None` if no two agree.
fn agreed(prints: [Option<u64>; 3], serials: [Option<u32>; 3]) -> Option<u64> {
    let says = |print: u64| prints.iter().zip(serials).filter(move |(p, _)| **p == Some(print));
    let agreed = |print: &u64| distinct(says(*print).filter_map(|(_, serial)| serial)) >= 2;
    prints.into_iter().flatten().find(agreed)
}

fn merge_one(key: LicenceKey, three: [Option<HeldPart<'_>>; 3]) -> Option<(MergedLicence, Offer)> {
    let prints = three.map(|part| part.map(|held| held.item.fingerprint(held.product)));
    let serials = three.map(|part| part.map(|held| held.serial));
    let print = match agreed(prints, serials) {
        Some(print) => print,
        None => prints.iter().flatten().next().copied()?,
    };
    let as_that = || three.iter().zip(prints).filter(|(_, p)| *p == Some(print));
    let HeldPart { item, product, .. } = as_that().find_map(|(part, _)| *part)?;
    let matching = distinct(as_that().filter_map(|(part, _)| part.map(|held| held.serial)));
    let mut differs = Vec::new();
    for (backend, (other, p)) in BackendId::all().zip(three.iter().zip(prints)) {
        let Some(other) = other.filter(|_| p != Some(print)) else { continue };
        for (field, expected, value) in differences((item, product), (other.item, other.product)) {
            differs.push(PartDifference { backend, field, value, expected });
        }
    }
    let bar = (matching < 2).then_some(CmError::NO_LICENSE_AVAILABLE);
    let offer = Offer {
        key,
        fingerprint: print,
        firm_text: item.text.clone(),
        product: product.clone(),
        bar,
        charged: Vec::new(),
    };
    Some((MergedLicence { prints, serials, print, matching, differs }, offer))
}

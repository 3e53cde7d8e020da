//! Three parts become one licence: containers of equal CmActId, or without one and in one list of
//! three serials; equal Firm Code, Product Code and TMR-Id; and all other properties equal in at
//! least two. The part that differs is out, and it is told which field differs.

use super::vote::{Vote, vote};
use crate::desk::{Catalogue, Offer, Shown};
use crate::licence::{FirmItem, Part, Product, differences};
use crate::log::{ContainerId, LicenceKey, State};
use crate::time::Wall;
use crate::wire::CmError;
use crate::wire::constants::mask;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// One licence as its three parts tell it.
#[derive(Clone, Debug)]
pub(super) struct Joined {
    /// The fingerprint of each backend's part.
    pub(super) prints: [Option<u64>; 3],
    /// What two agree on; of the first part while none do.
    pub(super) print: u64,
    /// How many parts are as that one.
    pub(super) matching: usize,
    /// Where the other parts differ: backend, field, its value, the agreed one.
    pub(super) differs: Vec<(usize, &'static str, String, String)>,
}

/// What the three backends hold, joined.
#[derive(Clone, Debug, Default)]
pub(super) struct Virtual {
    /// What clients are served from.
    pub(super) catalogue: Catalogue,
    /// How each licence came together.
    pub(super) joined: BTreeMap<LicenceKey, Joined>,
    /// The parts of each virtual container, as people write them.
    pub(super) containers: BTreeMap<ContainerId, Vec<String>>,
    /// Containers with TMR licences that have no CmActId and stand in no list: backend and name.
    pub(super) strays: Vec<(usize, String)>,
}

impl Virtual {
    /// Joins what is known of three backends; `None` is one that is not there. By `state`, a
    /// virtual container has its serial, and one that has none is not shown yet. A container
    /// without a CmActId has its list there, or in `lists` as long as the log has none.
    pub(super) fn join(
        parts: [Option<&[Part]>; 3],
        state: &State,
        lists: impl Iterator<Item = ContainerId> + Clone,
    ) -> Self {
        let list_of = |part: &Part| {
            let listed = lists.clone().find(|list| part.belongs_to(list));
            state.list_of(part.serial).or(listed)
        };
        let mut all: BTreeMap<LicenceKey, [Third<'_>; 3]> = BTreeMap::new();
        let mut made = Self::default();
        for (index, held) in parts.iter().enumerate() {
            for part in held.unwrap_or_default() {
                let id = match part.cm_act_id {
                    0 => list_of(part),
                    cm_act_id => Some(ContainerId::CmAct(cm_act_id)),
                };
                let Some(id) = id else {
                    if part.licences(part.id()).any(|(key, ..)| key.tmr_id != 0) {
                        made.strays.push((index, part.name()));
                    }
                    continue;
                };
                made.containers.entry(id).or_default().push(part.name());
                for (key, item, product) in part.licences(id).filter(|(key, ..)| key.tmr_id != 0) {
                    // Two containers of one list at one backend: it does calls with the first.
                    all.entry(key).or_default()[index].get_or_insert((item, product));
                }
            }
        }
        for &id in made.containers.keys() {
            if let Some(serial) = state.virtual_serial(&id) {
                let shown = Shown { id, mask: mask::TMR, serial, cm_act_id: id.cm_act_id() };
                made.catalogue.containers.push(shown);
            }
        }
        for (key, three) in all {
            if let Some((joined, offer)) = join_one(key, three) {
                made.joined.insert(key, joined);
                made.catalogue.offers.insert(key, offer);
            }
        }
        made
    }
}

/// A licence as three backends hold it, for who looks at them without being a front.
#[derive(Clone, Debug)]
pub struct Reviewed {
    /// Which.
    pub key: LicenceKey,
    /// Which backends hold a part of it.
    pub held: [bool; 3],
    /// How many parts agree.
    pub matching: usize,
    /// From when on it cannot be used.
    pub expires: Option<Wall>,
    /// Where the other parts differ: backend, field, its value, the agreed one.
    pub differs: Vec<(usize, &'static str, String, String)>,
}

/// Joins what three backends hold as a front does. `lists` are the containers that the configuration
/// names by their serials. Returns beside it the containers that no list names: backend and name.
pub fn review(
    parts: [Option<&[Part]>; 3],
    lists: impl Iterator<Item = ContainerId> + Clone,
) -> (Vec<Reviewed>, Vec<(usize, String)>) {
    let Virtual { catalogue, joined, strays, .. } = Virtual::join(parts, &State::default(), lists);
    let reviewed = |(key, joined): (LicenceKey, Joined)| Reviewed {
        key,
        held: joined.prints.map(|print| print.is_some()),
        matching: joined.matching,
        expires: catalogue.offers.get(&key).and_then(|offer| offer.product.expiration_time),
        differs: joined.differs,
    };
    (joined.into_iter().map(reviewed).collect(), strays)
}

/// One backend's third of a licence, if it holds one.
type Third<'a> = Option<(&'a FirmItem, &'a Product)>;

fn join_one(key: LicenceKey, three: [Third<'_>; 3]) -> Option<(Joined, Offer)> {
    let prints = three.map(|part| part.map(|(item, product)| item.fingerprint(product)));
    let agreed = vote(prints);
    let print = match agreed {
        Vote::Agreed(print) => print,
        Vote::Pending | Vote::Split => prints.iter().flatten().next().copied()?,
    };
    let (item, product) =
        three.iter().zip(prints).find_map(|(part, p)| part.filter(|_| p == Some(print)))?;
    let matching = prints.iter().filter(|&&p| p == Some(print)).count();
    let mut differs = Vec::new();
    for (index, (other, p)) in three.iter().zip(prints).enumerate() {
        let Some((other_item, other_product)) = other.filter(|_| p != Some(print)) else {
            continue;
        };
        for (field, expected, value) in differences((item, product), (other_item, other_product)) {
            differs.push((index, field, value, expected));
        }
    }
    let bar = (matching < 2).then_some(CmError::NO_LICENSE_AVAILABLE);
    let offer = Offer {
        key,
        fingerprint: print,
        firm_text: item.text.clone(),
        product: product.clone(),
        bar,
    };
    Some((Joined { prints, print, matching, differs }, offer))
}

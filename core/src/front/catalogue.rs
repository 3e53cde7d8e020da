//! Three parts become one licence: equal CmActId, Firm Code, Product Code and TMR-Id, and all
//! other properties equal in at least two. The part that differs is out, and it is told which
//! field differs.

use super::vote::{Vote, vote};
use crate::desk::{Catalogue, Offer, Shown};
use crate::licence::{FirmItem, Part, Product, differences};
use crate::log::LicenceKey;
use crate::wire::CmError;
use crate::wire::constants::mask;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// One licence as its three parts tell it.
#[derive(Debug)]
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
#[derive(Debug, Default)]
pub(super) struct Virtual {
    /// What clients are served from.
    pub(super) catalogue: Catalogue,
    /// How each licence came together.
    pub(super) joined: BTreeMap<LicenceKey, Joined>,
    /// The parts of each virtual container, by CmActId, as people write them.
    pub(super) containers: BTreeMap<u32, Vec<String>>,
}

impl Virtual {
    /// Joins what is known of three backends; `None` is one that is not there. `serial` says the
    /// serial of the virtual container for a CmActId; one without is not shown yet.
    pub(super) fn join(parts: [Option<&[Part]>; 3], serial: impl Fn(u32) -> Option<u32>) -> Self {
        let mut all: BTreeMap<LicenceKey, [Third<'_>; 3]> = BTreeMap::new();
        let mut containers: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for (index, held) in parts.iter().enumerate() {
            for part in held.unwrap_or_default() {
                let names = containers.entry(part.cm_act_id).or_default();
                names.push(part.name());
                for (key, item, product) in part.licences().filter(|(key, ..)| key.tmr_id != 0) {
                    all.entry(key).or_default()[index] = Some((item, product));
                }
            }
        }
        let mut made = Self { containers, ..Self::default() };
        for &cm_act_id in made.containers.keys() {
            if let Some(serial) = serial(cm_act_id) {
                let shown = Shown { mask: mask::TMR, serial, cm_act_id };
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

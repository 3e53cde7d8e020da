//! The contents of a backend's licence files, sorted for clients and for fronts.

use crate::licence::Container;
use crate::log::LicenceKey;
use crate::service::{Catalogue, ContainerInfo, Offer};
use crate::wire::CmError;
use crate::wire::constants::mask;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// The contents of the licence files.
#[derive(Clone, Debug)]
pub(super) struct Licences {
    /// The containers, as they were read.
    pub(super) containers: Vec<Container>,
    /// The licences that clients may use here directly: ordinary ones.
    pub(super) catalogue: Catalogue,
    /// The fingerprint of each licence, by the serial of its container.
    pub(super) prints: BTreeMap<LicenceKey, u64>,
}

impl Licences {
    /// Sorts the licences into those for direct clients and those that fronts count on.
    pub(super) fn new(containers: Vec<Container>) -> Self {
        let (mut catalogue, mut prints) = (Catalogue::default(), BTreeMap::new());
        for Container { part, .. } in &containers {
            let (serial, cm_act_id) = (part.serial, part.cm_act_id);
            let shown =
                ContainerInfo { id: part.id(), mask: mask::CMACT_UNIVERSAL, serial, cm_act_id };
            catalogue.containers.push(shown);
            for (key, item, product) in part.licences(part.id()) {
                let fingerprint = item.fingerprint(product);
                let tmr = key.tmr_id != 0;
                prints.insert(key, fingerprint);
                let offer = Offer {
                    key,
                    fingerprint,
                    firm_text: item.text.clone(),
                    product: product.clone(),
                    bar: tmr.then_some(CmError::REDUNDANCY_SERVER_MISSING),
                    charged: Vec::new(),
                };
                catalogue.offers.insert(key, offer);
            }
        }
        Self { containers, catalogue, prints }
    }
}

//! Licences that are gone while seats of them are held. A licence that is issued anew under another
//! TMR-Id or CmActId is another one to the log, and its holders live on: their seats count against
//! the one that took its place, so that both together never have more than there are.
//!
//! What lives here: which licences those are. Counting is for the log, by the quantity that a grant
//! says; so nothing of this is folded, and fronts of any version count alike.

use super::virtual_containers::VirtualContainers;
use crate::licence::Part;
use crate::log::{ContainerId, LicenceKey, State};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The containers of each backend that is there: what each belongs to, and its serial.
pub(super) type Places = [Vec<(ContainerId, u32)>; 3];

/// Whether some backend holds a container of either kind, and they are two: then they are different
/// sets, and neither took the other one's place.
fn apart(places: &Places, one: ContainerId, other: ContainerId) -> bool {
    let both = |held: &Vec<(ContainerId, u32)>| {
        let of = |id: ContainerId| held.iter().filter(move |(own, _)| *own == id);
        of(one).any(|(_, serial)| of(other).any(|(_, another)| serial != another))
    };
    one != other && places.iter().any(both)
}

/// Whether seats that are held of `gone`, which cannot be had, count against `offered`. They do
/// unless these are known to be two licences: counted where it was not needed, a seat too few is
/// given for as long as its holder lives; not counted where it was, a seat too many. Of two lists of
/// serials the log says itself which takes the other one's place.
fn counts_against(places: &Places, gone: &LicenceKey, offered: &LicenceKey) -> bool {
    let same = (gone.firm_code, gone.product_code) == (offered.firm_code, offered.product_code);
    let lists = matches!(gone.container, ContainerId::Serials(_))
        && matches!(offered.container, ContainerId::Serials(_))
        && gone.container != offered.container;
    same && !lists && !apart(places, gone.container, offered.container)
}

impl VirtualContainers {
    /// Finds the licences that are gone: seats of them are held, and two parts of them are not there.
    pub(super) fn find_gone(
        &mut self,
        parts: &[Option<&[Part]>; 3],
        places: &Places,
        state: &State,
    ) {
        let available = |key: &LicenceKey| {
            self.catalogue.offers.get(key).is_some_and(|offer| offer.bar.is_none())
        };
        let orphans: Vec<LicenceKey> =
            state.licences_in_use().filter(|key| !available(key)).copied().collect();
        let mut gone = BTreeSet::new();
        for orphan in &orphans {
            for offer in self.catalogue.offers.values_mut().filter(|offer| offer.bar.is_none()) {
                if counts_against(places, orphan, &offer.key) {
                    offer.charged.push(*orphan);
                    gone.insert(*orphan);
                }
            }
        }
        // What is known of one backend alone says little of what is gone.
        if parts.iter().flatten().count() >= 2 {
            gone.extend(orphans.into_iter().filter(|key| !self.merged.contains_key(key)));
        }
        self.gone = gone;
    }
}

impl VirtualContainers {
    /// Returns how many handles of a licence are held.
    pub(in crate::front) fn handles_of(key: &LicenceKey, state: &State) -> usize {
        state.seats().filter(|seat| seat.held.licence() == Some(key)).count()
    }

    /// Returns that a licence is gone and handles of it are held, in a sentence.
    pub(in crate::front) fn gone_in_words(key: &LicenceKey, state: &State) -> String {
        let count = Self::handles_of(key, state);
        let handles = if count == 1 { "handle" } else { "handles" };
        let container = key.container;
        format!(
            "{count} {handles} of a licence that is gone, {key} of the container with {container}: \
             {} seats count against what took its place for as long as they are held",
            state.usage(key).map_or(0, |usage| usage.used())
        )
    }

    /// Logs which licences are gone since `before`.
    pub(super) fn log_gone(&self, before: &BTreeSet<LicenceKey>, state: &State) {
        for key in self.gone.difference(before) {
            tracing::warn!(target: "tmr_core::front::gone", "{}", Self::gone_in_words(key, state));
        }
    }
}

//! Licences that are gone while seats of them are held. A licence that is issued again with another
//! TMR-Id or CmActId is a different licence to the log, and its holders keep their seats: these
//! count against the licence that replaced it, so that both together never exceed its quantity.
//!
//! What lives here: which licences are gone. The log counts, by the quantity in a grant; nothing of
//! this is part of the state, so fronts of all versions count alike.

use crate::licence::Part;
use crate::log::{ContainerId, LicenceKey, State};
use crate::service::Offer;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// For each connected backend, its containers: what each belongs to, and its serial.
pub(super) type Places = [Vec<(ContainerId, u32)>; 3];

/// Whether some backend holds a container of either kind, and the two differ: then they are
/// different sets, and neither replaced the other.
fn apart(places: &Places, one: ContainerId, other: ContainerId) -> bool {
    let both = |held: &Vec<(ContainerId, u32)>| {
        let of = |id: ContainerId| held.iter().filter(move |(own, _)| *own == id);
        of(one).any(|(_, serial)| of(other).any(|(_, another)| serial != another))
    };
    one != other && places.iter().any(both)
}

/// Returns whether held seats of `gone`, which is not available, count against `offered`. They do
/// unless the two are known to be different licences: counting them without need gives one seat too
/// few while the holder lives, and not counting them gives one seat too many. For two lists of
/// serials the log itself has which one replaced the other.
fn counts_against(places: &Places, gone: &LicenceKey, offered: &LicenceKey) -> bool {
    let same = (gone.firm_code, gone.product_code) == (offered.firm_code, offered.product_code);
    let lists = matches!(gone.container, ContainerId::Serials(_))
        && matches!(offered.container, ContainerId::Serials(_))
        && gone.container != offered.container;
    same && !lists && !apart(places, gone.container, offered.container)
}

/// Finds the licences that are gone: seats of them are held, and two of their parts are missing.
/// Those that count against a licence in `offers` are charged to it. `merged` says whether any part
/// of a licence is there.
pub(super) fn find_gone(
    offers: &mut BTreeMap<LicenceKey, Offer>,
    merged: impl Fn(&LicenceKey) -> bool,
    parts: &[Option<&[Part]>; 3],
    places: &Places,
    state: &State,
) -> BTreeSet<LicenceKey> {
    let available = |key: &LicenceKey| offers.get(key).is_some_and(|offer| offer.bar.is_none());
    let orphans: Vec<LicenceKey> =
        state.licences_in_use().filter(|key| !available(key)).copied().collect();
    let mut gone = BTreeSet::new();
    for orphan in &orphans {
        for offer in offers.values_mut().filter(|offer| offer.bar.is_none()) {
            if counts_against(places, orphan, &offer.key) {
                offer.charged.push(*orphan);
                gone.insert(*orphan);
            }
        }
    }
    // With one backend alone, too little is known of what is gone.
    if parts.iter().flatten().count() >= 2 {
        gone.extend(orphans.into_iter().filter(|key| !merged(key)));
    }
    gone
}

/// Returns how many handles of a licence are held.
pub(in crate::front) fn handles_of(key: &LicenceKey, state: &State) -> usize {
    state.seats().filter(|seat| seat.held.licence() == Some(key)).count()
}

/// Returns a sentence for people: a licence is gone, and this many handles of it are held.
pub(in crate::front) fn gone_in_words(key: &LicenceKey, state: &State) -> String {
    let count = handles_of(key, state);
    let handles = if count == 1 { "handle" } else { "handles" };
    let container = key.container;
    format!(
        "{count} {handles} of a licence that is gone, {key} of the container with {container}: \
         {} seats count against what took its place for as long as they are held",
        state.usage(key).map_or(0, |usage| usage.used())
    )
}

/// Logs which licences are gone since `before`.
pub(super) fn log_gone(before: &BTreeSet<LicenceKey>, gone: &BTreeSet<LicenceKey>, state: &State) {
    for key in gone.difference(before) {
        tracing::warn!(target: "tmr_core::front::gone", "{}", gone_in_words(key, state));
    }
}

//! Refused accesses on their way into the usage history. The first one of a kind is a line at once;
//! later ones are counted, and are one more line when their minute is over. So a program that asks
//! again and again costs two lines a minute, and refusals cannot push other lines out.
//!
//! What lives here: which refusals are alike, and how many there were. What never lives here: the
//! place of a line, and the properties of the licence.

use crate::base::limits::{REFUSAL_ADDRESSES, REFUSALS_COUNTED, REFUSALS_FOR, REFUSALS_OF_ADDRESS};
use crate::base::time::Mono;
use crate::history::{Kind, Record};
use crate::log::LicenceKey;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

/// What refusals of one line have in common: client, licence and error.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Alike {
    licence: LicenceKey,
    address: Option<IpAddr>,
    host: String,
    user: String,
    error: u32,
}

/// Refusals that were only counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// The licence; `None` if there are several.
    pub(super) licence: Option<LicenceKey>,
    /// Their record.
    pub(super) record: Record,
}

/// The refusals of the present minute.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals {
    /// When that minute is over; `None` if there was no heartbeat since the first one.
    until: Option<Mono>,
    /// Refusals that have a line, each with the number of equal ones after it.
    alike: BTreeMap<Alike, (Record, u64)>,
    /// The number of these kinds for each address.
    kinds: BTreeMap<Option<IpAddr>, usize>,
    /// The number of refusals beyond these kinds, for each address.
    more: BTreeMap<Option<IpAddr>, u64>,
    /// The number of refusals of further addresses.
    rest: u64,
}

impl Refusals {
    /// Counts a refusal. Returns whether it gets a line of its own now.
    pub(super) fn count(&mut self, licence: &LicenceKey, record: &Record) -> bool {
        let (host, user) = (record.host.clone(), record.user.clone());
        let Record { address, error, .. } = *record;
        let alike = Alike { licence: *licence, address, host, user, error };
        if let Some((_, more)) = self.alike.get_mut(&alike) {
            *more = more.saturating_add(1);
            return false;
        }
        let kinds = self.kinds.get(&record.address).copied().unwrap_or(0);
        if self.alike.len() < REFUSALS_COUNTED && kinds < REFUSALS_OF_ADDRESS {
            self.kinds.insert(record.address, kinds + 1);
            self.alike.insert(alike, (record.clone(), 0));
            return true;
        }
        let room = self.more.len() < REFUSAL_ADDRESSES || self.more.contains_key(&record.address);
        let count =
            if room { self.more.entry(record.address).or_default() } else { &mut self.rest };
        *count = count.saturating_add(1);
        false
    }

    /// Returns the lines of refusals that were only counted, once their minute is over.
    pub(super) fn beat(&mut self, now: Mono) -> Vec<Counted> {
        if self.alike.is_empty() || *self.until.get_or_insert(now + REFUSALS_FOR) > now {
            return Vec::new();
        }
        self.take()
    }

    /// Returns the lines of refusals that were only counted so far, and begins a new minute.
    pub(super) fn take(&mut self) -> Vec<Counted> {
        let Self { alike, more, rest, .. } = core::mem::take(self);
        let line = |address, count| {
            let record = Record { kind: Kind::Denied, address, count, ..Record::default() };
            Counted { licence: None, record }
        };
        let alike = alike.into_iter().map(|(alike, (record, count))| Counted {
            licence: Some(alike.licence),
            record: Record { count, ..record },
        });
        let more = more.into_iter().map(|(address, count)| line(address, count));
        let all = alike.chain(more).chain([line(None, rest)]);
        all.filter(|counted| counted.record.count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::ContainerId;
    use alloc::format;

    const KEY: LicenceKey =
        LicenceKey { container: ContainerId::CmAct(1), firm_code: 6, product_code: 7, tmr_id: 8 };

    fn refusal(address: u8, user: &str) -> Record {
        let (address, user) = (Some(IpAddr::from([192, 0, 2, address])), user.into());
        Record { kind: Kind::Denied, error: 212, address, user, ..Record::default() }
    }

    fn counts(lines: &[Counted]) -> Vec<(Option<IpAddr>, &str, u64)> {
        lines
            .iter()
            .map(|Counted { record, .. }| (record.address, record.user.as_str(), record.count))
            .collect()
    }

    #[test]
    fn the_first_of_a_kind_is_a_line_and_the_others_are_counted_in_one() {
        let (mut refused, minute) = (Refusals::default(), 60_000_000);
        assert!(refused.beat(Mono(5)).is_empty());
        let (eve, bob) = (refusal(1, "eve"), refusal(1, "bob"));
        assert!(refused.count(&KEY, &eve) && refused.count(&KEY, &bob));
        assert!(!refused.count(&KEY, &eve) && !refused.count(&KEY, &eve));
        assert!(refused.count(&KEY, &Record { error: 200, ..eve.clone() }), "another error");
        assert!(refused.count(&LicenceKey { tmr_id: 9, ..KEY }, &eve), "another licence");
        assert!(refused.beat(Mono(7)).is_empty() && refused.beat(Mono(minute + 6)).is_empty());
        let lines = refused.beat(Mono(minute + 7));
        let record = Record { count: 2, ..eve.clone() };
        assert_eq!(lines, [Counted { licence: Some(KEY), record }]);
        assert!(refused.count(&KEY, &eve), "in the next minute it is the first one again");
    }

    #[test]
    fn who_makes_up_names_is_counted_by_address_and_keeps_no_others_out() {
        let mut refused = Refusals::default();
        let names = (0..40_000).map(|name| refusal(1, &format!("{name}")));
        let lines = names.filter(|refusal| refused.count(&KEY, refusal));
        assert_eq!(lines.count(), REFUSALS_OF_ADDRESS);
        let ada = refusal(2, "ada");
        assert!(refused.count(&KEY, &ada) && !refused.count(&KEY, &ada));
        refused.beat(Mono(1));
        let lines = refused.beat(Mono(60_000_001));
        let beyond = 40_000 - REFUSALS_OF_ADDRESS as u64;
        assert_eq!(counts(&lines), [(ada.address, "ada", 1), (refusal(1, "").address, "", beyond)]);
    }

    #[test]
    fn many_addresses_do_not_take_the_memory_and_all_are_counted() {
        let mut refused = Refusals::default();
        let addresses = (0..100_000_u32).map(|it| Some(IpAddr::from(it.to_be_bytes())));
        let refusals = addresses.map(|address| Record { address, ..refusal(0, "x") });
        let lines = refusals.filter(|refusal| refused.count(&KEY, refusal));
        assert_eq!(lines.count(), REFUSALS_COUNTED);
        refused.beat(Mono(1));
        let lines = refused.beat(Mono(60_000_001));
        assert_eq!(lines.len(), REFUSAL_ADDRESSES + 1);
        let counted: u64 = lines.iter().map(|line| line.record.count).sum();
        assert_eq!(counted, 100_000 - REFUSALS_COUNTED as u64);
    }
}

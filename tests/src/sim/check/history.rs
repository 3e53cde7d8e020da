//! The usage history: the files of a front have each record once, in order, and have every
//! acknowledged grant and end, unless they state a gap. Records of the same event are equal on both
//! fronts.

use std::collections::{BTreeMap, BTreeSet};
use tmr_core::history::{Kind, Mark, Record};
use tmr_core::log::Handle;

/// The handles in a history.
#[derive(Debug, Default)]
struct Told {
    began: BTreeSet<u32>,
    ended: BTreeSet<u32>,
    gap: bool,
    records: BTreeMap<Mark, Record>,
}

/// Reads one front's lines.
fn told(lines: &[u8]) -> Result<Told, String> {
    let mut told = Told::default();
    let mut last = None;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let record = Record::parse(line).map_err(|_| "a line is none".to_owned())?;
        if !record.id.follows(last.as_ref()) {
            return Err(format!("{} stands behind {last:?}", record.id));
        }
        last = Some(record.id);
        let handle = record.handle;
        match record.kind {
            Kind::Access if !told.began.insert(handle) => {
                return Err(format!("the access of handle {handle} stands there twice"));
            }
            Kind::Release | Kind::Expire if !told.ended.insert(handle) => {
                return Err(format!("the end of handle {handle} stands there twice"));
            }
            Kind::Gap => told.gap = true,
            _ => {}
        }
        told.records.insert(record.id, record);
    }
    Ok(told)
}

/// Checks the histories of both fronts at the end. `granted` and `released`: the acknowledgements
/// to clients.
///
/// # Errors
/// Something is missing, twice, or told in two ways.
pub fn whole(
    histories: &[Vec<u8>],
    granted: &BTreeSet<Handle>,
    released: &BTreeSet<Handle>,
) -> Result<(), String> {
    let mut all: BTreeMap<Mark, Record> = BTreeMap::new();
    for lines in histories.iter().filter(|lines| !lines.is_empty()) {
        let told = told(lines)?;
        if !told.gap {
            complete(&told, granted, released)?;
        }
        for (id, record) in told.records {
            // The time at which a front learnt of an event differs between fronts.
            let alike = |other: &Record| {
                (other.kind, other.handle, other.error, other.used)
                    == (record.kind, record.handle, record.error, record.used)
            };
            if all.get(&id).is_some_and(|other| !alike(other)) {
                let other = &all[&id];
                return Err(format!("the fronts tell {id} in two ways: {record:?} and {other:?}"));
            }
            all.insert(id, record);
        }
    }
    Ok(())
}

fn complete(
    told: &Told,
    granted: &BTreeSet<Handle>,
    released: &BTreeSet<Handle>,
) -> Result<(), String> {
    if let Some(handle) = told.ended.difference(&told.began).next() {
        return Err(format!("handle {handle} ends and was never granted"));
    }
    let missing = |handles: &BTreeSet<Handle>, known: &BTreeSet<u32>| {
        handles.iter().find(|handle| !known.contains(&handle.0)).copied()
    };
    // Handles of the service and of containers take no licence, so they are not in the history.
    let released = released.intersection(granted).copied().collect();
    match (missing(granted, &told.began), missing(&released, &told.ended)) {
        (Some(handle), _) => Err(format!("the grant of handle {handle} is not in the history")),
        (_, Some(handle)) => Err(format!("the end of handle {handle} is not in the history")),
        (None, None) => Ok(()),
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use tmr_core::log::{Epoch, GroupId, Slot};

    fn line(slot: u64, kind: Kind, handle: u32) -> Vec<u8> {
        let epoch = Epoch { round: 1, front: 1 };
        let id = Mark::of_entry(GroupId(1), epoch, Slot(slot));
        Record { id, kind, handle, ..Record::default() }.line()
    }

    #[test]
    fn what_is_missing_twice_or_in_disorder_is_found() {
        let (granted, released) = ([Handle(7), Handle(8)].into(), [Handle(7)].into());
        let check = |histories: &[Vec<u8>]| whole(histories, &granted, &released);
        let first = [line(1, Kind::Access, 7), line(2, Kind::Access, 8)].concat();
        let all = [first.clone(), line(3, Kind::Release, 7)].concat();
        assert_eq!(check(&[all.clone(), all.clone()]), Ok(()));
        assert!(check(&[all.clone(), first.clone()]).is_err(), "one does not know of the end");
        let gap = [first.clone(), line(4, Kind::Gap, 0)].concat();
        assert_eq!(check(&[all.clone(), gap]), Ok(()), "and says so");
        let end = check(&[line(3, Kind::Release, 7)]).unwrap_err();
        assert!(end.contains("never granted"), "{end}");
        let twice = [all.clone(), line(4, Kind::Access, 7)].concat();
        assert!(check(&[twice]).unwrap_err().contains("twice"));
        let again = [all.clone(), line(3, Kind::Release, 7)].concat();
        assert!(check(&[again]).unwrap_err().contains("behind"));
        let other = [first, line(3, Kind::Expire, 7)].concat();
        assert!(check(&[all, other]).unwrap_err().contains("two ways"));
    }
}

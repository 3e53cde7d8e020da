//! The sums of a report. By licence or by day, seats and hours are the use of the licence, with
//! lingering seats and shared stations as they count; by user or host, they are the seats of its
//! accesses.

use crate::commands::cli::ReportBy;
use std::collections::BTreeMap;
use tmr_core::base::rfc3339;
use tmr_core::base::time::Wall;
use tmr_core::history::{Kind, Record};

const DAY: u64 = 24 * 60 * 60;

/// Firm Code, Product Code, TMR-Id.
pub(super) type Licence = (u32, u32, u32);

/// The subject of one row: a day, user or host, if the report is by one, and the licence.
pub(super) type Subject = (String, Licence);

/// The sums of one row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) product: String,
    pub(super) accesses: u64,
    pub(super) denied: u64,
    pub(super) peak: u64,
    /// The seconds of all seats together.
    pub(super) seconds: u64,
}

/// The sums of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) rows: BTreeMap<Subject, Row>,
    pub(super) gaps: u64,
    pub(super) lost: u64,
}

/// An access that has not ended yet.
#[derive(Clone, Debug)]
struct Held {
    subject: Subject,
    since: Wall,
    seats: u64,
}

/// Sums up records, which must come in order.
#[derive(Debug)]
pub(super) struct Sum {
    by: ReportBy,
    from: Wall,
    end: Wall,
    summary: Summary,
    /// The seats in use of each licence, and since when.
    used: BTreeMap<Licence, (u32, Wall)>,
    held: BTreeMap<(u32, u32), Held>,
    /// The seats that each subject holds.
    holds: BTreeMap<Subject, u64>,
    /// Whether the reported span has begun.
    begun: bool,
}

impl Sum {
    pub(super) fn new(by: ReportBy, from: Wall, end: Wall) -> Self {
        Self {
            by,
            from,
            end,
            summary: Summary::default(),
            used: BTreeMap::new(),
            held: BTreeMap::new(),
            holds: BTreeMap::new(),
            begun: false,
        }
    }

    fn is_within(&self, time: Wall) -> bool {
        self.from <= time && time < self.end
    }

    fn by_licence(&self) -> bool {
        matches!(self.by, ReportBy::Licence | ReportBy::Day)
    }

    fn row(&mut self, subject: &Subject) -> &mut Row {
        self.summary.rows.entry(subject.clone()).or_default()
    }

    fn subject(&self, record: &Record) -> Subject {
        let name = match self.by {
            ReportBy::Licence => String::new(),
            ReportBy::Day => day(record.time),
            ReportBy::User => record.user.clone(),
            ReportBy::Host if record.host.is_empty() => {
                record.address.map(|address| address.to_string()).unwrap_or_default()
            }
            ReportBy::Host => record.host.clone(),
        };
        (name, (record.firm_code, record.product_code, record.tmr_id))
    }

    /// Adds the next record.
    pub(super) fn add(&mut self, record: &Record) {
        if record.time >= self.from {
            self.begin();
        }
        let within = self.is_within(record.time);
        match record.kind {
            Kind::Lost if within => self.summary.lost += record.count,
            Kind::Gap if within => self.summary.gaps += 1,
            Kind::Started => self.forget(record.time),
            _ => {}
        }
        let seats = u64::from(record.takes());
        let handle = (record.id.group(), record.handle);
        let subject = self.subject(record);
        match record.kind {
            Kind::Access => {
                let held = Held { subject: subject.clone(), since: record.time, seats };
                self.held.insert(handle, held);
                self.hold(&subject, seats, within);
            }
            Kind::Release | Kind::Expire => {
                if let Some(held) = self.held.remove(&handle) {
                    let holds = self.holds.entry(held.subject).or_default();
                    *holds = holds.saturating_sub(held.seats);
                }
                if !self.by_licence() {
                    // The access may be older than the files.
                    let since = record.since.unwrap_or(record.time);
                    self.lasted(&subject, since, record.time, seats);
                }
            }
            Kind::Denied | Kind::Lingered => {}
            _ => return,
        }
        self.now_used(record);
        if within {
            let row = self.row(&subject);
            row.accesses += u64::from(record.kind == Kind::Access);
            row.denied += record.refused();
            if !record.product.is_empty() {
                row.product.clone_from(&record.product);
            }
        }
    }

    /// Records that from now on this many seats of the licence are in use.
    fn now_used(&mut self, record: &Record) {
        let licence = (record.firm_code, record.product_code, record.tmr_id);
        if record.tmr_id == 0 {
            return;
        }
        let before = self.used.insert(licence, (record.used, record.time));
        if !self.by_licence() {
            return;
        }
        if let Some((used, since)) = before {
            self.in_use(licence, since, record.time, used);
        }
        if self.is_within(record.time) {
            let subject = self.subject(record);
            let row = self.row(&subject);
            row.peak = row.peak.max(record.used.into());
        }
    }

    /// Adds the use of a licence's seats from one time to another.
    fn in_use(&mut self, licence: Licence, since: Wall, to: Wall, used: u32) {
        let (mut at, to) = (since.max(self.from), to.min(self.end));
        while used > 0 && at < to {
            let next = match self.by {
                ReportBy::Day => Wall((at.0 / DAY + 1) * DAY).min(to),
                _ => to,
            };
            let name = if self.by == ReportBy::Day { day(at) } else { String::new() };
            let row = self.row(&(name, licence));
            row.peak = row.peak.max(used.into());
            row.seconds += (next.0 - at.0) * u64::from(used);
            at = next;
        }
    }

    fn hold(&mut self, subject: &Subject, seats: u64, within: bool) {
        let holds = self.holds.entry(subject.clone()).or_default();
        *holds += seats;
        let holds = *holds;
        if within && !self.by_licence() {
            let row = self.row(subject);
            row.peak = row.peak.max(holds);
        }
    }

    /// Adds an access that lasted from one time to another.
    fn lasted(&mut self, subject: &Subject, since: Wall, to: Wall, seats: u64) {
        let (since, to) = (since.max(self.from), to.min(self.end));
        if since < to {
            let row = self.row(subject);
            row.peak = row.peak.max(seats);
            row.seconds += (to.0 - since.0) * seats;
        }
    }

    /// Begins the reported span: the seats that are held count in it.
    fn begin(&mut self) {
        if std::mem::replace(&mut self.begun, true) || self.by_licence() {
            return;
        }
        for (subject, holds) in self.holds.clone() {
            if holds > 0 {
                let row = self.row(&subject);
                row.peak = row.peak.max(holds);
            }
        }
    }

    /// Ends all use, because a new group has started.
    fn forget(&mut self, time: Wall) {
        for (licence, (used, since)) in std::mem::take(&mut self.used) {
            if self.by_licence() {
                self.in_use(licence, since, time, used);
            }
        }
        for held in std::mem::take(&mut self.held).into_values() {
            if !self.by_licence() {
                self.lasted(&held.subject, held.since, time, held.seats);
            }
        }
        self.holds.clear();
    }

    /// Ends the sums: what is still held is held until `end`.
    pub(super) fn end(mut self, end: Wall) -> Summary {
        self.begin();
        self.forget(end);
        self.summary
    }
}

fn day(time: Wall) -> String {
    rfc3339::format(time)[..10].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tmr_core::history::Mark;
    use tmr_core::log::Mode;

    /// 2026-11-21T19:00:00Z.
    const START: u64 = 1_795_287_600;
    const HOUR: u64 = 3_600;

    struct Story(Vec<Record>);

    impl Story {
        fn add(&mut self, kind: Kind, hour: u64, (user, handle, used): (&str, u32, u32)) {
            let id: Mark = format!("00000001-1-00000002-{}-0", self.0.len() + 1).parse().unwrap();
            let time = Wall(START + hour * HOUR);
            let access = |it: &&Record| it.handle == handle && it.kind == Kind::Access;
            let since = self.0.iter().find(access).map(|access| access.time);
            self.0.push(Record {
                id,
                time,
                kind,
                firm_code: 10,
                product_code: 201,
                tmr_id: 1,
                product: "Editor".into(),
                mode: Some(Mode::UserLimit),
                take: 1,
                since: since.filter(|_| matches!(kind, Kind::Release | Kind::Expire)),
                user: user.into(),
                host: format!("pc-{user}"),
                handle,
                used,
                ..Record::default()
            });
        }

        fn sum(&self, by: ReportBy, from: u64, to: u64) -> Vec<(String, u64, u64, u64, u64)> {
            let (from, to) = (Wall(START + from * HOUR), Wall(START + to * HOUR));
            let mut sum = Sum::new(by, from, to);
            self.0.iter().for_each(|record| sum.add(record));
            let summary = sum.end(to);
            assert!(summary.rows.keys().all(|(_, licence)| *licence == (10, 201, 1)));
            let rows = summary.rows.into_iter();
            rows.map(|((name, _), row)| {
                (name, row.accesses, row.denied, row.peak, row.seconds / HOUR)
            })
            .collect()
        }
    }

    fn story() -> Story {
        let mut story = Story(Vec::new());
        story.add(Kind::Access, 0, ("ada", 1, 1));
        story.add(Kind::Access, 1, ("eve", 2, 2));
        story.add(Kind::Denied, 2, ("bob", 0, 2));
        story.add(Kind::Release, 3, ("ada", 1, 1));
        story.add(Kind::Access, 4, ("ada", 3, 2));
        story.add(Kind::Expire, 10, ("eve", 2, 1));
        story
    }

    #[test]
    fn each_subject_has_its_peak_hours_accesses_and_denials() {
        let story = story();
        let row = |name: &str, accesses, denied, peak, hours| {
            (name.to_owned(), accesses, denied, peak, hours)
        };
        assert_eq!(story.sum(ReportBy::Licence, 0, 12), [row("", 3, 1, 2, 20)]);
        let users = [row("ada", 2, 0, 1, 11), row("bob", 0, 1, 0, 0), row("eve", 1, 0, 1, 9)];
        assert_eq!(story.sum(ReportBy::User, 0, 12), users);
        assert_eq!(story.sum(ReportBy::Host, 0, 12)[2], row("pc-eve", 1, 0, 1, 9));
        let days = [row("2026-11-21", 3, 1, 2, 8), row("2026-11-22", 0, 0, 2, 12)];
        assert_eq!(story.sum(ReportBy::Day, 0, 12), days);
    }

    #[test]
    fn what_was_held_before_the_span_counts_from_its_beginning_on() {
        let story = story();
        let row = |name: &str, peak, hours| (name.to_owned(), 0, 0, peak, hours);
        assert_eq!(story.sum(ReportBy::Licence, 5, 8), [row("", 2, 6)]);
        assert_eq!(story.sum(ReportBy::User, 5, 8), [row("ada", 1, 3), row("eve", 1, 3)]);
        assert!(story.sum(ReportBy::User, 20, 20).iter().all(|row| row.4 == 0));
        // The file with its access was removed.
        let rest = Story(story.0[3..].to_vec());
        assert_eq!(rest.sum(ReportBy::User, 0, 12)[0].4, 11);
        assert_eq!(rest.sum(ReportBy::User, 0, 12)[1].4, 9);
    }

    #[test]
    fn a_set_up_that_is_born_anew_holds_nothing() {
        let mut story = story();
        story.add(Kind::Started, 11, ("", 0, 0));
        assert_eq!(story.sum(ReportBy::Licence, 0, 20)[0].4, 19);
        assert_eq!(story.sum(ReportBy::User, 0, 20)[0].4, 10);
    }
}

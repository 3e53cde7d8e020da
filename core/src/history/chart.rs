//! Counts for charts: per licence and step of time the most seats that were in use at once, and the
//! accesses that were refused.

use super::{Kind, Record};
use crate::base::limits::HISTORY_LICENCES;
use crate::base::time::Wall;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

/// The span of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// Sixty minutes.
    Hour,
    /// Twenty-four hours.
    Day,
    /// Thirty-one days.
    Month,
}

impl Span {
    const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Month];

    /// Returns the span of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|span| span.name() == name)
    }

    /// Returns its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// Returns the seconds of one step.
    #[must_use]
    pub fn step(self) -> u64 {
        match self {
            Self::Hour => 60,
            Self::Day => 60 * 60,
            Self::Month => 24 * 60 * 60,
        }
    }

    /// Returns the number of steps, including the present one.
    #[must_use]
    pub fn steps(self) -> usize {
        match self {
            Self::Hour => 60,
            Self::Day => 24,
            Self::Month => 31,
        }
    }

    /// Returns the beginning of a chart.
    #[must_use]
    pub fn from(self, now: Wall) -> Wall {
        let last = now.0 / self.step();
        Wall((last + 1).saturating_sub(self.steps() as u64) * self.step())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Step {
    most: u32,
    denied: u32,
}

/// One span of one licence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Row {
    steps: VecDeque<Step>,
    /// The number of the last step since 1970.
    last: u64,
}

impl Row {
    /// Returns the step of a time; `None` if it is too long ago. Seats in use before the step
    /// remain in use.
    fn at(&mut self, span: Span, time: Wall, used: u32) -> Option<&mut Step> {
        let (number, len) = (time.0 / span.step(), span.steps());
        let back = self.last.saturating_sub(number);
        // A clock was ahead and was set right: its counts lie outside of every chart.
        if self.steps.is_empty() || back > len as u64 {
            self.steps = VecDeque::new();
            self.last = number;
            self.steps.push_back(Step { most: used, denied: 0 });
        }
        for _ in 0..number.saturating_sub(self.last).min(len as u64) {
            self.steps.push_back(Step { most: used, denied: 0 });
        }
        self.last = self.last.max(number);
        while self.steps.len() > len {
            self.steps.pop_front();
        }
        let back = usize::try_from(self.last - number).unwrap_or(usize::MAX);
        let index = self.steps.len().checked_sub(back + 1)?;
        self.steps.get_mut(index)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rows {
    used: u32,
    rows: [Row; 3],
}

/// Firm Code, Product Code, TMR-Id.
type Name = (u32, u32, u32);

/// Counts of all licences that were used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charts {
    licences: BTreeMap<Name, Rows>,
}

/// One licence's part of a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    /// Firm Code.
    pub firm_code: u32,
    /// Product Code.
    pub product_code: u32,
    /// TMR-Id.
    pub tmr_id: u32,
    /// Most seats in use at once, per step.
    pub most: Vec<u32>,
    /// Accesses refused, per step.
    pub denied: Vec<u32>,
}

impl Charts {
    /// Counts a record.
    pub(super) fn count(&mut self, record: &Record) {
        let name = (record.firm_code, record.product_code, record.tmr_id);
        let full = self.licences.len() >= HISTORY_LICENCES && !self.licences.contains_key(&name);
        if record.tmr_id == 0 || full {
            return;
        }
        let told = [Kind::Denied, Kind::Access, Kind::Release, Kind::Expire, Kind::Lingered];
        if !told.contains(&record.kind) {
            return;
        }
        let refused = u32::try_from(record.refused()).unwrap_or(u32::MAX);
        let rows = self.licences.entry(name).or_default();
        let before = core::mem::replace(&mut rows.used, record.used);
        for (span, row) in Span::ALL.into_iter().zip(&mut rows.rows) {
            if let Some(step) = row.at(span, record.time, before) {
                step.most = step.most.max(record.used);
                step.denied = step.denied.saturating_add(refused);
            }
        }
    }

    /// Sets all use to zero, because the group was born again.
    pub(super) fn restart(&mut self, time: Wall) {
        for rows in self.licences.values_mut() {
            let before = core::mem::take(&mut rows.used);
            for (span, row) in Span::ALL.into_iter().zip(&mut rows.rows) {
                row.at(span, time, before);
            }
        }
    }

    /// Returns the chart of each licence.
    #[must_use]
    pub fn show(&self, span: Span, now: Wall) -> Vec<Chart> {
        let shown = self.licences.iter().map(|(&(firm_code, product_code, tmr_id), rows)| {
            let mut row = rows.rows[span as usize].clone();
            row.at(span, now, rows.used);
            let ahead = usize::try_from(row.last.saturating_sub(now.0 / span.step()));
            row.steps.truncate(row.steps.len().saturating_sub(ahead.unwrap_or(usize::MAX)));
            let missing = span.steps().saturating_sub(row.steps.len());
            let all = core::iter::repeat_n(Step::default(), missing).chain(row.steps);
            let (most, denied) = all.map(|step| (step.most, step.denied)).unzip();
            Chart { firm_code, product_code, tmr_id, most, denied }
        });
        shown.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_287_600;

    fn record(kind: Kind, time: u64, used: u32) -> Record {
        let (firm_code, product_code, tmr_id) = (6_000_010, 201, 1);
        let time = Wall(time);
        Record { kind, time, used, firm_code, product_code, tmr_id, ..Record::default() }
    }

    fn counted(records: &[Record]) -> Charts {
        let mut charts = Charts::default();
        records.iter().for_each(|record| charts.count(record));
        charts
    }

    #[test]
    fn the_most_at_once_and_the_refused_are_counted_per_step() {
        let charts = counted(&[
            record(Kind::Access, NOW - 180, 1),
            record(Kind::Access, NOW - 179, 2),
            record(Kind::Release, NOW - 178, 1),
            record(Kind::Denied, NOW - 60, 1),
            record(Kind::Denied, NOW - 59, 1),
            record(Kind::Release, NOW, 0),
        ]);
        let shown = &charts.show(Span::Hour, Wall(NOW))[0];
        assert_eq!((shown.most.len(), shown.denied.len()), (60, 60));
        // A seat stays in use until it ends, also through a step without events.
        assert_eq!(shown.most[55..], [0, 2, 1, 1, 1]);
        assert_eq!(shown.denied[55..], [0, 0, 0, 2, 0]);
        assert_eq!(Span::Hour.from(Wall(NOW)), Wall(NOW - 59 * 60));
        let later = &charts.show(Span::Hour, Wall(NOW + 60))[0];
        assert_eq!(later.most[54..], [0, 2, 1, 1, 1, 0]);
        for (span, steps) in [(Span::Day, 24), (Span::Month, 31)] {
            let shown = &charts.show(span, Wall(NOW))[0];
            assert_eq!((shown.most.len(), shown.denied.iter().sum::<u32>()), (steps, 2));
            assert_eq!(shown.most.iter().max(), Some(&2));
        }
        assert!(charts.show(Span::Hour, Wall(NOW + 3_600))[0].denied.iter().all(|&n| n == 0));
    }

    #[test]
    fn what_is_in_use_is_in_use_after_a_long_silence() {
        let charts = counted(&[record(Kind::Access, NOW - 40 * 86_400, 3)]);
        for span in Span::ALL {
            let shown = &charts.show(span, Wall(NOW))[0];
            assert!(shown.most.iter().all(|&most| most == 3), "{span:?} {shown:?}");
        }
    }

    #[test]
    fn a_clock_that_was_wrong_for_years_costs_what_it_counted_and_no_more() {
        let mut charts = counted(&[
            record(Kind::Access, NOW + 300_000_000, 1),
            record(Kind::Denied, NOW, 1),
            record(Kind::Access, NOW - 30, 2),
        ]);
        let shown = &charts.show(Span::Hour, Wall(NOW))[0];
        assert_eq!((shown.most[59], shown.denied[59]), (1, 1));
        // The same for a clock that is ahead of the reader's.
        charts.count(&record(Kind::Access, NOW + 120, 3));
        let shown = &charts.show(Span::Hour, Wall(NOW))[0];
        assert_eq!((shown.most.len(), shown.denied[59]), (60, 1));
    }

    #[test]
    fn unknown_licences_are_not_counted_and_known_ones_only_so_many() {
        let mut charts = counted(&[Record { tmr_id: 0, ..record(Kind::Denied, NOW, 0) }]);
        assert!(charts.show(Span::Day, Wall(NOW)).is_empty());
        for product_code in 0..HISTORY_LICENCES as u32 + 5 {
            charts.count(&Record { product_code, ..record(Kind::Access, NOW, 1) });
        }
        assert_eq!(charts.show(Span::Day, Wall(NOW)).len(), HISTORY_LICENCES);
    }
}

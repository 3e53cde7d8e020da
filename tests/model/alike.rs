//! The equivalence of states: those that differ only in the order of equal backends are one state.

use crate::node::{Message, print};
use crate::world::{Line, SAVED, World};
use std::hash::{Hash, Hasher};

/// The orders of the three backends that may be alike; the fourth one never is.
const ORDERS: [[usize; 4]; 6] =
    [[0, 1, 2, 3], [0, 2, 1, 3], [1, 0, 2, 3], [1, 2, 0, 3], [2, 0, 1, 3], [2, 1, 0, 3]];

/// A front tells backends of one kind apart by its own number for them only where it asks one of
/// two equal ones first.
impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let columns = [0, 1, 2, 3].map(|backend| self.column(backend));
        let known = [0, 1, 2, 3].map(|backend| self.knowledge(backend));
        let mut sorted = columns;
        sorted[..3].sort_unstable();
        let fits = |order: &&[usize; 4]| order.map(|backend| columns[backend]) == sorted;
        // The knowledge of backends about each other: among equivalent orders, the lowest result
        // counts.
        let orders = ORDERS.iter().filter(fits);
        let known = orders.map(|order| print(&order.map(|one| order.map(|of| known[one][of]))));
        let known = known.min().expect("one of the orders is sorted");
        let fronts = self.fronts.each_ref().map(|front| front.prints.0);
        (sorted, known, fronts, &self.calls, self.spent, &self.watch).hash(state);
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        print(self) == print(other)
    }
}

impl World {
    /// Returns the fronts' links to a backend, with its place in each list that has it.
    fn seen(&self, backend: usize) -> [Option<(usize, &Line)>; 2] {
        [0, 1].map(|front| {
            let place = self.lists[front].iter().position(|&listed| listed == backend)?;
            Some((place, &self.lines[front][place]))
        })
    }

    /// Returns the print of one backend, without what it and its links know of others.
    fn column(&self, backend: usize) -> u64 {
        let mut front = 0..2;
        let seen = self.seen(backend).map(|seen| {
            let front = &self.fronts[front.next().expect("there are two")];
            let line = seen.map(|(place, line)| (front.prints.1[place], line.form()));
            (front.about[backend], line)
        });
        let saved = self.saved.as_ref().filter(|_| backend == SAVED).map(|saved| saved.print);
        print(&(self.kinds[backend], self.backends[backend].print, seen, saved))
    }

    /// Returns what a backend and its links know about each backend's disks.
    fn knowledge(&self, backend: usize) -> [u64; 4] {
        let mut front = 0..2;
        let seen = self.seen(backend).map(|seen| {
            let front = &self.fronts[front.next().expect("there are two")];
            seen.map(|(place, line)| (front.told[place], line))
        });
        let saved = self.saved.as_ref().filter(|_| backend == SAVED);
        [0, 1, 2, 3].map(|of| {
            let seen = seen.each_ref().map(|seen| {
                seen.map(|(told, line)| {
                    let messages = line.messages().map(|message| message.about[of]);
                    (told[of], messages.collect::<Vec<_>>())
                })
            });
            print(&(self.backends[backend].about[of], saved.map(|saved| saved.about[of]), seen))
        })
    }
}

/// The form of a line, apart from which backend is meant.
#[derive(Hash)]
struct Form {
    up: bool,
    dead: bool,
    /// The messages on their way, and whether each goes together with the one before.
    messages: [Vec<(u64, bool)>; 3],
}

impl Line {
    /// Returns its form, apart from which backend is meant.
    fn form(&self) -> Form {
        let messages = [&self.orders, &self.reports, &self.strays].map(|messages| {
            messages.iter().map(|message| (message.form, message.joined)).collect()
        });
        Form { up: self.up, dead: self.dead, messages }
    }

    fn messages(&self) -> impl Iterator<Item = &Message> {
        self.orders.iter().chain(&self.reports).chain(&self.strays)
    }
}

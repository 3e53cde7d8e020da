//! Which states are one: those that differ in which backend is which, of backends that are alike.

use crate::node::print;
use crate::world::World;
use std::hash::{Hash, Hasher};

/// A front tells backends of one kind apart by its own number for them only where it asks one of
/// two equal ones first.
impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut columns = [0, 1, 2, 3].map(|backend| {
            let seen = [0, 1].map(|front| {
                let place = self.lists[front].iter().position(|&listed| listed == backend)?;
                Some((self.fronts[front].prints.1[place], &self.lines[front][place]))
            });
            print(&(self.kinds[backend], self.backends[backend].print, seen))
        });
        columns.sort_unstable();
        let fronts = self.fronts.each_ref().map(|front| front.prints.0);
        (columns, fronts, &self.calls, self.spent, &self.watch).hash(state);
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        print(self) == print(other)
    }
}

//! The name of a backend inside a front: its place among the three, as a type that indexes arrays
//! of three without a bounds check that could fail.
//!
//! What never lives here: the identity of a backend's disk or process. Another machine at the same
//! place has the same id.

use core::fmt;
use core::ops::{Index, IndexMut};

/// One of the three backends, by its place in the configuration. It indexes every `[T; 3]` that has
/// one element for each backend.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackendId(u8);

impl BackendId {
    /// The three backends, in the order of their places.
    pub const ALL: [Self; 3] = [Self(0), Self(1), Self(2)];

    /// Returns the three backends, in the order of their places.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter()
    }

    /// Returns the place of the backend, which begins at 0.
    #[must_use]
    pub const fn place(self) -> usize {
        self.0 as usize
    }

    /// Returns the number of the part that the backend holds, for people: it begins at 1.
    #[must_use]
    pub const fn part(self) -> usize {
        self.place() + 1
    }
}

impl fmt::Debug for BackendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl<T> Index<BackendId> for [T; 3] {
    type Output = T;

    fn index(&self, id: BackendId) -> &T {
        &self[id.place()]
    }
}

impl<T> IndexMut<BackendId> for [T; 3] {
    fn index_mut(&mut self, id: BackendId) -> &mut T {
        &mut self[id.place()]
    }
}

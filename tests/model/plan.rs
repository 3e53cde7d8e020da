//! The bounds of a run: the greatest number of each kind of event. Events beyond them do not
//! happen.

use crate::backend::BackendNode;
use crate::front::{FrontNode, Said};
use crate::memo::Memo;
use crate::node::Message;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tmr_core::licence::Container;
use tmr_tests::sim::licences::{PRODUCTS, Style};

/// The state and the outputs of a node after a step, by its earlier state and the event.
type Steps<N, S> = Memo<(u64, u64), (Arc<N>, Arc<[S]>)>;

/// The beginning of a run, after the birth of a group with a leading front.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Begin {
    /// Nothing is on its way.
    #[default]
    Quiet,
    /// The other front leads, and has proposed to admit the fourth backend.
    Change,
}

/// One run. Bounds that are not set are 0.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Its name, which says what is special about it.
    pub(crate) name: &'static str,
    /// The seats of the licence.
    pub(crate) quantity: u32,
    pub(crate) begin: Begin,
    /// The second front's list has the fourth backend in place of the third.
    pub(crate) lists_differ: bool,
    /// The number of times that the third backend restarts with its other disk.
    pub(crate) swaps: u8,
    /// The disk of the third backend may be rolled back once to its state at the beginning.
    pub(crate) goes_back: bool,
    /// The third backend's part differs.
    pub(crate) odd: bool,
    /// The seats that clients hold at the beginning.
    pub(crate) held: u8,
    /// Clients never release their seats.
    pub(crate) keep: bool,
    /// The number of accesses after that.
    pub(crate) accesses: u8,
    /// The number of claims after that of the first leader, each with a further epoch.
    pub(crate) claims: u8,
    /// Messages that a front sends to a backend together arrive together.
    pub(crate) coarse: bool,
    /// The second front is down from the beginning.
    pub(crate) alone: bool,
    /// The number of links that break while both ends run.
    pub(crate) breaks: u8,
    /// The number of power cuts of backends, before or after an order is on disk.
    pub(crate) power_cuts: u8,
    /// The number of times that the first leader is killed and restarted.
    pub(crate) kills: u8,
    /// The number of calls that are given up because two backends did not confirm them in time.
    pub(crate) timeouts: u8,
    /// The number of clients that disconnect while they wait.
    pub(crate) hangups: u8,
    /// The number of handles whose clean-up time ends; then clients use their handles at later
    /// fronts, too.
    pub(crate) silences: u8,
    /// The known steps of fronts and backends.
    pub(crate) fronts: Steps<FrontNode, Said>,
    pub(crate) backends: Steps<BackendNode, Message>,
    /// The plan takes longer than CI has time for.
    pub(crate) long: bool,
    /// Set when an access was refused because no seat was free.
    pub(crate) full: AtomicBool,
}

impl Plan {
    /// Returns the plans that end within seconds, also without optimisation.
    pub(crate) fn short() -> Vec<Self> {
        let one = || Self { quantity: 1, claims: 1, ..Self::default() };
        vec![
            Self { name: "takeover", accesses: 1, ..one() },
            Self { name: "full", claims: 0, accesses: 2, ..one() },
            Self {
                name: "a change of members",
                begin: Begin::Change,
                lists_differ: true,
                coarse: true,
                ..one()
            },
        ]
    }

    /// Returns all plans.
    pub(crate) fn full() -> Vec<Self> {
        let one = || Self { quantity: 1, claims: 1, ..Self::default() };
        let two = || Self { quantity: 2, ..one() };
        let coarse = || Self { coarse: true, ..one() };
        let change = || Self { begin: Begin::Change, ..coarse() };
        vec![
            Self { name: "two clients, one seat", accesses: 2, ..one() },
            Self { name: "the last of two seats", held: 1, accesses: 2, keep: true, ..two() },
            Self { name: "two seats at a takeover", held: 2, ..two() },
            Self { name: "a seat comes free", held: 2, accesses: 1, claims: 0, ..two() },
            Self { name: "a part that differs", odd: true, accesses: 1, ..two() },
            Self { name: "three epochs", claims: 2, held: 1, ..coarse() },
            Self { name: "a broken link", long: true, breaks: 1, accesses: 1, ..one() },
            Self {
                name: "grants and power cuts",
                long: true,
                claims: 0,
                power_cuts: 2,
                accesses: 1,
                ..one()
            },
            Self {
                name: "a takeover and a power cut",
                long: true,
                power_cuts: 1,
                held: 1,
                ..one()
            },
            Self { name: "a link that breaks", claims: 0, breaks: 1, held: 1, ..coarse() },
            Self { name: "a power cut", claims: 0, power_cuts: 1, accesses: 1, ..coarse() },
            Self { name: "a killed front", kills: 1, held: 1, ..one() },
            Self { name: "nobody waits", timeouts: 1, hangups: 1, accesses: 1, ..one() },
            Self { name: "a change of members", lists_differ: true, ..change() },
            Self { name: "a disk that comes and goes", swaps: 2, alone: true, ..change() },
            Self {
                name: "a disk that goes back in time",
                long: true,
                goes_back: true,
                held: 1,
                ..coarse()
            },
            Self {
                name: "a silent client",
                long: true,
                silences: 1,
                held: 1,
                claims: 2,
                ..coarse()
            },
        ]
    }

    /// Returns the Product Code of the licence.
    pub(crate) fn product(&self) -> u32 {
        let of_quantity = PRODUCTS.iter().find(|(_, quantity)| *quantity == self.quantity);
        of_quantity.expect("there is a licence of this quantity").0
    }

    /// Returns the kind of each backend; those of one kind are equivalent. Only the third one can
    /// be special, and the fourth, which replaces it.
    pub(crate) fn kinds(&self) -> [u8; 4] {
        let third = self.lists_differ || self.odd || self.swaps > 0 || self.goes_back;
        if third { [0, 0, 1, 2] } else { [0, 0, 0, 1] }
    }

    /// Returns the list of the second front.
    pub(crate) fn other_list(&self) -> [usize; 3] {
        if self.lists_differ { [0, 1, 3] } else { [0, 1, 2] }
    }

    /// Returns the container of each backend. The fourth one also has the third part.
    pub(crate) fn containers(&self) -> [Container; 4] {
        let style = Style::default();
        let [a, b, c] = style.containers();
        let mut containers = [a, b, c.clone(), c];
        if self.odd {
            let other = self.quantity + 1;
            containers[2] = style.reissued(2, &containers[2], self.product(), other);
        }
        containers
    }
}

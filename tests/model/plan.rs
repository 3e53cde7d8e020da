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

/// What a node became and said, by which one it was and what happened to it.
type Steps<N, S> = Memo<(u64, u64), (Arc<N>, Arc<[S]>)>;

/// What a run begins with, after a group was born, with a front that leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Begin {
    /// Nothing is on its way.
    #[default]
    Quiet,
    /// The other front leads, and has proposed to take in the fourth backend.
    Change,
}

/// One run. What is not said is 0, or not so.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// What is special about it.
    pub(crate) name: &'static str,
    /// Seats of the licence.
    pub(crate) quantity: u32,
    pub(crate) begin: Begin,
    /// The second front has the fourth backend in its list, in the place of the third.
    pub(crate) lists_differ: bool,
    /// Times that the third backend starts again with its other disk.
    pub(crate) swaps: u8,
    /// The disk of the third backend may be put back once to what it is when the plan begins.
    pub(crate) goes_back: bool,
    /// The third backend's part differs.
    pub(crate) odd: bool,
    /// Seats that clients have at the beginning.
    pub(crate) held: u8,
    /// Clients never give back what they have.
    pub(crate) keep: bool,
    /// Accesses after that.
    pub(crate) accesses: u8,
    /// Claims after that of the first leader: so many epochs more.
    pub(crate) claims: u8,
    /// What a front says to a backend at one time arrives at one time.
    pub(crate) coarse: bool,
    /// The second front has died when it begins.
    pub(crate) alone: bool,
    /// Links that break while both ends live.
    pub(crate) breaks: u8,
    /// Backends that lose their power, before or after an order is on disk.
    pub(crate) power_cuts: u8,
    /// Times that the first leader is killed and started again.
    pub(crate) kills: u8,
    /// Calls that are given up because two backends did not confirm them in time.
    pub(crate) timeouts: u8,
    /// Clients that go away while they wait.
    pub(crate) hangups: u8,
    /// Handles whose clean-up time ends; then clients use their handles at later fronts, too.
    pub(crate) silences: u8,
    /// Steps of fronts and backends.
    pub(crate) fronts: Steps<FrontNode, Said>,
    pub(crate) backends: Steps<BackendNode, Message>,
    /// It takes longer than CI has.
    pub(crate) long: bool,
    /// An access was refused because no seat was free.
    pub(crate) full: AtomicBool,
}

impl Plan {
    /// Those that are over in seconds, also without optimisation.
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

    /// All of them.
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

    /// The Product Code of the licence.
    pub(crate) fn product(&self) -> u32 {
        let of_quantity = PRODUCTS.iter().find(|(_, quantity)| *quantity == self.quantity);
        of_quantity.expect("there is a licence of this quantity").0
    }

    /// Backends of one kind are alike for everybody. Whatever is special is so of the third one,
    /// and of the fourth, whose disk comes in its place.
    pub(crate) fn kinds(&self) -> [u8; 4] {
        let third = self.lists_differ || self.odd || self.swaps > 0 || self.goes_back;
        if third { [0, 0, 1, 2] } else { [0, 0, 0, 1] }
    }

    /// The list of the second front.
    pub(crate) fn other_list(&self) -> [usize; 3] {
        if self.lists_differ { [0, 1, 3] } else { [0, 1, 2] }
    }

    /// The container of each backend. The fourth one has the third part, too.
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

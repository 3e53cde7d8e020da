//! Seats as clients believe in them: from the grant received to the release sent, or to the time
//! from which the client was silent for so long that its seat may have been given to another.

use crate::sim::licences::quantity;
use std::collections::{BTreeMap, BTreeSet};
use tmr_core::log::Mode;

/// What a client believes of a handle.
#[derive(Clone, Debug)]
pub struct Belief {
    /// Of which licence.
    pub product: u32,
    /// How it counts.
    pub mode: Mode,
    /// How many licences.
    pub take: u32,
    /// The client's station.
    pub station: usize,
    /// No longer than this.
    pub until: u64,
}

/// Everything that is believed.
#[derive(Debug, Default)]
pub struct Seats {
    held: BTreeMap<u32, Belief>,
}

impl Seats {
    /// A client was told that it has a seat, or that it still has it.
    ///
    /// # Errors
    /// More seats are in use than there are.
    pub fn believed(&mut self, now: u64, handle: u32, belief: Belief) -> Result<(), String> {
        if belief.until <= now {
            self.held.remove(&handle);
            return Ok(());
        }
        let product = belief.product;
        self.held.insert(handle, belief);
        self.held.retain(|_, belief| belief.until > now);
        let all = self.held.iter().filter(|(_, belief)| belief.product == product);
        let (mut used, mut stations) = (0, BTreeSet::new());
        let mut who = Vec::new();
        for (handle, belief) in all.clone() {
            match belief.mode {
                Mode::StationShare if !stations.insert(belief.station) => {}
                Mode::NoUserLimit => continue,
                _ => used += belief.take,
            }
            who.push(format!("{handle} ({}, station {})", belief.mode.name(), belief.station));
        }
        let quantity = quantity(product);
        if used > quantity {
            let who = who.join(", ");
            return Err(format!("{used} of {quantity} seats of {product} are in use: {who}"));
        }
        let alone = all.clone().filter(|(_, belief)| belief.mode == Mode::Exclusive);
        for (one, exclusive) in alone {
            let other = all.clone().find(|(h, b)| *h != one && b.station == exclusive.station);
            if let Some((other, _)) = other {
                return Err(format!("{one} is exclusive, but {other} is on the same station"));
            }
        }
        Ok(())
    }

    /// A client sends a release, or does not believe any more.
    pub fn gone(&mut self, handle: u32) {
        self.held.remove(&handle);
    }
}

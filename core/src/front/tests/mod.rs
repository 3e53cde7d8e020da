//! A front with three real backends, in memory and in virtual time.

mod admin_requests;
mod any_one;
mod birth;
mod brief;
mod clients;
mod config_sync;
mod copies;
mod date;
mod edges;
mod failover;
mod fence;
mod first_word;
mod forward;
mod gone;
mod handles;
mod history;
mod host;
mod lead;
mod line;
mod lists;
mod machine;
mod members;
mod network;
mod old_disks;
mod own_machine;
mod readiness;
mod reconfigure;
mod recovery;
mod repair;
mod replaced;
mod role;
mod seats;
mod side;
mod signs_of_life;
mod sleep;
mod twin;
mod unfenced;
mod world;

use crate::base::limits::{CLEANUP_DEFAULT, TWIN_CONNECT, TWIN_TRANSFER};
use crate::base::network::Address;
use crate::base::time::Duration;
use crate::front::{Config, Front};
use crate::log::Slot;
use crate::testing::identity;
use world::World;

/// Returns a world in which front 0 leads, front 1 stands by, and both are connected.
fn twins() -> World {
    let mut world = World::new(2);
    world.activate(0);
    world.advance(Duration::from_secs(1));
    assert!(world.leads(0));
    world
}

/// Returns the same, where front 0 leads because it has the virtual address.
fn with_address() -> World {
    let mut world = World::new(2);
    world.address(0, true);
    world.address(1, false);
    world.advance(Duration::from_secs(1));
    assert!(world.leads(0), "{:#}", world.status(0));
    assert_eq!(world.role(1), "standby");
    world
}

impl World {
    /// Returns the configuration of front 0 or 1.
    fn config(&self, number: u8) -> Config {
        let address = |port| Address { host: "backend".into(), port };
        Config {
            identity: identity(),
            backends: [0, 1, 2].map(address),
            retry: Duration::from_secs(1),
            unfenced: false,
            virtuals: self.virtuals.clone(),
            cleanup: CLEANUP_DEFAULT,
            policy: Default::default(),
            twin: Some(crate::config::Twin {
                address: Address { host: "twin".into(), port: u16::from(number ^ 1) },
                connect_timeout: TWIN_CONNECT,
                transfer_timeout: TWIN_TRANSFER,
            }),
            front: 0xf0 + u32::from(number),
            handle_key: crate::service::HandleKey::default(),
            seed: [100 + number; 32],
        }
    }
}

impl Front {
    /// Proposes this many entries without effect.
    pub(super) fn fill(&mut self, count: u32) {
        for _ in 0..count {
            self.replication.log_mut().propose(crate::log::Entry::Expire(crate::log::Handle(0)));
        }
    }

    /// Returns the last slot that is committed.
    pub(super) fn committed(&self) -> Slot {
        self.replication.log().committed()
    }

    /// Proposes the next block of handle numbers for this front.
    pub(super) fn reserve_handles(&mut self) {
        self.calls.reserve_handles(self.replication.log_mut());
    }

    /// Returns whether the twin has every entry up to this slot.
    pub(super) fn twin_has(&self, slot: Slot) -> bool {
        self.leadership.twin_has(slot, self.view())
    }
}

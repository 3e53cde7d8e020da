//! A new configuration takes effect while this front runs. Whatever is unchanged is not disturbed:
//! links, seats and the role stay.
//!
//! A running process cannot change whether the backends are stock servers (`CmServer.Unfenced`).
//! What never lives here: whether a configuration is right (that is [`config`]), and its parts that
//! concern the machine: files, ports, logs.

use crate::base::network::Address;
use crate::base::time::Mono;
use crate::config::{self, InForce};
use crate::front::BackendId;
use crate::front::Front;
use crate::front::twin::Twin;
use crate::io::Intent;
use crate::link::CloseReason;
use alloc::vec::Vec;

const MOVED: CloseReason = CloseReason::Stepped("another address is configured");

impl Front {
    /// Puts a configuration into effect.
    pub(in crate::front) fn configured(&mut self, now: Mono, new: &InForce, out: &mut Vec<Intent>) {
        let InForce { config, address, .. } = new;
        let address = *config.virtual_ips.first().unwrap_or(address);
        self.config.identity.address = address;
        self.config.cleanup = config.cleanup;
        let name = self.config.identity.name.clone();
        self.operator.configure(&config.web, name);
        let service = self.calls.service_mut();
        service.configure(address, config.cleanup);
        service.obey(config.policy.clone());
        if config.virtual_ips.is_empty() {
            // From now on the role is set by command.
            self.leadership.forget_address();
        }
        self.config.retry = config.retry;
        if self.config.virtuals != config.virtuals {
            self.config.virtuals.clone_from(&config.virtuals);
            self.merge_parts();
        }
        self.configure_backends(now, &config.backends, out);
        self.configure_twin(now, config.twin.clone(), out);
    }

    /// Replaces backends that are no longer configured by new ones. The others keep their places
    /// and everything that is known of them.
    fn configure_backends(&mut self, now: Mono, new: &[Address; 3], out: &mut Vec<Intent>) {
        let places = places(self.config.backends.each_ref(), new);
        if places == self.config.backends {
            return;
        }
        for (id, address) in BackendId::all().zip(&places) {
            if self.replication.backend(id).address() == address {
                continue;
            }
            tracing::info!(
                target: "tmr_core::front::configure",
                old = %self.replication.backend(id).address(), new = %address, "a backend is another one"
            );
            if let Some(link) = self.replication.backend(id).link() {
                let (leadership, mut context) = self.with_leadership();
                leadership.drop_backend(now, link, id, MOVED, &mut context, out);
            }
            self.replication.replace(id, address.clone());
        }
        self.config.backends = places;
        self.merge_parts();
    }

    fn configure_twin(&mut self, now: Mono, new: config::Twin, out: &mut Vec<Intent>) {
        let moved = self.config.twin.as_ref().is_none_or(|old| old.address != new.address);
        if moved {
            if let Some(link) = self.twin.as_ref().and_then(Twin::dialled) {
                out.push(Intent::Close { link, reason: MOVED });
                self.twin_closed(now, link, &MOVED, out);
            }
        }
        match &mut self.twin {
            Some(twin) => twin.configure(now, new.clone(), moved),
            None => {
                let (front, kind) = (self.config.front, self.config.backend_kind());
                self.twin = Some(Twin::new(new.clone(), front, kind));
            }
        }
        self.config.twin = Some(new);
    }
}

/// Returns which server takes which of three places: a server that stays configured keeps its
/// place.
pub(in crate::front) fn places(old: [&Address; 3], new: &[Address; 3]) -> [Address; 3] {
    let mut fresh = new.iter().filter(|address| !old.contains(address));
    old.map(|address| {
        let stays = new.contains(address).then_some(address);
        stays.or_else(|| fresh.next()).expect("three different ones then and now").clone()
    })
}

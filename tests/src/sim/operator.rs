//! Operators and keepalived: who speaks to the admin pages of fronts, and has one of them lead or give
//! its role away.

use super::world::{NAMES, World};
use tmr_core::link::{CloseReason, Frame, Listener};
use tmr_core::node::hub::Arrived;

impl World {
    /// Sends an HTTP request to a front's admin port. Returns `None` if the front does not run.
    pub(super) fn admin(&mut self, host: usize, request: &str) -> Option<String> {
        if self.hosts[host].process.hub.is_none() || self.hosts[host].frozen > self.now {
            return None;
        }
        let from = ([127, 0, 0, 1], 1).into();
        let mut answer = Vec::new();
        self.with(host, |hub, now, out| {
            let Some(link) = hub.accept(now, Listener::Admin, from, out) else { return };
            let frames = vec![Frame::Http(request.as_bytes().to_vec())];
            hub.received(now, [Arrived { link, frames, partial: false, held: 0 }], out);
            answer = hub.outbox(link).frames.concat();
            hub.closed(now, link, CloseReason::Eof, false, out);
        });
        String::from_utf8(answer).ok()
    }

    /// Orders a front to lead, as an operator or keepalived does. Keepalived may also leave the
    /// address on both machines, or on none.
    pub(super) fn let_lead(&mut self, host: usize) {
        if !self.plan.address {
            return self.activate(host);
        }
        let (here, stays) = (!self.rng.chance(10), self.rng.chance(25));
        self.move_address(host, here, stays);
    }

    /// Moves the address to a front's machine, or away from it; on the other machine it may stay.
    pub(super) fn move_address(&mut self, host: usize, here: bool, stays: bool) {
        self.trace(|| {
            format!("the address is at {}: {here}; stays elsewhere: {stays}", NAMES[host])
        });
        for front in 0..self.plan.fronts {
            let address = &mut self.hosts[front].address.here;
            *address = if front == host { here } else { stays && *address };
            self.look(front);
        }
    }

    /// Orders a front to lead.
    pub(super) fn activate(&mut self, host: usize) {
        self.trace(|| format!("{} is told to lead", NAMES[host]));
        let request = "POST /api/activate HTTP/1.1\r\nX-Tmr-Admin: 1\r\nContent-Length: 0\r\n\r\n";
        self.admin(host, request);
    }

    /// Orders a planned failover. Returns whether the front accepts it.
    pub(super) fn fail_over(&mut self, host: usize) -> bool {
        let request = "POST /api/failover HTTP/1.1\r\nX-Tmr-Admin: 1\r\nContent-Length: 0\r\n\r\n";
        let answer = self.admin(host, request);
        self.trace(|| {
            format!("{} is to give its role away: {}", NAMES[host], first_line(answer.as_ref()))
        });
        answer.is_some_and(|answer| answer.starts_with("HTTP/1.1 202"))
    }

    /// Returns the statuses of the running fronts.
    pub(super) fn statuses(&mut self) -> Vec<serde_json::Value> {
        let mut all = Vec::new();
        for host in 0..self.plan.fronts {
            let Some(answer) = self.admin(host, "GET /api/status HTTP/1.1\r\n\r\n") else {
                continue;
            };
            let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            all.extend(serde_json::from_str::<serde_json::Value>(body));
        }
        all
    }
}

fn first_line(answer: Option<&String>) -> &str {
    answer.and_then(|answer| answer.lines().next()).unwrap_or("no answer")
}

//! Further faults for a story: disks that are old or copies, parts that are equal or differ,
//! machines that are paused, lines on which a message is lost; and a front's own reports.

use super::check::{lines, truth};
use super::disk::Disk;
use super::mistakes::Mistakes;
use super::net::{End, Load};
use super::story::{LONG, MILLI, Story, place};
use super::world::{FRONTS, World};
use tmr_core::log::DiskId;

/// A backend's disk at some moment.
#[derive(Clone, Debug)]
pub struct Image(Disk);

impl Story {
    /// Returns the status of a front; null while it does not run.
    pub fn status(&mut self, front: &str) -> serde_json::Value {
        let _kept = lines::keep();
        let answer = self.world.admin(place(front), "GET /api/status HTTP/1.1\r\n\r\n");
        let answer = answer.unwrap_or_default();
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_default()
    }

    /// Returns whether a front reports that it serves, or could.
    pub fn ready(&mut self, front: &str) -> bool {
        let _kept = lines::keep();
        let answer = self.world.admin(place(front), "GET /readyz HTTP/1.1\r\n\r\n");
        answer.is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// Returns a copy of a backend's disk.
    #[must_use]
    pub fn image(&self, backend: &str) -> Image {
        Image(self.world.hosts[place(backend)].disk.moment())
    }

    /// Returns the id of a backend's disk.
    #[must_use]
    pub fn disk(&self, backend: &str) -> DiskId {
        let journal = self.world.hosts[place(backend)].disk.read().expect("it has one");
        truth::look(journal).expect("it starts").standing.disk
    }

    /// Stops a backend, which finds this disk when it starts again.
    pub fn boot_with(&mut self, backend: &str, milliseconds: u64, image: &Image) {
        self.stop(backend, milliseconds);
        self.world.trace(|| format!("{backend} will boot with another disk"));
        self.world.checks.distrust(image.0.read());
        self.world.faults.mistakes = Mistakes::copied();
        self.world.hosts[place(backend)].disk = image.0.clone();
    }

    /// Slows a backend's writes during this time, by half to all of it.
    pub fn slow_disk(&mut self, backend: &str, milliseconds: u64) {
        self.world.trace(|| format!("the disk of {backend} is slow by {milliseconds} ms"));
        let length = milliseconds * MILLI;
        self.world.hosts[place(backend)].slow = (self.world.now + length, length);
    }

    /// Removes a front's files of the usage history.
    pub fn forget_history(&mut self, front: &str) {
        self.world.trace(|| format!("{front} has lost its usage history"));
        self.world.hosts[place(front)].history.clear();
    }

    /// Gives a backend the part of another one.
    pub fn share_part(&mut self, backend: &str, with: &str) {
        self.world.trace(|| format!("{backend} is given the part of {with}"));
        // That is logged for an operator.
        self.world.faults.mistakes = Mistakes::copied();
        self.world.vendor.files[place(backend) - FRONTS] =
            self.world.vendor.files[place(with) - FRONTS].clone();
        self.reload(backend);
    }

    /// Issues a backend's part again with another quantity.
    pub fn reissue(&mut self, backend: &str, product: u32, quantity: u32) {
        self.world.trace(|| format!("{backend} says that there are {quantity} of {product}"));
        let file = &mut self.world.vendor.files[place(backend) - FRONTS];
        *file = self.world.vendor.style.reissued(place(backend) - FRONTS, file, product, quantity);
        self.reload(backend);
    }

    fn reload(&mut self, backend: &str) {
        let _kept = lines::keep();
        self.world.reload(place(backend));
    }

    /// Pauses a machine, whose monotonic clock stands still meanwhile.
    pub fn pause(&mut self, host: &str, milliseconds: u64) {
        self.world.stand_still(place(host), milliseconds * MILLI);
    }

    /// Closes a client's connection in good order.
    pub fn hangs_up(&mut self, client: usize) {
        self.world.hang_up(client);
    }

    /// Breaks the connections that one machine has made to another.
    pub fn cut_dialled(&mut self, from: &str, to: &str) {
        let places = [place(from), place(to)];
        for conn in self.world.between(places) {
            if self.world.place(conn, 0) == Some(places[0]) {
                self.world.cut(conn);
            }
        }
    }

    /// Lets time pass until one machine dials another, before the connection reaches it.
    pub fn until_dialled(&mut self, from: &str, to: &str) {
        let _kept = lines::keep();
        let places = [place(from), place(to)];
        let until = self.world.now + LONG;
        let dials = |world: &World| {
            world.between(places).into_iter().any(|conn| {
                let known = &world.net.conns[&conn];
                world.place(conn, 0) == Some(places[0]) && !known.open && !known.cut
            })
        };
        while !dials(&self.world) {
            assert!(self.world.next(until), "nobody dials");
        }
    }

    /// Lets time pass until a blank backend has the group's state on its disk.
    pub fn until_repaired(&mut self, backend: &str) {
        let _kept = lines::keep();
        let until = self.world.now + LONG;
        let is_repaired = |world: &World| {
            let found = world.hosts[place(backend)].disk.read().map(truth::look);
            found.is_some_and(|found| found.is_ok_and(|found| found.standing.group.is_some()))
        };
        while !is_repaired(&self.world) {
            assert!(self.world.next(until), "it stays blank");
        }
    }

    /// Loses the last message on its way from one machine to another; the connection stays.
    pub fn lose_last(&mut self, from: &str, to: &str) {
        self.world.trace(|| format!("what {from} has said last to {to} is lost"));
        let places = [place(from), place(to)];
        let mut lost = false;
        for conn in self.world.between(places) {
            let Some(known) = self.world.net.conns.get_mut(&conn) else { continue };
            for side in 0..2 {
                let here = matches!(known.ends[side], End::Host { host, .. } if host == places[1]);
                let last = known.lanes[side].0.back_mut().filter(|last| last.load.may_be_lost());
                if let Some(last) = last.filter(|_| here) {
                    last.load = Load::Hole;
                    lost = true;
                }
            }
        }
        assert!(lost, "nothing is on its way");
    }

    /// Removes the violations that are log lines at ERROR level with this text. Returns whether
    /// there were any, because an operator must be called.
    pub fn calls_an_operator(&mut self, about: &str) -> bool {
        let found = &mut self.world.checks.violations;
        let before = found.len();
        found.retain(|found| found.check != "lines" || !found.what.contains(about));
        found.len() < before
    }
}

impl World {
    /// Returns the connections between two machines.
    pub(super) fn between(&self, ends: [usize; 2]) -> Vec<u64> {
        let between = |conn: &u64| {
            let places = [0, 1].map(|side| self.place(*conn, side));
            ends.iter().all(|end| places.contains(&Some(*end)))
        };
        self.net.conns.keys().copied().filter(between).collect()
    }
}

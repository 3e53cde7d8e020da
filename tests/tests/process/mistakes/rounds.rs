//! Rolled-back disks, copied disks and doubled addresses at random moments, under load: nothing is
//! lost, nothing is granted twice, and soon there are three parts again.
//!
//! `TMR_ROUNDS=N` plays each N times; `TMR_SEED=N` draws other moments.

use super::addresses::at_every_address;
use super::load::{Load, PRODUCT, SEATS};
use super::{tell_to_lead, whole_again};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tmr_tests::harness::{Cluster, Runtime, list_servers};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_disk_that_is_rolled_back_under_load,
    a_disk_that_is_cloned_under_load,
    a_disk_that_is_listed_twice_under_load,
);

/// The number of rounds of each test. After a far-reaching change, twenty rounds of each are run by
/// hand.
const ROUNDS: u64 = 1;
/// The time within which every backend has received the log positions of the others. No status
/// shows them, so no event can be waited for.
const TOLD: Duration = Duration::from_secs(2);

/// Lets one test run at a time, because clusters under load would compete for the processors.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number(name: &str, otherwise: u64) -> u64 {
    let Ok(text) = std::env::var(name) else { return otherwise };
    text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text}"))
}

/// A random number generator: the same seed gives the same moments.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        // The algorithm is SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn coin(&mut self) -> bool {
        self.roll(2) == 0
    }

    /// Lets the clients work for up to this number of milliseconds.
    fn pause(&mut self, most: u64) {
        thread::sleep(Duration::from_millis(self.roll(most)));
    }

    /// Returns backends 0, 1 and 2 in a random order.
    fn order(&mut self) -> [usize; 3] {
        let mut order = [0, 1, 2];
        order.swap(0, self.roll(3) as usize);
        order.swap(1, 1 + self.roll(2) as usize);
        order
    }
}

/// A cluster and its load, between two rounds.
struct Scene {
    cluster: Cluster,
    load: Load,
    dice: Dice,
    /// The addresses of the backends.
    servers: [SocketAddr; 3],
}

impl Scene {
    /// Kills and restarts the front, which then knows only what the backends have.
    fn front_dies(&mut self) {
        self.cluster.fronts[0].kill();
        self.front_starts();
    }

    fn front_starts(&mut self) {
        let servers = self.servers;
        self.cluster.restart_front_with(0, |value| list_servers(value, &servers));
        // No further order to lead is given.
        tell_to_lead(self.cluster.front());
    }
}

fn play(runtime: Runtime, seed: u64, prepare: fn(&mut Scene), round: fn(&mut Scene)) {
    let _one = one_at_a_time();
    let cluster = Cluster::of(runtime).licences(&[(PRODUCT, SEATS)]).start();
    let load = Load::at(cluster.front().licence());
    let servers = [0, 1, 2].map(|index| cluster.backends[index].licence());
    let mut scene = Scene { cluster, load, dice: Dice(0), servers };
    prepare(&mut scene);
    let first = number("TMR_SEED", seed);
    for number in first..first + number("TMR_ROUNDS", ROUNDS) {
        scene.dice = Dice(number);
        eprintln!("TMR_SEED={number}");
        scene.load.work();
        scene.load.acknowledged(50);
        scene.dice.pause(300);
        round(&mut scene);
        whole_again(&scene.cluster, 0);
        scene.load.acknowledged(50);
        scene.load.rest(scene.cluster.front(), &format!("TMR_SEED={number}"));
    }
}

fn a_disk_that_is_rolled_back_under_load(runtime: Runtime) {
    play(
        runtime,
        1_000,
        |_| (),
        |scene| {
            let [old, second, third] = scene.dice.order();
            if scene.dice.coin() {
                rolled_back_alone(scene, old);
            } else {
                rolled_back_among_few(scene, old, second, third);
            }
        },
    );
}

/// The disk is rolled back while the two other backends are up.
fn rolled_back_alone(scene: &mut Scene, old: usize) {
    let copy = scene.cluster.snapshot(old, "old");
    scene.dice.pause(1_000);
    scene.cluster.backends[old].kill();
    scene.cluster.put_back(old, &copy);
    let forgets = scene.dice.coin();
    if forgets {
        scene.front_dies();
    }
    eprintln!("backend {old} alone, the front dies: {forgets}");
    scene.cluster.restart_backend(old);
}

/// The disk is rolled back while few backends are up. Of the two others, one misses the entries
/// that the disk has lost. The other one has them, and is down when the disk returns.
fn rolled_back_among_few(scene: &mut Scene, old: usize, second: usize, third: usize) {
    let mut copy = scene.cluster.snapshot(old, "old");
    // Entries after the copy must be known to more servers than the front, whose memory may be
    // lost.
    let started = scene.dice.coin();
    eprintln!("backend {old} among few, it started again and the front dies: {started}");
    if started {
        scene.cluster.backends[old].kill();
        copy = scene.cluster.snapshot(old, "old");
        scene.cluster.restart_backend(old);
        whole_again(&scene.cluster, 0);
        // The third backend must be informed of the further entries before it is stopped. Otherwise
        // no server that is up later could know them (the window in consistency.md).
        thread::sleep(TOLD);
    }
    scene.cluster.backends[third].kill();
    scene.dice.pause(1_000);
    scene.cluster.backends[second].kill();
    scene.cluster.backends[old].kill();
    scene.cluster.put_back(old, &copy);
    if started {
        scene.front_dies();
    }
    scene.cluster.restart_backend(old);
    scene.cluster.restart_backend(third);
    scene.dice.pause(4_000);
    scene.cluster.restart_backend(second);
}

fn a_disk_that_is_cloned_under_load(runtime: Runtime) {
    play(
        runtime,
        2_000,
        |_| (),
        |scene| {
            let [one, other, third] = scene.dice.order();
            scene.cluster.backends[other].kill();
            let real = scene.cluster.snapshot(other, "real");
            scene.dice.pause(300);
            let clone = scene.cluster.snapshot(one, "clone");
            scene.dice.pause(300);
            scene.cluster.put_back(other, &clone);
            scene.cluster.restart_backend(other);
            scene.dice.pause(1_500);
            // Only two copies of one disk remain.
            let alone = scene.dice.coin();
            if alone {
                scene.cluster.backends[third].kill();
                scene.dice.pause(3_000);
            }
            scene.cluster.backends[other].kill();
            scene.cluster.put_back(other, &real);
            if alone {
                // The real disks remain.
                scene.cluster.backends[one].kill();
                scene.front_dies();
                scene.cluster.restart_backend(other);
                scene.cluster.restart_backend(third);
                scene.dice.pause(3_000);
                scene.cluster.restart_backend(one);
            } else {
                if scene.dice.coin() {
                    scene.front_dies();
                }
                scene.cluster.restart_backend(other);
            }
        },
    );
}

fn a_disk_that_is_listed_twice_under_load(runtime: Runtime) {
    let prepare = |scene: &mut Scene| {
        scene.cluster.backends[0].kill();
        scene.servers[0] = at_every_address(&mut scene.cluster)[0];
        let servers = scene.servers;
        scene.cluster.reload_front_with(0, |value| list_servers(value, &servers));
        whole_again(&scene.cluster, 0);
    };
    play(runtime, 3_000, prepare, |scene| {
        let right = scene.servers;
        let (hidden, listed) = if scene.dice.coin() { (1, 2) } else { (2, 1) };
        let mut wrong = right;
        wrong[hidden] = SocketAddr::new(scene.cluster.workshop().ip(), right[0].port());
        scene.cluster.reload_front_with(0, |value| list_servers(value, &wrong));
        scene.dice.pause(1_500);
        // Only one disk remains, by two addresses.
        let alone = scene.dice.coin();
        eprintln!("backend 0 in the place of {hidden}, the other one off: {alone}");
        if alone {
            scene.cluster.backends[listed].kill();
            scene.dice.pause(3_000);
        }
        if alone || scene.dice.coin() {
            scene.cluster.fronts[0].kill();
            scene.cluster.backends[0].kill();
            if alone {
                scene.cluster.restart_backend(listed);
            }
            scene.front_starts();
            scene.dice.pause(3_000);
            scene.cluster.restart_backend_with(0, |line| {
                line.listen = ([0, 0, 0, 0], right[0].port()).into();
            });
        } else {
            scene.cluster.reload_front_with(0, |value| list_servers(value, &right));
        }
    });
}

//! Two groups with the same group key, and a list that names a backend of the other one: neither
//! disturbs the other, whichever has the higher epoch.

use super::book::Book;
use super::{leads_within, role};
use std::net::SocketAddr;
use std::time::Duration;
use tmr_tests::harness::{Cluster, Runtime, list_servers, status_within, within};
use tmr_tests::independent_client::{Client, INFO_BOX, get_info};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(a_list_with_a_backend_of_another_group_disturbs_neither);

/// The time within which a front must lead, and for which it must keep the lead.
const SOON: Duration = Duration::from_secs(20);

/// The group that the other group's list names: its front, a client that stays connected, and the
/// client's seat.
struct Host {
    cluster: Cluster,
    client: Client,
    seat: u32,
    book: Book,
}

impl Host {
    fn epoch(&self) -> u64 {
        self.cluster.status()["epoch"].as_u64().expect("a number")
    }

    /// Checks that the front still leads, and that the client was not disconnected.
    #[track_caller]
    fn is_well(&mut self) {
        assert_eq!(role(self.cluster.front().admin()), "active");
        let reply = self.client.call(&get_info(self.seat, INFO_BOX, 144));
        assert_eq!(reply.expect("the connection was not closed").status, 0);
    }

    /// Repeats [`is_well`](Self::is_well) for some seconds, so that messages of the other group can
    /// arrive at the front.
    #[track_caller]
    fn stays_well(&mut self) {
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_secs(4) {
            self.is_well();
            std::thread::sleep(Duration::from_millis(100));
        }
        self.book.is_right_at(self.cluster.front().licence(), self.cluster.front().admin());
    }
}

/// Restarts the front of a cluster this number of times; each claim has a higher epoch than the
/// last.
fn claim_again(cluster: &mut Cluster, servers: &[SocketAddr], times: u32) {
    for _ in 0..times {
        cluster.fronts[0].kill();
        cluster.restart_front_with(0, |value| list_servers(value, servers));
        assert!(leads_within(cluster, 0, SOON), "{:#}", cluster.status());
    }
}

fn a_list_with_a_backend_of_another_group_disturbs_neither(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let key = cluster.workshop().group_key();
    let mut book = Book::new();
    book.take(cluster.front().licence(), 2);
    let (client, seat) = (cluster.client(), *book.held().first().expect("two"));
    let mut host = Host { cluster, client, seat, book };
    let mut guest = Cluster::of(runtime).group_key(key).start();
    let mut guests = Book::new();
    guests.take(guest.front().licence(), 1);

    // The guest's list names the host's third backend; its epoch is the lower one, or the same.
    let [one, two] = [0, 1].map(|index| guest.backends[index].licence());
    let servers = [one, two, host.cluster.backends[2].licence()];
    let own: Vec<SocketAddr> =
        host.cluster.backends.iter().map(|backend| backend.licence()).collect();
    claim_again(&mut host.cluster, &own, 3);
    host.client = host.cluster.client();
    host.cluster.wait_whole(0);
    let before = host.epoch();
    claim_again(&mut guest, &servers, 1);
    let admin = guest.front().admin();
    guests.take(guest.front().licence(), 1);
    status_within(SOON, admin, "words on the one that is another group's", |status| {
        let trouble = status["backends"][2]["trouble"].as_str()?;
        (status["role"] == "active" && trouble.contains("group")).then_some(())
    });
    host.stays_well();

    // The guest's epoch is the higher one by far.
    claim_again(&mut guest, &servers, 8);
    host.stays_well();
    assert_eq!(host.epoch(), before, "nobody made it claim");
    within(SOON, "the guest's seats", || (role(admin) == "active").then_some(()));
    guests.take(guest.front().licence(), 1);
    guests.is_right_at(guest.front().licence(), admin);

    // The host's epoch is the higher one again.
    claim_again(&mut host.cluster, &own, 9);
    host.book.is_right_at(host.cluster.front().licence(), host.cluster.front().admin());
    assert_eq!(role(admin), "active");
    guests.take(guest.front().licence(), 1);
}

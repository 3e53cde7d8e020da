//! A licence that is issued again with another identity while its seats are held. The seats are
//! counted as long as clients hold them.

use super::book::{Book, Outcome};
use super::{says, whole_again};
use serde_json::{Value, json};
use tmr_tests::harness::{CM_ACT_ID, Cluster, Runtime, SEATS, TMR, specification, status_until};
use tmr_tests::independent_client::error::NO_MORE_LICENSES;
use tmr_tests::on_both_runtimes;

on_both_runtimes!(another_tmr_id_gives_no_seat_again, another_cm_act_id_gives_no_seat_again,);

fn reissue(cluster: &Cluster, specification: &Value) {
    for part in 1..=3 {
        cluster.workshop().reissue(specification, part, "licences");
    }
}

/// Waits until three seats are held under the old identity, and a row with three parts is there
/// under the new one.
#[track_caller]
fn no_seat_is_given_again(cluster: &Cluster, book: &mut Book, front: std::net::SocketAddr) {
    says(cluster.front(), "gone");
    let refused = book.take_all(front);
    assert_eq!(refused, Outcome::Refused(NO_MORE_LICENSES));
    assert_eq!(book.held().len(), SEATS as usize, "old ones and new ones");
    assert_eq!(book.counted_by(cluster.front().admin()), *book.held());
}

fn another_tmr_id_gives_no_seat_again(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let (front, admin) = (cluster.front().licence(), cluster.front().admin());
    let mut book = Book::new();
    book.take(front, 3);
    let mut new = specification(&[(TMR, SEATS)]);
    new["Products"][0]["TmrId"] = json!(2);
    reissue(&cluster, &new);
    status_until(admin, "the licence under its new TMR-Id", |status| {
        let rows = status["licenses"].as_array()?;
        let is_new = |row: &&Value| row["tmr_id"] == 2 && row["matching"] == 3;
        rows.iter().find(is_new).map(|_| ())
    });
    no_seat_is_given_again(&cluster, &mut book, front);
}

fn another_cm_act_id_gives_no_seat_again(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let front = cluster.front().licence();
    let mut book = Book::new();
    book.take(front, 3);
    let mut new = specification(&[(TMR, SEATS)]);
    new["CmActId"] = json!(CM_ACT_ID + 1);
    reissue(&cluster, &new);
    cluster.fronts[0].kill();
    cluster.restart_front_with(0, |value| {
        value["VirtualContainers"][0]["CmActId"] = json!(CM_ACT_ID + 1);
    });
    cluster.activate(0);
    whole_again(&cluster, 0);
    no_seat_is_given_again(&cluster, &mut book, front);
}

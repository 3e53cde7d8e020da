//! Stories of a cluster, each with what happens in it as a snapshot: times in virtual milliseconds,
//! everybody by name. Heartbeats are left out. Nothing is drawn but delays, so a story is the same
//! every time.

use tmr_tests::sim::story::Story;

/// The story is over: no checker has found anything, and this is how it went.
macro_rules! told {
    ($story:expr) => {
        assert_eq!($story.violations(), []);
        insta::assert_snapshot!($story.told());
    };
}

#[test]
fn a_seat_is_taken_and_given_back() {
    let mut story = Story::default();
    assert!(story.take(1, "front-1", 201));
    assert!(!story.take(2, "front-1", 201), "there is one");
    story.give_back(1, "front-1");
    assert!(story.take(2, "front-1", 201));
    story.run(100);
    told!(story);
}

#[test]
fn the_leader_dies_with_a_seat_out_and_the_other_front_knows_it() {
    let mut story = Story::default();
    assert!(story.take(1, "front-1", 201));
    story.stop("front-1", 60_000);
    story.lead("front-2");
    story.run(1_000);
    assert!(story.uses(1, "front-2"), "the seat outlives the front that granted it");
    assert!(!story.take(2, "front-2", 201), "and is not given to another");
    story.give_back(1, "front-2");
    assert!(story.take(2, "front-2", 201));
    told!(story);
}

#[test]
fn a_leader_that_was_asleep_learns_that_it_has_a_successor() {
    let mut story = Story::default();
    story.freeze("front-1", 4_000);
    story.lead("front-2");
    story.run(2_000);
    assert!(story.take(1, "front-2", 201));
    story.run(1_990);
    assert!(!story.take(2, "front-1", 201), "it wakes up while it is asked");
    story.run(1_000);
    told!(story);
}

#[test]
fn a_role_is_given_away_in_good_order() {
    let mut story = Story::default();
    assert!(story.take(1, "front-1", 202));
    story.fail_over("front-1");
    assert!(story.take(2, "front-2", 202), "its call waits until it can be served");
    assert!(story.uses(1, "front-1"), "it passes the call on");
    told!(story);
}

#[test]
fn a_backend_is_replaced_and_becomes_a_member() {
    let mut story = Story::default();
    assert!(story.take(1, "front-1", 201));
    story.replace("backend-3", 500);
    story.run(3_000);
    // Now the new one and one old one are two of three.
    story.stop("backend-1", 60_000);
    story.run(100);
    story.give_back(1, "front-1");
    assert!(story.take(2, "front-1", 201));
    told!(story);
}

#[test]
fn what_a_cut_off_front_proposed_is_not_revived_after_its_successor_served() {
    let mut story = Story::default();
    for (client, product) in [(0, 201), (1, 202), (2, 203)] {
        assert!(story.take(client, "front-1", product));
    }
    story.run(29_700);
    // Three seats end while their front reaches one backend alone.
    for other in ["backend-2", "backend-3", "front-2"] {
        story.part("front-1", other, 60_000);
    }
    story.run(1_000);
    story.stop("front-1", 120_000);
    story.part("front-2", "backend-1", 3_000);
    story.lead("front-2");
    story.run(1_500);
    for client in 0..3 {
        assert!(story.uses(client, "front-2"), "nobody has told that its seat is over");
    }
    // The next life of the successor reads the one copy in which they are.
    story.stop("front-2", 2_000);
    story.stop("backend-3", 60_000);
    story.run(2_500);
    story.lead("front-2");
    story.run(3_000);
    for client in 0..3 {
        assert!(story.uses(client, "front-2"), "it is client {client}'s still");
    }
    told!(story);
}

#[test]
fn a_reply_of_the_old_leader_is_not_handed_out_by_the_new_one() {
    let mut story = Story::default();
    assert!(story.take(1, "front-2", 202), "its calls are passed on");
    story.slow("front-1", "front-2", 1_500);
    story.begins_to_use(1);
    story.run(20);
    assert!(story.waits(1));
    story.lead("front-2");
    story.run(2_000);
    assert!(!story.waits(1), "its link was closed instead");
    assert!(story.uses(1, "front-2"));
    told!(story);
}

#[test]
fn a_call_that_the_standby_could_not_pass_on_is_a_sign_of_life() {
    let mut story = Story::default();
    assert!(story.take(1, "front-2", 201));
    story.run(24_000);
    // Too short for the leader to give up, and the client calls in that time only.
    for backend in ["backend-1", "backend-2", "backend-3"] {
        story.part("front-1", backend, 7_000);
    }
    story.run(3_000);
    assert!(!story.uses(1, "front-2"), "nobody can decide that");
    story.run(20_000);
    assert!(story.uses(1, "front-2"), "it was not silent for its clean-up time");
    told!(story);
}

#[test]
fn a_leader_that_slept_hears_its_clients_before_it_ends_them() {
    let mut story = Story::default();
    assert!(story.take(1, "front-1", 201));
    story.freeze("front-1", 36_000);
    story.run(29_000);
    story.begins_to_use(1);
    story.run(7_500);
    assert!(!story.waits(1), "it has an answer");
    assert!(story.uses(1, "front-1"), "it was not silent for its clean-up time");
    told!(story);
}

#[test]
fn a_twin_that_sleeps_is_not_given_the_role() {
    let mut story = Story::of_patient_fronts();
    story.freeze("front-2", 20_000);
    story.run(6_000);
    assert!(story.refuses_to_fail_over("front-1"));
    story.run(20_000);
    assert!(!story.refuses_to_fail_over("front-1"));
    story.run(1_000);
    assert!(story.leads("front-2"));
    told!(story);
}

#[test]
fn a_role_that_was_offered_to_a_twin_which_slept_stays_where_it_is() {
    let mut story = Story::of_patient_fronts();
    story.freeze("front-2", 3_500);
    story.fail_over("front-1");
    story.run(3_000);
    assert!(story.leads("front-1"), "it keeps the role");
    story.run(4_000);
    assert!(story.leads("front-1"), "the twin does not take it later");
    told!(story);
}

#[test]
fn five_machines_of_one_image_found_a_group() {
    let mut story = Story::of_one_image();
    story.lead("front-1");
    story.run(8_000);
    assert!(story.take(1, "front-1", 201));
    told!(story);
}

#[test]
fn a_call_that_is_lost_between_the_fronts_costs_no_seat() {
    let mut story = Story::default();
    assert!(story.take(1, "front-2", 201));
    story.part("front-1", "front-2", 100);
    story.begins_to_use(1);
    story.run(2);
    assert!(story.waits(1), "its call is on the line");
    story.cut("front-1", "front-2");
    story.run(5_000);
    assert!(!story.waits(1), "it may have been done, so its link was closed");
    assert!(story.uses(1, "front-2"), "it had been told of its seat");
    told!(story);
}

#[test]
fn of_two_entries_in_one_slot_the_later_fronts_is_taken() {
    let mut story = Story::default();
    for product in [201, 202, 203] {
        assert!(story.take(0, "front-1", product));
    }
    story.run(29_900);
    // Three seats end while their front reaches one backend alone.
    for other in ["backend-2", "backend-3", "front-2"] {
        story.part("front-1", other, 60_000);
    }
    story.run(1_000);
    story.stop("front-1", 120_000);
    story.part("front-2", "backend-1", 3_000);
    story.lead("front-2");
    story.run(1_500);
    // The third slot of its successor, which two backends have, and neither knows to be chosen.
    assert!(story.take(1, "front-2", 202));
    story.stop("front-2", 2_000);
    story.stop("backend-3", 60_000);
    story.run(2_500);
    story.lead("front-2");
    story.run(3_000);
    assert!(story.uses(1, "front-2"), "it was told of its seat");
    told!(story);
}

#[test]
fn the_longer_of_two_copies_is_read_to_its_end() {
    let mut story = Story::default();
    assert!(story.take(0, "front-1", 203));
    story.run(1_000);
    story.part("front-1", "backend-1", 60_000);
    assert!(story.take(1, "front-1", 202));
    // Nobody is left who knows how far it goes.
    story.stop("front-1", 60_000);
    story.stop("front-2", 2_000);
    story.stop("backend-3", 60_000);
    story.run(2_500);
    story.lead("front-2");
    story.run(3_000);
    assert!(story.uses(1, "front-2"), "it was told of its seat");
    told!(story);
}

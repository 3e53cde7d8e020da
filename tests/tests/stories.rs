//! Stories of a cluster, each with its events as a snapshot: times in virtual milliseconds,
//! machines by name. Heartbeats are left out. Only delays are drawn, so a story is the same every
//! time.

use tmr_tests::sim::story::Story;

const BACKENDS: [&str; 3] = ["backend-1", "backend-2", "backend-3"];

/// Ends a story: asserts that no checker has found anything, and compares the events with the
/// snapshot.
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
    // Now the new backend and an old one are two of three.
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
    // The restarted successor reads the one copy that has them.
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
    // No server that runs knows how far the log goes.
    story.stop("front-1", 60_000);
    story.stop("front-2", 2_000);
    story.stop("backend-3", 60_000);
    story.run(2_500);
    story.lead("front-2");
    story.run(3_000);
    assert!(story.uses(1, "front-2"), "it was told of its seat");
    told!(story);
}

#[test]
fn a_disk_that_went_back_in_time_gets_another_name() {
    let mut story = Story::default();
    let old = story.image("backend-1");
    assert!(story.take(1, "front-1", 201));
    story.run(1_000);
    let name = story.disk("backend-1");
    story.boot_with("backend-1", 500, &old);
    story.run(5_000);
    assert_ne!(story.disk("backend-1"), name, "what it had said is forgotten");
    // The group is whole again, under the new front.
    story.stop("backend-2", 60_000);
    assert!(story.uses(1, "front-1"));
    told!(story);
}

#[test]
fn a_copied_disk_is_left_alone_until_two_others_serve() {
    let mut story = Story::default();
    assert!(story.take(1, "front-1", 201));
    story.run(1_000);
    story.stop("backend-2", 8_000);
    let copy = story.image("backend-1");
    story.boot_with("backend-3", 500, &copy);
    story.run(5_000);
    let name = story.disk("backend-1");
    assert_eq!(story.disk("backend-3"), name, "each of them may be the last that is left");
    story.run(6_000);
    assert_ne!(story.disk("backend-3"), name);
    assert!(story.uses(1, "front-1"));
    told!(story);
}

#[test]
fn two_backends_that_hold_one_part_grant_no_seat() {
    let mut story = Story::default();
    story.share_part("backend-3", "backend-1");
    story.run(1_000);
    story.slow_disk("backend-2", 1_000);
    story.begins_to_take(1, "front-1", 201);
    story.run(300);
    assert!(story.waits(1), "one part has agreed, twice");
    story.run(1_000);
    assert!(story.has_seat(1), "and the other one");
    told!(story);
}

#[test]
fn a_machine_that_is_paused_again_and_again_tells_nothing_of_what_it_knew_before() {
    let mut story = Story::default();
    assert!(story.take(1, "front-1", 201));
    story.run(1_000);
    for backend in BACKENDS {
        story.part("front-1", backend, 60_000);
    }
    // Its own clocks show no pause, and hardly any time has passed.
    for _ in 0..5 {
        story.pause("front-1", 990);
        story.run(995);
        story.leads("front-1");
    }
    story.begins_to_use(1);
    story.run(100);
    assert!(story.waits(1), "another one may lead by now");
    told!(story);
}

#[test]
fn what_a_client_has_said_last_counts_for_all_its_seats() {
    let mut story = Story::default();
    assert!(story.take(1, "front-1", 201));
    assert!(story.take(1, "front-1", 203));
    story.run(20_000);
    assert!(story.uses(1, "front-1"), "the first one");
    story.hangs_up(1);
    story.run(20_000);
    assert!(story.uses_of(1, 1, "front-1"), "it was not silent for its clean-up time");
    told!(story);
}

#[test]
fn a_front_does_not_lead_with_less_than_its_files_know_of() {
    let mut story = Story::default();
    let images = |story: &Story| BACKENDS.map(|backend| story.image(backend));
    let old = images(&story);
    assert!(story.take(1, "front-1", 201));
    story.run(1_500);
    let newest = images(&story);
    story.stop("front-2", 120_000);
    story.stop("front-1", 500);
    for (backend, image) in BACKENDS.into_iter().zip(&old) {
        story.boot_with(backend, 200, image);
    }
    story.run(1_000);
    story.lead("front-1");
    story.run(5_000);
    assert!(!story.leads("front-1"), "a seat was granted that is on none of these disks");
    assert!(story.calls_an_operator("are known to be chosen"));
    for (backend, image) in BACKENDS.into_iter().zip(&newest) {
        story.boot_with(backend, 200, image);
    }
    story.run(10_000);
    assert!(story.leads("front-1"));
    assert!(story.uses(1, "front-1"));
    told!(story);
}

/// A seat is on two disks. One of them is rolled back, and front-1 does not reach the other. That
/// backend has lost its files, and starts in a moment.
fn forgotten() -> Story {
    let mut story = Story::default();
    let old = story.image("backend-1");
    story.part("front-1", "backend-3", 30);
    assert!(story.take(1, "front-1", 201));
    story.run(2);
    story.stop("front-1", 50);
    story.forget_history("front-1");
    story.part("front-1", "backend-2", 10_000);
    story.boot_with("backend-1", 10, &old);
    story.run(45);
    story
}

/// The front leads only when it reaches the disk that has the seat.
fn leads_with_the_seat(story: &mut Story) {
    story.run(2_000);
    assert!(!story.leads("front-1"), "its twin knows of a seat that is on neither disk here");
    assert!(story.calls_an_operator("are known to be chosen"));
    story.run(15_000);
    assert!(story.leads("front-1"));
    assert!(story.uses(1, "front-1"));
}

#[test]
fn a_front_does_not_lead_with_less_than_its_twin_knows_of() {
    let mut story = forgotten();
    story.run(100);
    story.lead("front-1");
    leads_with_the_seat(&mut story);
    told!(story);
}

#[test]
fn a_front_that_starts_waits_a_moment_for_its_twins_first_word() {
    let mut story = forgotten();
    story.slow("front-2", "front-1", 200);
    story.run(6);
    story.lead("front-1");
    leads_with_the_seat(&mut story);
    told!(story);
}

#[test]
fn a_leader_is_ready_while_a_backend_that_comes_back_has_all_of_them_asked_anew() {
    let mut story = Story::default();
    story.stop("backend-1", 1_000);
    for _ in 0..300 {
        assert!(story.ready("front-1"));
        // The answers of the backends take a while.
        for backend in BACKENDS {
            story.slow(backend, "front-1", 50);
        }
        story.run(10);
    }
    assert_eq!(story.status("front-1")["backends"][0]["state"], "up");
    assert_eq!(story.violations(), []);
}

#[test]
fn what_a_backend_says_of_a_gap_is_on_its_disk() {
    let mut story = Story::default();
    // The parts of backend-1 and backend-2 agree.
    story.reissue("backend-3", 203, 4);
    story.run(1_000);
    assert!(story.take(1, "front-1", 202));
    assert!(story.take(2, "front-1", 202));
    story.slow_disk("backend-2", 3_000);
    story.begins_to_take(0, "front-1", 203);
    story.run(100);
    assert!(story.waits(0), "two have it on disk, and one of them agrees");
    story.slow("front-1", "backend-2", 40);
    story.begins_to_take(1, "front-1", 203);
    story.run(10);
    story.lose_last("front-1", "backend-2");
    story.begins_to_take(2, "front-1", 203);
    story.run(500);
    assert!(story.waits(0), "backend-2 has it not on disk");
    story.run(8_000);
    assert!(story.has_seat(0));
    told!(story);
}

#[test]
fn three_disks_that_are_two_of_every_set_of_members_have_lost_nothing() {
    let mut story = Story::default();
    assert!(story.take(1, "front-1", 201));
    story.run(1_000);
    let first = story.image("backend-1");
    // A new disk is to replace the first one, and backend-3 does not hear of it.
    story.replace("backend-1", 100);
    story.until_repaired("backend-1");
    story.slow("front-1", "backend-3", 200);
    story.run(20);
    story.stop("front-1", 60_000);
    // The first disk returns in place of the third, when front-2 has claimed without it.
    story.boot_with("backend-3", 4_000, &first);
    story.lead("front-2");
    for _ in 0..150 {
        story.run(100);
        story.calls_an_operator("fewer than two");
        let obstacle = story.status("front-2")["obstacle"].to_string();
        assert!(!obstacle.contains("memory is lost"), "{obstacle}");
    }
    assert!(story.leads("front-2"));
    assert!(story.uses(1, "front-2"));
    told!(story);
}

#[test]
fn a_line_of_which_the_leader_has_not_heard_costs_no_seat() {
    let mut story = Story::default();
    assert!(story.take(1, "front-2", 201));
    story.run(100);
    // The next connection is to front-2 only, and breaks.
    story.cut_dialled("front-2", "front-1");
    story.until_dialled("front-2", "front-1");
    story.slow("front-2", "front-1", 2_000);
    story.run(100);
    story.begins_to_take(1, "front-2", 202);
    story.run(100);
    story.cut_dialled("front-2", "front-1");
    story.run(8_000);
    assert!(story.uses(1, "front-1"), "it had been told of its seat");
    told!(story);
}

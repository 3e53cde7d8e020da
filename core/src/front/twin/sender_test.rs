//! The sender with stock servers as backends: what a reply waits for, and how long.

use super::sender::Sender;
use super::subject::{OwnRole, Subject};
use crate::base::limits::{LOG_KEPT, TWIN_PIECES, TWIN_STATE_PAUSE, TWIN_WINDOW};
use crate::base::time::Duration;
use crate::front::backend_kind::BackendKind;
use crate::front::replication::replicated_log::ReplicatedLog;
use crate::history::History;
use crate::io::Intent;
use crate::link::LinkId;
use crate::log::{Entry, Epoch, GroupId, Handle, Slot};
use crate::messages::twin::{Answer, RemoteHandle, TwinAck, TwinMessage, TwinRole};
use crate::testing::{LICENCE, at};
use alloc::vec;
use alloc::vec::Vec;

const EPOCH: Epoch = Epoch { round: 4, front: 7 };

/// The sender of a leader, its log, and the messages that were sent.
struct Line {
    tell: Sender,
    log: ReplicatedLog,
    count: u64,
}

impl Line {
    /// Returns a leader with one committed slot, whose twin has sent its hello.
    fn new() -> Self {
        let mut line =
            Self { tell: Sender::new(BackendKind::Stock), log: ReplicatedLog::default(), count: 0 };
        line.log.reset(GroupId(9));
        line.commits(1);
        line.tell.link_up(at(0).mono, LinkId(1), 2);
        line
    }

    /// Returns a leader whose twin has taken the log.
    fn following() -> Self {
        let mut line = Self::new();
        line.tells(vec![]);
        let committed = Slot(1);
        line.hears(Answer::Ready { epoch: EPOCH, group: Some(GroupId(9)), committed });
        line
    }

    fn commits(&mut self, count: u64) {
        for _ in 0..count {
            let (slot, _) = self.log.propose(Entry::Expire(Handle(1)));
            self.log.commit(slot);
        }
    }

    fn tells(&mut self, seats: Vec<RemoteHandle>) -> Vec<TwinMessage> {
        let own = OwnRole { part: TwinRole::Active, epoch: EPOCH, leads: true };
        let (log, history) = (&self.log, &History::default());
        let subject = Subject { own, log, history };
        let mut out = Vec::new();
        self.tell.settle(at(0), &subject, seats, &mut out);
        self.count += out.len() as u64;
        let told = out.into_iter().map(|intent| match intent {
            Intent::Send { frame, .. } => TwinMessage::decode(&frame, 2).unwrap(),
            other => panic!("{other:?}"),
        });
        told.collect()
    }

    /// Has the twin answer every message.
    fn hears(&mut self, answer: Answer) {
        let heard = TwinAck { count: self.count, answer };
        assert!(self.tell.answered(at(0).mono, &heard, &self.log));
    }

    fn has(&mut self, last: u64) {
        self.hears(Answer::Have { epoch: EPOCH, last: Slot(last) });
    }
}

#[test]
fn a_reply_waits_until_the_twin_knows_that_its_slot_is_committed() {
    let mut line = Line::following();
    line.log.propose(Entry::Expire(Handle(2)));
    line.tells(vec![]);
    line.has(2);
    assert_eq!(line.tell.acked(), Slot(2));
    assert!(line.tell.holds_back(Slot(2)), "it has it, and could not know that it counts");
    // It is sent at once, whatever else is on its way.
    line.tell.link.send(at(0).mono, &TwinMessage::Gone { client: 1, replies: 0 }, &mut Vec::new());
    line.count += 1;
    line.log.commit(Slot(2));
    let told = line.tells(vec![]);
    let entries = vec![];
    let (epoch, first, committed) = (EPOCH, Slot(3), Slot(2));
    assert_eq!(told.last(), Some(&TwinMessage::Entries { epoch, first, entries, committed }));
    assert!(line.tell.holds_back(Slot(2)));
    line.has(2);
    assert!(!line.tell.holds_back(Slot(2)));
    assert!(line.tell.holds_back(Slot(3)));
}

#[test]
fn handles_are_told_before_what_they_are_about_and_all_of_them_at_first() {
    let mut line = Line::following();
    let placed = |number| RemoteHandle { server: 3, number, handle: Handle(11), licence: LICENCE };
    assert!(line.tell.wants_all());
    line.commits(1);
    let told = line.tells(vec![placed(5)]);
    let seats = vec![placed(5)];
    assert_eq!(told[0], TwinMessage::Seats { epoch: EPOCH, anew: true, seats });
    assert!(matches!(told[1], TwinMessage::Entries { committed: Slot(2), .. }), "{told:?}");
    assert!(!line.tell.wants_all());
    let seats = vec![placed(6)];
    assert_eq!(
        line.tells(seats.clone()),
        [TwinMessage::Seats { epoch: EPOCH, anew: false, seats }]
    );
    // A twin that has to begin anew is sent everything again.
    line.hears(Answer::Busy { epoch: EPOCH });
    line.hears(Answer::Ready { epoch: EPOCH, group: None, committed: Slot(0) });
    assert!(line.tell.wants_all());
}

#[test]
fn nothing_waits_for_a_twin_that_is_away_or_behind_or_late() {
    let mut line = Line::new();
    line.tells(vec![]);
    assert!(!line.tell.holds_back(Slot(1)), "it has not begun to take the log");
    let mut line = Line::following();
    line.commits(2);
    line.tells(vec![]);
    assert!(line.tell.holds_back(Slot(3)));
    line.tell.give_up(Slot(3));
    assert!(!line.tell.holds_back(Slot(3)));
    line.commits(1);
    line.tells(vec![]);
    assert!(!line.tell.holds_back(Slot(4)));
    // When it has caught up, it counts again.
    line.has(4);
    line.commits(1);
    assert!(line.tell.holds_back(Slot(5)));
    // A twin that is about to lead takes nothing: replies wait for it, until it is known to lead.
    line.hears(Answer::Busy { epoch: EPOCH });
    assert!(line.tell.holds_back(Slot(4)));
    line.tell.lost(at(0).mono);
    assert!(!line.tell.holds_back(Slot(5)));
}

#[test]
fn it_knows_when_an_answer_is_late_and_when_to_say_something_again() {
    let (transfer, heartbeat) = (Duration::from_secs(10), Duration::from_secs(1));
    let mut line = Line::new();
    let start = at(0).mono;
    assert_eq!(line.tell.link.waiting(), 0);
    assert_eq!(
        (line.tell.link.due(transfer), line.tell.next(heartbeat)),
        (None, Some(start + heartbeat))
    );
    assert_eq!(line.tells(vec![]).len(), 1);
    assert_eq!(line.tell.link.waiting(), 1);
    assert_eq!(
        (line.tell.link.due(transfer), line.tell.next(heartbeat)),
        (Some(start + transfer), None)
    );
    // A second one does not move the time of the first.
    let mut out = Vec::new();
    let gone = TwinMessage::Gone { client: 1, replies: 0 };
    line.tell.link.send(at(3).mono, &gone, &mut out);
    line.count += 1;
    assert_eq!(line.tell.link.waiting(), 2);
    assert_eq!(line.tell.link.due(transfer), Some(start + transfer));
    // An answer to the first one does.
    let heard = TwinAck { count: 1, answer: Answer::Noted };
    assert!(line.tell.answered(at(4).mono, &heard, &line.log));
    assert_eq!(line.tell.link.waiting(), 1);
    assert_eq!(line.tell.link.due(transfer), Some(at(4).mono + transfer));
    // The same answer again is no progress.
    assert!(line.tell.answered(at(5).mono, &heard, &line.log));
    assert_eq!(line.tell.link.due(transfer), Some(at(4).mono + transfer));
    line.hears(Answer::Noted);
    assert_eq!(line.tell.link.waiting(), 0);
    assert_eq!(line.tell.next(heartbeat), Some(at(3).mono + heartbeat));
}

#[test]
fn the_twin_has_no_more_than_it_was_told_whatever_it_says() {
    let mut line = Line::new();
    assert!(!line.tell.follows());
    line.tells(vec![]);
    assert!(!line.tell.follows(), "it has not said where to begin");
    let ready = |epoch| {
        let (group, committed) = (Some(GroupId(9)), Slot(1));
        Answer::Ready { epoch, group, committed }
    };
    let other = Epoch { round: 3, front: 7 };
    line.hears(ready(other));
    assert!(!line.tell.follows(), "that is about another lead");
    line.hears(ready(EPOCH));
    assert!(line.tell.follows());
    line.commits(2);
    line.tells(vec![]);
    line.hears(Answer::Have { epoch: other, last: Slot(3) });
    assert_eq!(line.tell.acked(), Slot(1));
    line.has(77);
    assert_eq!(line.tell.acked(), Slot(3));
    line.hears(Answer::Busy { epoch: other });
    assert!(line.tell.follows());
    line.hears(Answer::Busy { epoch: EPOCH });
    assert!(!line.tell.follows());
    assert_eq!(line.tell.acked(), Slot(0));
}

#[test]
fn a_whole_state_goes_to_one_of_another_log_and_not_too_often() {
    let mut line = Line::new();
    line.tells(vec![]);
    let stranger = Answer::Ready { epoch: EPOCH, group: Some(GroupId(1)), committed: Slot(1) };
    line.hears(stranger.clone());
    let states = |told: &[TwinMessage]| {
        told.iter().filter(|tell| matches!(tell, TwinMessage::State { last: true, .. })).count()
    };
    assert_eq!(states(&line.tells(vec![])), 1);
    line.has(1);
    assert!(line.tell.follows());
    // It needs another one at once.
    line.hears(stranger);
    assert_eq!(states(&line.tells(vec![])), 0);
    let again = at(0).mono + TWIN_STATE_PAUSE;
    assert_eq!(line.tell.next(Duration::from_secs(1)), Some(again));
    // A new link is no reason either.
    line.tell.lost(at(0).mono);
    line.tell.link_up(at(0).mono, LinkId(3), 2);
    line.count = 0;
    line.tells(vec![]);
    line.hears(Answer::Ready { epoch: EPOCH, group: None, committed: Slot(0) });
    assert_eq!(states(&line.tells(vec![])), 0);
}

#[test]
fn as_many_entries_go_out_as_the_window_has_room_for() {
    let mut line = Line::new();
    line.tells(vec![]);
    line.commits(2 * TWIN_WINDOW - 1);
    let (group, committed) = (Some(GroupId(9)), Slot(TWIN_WINDOW / 2));
    line.hears(Answer::Ready { epoch: EPOCH, group, committed });
    let entries = |told: Vec<TwinMessage>| {
        let each = told.iter().map(|tell| match tell {
            TwinMessage::Entries { entries, .. } => entries.len() as u64,
            _ => 0,
        });
        each.sum::<u64>()
    };
    assert_eq!(entries(line.tells(vec![])), TWIN_WINDOW);
    assert_eq!(entries(line.tells(vec![])), 0);
    line.has(TWIN_WINDOW);
    assert_eq!(entries(line.tells(vec![])), TWIN_WINDOW / 2, "the rest");
}

#[test]
fn a_state_waits_for_its_turn_and_what_the_twin_takes_meanwhile_counts() {
    let mut line = Line::following();
    line.commits(TWIN_WINDOW);
    line.tells(vec![]);
    // Entries that were not sent yet are dropped.
    line.commits(LOG_KEPT as u64 + 1);
    let has = |line: &mut Line, waiting, last| {
        let answer = Answer::Have { epoch: EPOCH, last: Slot(last) };
        let heard = TwinAck { count: line.count - waiting, answer };
        assert!(line.tell.answered(at(0).mono, &heard, &line.log));
        assert_eq!(line.tell.acked(), Slot(last));
        line.tells(vec![])
    };
    has(&mut line, TWIN_PIECES, TWIN_WINDOW / 2);
    assert!(!line.tell.follows());
    assert_eq!(has(&mut line, TWIN_PIECES, TWIN_WINDOW / 2), []);
    let told = has(&mut line, TWIN_PIECES - 1, TWIN_WINDOW);
    assert!(matches!(told[..], [TwinMessage::State { last: true, .. }, ..]), "{told:?}");
}

#[test]
fn since_when_it_leads_is_said_of_this_epoch_alone() {
    let mut line = Line::new();
    let mut since = |seconds, part, epoch, leads| {
        let (log, history) = (&line.log, &History::default());
        let own = OwnRole { part, epoch, leads };
        let subject = Subject { own, log, history };
        let mut out = Vec::new();
        line.tell.settle(at(seconds), &subject, vec![], &mut out);
        match &out[..] {
            [Intent::Send { frame, .. }] => match TwinMessage::decode(frame, 2).unwrap() {
                TwinMessage::Standing(standing) => standing.leads,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    };
    let later = EPOCH.next_of(7);
    assert_eq!(since(1, TwinRole::Active, EPOCH, true), Some(at(1).wall));
    assert_eq!(
        since(2, TwinRole::Starting, EPOCH, true),
        Some(at(1).wall),
        "in doubt for a moment"
    );
    assert_eq!(since(3, TwinRole::Active, later, true), Some(at(3).wall));
    assert_eq!(since(4, TwinRole::Standby, later, false), None);
    assert_eq!(since(5, TwinRole::Active, later, true), Some(at(5).wall));
}

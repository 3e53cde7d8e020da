//! The receiver: what it takes of a twin's log, and what it answers.

use super::Twin;
use super::context::Context;
use super::receiver::Receiver;
use crate::base::limits::{TWIN_CONNECT, TWIN_TRANSFER};
use crate::base::network::Address;
use crate::front::backend_kind::BackendKind;
use crate::front::replication::replicated_log::ReplicatedLog;
use crate::history::History;
use crate::io::Intent;
use crate::link::LinkId;
use crate::log::{Entry, Epoch, GroupId, Setting, Slot, State};
use crate::messages::twin::{
    Answer, Hello, Shared, Standing, TwinAck, TwinMessage, TwinRole, Version,
};
use crate::testing::at;
use alloc::string::ToString;
use alloc::vec::Vec;

const GROUP: GroupId = GroupId(9);
const EPOCH: Epoch = Epoch { round: 4, front: 7 };
const LATER: Epoch = Epoch { round: 5, front: 7 };

/// A front that stands by with three committed slots, and the messages of its twin.
struct Line {
    receiver: Receiver,
    log: ReplicatedLog,
    history: History,
    stands_by: bool,
}

fn entry(number: u32) -> Entry {
    Entry::Configure(Setting::Handles(number))
}

fn entries(epoch: Epoch, first: u64, numbers: &[u32], committed: u64) -> TwinMessage {
    let entries = numbers.iter().map(|number| entry(*number)).collect();
    TwinMessage::Entries { epoch, first: Slot(first), entries, committed: Slot(committed) }
}

fn leads(epoch: Epoch, committed: u64) -> TwinMessage {
    let leads = Some(at(0).wall);
    TwinMessage::Standing(Standing {
        part: TwinRole::Active,
        epoch,
        leads,
        committed: Slot(committed),
    })
}

impl Line {
    fn new() -> Self {
        let mut log = ReplicatedLog::default();
        log.load(GROUP, Slot(3), State::default());
        let mut receiver = Receiver::new(BackendKind::Tmrd);
        assert_eq!(receiver.link_up(at(0).mono, LinkId(1), Version::OWN.minor), None);
        Self { receiver, log, history: History::default(), stands_by: true }
    }

    /// Returns a front whose twin leads, and that takes its log from slot 4 on.
    fn following() -> Self {
        let mut line = Self::new();
        assert_eq!(line.tells(leads(EPOCH, 3)), line.ready(EPOCH));
        line
    }

    fn tells(&mut self, tell: TwinMessage) -> Answer {
        let bytes = tell.encode(Version::OWN.minor).unwrap();
        let Self { stands_by, ref mut log, ref mut history, .. } = *self;
        let context = Context { stands_by, log, history };
        let mut out = Vec::new();
        self.receiver.received(at(0).mono, &bytes, context, &mut out).unwrap();
        match &out[..] {
            [Intent::Send { frame, .. }] => TwinAck::decode(frame).unwrap().answer,
            other => panic!("{other:?}"),
        }
    }

    fn ready(&self, epoch: Epoch) -> Answer {
        Answer::Ready { epoch, group: Some(GROUP), committed: self.log.committed() }
    }

    fn has(&mut self, tell: TwinMessage, last: u64) {
        assert_eq!(self.tells(tell), Answer::Have { epoch: EPOCH, last: Slot(last) });
    }
}

#[test]
fn what_is_committed_is_kept_and_what_is_not_goes_with_the_link() {
    let mut line = Line::following();
    line.has(entries(EPOCH, 4, &[10, 20, 30], 4), 6);
    assert_eq!((line.log.committed(), line.log.last()), (Slot(4), Slot(4)));
    line.has(entries(EPOCH, 7, &[], 5), 6);
    assert_eq!(line.log.committed_state().handles_reserved(), 20);
    line.receiver.lost();
    line.receiver.link_up(at(1).mono, LinkId(2), Version::OWN.minor);
    assert_eq!(line.tells(leads(EPOCH, 6)), line.ready(EPOCH));
    // Slot 6 is sent again with another entry.
    line.has(entries(EPOCH, 6, &[40], 6), 6);
    assert_eq!(line.log.committed_state().handles_reserved(), 40);
}

#[test]
fn what_this_front_proposed_itself_is_not_in_the_way() {
    let mut line = Line::new();
    line.log.propose(entry(99));
    assert_eq!(line.tells(leads(EPOCH, 3)), line.ready(EPOCH));
    line.has(entries(EPOCH, 4, &[10], 4), 4);
    assert_eq!(line.log.entries(Slot(4), 9), Some(alloc::vec![entry(10)]));
    assert_eq!(line.log.committed_state().handles_reserved(), 10);
}

#[test]
fn entries_that_leave_a_hole_are_told_once_and_the_log_is_whole_again_when_it_is_filled() {
    let mut line = Line::following();
    assert!(line.receiver.is_whole());
    assert_eq!(line.tells(entries(EPOCH, 5, &[20], 5)), line.ready(EPOCH));
    assert_eq!(line.tells(entries(EPOCH, 6, &[30], 6)), Answer::Noted);
    assert!(!line.receiver.is_whole());
    assert_eq!(line.receiver.lag(line.log.committed()), 3);
    // What is known already is ignored.
    line.has(entries(EPOCH, 3, &[7, 10, 20, 30], 6), 6);
    assert!(line.receiver.is_whole());
    assert_eq!(line.receiver.lag(line.log.committed()), 0);
    assert_eq!(line.log.committed_state().handles_reserved(), 30);
}

#[test]
fn only_the_one_that_leads_is_listened_to_and_only_while_this_front_stands_by() {
    let mut line = Line::following();
    assert_eq!(line.tells(entries(LATER, 4, &[10], 4)), Answer::Noted);
    assert_eq!(line.log.committed(), Slot(3));
    // A repeated standing begins nothing anew.
    line.has(entries(EPOCH, 4, &[10, 20], 4), 5);
    assert_eq!(line.tells(leads(EPOCH, 4)), Answer::Noted);
    line.has(entries(EPOCH, 6, &[30], 5), 6);
    line.stands_by = false;
    assert_eq!(line.tells(entries(EPOCH, 7, &[], 6)), Answer::Noted);
    assert_eq!(line.log.committed(), Slot(5));
    assert_eq!(line.tells(leads(LATER, 6)), Answer::Busy { epoch: LATER });
    assert!(!line.receiver.is_whole());
    line.stands_by = true;
    assert_eq!(line.tells(entries(LATER, 6, &[30], 6)), Answer::Noted, "it said Busy");
    let (log, history) = (&mut line.log, &mut line.history);
    let context = Context { stands_by: true, log, history };
    let mut out = Vec::new();
    line.receiver.settle(context, &mut out);
    assert_eq!(out.len(), 1, "now it says from where");
    assert!(line.receiver.is_whole());
}

#[test]
fn a_state_is_taken_piece_by_piece_unless_there_is_more_here() {
    let mut whole = State::default();
    whole.apply(&entry(50));
    let bytes = whole.encode();
    let (a, b) = bytes.split_at(bytes.len() / 2);
    let piece = |group, slot, offset: usize, bytes: &[u8], last| {
        let (slot, offset, bytes) = (Slot(slot), offset as u64, bytes.to_vec());
        TwinMessage::State { epoch: EPOCH, group, slot, offset, bytes, last }
    };
    let mut line = Line::following();
    // Older than the copy here, of the same log.
    assert_eq!(line.tells(piece(GROUP, 3, 0, a, false)), line.ready(EPOCH));
    assert!(!line.receiver.is_whole());
    assert_eq!(line.tells(piece(GROUP, 8, 0, a, false)), Answer::Noted);
    assert!(!line.receiver.is_whole(), "half of it is here");
    assert_eq!(line.tells(piece(GROUP, 8, a.len() + 1, b, true)), Answer::Noted);
    assert_eq!(line.log.committed(), Slot(3), "that does not join it");
    line.has(piece(GROUP, 8, a.len(), b, true), 8);
    assert_eq!(line.log.committed_state().handles_reserved(), 50);
    // Of another log it is taken, however short.
    line.has(piece(GroupId(10), 2, 0, &bytes, true), 2);
    assert_eq!(line.log.group(), Some(GroupId(10)));
    // Entries do not continue half a state.
    assert_eq!(line.tells(piece(GroupId(10), 9, 0, a, false)), Answer::Noted);
    let ready = Answer::Ready { epoch: EPOCH, group: Some(GroupId(10)), committed: Slot(2) };
    assert_eq!(line.tells(entries(EPOCH, 3, &[60], 3)), ready);
    line.has(entries(EPOCH, 3, &[60], 3), 3);
}

#[test]
fn a_later_link_keeps_what_is_known_of_strangers_and_configurations() {
    let address = Address { host: "twin".into(), port: 1 };
    let (connect_timeout, transfer_timeout) = (TWIN_CONNECT, TWIN_TRANSFER);
    let config = crate::config::Twin { address, connect_timeout, transfer_timeout };
    let mut twin = Twin::new(config, 1, BackendKind::Tmrd);
    let (mut log, mut history) = (ReplicatedLog::default(), History::default());
    let mut out = Vec::new();
    let hello = Hello { version: Version::OWN, front: 7, program: "0.1.0".into(), chosen: None };
    let mut connects = |twin: &mut Twin, link| {
        let (log, history) = (&mut log, &mut history);
        let context = Context { stands_by: true, log, history };
        twin.accepted(link, crate::testing::peer(5), &context, &mut out);
        twin.frame(at(1).mono, link, &hello.encode(), context, &mut out).unwrap();
        assert_eq!(twin.receiver.link(), Some(link));
        core::mem::take(&mut out)
    };
    connects(&mut twin, LinkId(1));
    twin.strangers.accepted(LinkId(5), crate::testing::peer(5));
    let (servers, virtuals) = ([1, 2, 3].map(|n| n.to_string()), Vec::new());
    let own = Shared { servers, virtuals, cleanup_seconds: 60 };
    let theirs = Shared { cleanup_seconds: 90, ..own.clone() };
    twin.compare(&own, &theirs);
    let out = connects(&mut twin, LinkId(2));
    let replaced = |intent: &Intent| matches!(intent, Intent::Close { link: LinkId(1), .. });
    assert!(out.iter().any(replaced), "{out:?}");
    assert!(twin.strangers.has(LinkId(5)));
    assert_eq!(twin.differences.rows().len(), 1);
}

#[test]
fn what_one_leader_proposed_is_not_committed_by_the_word_of_the_next() {
    let mut line = Line::following();
    line.has(entries(EPOCH, 4, &[10, 20, 30], 4), 6);
    assert_eq!(line.tells(leads(LATER, 4)), line.ready(LATER));
    let have = Answer::Have { epoch: LATER, last: Slot(5) };
    assert_eq!(line.tells(entries(LATER, 5, &[40], 5)), have);
    assert_eq!(line.log.committed_state().handles_reserved(), 40);
    // Nor when it only stops to lead.
    line.tells(entries(LATER, 6, &[50, 60], 5));
    let (part, epoch, committed) = (TwinRole::Standby, LATER, Slot(5));
    line.tells(TwinMessage::Standing(Standing { part, epoch, leads: None, committed }));
    assert_eq!(line.tells(entries(LATER, 8, &[], 7)), Answer::Noted);
    assert_eq!(line.log.committed(), Slot(5));
}

#[test]
fn a_log_is_owed_until_all_of_a_leader_s_committed_slots_are_here() {
    let mut line = Line::new();
    assert!(!line.receiver.owes(&line.log), "nobody leads");
    line.tells(leads(EPOCH, 3));
    assert!(line.receiver.owes(&line.log), "what is here may be another one's");
    let leader = Entry::Configure(Setting::Leader(EPOCH));
    let tell = TwinMessage::Entries {
        epoch: EPOCH,
        first: Slot(4),
        entries: [leader, entry(20)].to_vec(),
        committed: Slot(4),
    };
    line.has(tell, 5);
    assert!(!line.receiver.owes(&line.log));
    line.tells(leads(EPOCH, 6));
    assert!(line.receiver.owes(&line.log));
    line.has(entries(EPOCH, 6, &[30], 6), 6);
    assert!(!line.receiver.owes(&line.log));
}

#[test]
fn before_stock_servers_only_one_leader_s_log_is_gone_on_with() {
    let mut line = Line::new();
    line.receiver = Receiver::new(BackendKind::Stock);
    line.receiver.link_up(at(0).mono, LinkId(1), Version::OWN.minor);
    let blank = |epoch| Answer::Ready { epoch, group: None, committed: Slot(0) };
    assert_eq!(line.tells(leads(EPOCH, 3)), blank(EPOCH), "slot 3 may be another entry there");
    line.log.load(GROUP, Slot(8), State::default());
    let (slot, _) = line.log.propose(Entry::Configure(Setting::Leader(EPOCH)));
    line.log.commit(slot);
    // The link breaks, and the same front still leads.
    line.receiver.link_up(at(1).mono, LinkId(2), Version::OWN.minor);
    assert_eq!(line.tells(leads(EPOCH, 9)), line.ready(EPOCH));
    assert_eq!(line.log.committed(), Slot(9));
    assert_eq!(line.tells(leads(LATER, 9)), blank(LATER));
}

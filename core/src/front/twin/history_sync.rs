//! The usage history goes to the twin as lines. The twin reports how far its history goes, and is
//! sent what follows, one message after the other. Lines that are not in memory any more are read
//! from disk first. So a twin that was away for long catches up; nothing waits for it.

use super::context::Context;
use super::sender_link::SenderLink;
use crate::base::time::Mono;
use crate::history::{Block, History, Kind, Mark, Record};
use crate::io::{HistoryRequest, Intent};
use crate::log::Epoch;
use crate::messages::twin::{TwinMessage, Version};
use alloc::vec::Vec;

/// How far the twin's usage history goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Position {
    /// It takes none, or has not begun to.
    #[default]
    Off,
    /// It is to be asked.
    Unknown,
    /// It was asked.
    Asked,
    /// It goes up to this mark.
    At(Option<Mark>),
    /// It went up to `from`, was sent lines (or none), and will go up to `upto`.
    Sent { from: Option<Mark>, upto: Option<Mark>, lines: bool },
    /// The lines after this mark are being read from disk.
    Recalling(Option<Mark>),
}

/// Lines of the usage history, read from disk.
#[derive(Clone, Copy, Debug)]
pub(in crate::front) struct Recalled<'a> {
    /// The mark before them.
    pub(in crate::front) after: Option<Mark>,
    pub(in crate::front) lines: &'a [u8],
}

/// The part of this front's history that the twin may lack.
#[derive(Debug)]
struct Missing<'a> {
    history: &'a History,
    /// The mark before it.
    from: Option<Mark>,
}

/// Lines to be sent.
#[derive(Debug)]
pub(super) struct Lines {
    /// The mark before them.
    from: Option<Mark>,
    bytes: Vec<u8>,
    /// The mark of the last one.
    upto: Option<Mark>,
}

/// The usage history on its way to the twin.
#[derive(Clone, Debug, Default)]
pub(super) struct HistorySync {
    position: Position,
    /// The number of the last message about it; answers to earlier ones are ignored.
    last_message: u64,
}

impl HistorySync {
    /// Begins to send, unless that was begun before.
    pub(super) fn begin(&mut self) {
        if self.position == Position::Off {
            self.position = Position::Unknown;
        }
    }

    /// Sends nothing until it is begun again.
    pub(super) fn stop(&mut self) {
        self.position = Position::Off;
    }

    /// Takes the twin's report on how far its history goes; `count` is the number of messages that
    /// it has processed.
    ///
    /// The answer to an earlier message than the latest is ignored. Such answers occur when the
    /// twin was about to lead in between, so that it was asked again, and when lines were sent
    /// without waiting for it. If one were taken for the answer to the latest message, the real
    /// answer would look as if the twin did not take the history.
    pub(super) fn recorded(&mut self, count: u64, upto: Option<Mark>) {
        if count < self.last_message {
            return;
        }
        self.position = match self.position {
            Position::Sent { from, lines: true, .. } if upto == from => {
                tracing::warn!(
                    target: "tmr_core::front::twin::past",
                    "the twin does not take the usage history: it is told no more"
                );
                Position::Off
            }
            Position::Asked | Position::Sent { .. } => Position::At(upto),
            other => other,
        };
    }

    /// Sends the lines that the twin lacks, once it has acknowledged earlier ones.
    pub(super) fn send(
        &mut self,
        now: Mono,
        epoch: Epoch,
        history: &History,
        link: &mut SenderLink,
        out: &mut Vec<Intent>,
    ) {
        self.ask_if_unknown(now, epoch, link, out);
        if let Position::At(from) = self.position {
            self.send_after(now, epoch, Missing { history, from }, link, out);
        }
    }

    /// Sends the lines that the twin lacks, even before it has acknowledged earlier ones.
    pub(super) fn send_all(
        &mut self,
        now: Mono,
        epoch: Epoch,
        history: &History,
        link: &mut SenderLink,
        out: &mut Vec<Intent>,
    ) {
        self.ask_if_unknown(now, epoch, link, out);
        if let Position::At(from) | Position::Sent { upto: from, .. } = self.position {
            self.send_after(now, epoch, Missing { history, from }, link, out);
        }
    }

    /// Asks the twin how far its history goes. A twin of an older version is never asked, and is
    /// sent nothing.
    fn ask_if_unknown(
        &mut self,
        now: Mono,
        epoch: Epoch,
        link: &mut SenderLink,
        out: &mut Vec<Intent>,
    ) {
        if self.position == Position::Unknown && link.has_version(Version::HISTORY) {
            self.position = Position::Asked;
            let message = TwinMessage::History { epoch, lines: Vec::new(), upto: None };
            link.send(now, &message, out);
            self.last_message = link.sent();
        }
    }

    fn send_after(
        &mut self,
        now: Mono,
        epoch: Epoch,
        missing: Missing<'_>,
        link: &mut SenderLink,
        out: &mut Vec<Intent>,
    ) {
        let Missing { history, from } = missing;
        let covered = history.covered();
        let idle = link.waiting() == 0;
        match history.after(from) {
            Block::Lines(bytes, upto) => {
                self.send_lines(now, epoch, Lines { from, bytes, upto }, link, out);
            }
            Block::Older => {
                self.position = Position::Recalling(from);
                out.push(HistoryRequest::ReadAfter(from).into());
            }
            Block::Nothing if idle && covered.is_some_and(|it| it.follows(from.as_ref())) => {
                let lines = Lines { from, bytes: Vec::new(), upto: covered };
                self.send_lines(now, epoch, lines, link, out);
            }
            Block::Nothing => {}
        }
    }

    /// Sends these lines.
    pub(super) fn send_lines(
        &mut self,
        now: Mono,
        epoch: Epoch,
        lines: Lines,
        link: &mut SenderLink,
        out: &mut Vec<Intent>,
    ) {
        let Lines { from, bytes, upto } = lines;
        self.position = Position::Sent { from, upto, lines: !bytes.is_empty() };
        link.send(now, &TwinMessage::History { epoch, lines: bytes, upto }, out);
        self.last_message = link.sent();
    }

    /// Takes lines from disk that follow a mark, and returns what is to be sent; `None` if nothing
    /// waits for them. Where lines in memory begin, those are sent, because the disk may have
    /// fewer. Lines before that which are not on disk are lost.
    pub(super) fn recalled(&self, recalled: Recalled<'_>, context: &Context<'_>) -> Option<Lines> {
        let Recalled { after, lines } = recalled;
        if self.position != Position::Recalling(after) {
            return None;
        }
        let (before, memory) = context.history.oldest();
        let in_memory = |id: &Mark| before.is_some_and(|it| id.is_beside(&it) && *id > it);
        let mut whole = Vec::new();
        let mut upto = None;
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let record = Record::parse(line).unwrap_or_default();
            if in_memory(&record.id) {
                break;
            }
            if record.id != Mark::default() && line.ends_with(b"\n") {
                whole.extend_from_slice(line);
                upto = Some(record.id);
            }
        }
        if let (None, Some(id), Block::Lines(lines, last)) = (upto, before, memory) {
            let time = context.log.now();
            let gap = Record { id, time, kind: Kind::Gap, ..Record::default() };
            whole = gap.line();
            whole.extend_from_slice(&lines);
            upto = last;
        }
        Some(Lines { from: after, bytes: whole, upto })
    }
}

#[cfg(test)]
mod tests {
    use super::super::sender::Sender;
    use super::super::subject::{OwnRole, Subject};
    use super::*;
    use crate::front::backend_kind::BackendKind;
    use crate::front::replication::replicated_log::ReplicatedLog;
    use crate::link::LinkId;
    use crate::log::{GroupId, Slot};
    use crate::messages::twin::{Answer, TwinAck, TwinRole};
    use crate::testing::at;

    const EPOCH: Epoch = Epoch { round: 4, front: 7 };

    /// The sender of a leader, its usage history, and the number of messages that were sent.
    struct Line {
        tell: Sender,
        history: History,
        sent: u64,
    }

    impl Line {
        /// Returns a leader that has recorded one line, with a twin that takes the log.
        fn new() -> Self {
            let mut line =
                Self { tell: Sender::new(BackendKind::Tmrd), history: History::default(), sent: 0 };
            line.tell.link_up(at(0).mono, LinkId(1), Version::OWN.minor);
            line.records(1);
            line.tells();
            line.is_ready();
            line
        }

        fn records(&mut self, slot: u64) {
            self.history.add(&Record { id: mark(slot), ..Record::default() });
        }

        /// Returns what is sent of the usage history, with the mark up to which it goes.
        fn tells(&mut self) -> Vec<Option<Mark>> {
            let (log, mut out) = (&ReplicatedLog::default(), Vec::new());
            let own = OwnRole { part: TwinRole::Active, epoch: EPOCH, leads: true };
            let subject = Subject { own, log, history: &self.history };
            self.tell.settle(at(0), &subject, Vec::new(), &mut out);
            self.told(&out)
        }

        /// Does the same as before a planned failover.
        fn tells_all(&mut self) -> Vec<Option<Mark>> {
            let mut out = Vec::new();
            let (log, history) = (&mut ReplicatedLog::default(), &mut self.history);
            let context = Context { stands_by: false, log, history };
            self.tell.send_lead(at(0).mono, EPOCH, &context, &mut out);
            self.told(&out)
        }

        fn told(&mut self, out: &[Intent]) -> Vec<Option<Mark>> {
            self.sent += out.len() as u64;
            let told = out.iter().filter_map(|intent| match intent {
                Intent::Send { frame, .. } => {
                    match TwinMessage::decode(frame, Version::OWN.minor) {
                        Ok(TwinMessage::History { upto, .. }) => Some(upto),
                        _ => None,
                    }
                }
                _ => None,
            });
            told.collect()
        }

        fn hears(&mut self, count: u64, answer: Answer) {
            let heard = TwinAck { count, answer };
            assert!(self.tell.answered(at(0).mono, &heard, &ReplicatedLog::default()));
        }

        fn is_ready(&mut self) {
            let (group, committed) = (Some(GroupId(9)), Slot(0));
            self.hears(self.sent, Answer::Ready { epoch: EPOCH, group, committed });
        }
    }

    fn mark(slot: u64) -> Mark {
        Mark::of_entry(GroupId(9), EPOCH, Slot(slot))
    }

    #[test]
    fn the_answer_to_an_earlier_question_is_not_that_of_a_twin_that_takes_no_history() {
        let mut line = Line::new();
        assert_eq!(line.tells(), [None], "the twin is asked how far it is");
        let asked = line.sent;
        // It was about to lead for a moment. Its answer to the first question is on its way.
        line.hears(asked - 1, Answer::Busy { epoch: EPOCH });
        line.hears(asked - 1, Answer::Ready { epoch: EPOCH, group: None, committed: Slot(0) });
        assert_eq!(line.tells(), [None], "and it is asked again");
        line.hears(asked, Answer::Recorded { upto: None });
        line.tells();
        line.hears(asked + 1, Answer::Recorded { upto: None });
        line.tells();
        line.hears(line.sent, Answer::Recorded { upto: Some(mark(1)) });
        line.records(2);
        assert_eq!(line.tells(), [Some(mark(2))], "it is told what is new");
    }

    #[test]
    fn lines_that_wait_for_no_answer_are_not_lines_that_a_twin_does_not_take() {
        let mut line = Line::new();
        line.tells();
        line.hears(line.sent, Answer::Recorded { upto: None });
        assert_eq!(line.tells(), [Some(mark(1))]);
        let first = line.sent;
        line.records(2);
        assert_eq!(line.tells_all(), [Some(mark(2))], "the lead is to be given away");
        line.hears(first, Answer::Recorded { upto: Some(mark(1)) });
        assert!(line.tells().is_empty(), "what was sent is not sent again");
        line.hears(line.sent, Answer::Recorded { upto: Some(mark(2)) });
        // The twin did not take the lead after all.
        line.records(3);
        assert_eq!(line.tells(), [Some(mark(3))]);
    }

    #[test]
    fn a_twin_that_takes_no_history_is_told_no_more() {
        let mut line = Line::new();
        line.tells();
        line.hears(line.sent, Answer::Recorded { upto: None });
        assert_eq!(line.tells(), [Some(mark(1))]);
        line.hears(line.sent, Answer::Recorded { upto: None });
        line.records(2);
        assert!(line.tells().is_empty());
    }
}

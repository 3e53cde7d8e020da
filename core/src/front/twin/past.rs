//! The usage history goes to the twin as lines: the twin says how far it is, and is sent what
//! follows, one message after the other. What is not in memory any more is read from disk first. A
//! twin that was away for long catches up like that; nothing waits for it.

use super::super::Front;
use super::tell::Telling;
use crate::history::{Block, History, Kind, Mark, Record};
use crate::io::Intent;
use crate::log::Epoch;
use crate::time::{Mono, Now};
use crate::wire::twin::{Tell, Version};
use alloc::vec::Vec;

/// How far the twin is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Past {
    /// It takes none, or has not begun to.
    #[default]
    Off,
    /// It is to say it.
    Unknown,
    /// It was asked.
    Asked,
    /// It said this.
    At(Option<Mark>),
    /// It said the first, was sent lines (or none), and will be at the second.
    Sent { from: Option<Mark>, upto: Option<Mark>, lines: bool },
    /// What follows this is being read from disk.
    Recalling(Option<Mark>),
}

impl Telling {
    /// The twin says how far it is.
    pub(super) fn recorded(&mut self, upto: Option<Mark>) {
        self.past = match self.past {
            Past::Sent { from, lines: true, .. } if upto == from => {
                tracing::warn!("the twin does not take the usage history: it is told no more");
                Past::Off
            }
            Past::Asked | Past::Sent { .. } => Past::At(upto),
            other => other,
        };
    }

    /// Tells what the twin does not have. `all`: also before it has said that it has what was sent.
    pub(super) fn tell_history(
        &mut self,
        now: Mono,
        epoch: Epoch,
        (history, all): (&History, bool),
        out: &mut Vec<Intent>,
    ) {
        if !self.knows(Version::HISTORY) {
            return;
        }
        let from = match self.past {
            Past::Unknown => {
                self.past = Past::Asked;
                let tell = Tell::History { epoch, lines: Vec::new(), upto: None };
                return self.send(now, &tell, out);
            }
            Past::At(from) => from,
            Past::Sent { upto, .. } if all => upto,
            _ => return,
        };
        let covered = history.covered();
        let idle = self.waiting() == 0;
        match history.after(from) {
            Block::Lines(lines, upto) => self.send_history(now, epoch, (from, lines, upto), out),
            Block::Older => {
                self.past = Past::Recalling(from);
                out.push(Intent::Recall { after: from });
            }
            Block::Nothing if idle && covered.is_some_and(|it| it.follows(from.as_ref())) => {
                self.send_history(now, epoch, (from, Vec::new(), covered), out);
            }
            Block::Nothing => {}
        }
    }

    fn send_history(
        &mut self,
        now: Mono,
        epoch: Epoch,
        (from, lines, upto): (Option<Mark>, Vec<u8>, Option<Mark>),
        out: &mut Vec<Intent>,
    ) {
        self.past = Past::Sent { from, upto, lines: !lines.is_empty() };
        self.send(now, &Tell::History { epoch, lines, upto }, out);
    }
}

impl Front {
    /// Lines that follow this are here from disk. Where those in memory begin, it goes on with them:
    /// disk may have less. None before that: they are nowhere any more.
    pub(in super::super) fn recalled(
        &mut self,
        now: Now,
        after: Option<Mark>,
        lines: &[u8],
        out: &mut Vec<Intent>,
    ) {
        let Some(twin) = self.twin.as_mut().filter(|it| it.tell.past == Past::Recalling(after))
        else {
            return;
        };
        let Some(epoch) = self.phase.epoch() else { return };
        let (before, memory) = self.history.oldest();
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
            let gap = Record { id, time: self.ledger.now(), kind: Kind::Gap, ..Record::default() };
            whole = gap.line();
            whole.extend_from_slice(&lines);
            upto = last;
        }
        twin.tell.send_history(now.mono, epoch, (after, whole, upto), out);
    }

    /// Tells the twin what it does not have of the usage history, all of it: it is to lead.
    pub(in super::super) fn tell_twin_history(
        &mut self,
        now: Mono,
        epoch: Epoch,
        out: &mut Vec<Intent>,
    ) {
        if let Some(twin) = &mut self.twin {
            twin.tell.tell_history(now, epoch, (&self.history, true), out);
        }
    }

    /// The twin tells of its log, and not of its usage history: it is an older version.
    pub(in super::super) fn twin_tells_no_history(&self) -> bool {
        self.twin.as_ref().is_some_and(|twin| twin.hear.tells_no_history())
    }
}

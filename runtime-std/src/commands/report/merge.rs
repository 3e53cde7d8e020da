//! Merges the records of several folders: in order, and each once.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use tmr_core::base::limits::HISTORY_LINE;
use tmr_core::history::{Kind, Mark, Record};

/// The records of one folder, oldest first.
#[derive(Debug)]
pub(super) struct Folder {
    /// Files that are not open yet, the latest first.
    names: Vec<PathBuf>,
    open: Option<BufReader<File>>,
    next: Option<Record>,
    malformed: u64,
}

impl Folder {
    /// Begins with these files, given oldest first.
    pub(super) fn new(mut names: Vec<PathBuf>) -> Self {
        names.reverse();
        let mut folder = Self { names, open: None, next: None, malformed: 0 };
        folder.advance();
        folder
    }

    fn advance(&mut self) {
        self.next = None;
        let mut line = Vec::new();
        while self.next.is_none() {
            let Some(open) = &mut self.open else {
                let Some(name) = self.names.pop() else { return };
                match File::open(&name) {
                    Ok(file) => self.open = Some(BufReader::new(file)),
                    Err(_) => self.malformed += 1,
                }
                continue;
            };
            line.clear();
            let most = open.by_ref().take(HISTORY_LINE as u64).read_until(b'\n', &mut line);
            match (most, Record::parse(&line)) {
                (Ok(0) | Err(_), _) => self.open = None,
                (_, Ok(record)) => self.next = Some(record),
                (_, Err(_)) => self.malformed += 1,
            }
        }
    }
}

/// The merged records of several folders.
#[derive(Debug)]
pub(super) struct Merge {
    folders: Vec<Folder>,
    /// The mark of the last record of each group.
    last: BTreeMap<u32, Mark>,
    /// The number of lines that are not records, and of files that cannot be opened.
    pub(super) malformed: u64,
}

impl Merge {
    pub(super) fn new(folders: Vec<Folder>) -> Self {
        Self { folders, last: BTreeMap::new(), malformed: 0 }
    }
}

impl Iterator for Merge {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        loop {
            let mut first: Option<(usize, &Record)> = None;
            for (index, folder) in self.folders.iter().enumerate() {
                let Some(record) = &folder.next else { continue };
                let sooner = first.is_none_or(|(_, other)| {
                    // A record of lost lines has no mark, and keeps its position in its folder.
                    match record.id.is_beside(&other.id) {
                        _ if record.kind == Kind::Lost => true,
                        true => record.id < other.id,
                        false => record.time < other.time,
                    }
                });
                if sooner {
                    first = Some((index, record));
                }
            }
            let Some((index, _)) = first else {
                self.malformed = self.folders.iter().map(|folder| folder.malformed).sum();
                return None;
            };
            let record = self.folders[index].next.take()?;
            self.folders[index].advance();
            if record.kind == Kind::Lost {
                return Some(record);
            }
            if record.id.follows(self.last.get(&record.id.group())) {
                self.last.insert(record.id.group(), record.id);
                return Some(record);
            }
        }
    }
}

//! The files of a usage history: their names, rotation, removal, and reading back.
//!
//! `usage-NUMBER-YYYY-MM.jsonl` has all records, `tracking-FIRMCODE-NUMBER-YYYY-MM.log` those of
//! one Firm Code in the format of licence tracking. Numbers rise with every file of the folder. The
//! next file begins when a file has reached its size, or with the next month.

use super::age::{Steady, too_old};
use super::file_names::{Name, listed, month_number, month_of, names};
use super::settings::{Settings, make};
use super::share::Share;
use crate::exit::words;
use crate::host::create;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use tmr_core::base::limits::{HISTORY_BLOCK, HISTORY_LINE};
use tmr_core::base::time::{Now, Wall};
use tmr_core::history::{Kind, Mark, Record, Server, Tracking};
/// What could not be written.
#[derive(Debug)]
pub enum Unwritten {
    /// The records.
    Records(io::Error),
    /// The lines for licence tracking files.
    Tracking(io::Error),
}

/// The file that records are appended to.
#[derive(Debug)]
struct Open {
    name: Name,
    file: File,
    length: u64,
    refusals: Share,
}

/// The tracking file of one Firm Code.
#[derive(Debug)]
struct Track {
    name: Name,
    length: u64,
    tracking: Tracking,
}

/// The files of one folder.
#[derive(Debug)]
pub struct Files {
    settings: Settings,
    open: Option<Open>,
    /// The number of refusals that files that are closed have left out, and no line says yet.
    left_out: u64,
    tracks: BTreeMap<u32, Track>,
    /// The front that led last.
    server: Server,
    /// When this process wrote its first line.
    begun: Option<Wall>,
    /// The Firm Codes whose tracking file says that the group has started; `None`: it has not
    /// started in this process.
    started: Option<BTreeSet<u32>>,
    steady: Steady,
}

impl Files {
    /// Begins without reading or writing. `own` counts as the leader until another one is known.
    #[must_use]
    pub fn new(settings: Settings, own: Server) -> Self {
        let (open, tracks) = (None, BTreeMap::new());
        let steady = Steady::default();
        Self {
            settings,
            open,
            left_out: 0,
            tracks,
            server: own,
            begun: None,
            started: None,
            steady,
        }
    }

    /// Returns the settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes other settings into force. Files in the old folder stay there.
    pub fn change(&mut self, settings: Settings) {
        if settings.folder != self.settings.folder || !settings.enabled {
            self.close();
            self.tracks.clear();
        }
        self.settings = settings;
    }

    fn folder(&self) -> &Path {
        &self.settings.folder
    }

    /// Takes the leader from lines that are in no file here.
    pub fn follow(&mut self, lines: &[u8]) {
        if let Some(server) = lines.rsplit(|byte| *byte == b'\n').find_map(leader) {
            self.server = server;
        }
    }

    /// Reads the latest files, at most `most` bytes, oldest first, and passes them on file by file.
    ///
    /// # Errors
    /// A system error; a folder that does not exist is empty.
    pub fn read_back(&mut self, most: u64, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let names = match names(self.folder()) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            names => names?,
        };
        let mut left = most;
        let mut parts = Vec::new();
        for path in names.into_iter().rev() {
            let length = fs::metadata(&path)?.len();
            parts.push((path, length.saturating_sub(left)));
            left = left.saturating_sub(length);
            if left == 0 {
                break;
            }
        }
        for (path, from) in parts.into_iter().rev() {
            let mut file = create::open(&path, File::options().read(true))?;
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            let cut = if from == 0 { 0 } else { after_first_line(&bytes) };
            take(&bytes[cut..]);
            self.follow(&bytes[cut..]);
        }
        Ok(())
    }

    /// Appends lines, and what they mean to the tracking files of their Firm Codes, one right after
    /// the other, so that a killed process most likely leaves both or neither. Refused accesses
    /// have a share of a file; those beyond it are counted at the beginning of the next one. A
    /// failed write is taken back as far as the system permits.
    ///
    /// # Errors
    /// A system error, with the files concerned.
    pub fn write(&mut self, lines: &[u8], now: Now) -> Result<(), Unwritten> {
        self.leave_removed();
        self.turn(now.wall).map_err(Unwritten::Records)?;
        if self.steady.day_is_over(now) {
            self.remove_late(now.wall);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let lines = open.refusals.sift(lines, &self.settings);
        let tracked = self.track(&lines, now.wall);
        let Some(open) = &mut self.open else { return Ok(()) };
        if let Err(error) = append(&mut open.file, &lines) {
            self.close();
            // What the lines mean to tracking files is not written either.
            self.tracks.clear();
            return Err(Unwritten::Records(error));
        }
        open.length += lines.len() as u64;
        tracked.and_then(|mut texts| self.write_texts(&mut texts)).map_err(Unwritten::Tracking)
    }

    /// Closes files that were removed or moved from the folder, since what is appended to them
    /// would be lost or in the wrong place.
    fn leave_removed(&mut self) {
        let path = |name: &Name| self.settings.folder.join(name.file());
        let is_there = |open: &Open| {
            let there = fs::symlink_metadata(path(&open.name));
            let (there, own) = (there.ok(), open.file.metadata().ok());
            let id = |about: fs::Metadata| (about.dev(), about.ino());
            there.map(id) == own.map(id)
        };
        if let Some(open) = self.open.as_ref().filter(|open| !is_there(open)) {
            tracing::error!(
                target: "tmr_runtime_std::daemon::history::files",
                "usage history: {} is not there any more: what it had is gone, if it was not kept \
                 elsewhere. A new file is begun", path(&open.name).display()
            );
            self.close();
        }
        self.tracks.retain(|_, track| self.settings.folder.join(track.name.file()).exists());
    }

    /// Makes the records durable that were written to the open file.
    ///
    /// # Errors
    /// A system error.
    pub fn sync(&mut self) -> io::Result<()> {
        self.open.as_ref().map_or(Ok(()), |open| open.file.sync_data())
    }

    /// Opens the file to write to: the next one if the last is full or of another month.
    fn turn(&mut self, now: Wall) -> io::Result<()> {
        let month = month_of(now);
        let fits = |name: &Name, length| name.month == month && length < self.settings.file;
        if self.open.as_ref().is_some_and(|open| fits(&open.name, open.length)) {
            return Ok(());
        }
        let first = self.open.is_none();
        let folder = self.folder().to_owned();
        make(&folder)?;
        let last = listed(&folder)?.into_iter().rfind(|name| name.firm_code.is_none());
        // The last file of an earlier process is continued.
        if let Some(name) = last.filter(|_| first) {
            let options = File::options().read(true).append(true).clone();
            let mut file = create::open(&folder.join(name.file()), &options)?;
            let length = whole_lines(&mut file)?;
            file.set_len(length)?;
            if fits(&name, length) {
                file.rewind()?;
                let refusals = Share::of(BufReader::new(&file))?;
                self.open = Some(Open { name, file, length, refusals });
                return Ok(());
            }
        }
        // What the last flush has not reached must not be lost with the power.
        self.sync()?;
        let count = self.take_left_out();
        let name = self.next(month.clone(), None)?;
        let mut file = new_file(&folder.join(name.file()))?;
        let lost = Record { kind: Kind::Lost, time: now, count, ..Record::default() };
        let line = if count > 0 { lost.line() } else { Vec::new() };
        append(&mut file, &line)?;
        let (length, refusals) = (line.len() as u64, Share::default());
        self.open = Some(Open { name, file, length, refusals });
        self.remove_most();
        Ok(())
    }

    fn next(&self, month: String, firm_code: Option<u32>) -> io::Result<Name> {
        let last = listed(self.folder())?.last().map_or(0, |name| name.number);
        Ok(Name { number: last + 1, month, firm_code })
    }

    /// Returns, once, how many refusals were left out of the open file.
    pub(super) fn take_left_out(&mut self) -> u64 {
        let open = self.open.as_mut().map_or(0, |open| open.refusals.take_left_out());
        std::mem::take(&mut self.left_out) + open
    }

    /// Closes the file that is written. The next one says how many refusals it left out.
    fn close(&mut self) {
        self.left_out = self.take_left_out();
        self.open = None;
    }

    /// Returns the files that are not written to any more, oldest first.
    fn closed(&self) -> Vec<Name> {
        let mut all = listed(self.folder()).unwrap_or_default();
        all.retain(|name| {
            let open = self.open.as_ref().is_some_and(|open| open.name == *name)
                || self.tracks.values().any(|track| track.name == *name);
            !open
        });
        all
    }

    /// Removes the files of the oldest month that is too old. The next month has its turn a day
    /// later.
    fn remove_late(&self, now: Wall) {
        let current = month_number(&month_of(now)).unwrap_or_default();
        let oldest = current.saturating_sub(self.settings.months);
        let closed = self.closed();
        let months: Vec<u32> =
            closed.iter().map(|name| month_number(&name.month).unwrap_or(u32::MAX)).collect();
        for index in too_old(&months, oldest, current) {
            self.remove(&closed[index], "its month is older than KeepMonths");
        }
    }

    /// Removes the oldest files until all together are small enough.
    fn remove_most(&self) {
        let length = |name: &Name| {
            fs::metadata(self.folder().join(name.file())).map_or(0, |about| about.len())
        };
        let all = listed(self.folder()).unwrap_or_default();
        let mut bytes: u64 = all.iter().map(length).sum();
        for name in self.closed() {
            if bytes <= self.settings.files {
                return;
            }
            bytes -= length(&name);
            self.remove(&name, "all files together are larger than MaxTotalSizeInMegabytes");
        }
    }

    /// Removes a file, and logs it.
    fn remove(&self, name: &Name, reason: &str) {
        let path = self.folder().join(name.file());
        match fs::remove_file(&path) {
            Ok(()) => tracing::info!(
                target: "tmr_runtime_std::daemon::history::files",
                "usage history: {} was removed: {reason}", path.display()
            ),
            Err(error) => {
                let words = words(&error);
                tracing::warn!(
                    target: "tmr_runtime_std::daemon::history::files",
                    "usage history: {} cannot be removed: {words}", path.display()
                );
            }
        }
    }

    /// Returns what the lines mean to the tracking files of their Firm Codes; begins new files
    /// where others are full.
    fn track(&mut self, lines: &[u8], now: Wall) -> io::Result<BTreeMap<u32, String>> {
        let begun = *self.begun.get_or_insert(now);
        let mut texts: BTreeMap<u32, String> = BTreeMap::new();
        for line in lines.split(|byte| *byte == b'\n') {
            let Ok(record) = Record::parse(line) else { continue };
            if let Some(server) = leading(&record) {
                self.server = server;
            }
            if record.kind == Kind::Started {
                self.write_texts(&mut texts)?;
                self.tracks.clear();
                self.started = Some(BTreeSet::new());
            }
            // Firm Codes without a licence here have no file, because clients may ask for any.
            let firm_code = record.firm_code;
            if firm_code == 0 || record.tmr_id == 0 {
                continue;
            }
            if !self.tracks.get(&firm_code).is_some_and(|track| self.fits(track, now)) {
                self.write_texts(&mut texts)?;
                let (track, header) = self.begin_track(firm_code, now, begun)?;
                self.tracks.insert(firm_code, track);
                texts.insert(firm_code, header);
            }
            let Some(track) = self.tracks.get_mut(&firm_code) else { continue };
            let text = texts.entry(firm_code).or_default();
            let before = text.len();
            track.tracking.write(&record, &self.server, text);
            track.length += (text.len() - before) as u64;
        }
        Ok(texts)
    }

    fn fits(&self, track: &Track, now: Wall) -> bool {
        track.name.month == month_of(now) && track.length < self.settings.file
    }

    fn begin_track(
        &mut self,
        firm_code: u32,
        now: Wall,
        begun: Wall,
    ) -> io::Result<(Track, String)> {
        let listed = listed(self.folder())?;
        let first = !listed.iter().any(|name| name.firm_code == Some(firm_code));
        let anew = self.started.as_mut().is_some_and(|told| told.insert(firm_code));
        let name = self.next(month_of(now), Some(firm_code))?;
        new_file(&self.folder().join(name.file()))?;
        let id = Tracking::logfile_id(begun);
        let header = Tracking::header(firm_code, &self.server, now, id, first || anew);
        let track = Track { name, length: header.len() as u64, tracking: Tracking::default() };
        Ok((track, header))
    }

    fn write_texts(&self, texts: &mut BTreeMap<u32, String>) -> io::Result<()> {
        for (firm_code, text) in std::mem::take(texts) {
            let Some(track) = self.tracks.get(&firm_code) else { continue };
            let path = self.folder().join(track.name.file());
            append(&mut create::open(&path, File::options().append(true))?, text.as_bytes())?;
        }
        Ok(())
    }

    /// Returns lines that follow a mark, one message's worth at most.
    ///
    /// # Errors
    /// A system error.
    pub fn after(&self, mark: Option<&Mark>) -> io::Result<Vec<u8>> {
        let names = names(self.folder())?;
        let mut from = 0;
        let is_upto = |id: Mark| mark.is_some_and(|mark| id.is_beside(mark) && id <= *mark);
        for (index, path) in names.iter().enumerate() {
            let mut first = Vec::new();
            lines_of(path)?.read_until(b'\n', &mut first)?;
            if id_of(&first).is_some_and(is_upto) {
                from = index;
            }
        }
        let mut block = Vec::new();
        for path in names.into_iter().skip(from) {
            let mut reader = lines_of(&path)?;
            let mut line = Vec::new();
            // Whether the mark has been passed.
            let mut past = mark.is_none();
            while reader.by_ref().take(HISTORY_LINE as u64).read_until(b'\n', &mut line)? > 0 {
                match id_of(&line) {
                    Some(id) if is_upto(id) => block.clear(),
                    Some(id) => {
                        past |= mark.is_some_and(|mark| id.is_beside(mark));
                        let full = block.len() + line.len() > HISTORY_BLOCK;
                        if full && past {
                            return Ok(block);
                        }
                        if !full {
                            block.extend_from_slice(&line);
                        }
                    }
                    None => {}
                }
                line.clear();
            }
            if block.len() >= HISTORY_BLOCK / 2 {
                break;
            }
        }
        Ok(block)
    }
}

/// Appends all bytes, or none of them as far as the system permits.
fn append(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let length = file.metadata()?.len();
    file.write_all(bytes).inspect_err(|_| _ = file.set_len(length))
}

fn lines_of(path: &Path) -> io::Result<BufReader<File>> {
    create::open(path, File::options().read(true)).map(BufReader::new)
}

/// Returns the mark of a whole line.
fn id_of(line: &[u8]) -> Option<Mark> {
    Some(line)
        .filter(|line| line.ends_with(b"\n"))
        .and_then(|line| Record::parse(line).ok())
        .map(|record| record.id)
        .filter(|id| *id != Mark::default())
}

/// Returns the front that begins to lead with this line.
fn leader(line: &[u8]) -> Option<Server> {
    // Lines of other kinds need not be parsed.
    const KINDS: [&[u8]; 2] = [b"\"kind\":\"leads\"", b"\"kind\":\"started\""];
    KINDS.iter().find(|kind| memchr::memmem::find(line, kind).is_some())?;
    leading(&Record::parse(line).ok()?)
}

/// Returns the front that begins to lead with this record.
fn leading(record: &Record) -> Option<Server> {
    let leads = matches!(record.kind, Kind::Leads | Kind::Started);
    let address = record.address.filter(|_| leads)?;
    Some(Server { name: record.host.clone(), address })
}

fn after_first_line(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1)
}

fn new_file(path: &Path) -> io::Result<File> {
    create::create(path, 0o640, File::options().append(true))
}

/// Returns the length of a file without an incomplete last line.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(HISTORY_LINE as u64);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    Ok(from + whole as u64)
}

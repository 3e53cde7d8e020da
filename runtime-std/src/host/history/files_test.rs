//! Tests of files that grow, rotate and are removed.

use super::{Files, Settings, names};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tmr_core::base::limits::HISTORY_BLOCK;
use tmr_core::base::time::{Mono, Now, Wall};
use tmr_core::history::{Kind, Mark, Record, Server};

/// 2026-11-21T19:00:00Z.
const NOW: Wall = Wall(1_795_287_600);
const MONTH: u64 = 31 * 24 * 60 * 60;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tmr-history-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn settings(&self, file: u64, files: u64) -> Settings {
        Settings { enabled: true, folder: self.0.clone(), file, files, months: 2 }
    }

    fn files(&self, file: u64, files: u64) -> Files {
        let settings = self.settings(file, files);
        let address = [192, 0, 2, 1].into();
        Files::new(settings, Server { name: "own".into(), address })
    }

    fn listed(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn mark(slot: usize) -> Mark {
    format!("00000001-1-00000002-{slot}-0").parse().unwrap()
}

fn record(slot: usize) -> Record {
    Record {
        id: mark(slot),
        time: NOW,
        kind: Kind::Access,
        firm_code: 10,
        product_code: 201,
        tmr_id: 1,
        handle: u32::try_from(slot).unwrap(),
        ..Record::default()
    }
}

/// Writes at a date that agrees with the monotonic clock.
fn write(files: &mut Files, records: &[Record], now: Wall) {
    let passed = std::time::Duration::from_secs(now.0 - NOW.0);
    write_at(files, records, Now { mono: Mono(0) + passed, wall: now });
}

fn write_at(files: &mut Files, records: &[Record], now: Now) {
    let lines: Vec<u8> = records.iter().flat_map(Record::line).collect();
    files.write(&lines, now).unwrap();
}

fn slots(lines: &[u8]) -> Vec<u32> {
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| Record::parse(line).unwrap().handle).collect()
}

fn read_back(path: &Path, most: u64) -> Vec<u32> {
    let settings =
        Settings { enabled: true, folder: path.to_owned(), file: 1, files: 1, months: 1 };
    let server = Server { name: "own".into(), address: [192, 0, 2, 1].into() };
    let mut all = Vec::new();
    Files::new(settings, server).read_back(most, |lines| all.extend(slots(lines))).unwrap();
    all
}

#[test]
fn a_file_is_followed_by_the_next_and_the_oldest_go() {
    let folder = Folder::new("turn");
    let line = record(1).line().len() as u64;
    let mut files = folder.files(line, 100 * line);
    write(&mut files, &[record(1)], NOW);
    write(&mut files, &[record(2)], NOW);
    let jsonl = |all: Vec<String>| all.into_iter().filter(|it| it.ends_with("jsonl"));
    let names_now: Vec<String> = jsonl(folder.listed()).collect();
    assert_eq!(names_now, ["usage-000001-2026-11.jsonl", "usage-000003-2026-11.jsonl"]);
    assert_eq!(read_back(&folder.0, u64::MAX), [1, 2]);
    assert_eq!(read_back(&folder.0, line), [2]);
    // A month later, and then so late that the first files are too old.
    write(&mut files, &[record(3)], Wall(NOW.0 + MONTH));
    assert_eq!(jsonl(folder.listed()).count(), 3);
    write(&mut files, &[record(4)], Wall(NOW.0 + 3 * MONTH));
    assert_eq!(read_back(&folder.0, u64::MAX), [3, 4]);
    // The files together are too large.
    let mut files = folder.files(line, 2 * line);
    write(&mut files, &[record(5)], Wall(NOW.0 + 3 * MONTH));
    assert_eq!(*read_back(&folder.0, u64::MAX).last().unwrap(), 5);
    assert!(jsonl(folder.listed()).count() <= 2, "{:?}", folder.listed());
}

#[test]
fn a_date_that_jumps_for_some_seconds_removes_nothing() {
    let folder = Folder::new("jump");
    let mut files = folder.files(1 << 20, 1 << 30);
    let hour = 60 * 60;
    let at = |hours: u64, wall: u64| Now { mono: Mono(hours * hour * 1_000_000), wall: Wall(wall) };
    write_at(&mut files, &[record(1)], at(0, NOW.0));
    write_at(&mut files, &[record(2)], at(30, NOW.0 + 30 * hour));
    let years = 24 * MONTH;
    for (slot, wall) in [(3, NOW.0 + years), (4, NOW.0 - years), (5, NOW.0 + 31 * hour)] {
        write_at(&mut files, &[record(slot)], at(31, wall));
    }
    for days in 1..5 {
        let hours = 31 + 25 * days;
        let slot = 5 + usize::try_from(days).unwrap();
        write_at(&mut files, &[record(slot)], at(hours, NOW.0 + hours * hour));
    }
    assert_eq!(read_back(&folder.0, u64::MAX), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    // Time that really passes removes them, except files whose month is ahead.
    for days in 100..103 {
        let hours = 25 * days;
        write_at(&mut files, &[record(1_000)], at(hours, NOW.0 + hours * hour));
    }
    assert_eq!(read_back(&folder.0, u64::MAX)[..2], [3, 1_000]);
}

#[test]
fn another_process_goes_on_behind_the_last_whole_line() {
    let folder = Folder::new("torn");
    let mut files = folder.files(1 << 20, 1 << 30);
    write(&mut files, &[record(1)], NOW);
    let path = names(&folder.0).unwrap().remove(0);
    let mut torn = fs::read(&path).unwrap();
    torn.extend(&record(2).line()[..20]);
    fs::write(&path, &torn).unwrap();
    let mut files = folder.files(1 << 20, 1 << 30);
    write(&mut files, &[record(3)], NOW);
    assert_eq!(read_back(&folder.0, u64::MAX), [1, 3]);
    assert_eq!(names(&folder.0).unwrap(), [path]);
    // Other files are not touched.
    fs::write(folder.0.join("usage-x.jsonl"), "not ours").unwrap();
    assert_eq!(names(&folder.0).unwrap().len(), 1);
}

#[test]
fn another_folder_is_gone_on_in_and_what_was_written_stays() {
    let (one, other) = (Folder::new("one"), Folder::new("other"));
    let (settings, moved) = (one.settings(1 << 20, 1 << 30), other.settings(1 << 20, 1 << 30));
    let mut files = one.files(1 << 20, 1 << 30);
    write(&mut files, &[record(1)], NOW);
    moved.prepare(&settings).unwrap();
    files.change(moved);
    write(&mut files, &[record(2)], NOW);
    assert_eq!((read_back(&one.0, u64::MAX), read_back(&other.0, u64::MAX)), (vec![1], vec![2]));
    assert_eq!(slots(&files.after(None).unwrap()), [2], "from the folder in force");
    // Back to the first folder with smaller files: the next line begins a new one.
    files.change(Settings { file: 1, ..settings.clone() });
    write(&mut files, &[record(3)], NOW);
    assert_eq!(read_back(&one.0, u64::MAX), [1, 3]);
    assert_eq!(names(&one.0).unwrap().len(), 2);
    // Other bounds alone keep the files open.
    files.change(settings.clone());
    write(&mut files, &[record(4)], NOW);
    assert_eq!(names(&one.0).unwrap().len(), 2);
    let tracks = |folder: &Folder| folder.listed().iter().filter(|it| it.ends_with("log")).count();
    assert_eq!((tracks(&one), tracks(&other)), (2, 1), "one for each time it began");

    // A path that cannot be a folder is detected, but is not checked if nothing is to be written.
    let file = names(&one.0).unwrap().remove(0);
    for folder in [file.clone(), file.join("below")] {
        let wrong = Settings { folder, ..settings.clone() };
        assert_eq!(wrong.prepare(&settings).unwrap_err().kind(), ErrorKind::NotADirectory);
        Settings { enabled: false, ..wrong }.prepare(&settings).unwrap();
    }
}

#[test]
fn tracking_files_say_once_that_the_set_up_has_started() {
    let folder = Folder::new("tracking");
    let mut files = folder.files(1 << 20, 1 << 30);
    let leads = Record {
        kind: Kind::Leads,
        host: "front-1".into(),
        address: Some([192, 0, 2, 42].into()),
        firm_code: 0,
        tmr_id: 0,
        ..record(1)
    };
    let unknown = Record { kind: Kind::Denied, firm_code: 99, tmr_id: 0, error: 200, ..record(2) };
    write(&mut files, &[leads.clone(), unknown, record(3)], NOW);
    // The next process, and a new group.
    let mut files = folder.files(1 << 20, 1 << 30);
    files.read_back(u64::MAX, |_| ()).unwrap();
    write(&mut files, &[record(4)], NOW);
    let born = Record { kind: Kind::Started, ..leads };
    write(&mut files, &[born, record(6), record(7)], NOW);
    let tracks: Vec<String> =
        folder.listed().into_iter().filter(|name| name.starts_with("tracking-")).collect();
    assert_eq!(tracks.len(), 3, "{tracks:?}");
    let lines = |index: usize| folder.text(&tracks[index]).lines().count();
    // Header, start of the group, licence, accesses.
    assert_eq!([lines(0), lines(1), lines(2)], [4, 3, 5]);
    let second = folder.text(&tracks[1]);
    assert!(second.contains("TmrServerName:\"front-1\", TmrServerIp:\"192.0.2.42\""), "{second}");
    assert!(!second.contains("CodeMeter_started"), "{second}");
    assert!(tracks.iter().all(|name| name.starts_with("tracking-10-")), "{tracks:?}");
}

#[test]
fn lines_that_follow_a_mark_are_read_back_in_blocks() {
    let folder = Folder::new("after");
    let mut files = folder.files(HISTORY_BLOCK as u64, 1 << 30);
    let long = |slot| Record { app_text: "x".repeat(1_000), ..record(slot) };
    let count = 1_000;
    for slot in 1..=count {
        write(&mut files, &[long(slot)], NOW);
    }
    assert!(names(&folder.0).unwrap().len() > 2);
    let mut seen = Vec::new();
    let mut mark = None;
    loop {
        let block = files.after(mark.as_ref()).unwrap();
        assert!(block.len() <= HISTORY_BLOCK);
        let next = slots(&block);
        let Some(&last) = next.last() else { break };
        seen.extend(next);
        mark = Some(self::mark(last as usize));
    }
    let all: Vec<u32> = (1..=u32::try_from(count).unwrap()).collect();
    assert_eq!(seen, all);
    // A mark of an unknown group: all lines are returned.
    let other: Mark = "00000009-1-00000002-5-0".parse().unwrap();
    assert_eq!(slots(&files.after(Some(&other)).unwrap())[0], 1);
}

#[test]
fn refusals_push_no_access_out_of_the_files_that_are_kept() {
    let folder = Folder::new("refusals");
    let at = |wall| Now { mono: Mono(0), wall };
    let mut files = folder.files(32_000, 128_000);
    let access = record(1).line();
    files.write(&access, at(NOW)).unwrap();
    for slot in 2..20_000 {
        let refused = Record { kind: Kind::Denied, ..record(slot) }.line();
        files.write(&refused, at(NOW)).unwrap();
    }
    let texts =
        || names(&folder.0).unwrap().into_iter().map(|path| fs::read_to_string(path).unwrap());
    let first: Vec<String> = texts().collect();
    assert!(first[0].as_bytes().starts_with(&access) && first.len() == 1, "{}", first.len());
    // The next file records how many lines are in no file.
    files.write(&record(20_000).line(), at(Wall(NOW.0 + MONTH))).unwrap();
    let kept = first[0].lines().count() - 1;
    let second = texts().nth(1).unwrap();
    let lost = Record::parse(second.lines().next().unwrap().as_bytes()).unwrap();
    assert_eq!((lost.kind, lost.count), (Kind::Lost, 19_998 - kept as u64));
}

#[test]
fn a_file_that_somebody_removed_or_moved_is_followed_by_a_new_one() {
    let folder = Folder::new("removed");
    let mut files = folder.files(1_000_000, 10_000_000);
    let now = Now { mono: Mono(0), wall: NOW };
    let write = |files: &mut Files, slot| files.write(&record(slot).line(), now).unwrap();
    write(&mut files, 1);
    let first = folder.listed();
    assert_eq!(first.len(), 2, "records, and what they mean to licence tracking: {first:?}");
    for name in &first {
        fs::remove_file(folder.0.join(name)).unwrap();
    }
    write(&mut files, 2);
    let second = folder.listed();
    assert_eq!(second.len(), 2, "{second:?}");
    let records = |names: &[String]| {
        let name = names.iter().find(|name| name.starts_with("usage-")).unwrap();
        folder.text(name)
    };
    assert_eq!(records(&second).as_bytes(), record(2).line());
    // The whole folder is moved away.
    let aside = folder.0.with_extension("aside");
    fs::rename(&folder.0, &aside).unwrap();
    write(&mut files, 3);
    fs::remove_dir_all(&aside).unwrap();
    assert_eq!(records(&folder.listed()).as_bytes(), record(3).line());
}

#[test]
fn refusals_that_a_removed_file_has_left_out_are_counted_in_the_next_one() {
    let folder = Folder::new("left-out");
    let mut files = folder.files(32_000, 128_000);
    let now = Now { mono: Mono(0), wall: NOW };
    for slot in 1..2_000 {
        let refused = Record { kind: Kind::Denied, ..record(slot) }.line();
        files.write(&refused, now).unwrap();
    }
    let path = names(&folder.0).unwrap().remove(0);
    let kept = fs::read_to_string(&path).unwrap().lines().count() as u64;
    fs::remove_file(&path).unwrap();
    files.write(&record(2_000).line(), now).unwrap();
    let next = fs::read_to_string(names(&folder.0).unwrap().remove(0)).unwrap();
    let lost = Record::parse(next.lines().next().unwrap().as_bytes()).unwrap();
    assert_eq!((lost.kind, lost.count), (Kind::Lost, 1_999 - kept));
}

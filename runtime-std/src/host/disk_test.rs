//! A kill at any step leaves the old file or the new one.

use crate::exit::Exit;
use crate::host::disk::{Folder, Journal};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use tmr_core::io::JournalWrite;

/// A path at which nothing exists; what a test creates there is removed at the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("tmr-disk-{}-{count}", std::process::id())))
    }

    fn open(&self) -> Folder {
        Folder::open(&self.0).unwrap()
    }

    fn journal(&self) -> Vec<u8> {
        fs::read(self.0.join("journal")).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_folder_is_one_process_s_at_a_time() {
    let place = Place::new();
    let first = place.open();
    assert_eq!(mode(&place.0), 0o700);
    let failure = Folder::open(&place.0).unwrap_err();
    assert_eq!(failure.exit, Exit::Failed);
    let owner = format!("process {}", std::process::id());
    assert!(failure.text.contains(&owner), "{failure}");
    drop(first);
    // A lock file may be left: only its lock counts.
    assert!(place.0.join("lock").exists());
    place.open();
}

#[test]
fn a_folder_that_is_a_file_is_refused() {
    let place = Place::new();
    fs::write(&place.0, "x").unwrap();
    let failure = Folder::open(&place.0).unwrap_err();
    assert!(failure.text.contains(place.0.to_str().unwrap()), "{failure}");
    fs::remove_file(&place.0).unwrap();
}

#[test]
fn what_was_written_is_there() {
    let place = Place::new();
    let folder = place.open();
    assert_eq!(folder.journal().unwrap(), None);
    let mut journal = folder.write_journal(0).unwrap();
    journal.write(&JournalWrite::Append(b"one ".to_vec())).unwrap();
    journal.write(&JournalWrite::Append(b"two ".to_vec())).unwrap();
    assert_eq!(place.journal(), b"one two ");
    assert_eq!(mode(&place.0.join("journal")), 0o600);
    journal.write(&JournalWrite::Rewrite(b"new ".to_vec())).unwrap();
    journal.write(&JournalWrite::Append(b"three".to_vec())).unwrap();
    assert_eq!(place.journal(), b"new three");
    drop(journal);

    let folder = place.open();
    assert_eq!(folder.journal().unwrap().as_deref(), Some(&b"new three"[..]));
    let mut journal = folder.write_journal(9).unwrap();
    journal.write(&JournalWrite::Append(b"!".to_vec())).unwrap();
    assert_eq!(place.journal(), b"new three!");
}

#[test]
fn a_torn_tail_is_cut_off_at_every_byte() {
    for keep in 0..=6 {
        let place = Place::new();
        let folder = place.open();
        fs::write(place.0.join("journal"), b"abcdef").unwrap();
        let mut journal = folder.write_journal(keep).unwrap();
        assert_eq!(place.journal(), b"abcdef"[..keep]);
        journal.write(&JournalWrite::Append(b"X".to_vec())).unwrap();
        assert_eq!(place.journal(), [&b"abcdef"[..keep], b"X"].concat());
    }
}

#[test]
fn an_interrupted_rewrite_leaves_the_old_journal() {
    for torn in [&b""[..], b"half of the n"] {
        let place = Place::new();
        let folder = place.open();
        fs::write(place.0.join("journal"), b"old").unwrap();
        // A kill after the first step: the new file was begun, and has not replaced the old one.
        fs::write(place.0.join("journal.new"), torn).unwrap();
        assert_eq!(folder.journal().unwrap().as_deref(), Some(&b"old"[..]));
        assert!(!place.0.join("journal.new").exists());
        let mut journal = folder.write_journal(3).unwrap();
        journal.write(&JournalWrite::Rewrite(b"whole".to_vec())).unwrap();
        assert_eq!(place.journal(), b"whole");
        assert!(!place.0.join("journal.new").exists());
    }
}

#[test]
fn a_flush_that_fails_is_an_error() {
    let place = Place::new();
    // This file accepts writes, and cannot be flushed.
    let nowhere = fs::File::options().write(true).open("/dev/null").unwrap();
    let mut journal = Journal::over(place.open(), nowhere);
    let error = journal.write(&JournalWrite::Append(b"lost".to_vec())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

#[test]
fn a_link_in_a_state_folder_is_not_followed() {
    let place = Place::new();
    let target = place.0.join("target");
    place.open();
    fs::write(&target, b"precious").unwrap();
    for name in ["journal", "journal.new", "lock"] {
        let path = place.0.join(name);
        let _ = fs::remove_file(&path);
        std::os::unix::fs::symlink(&target, &path).unwrap();
        match name {
            "lock" => assert!(Folder::open(&place.0).unwrap_err().text.contains("it is a link")),
            "journal" => {
                let folder = place.open();
                assert!(folder.journal().unwrap_err().text.contains("it is a link"));
                let failure = folder.write_journal(0).unwrap_err();
                assert!(failure.text.contains("it is a link"), "{failure}");
                fs::remove_file(&path).unwrap();
            }
            _ => {
                fs::write(place.0.join("journal"), b"old").unwrap();
                let mut journal = place.open().write_journal(3).unwrap();
                journal.write(&JournalWrite::Rewrite(b"new".to_vec())).unwrap();
                assert_eq!(place.journal(), b"new");
            }
        }
        assert_eq!(fs::read(&target).unwrap(), b"precious", "{name}");
    }
}

#[test]
fn a_write_that_the_disk_refuses_is_an_error() {
    let place = Place::new();
    let mut journal = place.open().write_journal(0).unwrap();
    // A folder is in the place of the new file.
    fs::create_dir(place.0.join("journal.new")).unwrap();
    assert!(journal.write(&JournalWrite::Rewrite(b"x".to_vec())).is_err());
    assert!(!place.0.join("journal").exists());
}

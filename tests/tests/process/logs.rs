//! The log on standard error, with and without the journal.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use tmr_tests::harness::{BackendLine, Program, Runtime, SEATS, TMR, Workshop, specification};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    lines_have_a_priority_in_the_journal_and_nowhere_else,
    a_standard_error_that_cannot_be_written_ends_nothing,
    a_version_has_a_name,
);

/// The stream that `JOURNAL_STREAM` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Nothing,
    StandardError,
    OtherInode,
    OtherDevice,
    Nonsense,
}

/// Runs a backend that logs warnings and errors and ends, with standard error in a file. Returns
/// that file and the log file.
fn said(workshop: &Workshop, named: Named, json: bool) -> (String, String) {
    let path = workshop.folder().join("standard-error");
    let log = workshop.folder().join("backend.log");
    let _ = fs::remove_file(&log);
    let file = File::create(&path).expect("a file can be made");
    let meta = file.metadata().expect("an open file has metadata");
    let (device, inode) = (meta.dev(), meta.ino());
    let line = BackendLine {
        licence: workshop.folder().join("nowhere.cmlic"),
        ..BackendLine::of(workshop, 1)
    };
    let mut command = workshop.program().command(line.arguments());
    command.arg("--log-file").arg(&log);
    command.args(["--log-format", if json { "json" } else { "text" }]);
    command.env("TMR_LOG", "no=level").env_remove("JOURNAL_STREAM").stderr(file);
    match named {
        Named::Nothing => {}
        Named::StandardError => _ = command.env("JOURNAL_STREAM", format!("{device}:{inode}")),
        Named::OtherInode => _ = command.env("JOURNAL_STREAM", format!("{device}:{}", inode + 1)),
        Named::OtherDevice => _ = command.env("JOURNAL_STREAM", format!("{}:{inode}", device + 1)),
        Named::Nonsense => _ = command.env("JOURNAL_STREAM", "1"),
    }
    let status = command.status().expect("the program was built, so it starts");
    assert_eq!(status.code(), Some(2), "{named:?}: there is no such licence");
    (fs::read_to_string(&path).expect("text"), fs::read_to_string(&log).expect("a log file"))
}

fn lines_have_a_priority_in_the_journal_and_nowhere_else(runtime: Runtime) {
    let workshop = Workshop::new(runtime, &specification(&[(TMR, SEATS)]));
    let open = Permissions::from_mode(0o644);
    fs::set_permissions(workshop.group_key(), open).expect("a file of our own");
    for json in [false, true] {
        let (journal, file) = said(&workshop, Named::StandardError, json);
        // TMR_LOG is invalid, other users may read the key, and the licence does not exist.
        for (prefix, part) in [("<3>", "no=level"), ("<4>", "mode 644"), ("<3>error: ", "nowhere")]
        {
            let lines: Vec<_> = journal.lines().filter(|line| line.contains(part)).collect();
            assert_eq!(lines.len(), 1, "{part}: {journal}");
            assert!(lines[0].starts_with(prefix), "{prefix}: {journal}");
        }
        for line in journal.lines() {
            assert!(["<3>", "<4>", "<6>"].iter().any(|it| line.starts_with(it)), "{line}");
        }
        let untimed = journal.lines().find(|line| line.contains("mode 644")).expect("a warning");
        assert_eq!(untimed.starts_with("<4> WARN"), !json, "the journal has the time: {untimed}");
        assert!(file.contains("mode 644") && !file.contains("<4>"), "{file}");

        for named in [Named::Nothing, Named::OtherInode, Named::OtherDevice, Named::Nonsense] {
            let (text, file) = said(&workshop, named, json);
            assert!(text.contains("mode 644") && text.contains("error: "), "{text}");
            let plain = text.lines().chain(file.lines()).all(|line| !line.starts_with('<'));
            assert!(plain, "{named:?}: {text}");
        }
    }
}

fn a_standard_error_that_cannot_be_written_ends_nothing(runtime: Runtime) {
    let workshop = Workshop::new(runtime, &specification(&[(TMR, SEATS)]));
    let line = BackendLine {
        licence: workshop.folder().join("nowhere.cmlic"),
        ..BackendLine::of(&workshop, 1)
    };
    let new_key = workshop.folder().join("new.key");
    let commands: [(Vec<OsString>, i32); 3] = [
        (line.arguments(), 2),
        (vec!["keygen".into(), new_key.clone().into()], 0),
        (vec!["status".into(), "--admin".into(), "http://127.0.0.1:1".into()], 4),
    ];
    for (arguments, code) in commands {
        let full = File::options().write(true).open("/dev/full").expect("Linux has it");
        let (reader, nobody_reads) = UnixStream::pair().expect("a pair of sockets");
        drop(reader);
        for standard_error in [Stdio::from(full), OwnedFd::from(nobody_reads).into()] {
            let _ = fs::remove_file(&new_key);
            let mut command = workshop.program().command(&arguments);
            let command = command.stdout(Stdio::null()).stderr(standard_error);
            let status = command.status().expect("the program was built");
            assert_eq!(status.code(), Some(code), "{arguments:?}");
        }
    }
}

fn a_version_has_a_name(runtime: Runtime) {
    let end = Program::of(runtime).run(["--version"]).expect(0);
    let expected = format!("{} {}\n", runtime.program_name(), env!("CARGO_PKG_VERSION"));
    assert_eq!(end.out, expected);
}

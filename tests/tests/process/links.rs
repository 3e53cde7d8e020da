//! Files are created anew and symbolic links are not followed. So a user who may write in a folder
//! cannot make a program write elsewhere, or read secret files.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tmr_tests::harness::{
    BackendLine, Cluster, FIRM_CODE, PASSWORD, Program, Runtime, Server, TMR, Workshop, get_json,
    missing, post_text, specification, take, until,
};
use tmr_tests::independent_client::{AccessRequest, Client};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_password_is_written_past_a_planted_link,
    a_password_file_keeps_its_owner_and_its_mode,
    a_licence_is_nobody_else_s_to_read,
    a_key_is_not_made_through_a_link,
    a_changed_configuration_is_written_past_a_planted_link,
    a_state_folder_with_planted_links_leads_nowhere,
);

/// The user id of `nobody`.
const NOBODY: u32 = 65_534;
/// The target of a stranger's link, which must not change.
const PRECIOUS: &str = "root:x:0:0\n";

/// Returns a file that must not be written, outside of the folder that strangers may write in.
fn precious(workshop: &Workshop) -> PathBuf {
    let path = workshop.folder().join("precious");
    fs::write(&path, PRECIOUS).unwrap();
    path
}

#[track_caller]
fn untouched(path: &Path) {
    assert_eq!(fs::read_to_string(path).unwrap(), PRECIOUS);
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn workshop(runtime: Runtime) -> Workshop {
    Workshop::new(runtime, &specification(&[(TMR, 3)]))
}

/// Runs `tmrd password FILE`, and returns its exit code.
fn set_password(program: &Program, file: &Path) -> i32 {
    let mut command = program.command(["password"]);
    command.arg(file).stdin(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    // A command that refuses reads nothing.
    let _ = writeln!(child.stdin.take().unwrap(), "{PASSWORD}");
    child.wait().unwrap().code().unwrap()
}

fn a_password_is_written_past_a_planted_link(runtime: Runtime) {
    let workshop = workshop(runtime);
    let target = precious(&workshop);
    let folder = workshop.folder().join("etc");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("admin.passwd");
    for name in ["admin.passwd.new", "admin.passwd"] {
        let _ = fs::remove_file(folder.join(name));
        symlink(&target, folder.join(name)).unwrap();
        let code = set_password(workshop.program(), &file);
        untouched(&target);
        if name == "admin.passwd" {
            assert_eq!(code, 2, "a link is no password file");
            continue;
        }
        assert_eq!(code, 0);
        let data = fs::symlink_metadata(&file).unwrap();
        assert!(data.is_file() && mode(&file) & 0o137 == 0, "{data:?}");
        assert!(fs::read_to_string(&file).unwrap().starts_with("operator:$argon2id"));
    }
    // A hard link to another user's file is not written through either.
    fs::remove_file(&file).unwrap();
    fs::hard_link(&target, folder.join("admin.passwd.new")).unwrap();
    assert_eq!(set_password(workshop.program(), &file), 0);
    untouched(&target);
    assert!(!folder.join("admin.passwd.new").exists());
}

fn a_password_file_keeps_its_owner_and_its_mode(runtime: Runtime) {
    let workshop = workshop(runtime);
    let file = workshop.folder().join("admin.passwd");
    assert_eq!(set_password(workshop.program(), &file), 0);
    chmod(&file, 0o600);
    assert_eq!(set_password(workshop.program(), &file), 0);
    assert_eq!(mode(&file), 0o600);
    chmod(&file, 0o440);
    assert_eq!(set_password(workshop.program(), &file), 0);
    assert_eq!(mode(&file), 0o440);
    if missing(rustix::process::geteuid().is_root(), "root, to give a file away") {
        return;
    }
    chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
    assert_eq!(set_password(workshop.program(), &file), 0);
    let data = fs::metadata(&file).unwrap();
    assert_eq!((data.uid(), data.gid(), mode(&file)), (NOBODY, NOBODY, 0o440));
    // The first file belongs to the group of the folder, which is the server's.
    let folder = workshop.folder().join("etc");
    fs::create_dir(&folder).unwrap();
    chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
    let file = folder.join("admin.passwd");
    assert_eq!(set_password(workshop.program(), &file), 0);
    let data = fs::metadata(&file).unwrap();
    assert_eq!((data.uid(), data.gid(), mode(&file)), (0, NOBODY, 0o640));
}

fn a_licence_is_nobody_else_s_to_read(runtime: Runtime) {
    let workshop = workshop(runtime);
    let target = precious(&workshop);
    let out = workshop.folder().join("open");
    fs::create_dir(&out).unwrap();
    chmod(&out, 0o777);
    // A stranger has prepared the folder: with a symbolic link, with a file that all users may
    // read, and with a hard link.
    symlink(&target, out.join("1.cmlic.new")).unwrap();
    for name in ["2.cmlic.new", "2.cmlic"] {
        fs::write(out.join(name), "").unwrap();
        chmod(&out.join(name), 0o666);
    }
    fs::hard_link(&target, out.join("3.cmlic.new")).unwrap();
    symlink(&target, out.join("3.cmlic")).unwrap();
    symlink(&target, out.join("issuer.pub.new")).unwrap();
    let watched = fs::File::open(out.join("2.cmlic.new")).unwrap();
    workshop.issue(&specification(&[(TMR, 3)]), "issuer", "open");
    untouched(&target);
    assert_eq!(watched.metadata().unwrap().len(), 0, "who has it open reads nothing");
    for part in 1..=3 {
        let path = out.join(format!("{part}.cmlic"));
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        assert!(!out.join(format!("{part}.cmlic.new")).exists());
    }
    assert_eq!(mode(&out.join("issuer.pub")), 0o644);
}

fn a_key_is_not_made_through_a_link(runtime: Runtime) {
    let workshop = workshop(runtime);
    let target = workshop.folder().join("elsewhere");
    let link = workshop.folder().join("planted.key");
    symlink(&target, &link).unwrap();
    workshop.program().run([Path::new("keygen"), &link]).expect(2);
    assert!(!target.exists());
    let key = workshop.folder().join("new.key");
    workshop.program().run([Path::new("keygen"), &key]).expect(0);
    assert_eq!(mode(&key), 0o600);
}

fn a_changed_configuration_is_written_past_a_planted_link(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let target = precious(cluster.workshop());
    cluster.set_password(0, "operator", PASSWORD);
    let admin = cluster.front().admin();
    let file = cluster.workshop().folder().join("tmrconf-0.json");
    chmod(&file, 0o640);
    symlink(&target, cluster.workshop().folder().join("tmrconf-0.json.new")).unwrap();
    let shown = get_json(admin, "/api/config").unwrap();
    let text = shown["text"].as_str().unwrap();
    assert_eq!(post_text(admin, "/api/config", text).unwrap().0, 200);
    untouched(&target);
    let written: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!((&written["TmrServer"]["Revision"], mode(&file)), (&1.into(), 0o640));
}

fn a_state_folder_with_planted_links_leads_nowhere(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let target = precious(cluster.workshop());
    cluster.set_password(0, "operator", PASSWORD);
    // A front serves although its file for keepalived and its record of changes cannot be written.
    cluster.fronts[0].kill();
    let state = cluster.workshop().folder().join("front-0");
    for name in ["give-away", "audit.jsonl"] {
        let _ = fs::remove_file(state.join(name));
        symlink(&target, state.join(name)).unwrap();
    }
    cluster.restart_front(0);
    cluster.activate(0);
    cluster.wait_whole(0);
    let admin = cluster.front().admin();
    let shown = get_json(admin, "/api/config").unwrap();
    assert_eq!(post_text(admin, "/api/config", shown["text"].as_str().unwrap()).unwrap().0, 200);
    let logged = |name: &str| cluster.front().log_text().contains(name).then_some(());
    until("a line about the record", || logged("audit.jsonl: "));
    until("a line about give-away", || logged("give-away: "));
    untouched(&target);
    take(&mut cluster.client(), &AccessRequest::new(FIRM_CODE, TMR))
        .unwrap()
        .expect("a seat is free");

    // A backend does not start if its lock or its journal is a link to another file.
    for name in ["lock", "journal", "journal.new"] {
        let mut line = BackendLine::of(cluster.workshop(), 1);
        line.state = cluster.workshop().folder().join(format!("state-with-{name}"));
        fs::create_dir(&line.state).unwrap();
        symlink(&target, line.state.join(name)).unwrap();
        let folder = cluster.workshop().folder();
        match Server::start(name, folder, cluster.program(), &line.arguments()) {
            Ok(server) => {
                assert_eq!(name, "journal.new", "what an interrupted rewrite has left is removed");
                drop(Client::connect(server.licence()).unwrap());
            }
            Err(end) => end.one_clear_error(&[line.state.join(name).to_str().unwrap()]),
        }
        untouched(&target);
    }
}

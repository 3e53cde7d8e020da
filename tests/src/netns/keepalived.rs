//! keepalived, run with the configuration that is shipped.

use super::space::Space;
use crate::harness::{freeze, guardian, signal, until};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The shipped files.
const DIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../runtime-std/dist");

/// The values that an operator adapts in the blueprint, and the paths of its files here.
#[derive(Clone, Debug)]
pub struct Adapted {
    /// `router_id`
    pub name: String,
    /// `priority`
    pub priority: u8,
    /// `advert_int`, in seconds.
    pub advert: String,
    /// Replaces `/usr/bin/tmrd`.
    pub program: PathBuf,
    /// Replaces `/usr/share/tmrd`, which has the scripts.
    pub scripts: PathBuf,
    /// Replaces `/var/lib/tmrd/front`.
    pub state: PathBuf,
}

/// The user and the group of scripts if no package has made a group.
const SCRIPT_USER: &str = "script_user nobody nogroup";

impl Adapted {
    /// The configuration of one machine. Everything in the blueprint is in it.
    ///
    /// # Panics
    /// The blueprint has not what is to be adapted.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = fs::read_to_string(Path::new(DIST).join("keepalived.conf"))
            .expect("the blueprint is there");
        let path = |path: &Path| path.to_str().expect("paths of tests are text").to_owned();
        for (old, new) in [
            ("router_id tmr_front_a", format!("router_id {}", self.name)),
            ("priority 250", format!("priority {}", self.priority)),
            ("advert_int 1\n", format!("advert_int {}\n", self.advert)),
            // The package makes the group.
            ("script_user nobody tmrd", SCRIPT_USER.into()),
            ("/usr/bin/tmrd", path(&self.program)),
            ("/usr/share/tmrd", path(&self.scripts)),
            ("/var/lib/tmrd/front", path(&self.state)),
        ] {
            assert!(text.contains(old), "the blueprint has no {old}");
            text = text.replace(old, &new);
        }
        text
    }

    /// What of it is for IPv4, which the networks here have. No systemd is there to say that a
    /// front's process has ended: that is noticed by `tmr_status`.
    ///
    /// # Panics
    /// The blueprint has not what is to be left out.
    #[must_use]
    pub fn text_for_a_namespace(&self) -> String {
        let mut text = self.text();
        text = without(&text, "vrrp_instance tmr_IPv6 {");
        let member = "        tmr_IPv6\n";
        assert!(text.contains(member), "the blueprint's group has no tmr_IPv6");
        text.replace(member, "")
    }
}

/// Puts the scripts that are shipped into a folder, pointing at this program.
///
/// # Panics
/// They cannot be written.
pub fn put_scripts(folder: &Path, program: &Path) {
    let program = program.to_str().expect("paths of tests are text");
    for name in ["tmr_status", "tmr_manual_failover"] {
        let text = fs::read_to_string(Path::new(DIST).join(name)).expect("it is shipped");
        assert!(text.contains("/usr/bin/tmrd"), "{name} runs something else");
        let path = folder.join(name);
        fs::write(&path, text.replace("/usr/bin/tmrd", program)).expect("a script can be written");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("our own file");
    }
}

/// Returns a text without the block with this beginning, up to the brace in the same column.
fn without(text: &str, begin: &str) -> String {
    let (before, block) = text.split_once(begin).unwrap_or_else(|| panic!("no {begin}"));
    let column = begin.len() - begin.trim_start().len();
    let end = format!("\n{}}}\n", " ".repeat(column));
    let (_, after) = block.split_once(&end).expect("a block has an end");
    format!("{before}{after}")
}

/// keepalived's own check of a configuration: exit code and what it writes.
///
/// Version 2.2.7 ends itself with SIGTERM where scripts are run as another user than its own:
/// after looking at a script as that user it makes sure that its parent is still there, and takes
/// itself for the child process that it is not with `-t`. So the scripts' user is root here.
///
/// # Panics
/// It cannot be started.
#[must_use]
pub fn check(space: &Space, folder: &Path, text: &str) -> (Option<i32>, String) {
    assert!(text.contains(SCRIPT_USER), "no {SCRIPT_USER}: {text}");
    let file = folder.join("check.conf");
    fs::write(&file, text.replace(SCRIPT_USER, "script_user root"))
        .expect("a configuration is written");
    space.inside(|| {
        let mut command = Command::new("keepalived");
        command.arg("-t").arg("-f").arg(&file).stdin(Stdio::null());
        let Output { status, stdout, stderr } = command.output().expect("keepalived starts");
        let said = [stdout, stderr].concat();
        (status.code(), String::from_utf8_lossy(&said).into_owned())
    })
}

/// A running keepalived: a parent and the child that speaks VRRP. Dropping it kills both.
#[derive(Debug)]
pub struct Keepalived {
    space: Space,
    folder: PathBuf,
    name: String,
    child: Option<Child>,
    speaker: u32,
}

impl Keepalived {
    /// Starts it on a machine; its files are in the folder.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn start(space: &Space, folder: &Path, adapted: &Adapted) -> Self {
        let mut this = Self {
            space: space.clone(),
            folder: folder.into(),
            name: adapted.name.clone(),
            child: None,
            speaker: 0,
        };
        fs::write(this.file("conf"), adapted.text_for_a_namespace()).expect("a configuration");
        this.restart();
        this
    }

    fn file(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("{}.{kind}", self.name))
    }

    /// Starts it again after [`kill`](Self::kill).
    ///
    /// # Panics
    /// It does not start.
    pub fn restart(&mut self) {
        let _ = fs::remove_file(self.file("vrrp.pid"));
        let log = File::options().create(true).append(true).open(self.file("log"));
        let log = log.expect("a log can be written");
        let mut command = Command::new("keepalived");
        command.args(["-n", "-P", "-l", "-D", "--no-syslog", "-f"]).arg(self.file("conf"));
        command.arg("-p").arg(self.file("pid")).arg("-r").arg(self.file("vrrp.pid"));
        command.stdin(Stdio::null()).stderr(log.try_clone().expect("a second handle")).stdout(log);
        let child = self.space.inside(|| command.spawn().expect("keepalived starts"));
        guardian::watch(child.id());
        self.child = Some(child);
        self.speaker = until("keepalived to say its number", || {
            fs::read_to_string(self.file("vrrp.pid")).ok()?.trim().parse().ok()
        });
        guardian::watch(self.speaker);
    }

    /// Calls its group something else, from its next start on.
    ///
    /// # Panics
    /// Its configuration has no group.
    pub fn rename_group(&self) {
        let text = fs::read_to_string(self.file("conf")).expect("its configuration is there");
        let renamed = text.replace("vrrp_sync_group tmr {", "vrrp_sync_group renamed {");
        assert_ne!(text, renamed, "the group of the blueprint");
        fs::write(self.file("conf"), renamed).expect("a configuration can be written");
    }

    /// Kills both its processes. The child is stopped first, because it would be signalled at its
    /// parent's end and clean up.
    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pids: Vec<u32> = [child.id(), self.speaker]
            .into_iter()
            .filter(|pid| Path::new("/proc").join(pid.to_string()).exists())
            .collect();
        if pids.contains(&self.speaker) {
            freeze(self.speaker);
        }
        signal("KILL", &pids);
        child.wait().expect("a child of our own can be waited for");
        for pid in [child.id(), self.speaker] {
            guardian::forget(pid);
        }
    }

    /// Returns whether its last log line about its state is that it is a backup, ready to take the
    /// address.
    #[must_use]
    pub fn is_backup(&self) -> bool {
        let log = self.log();
        let states = log.lines().filter_map(|line| line.split_once("(tmr_IPv4) ")?.1.into());
        let entered = |said: &str| {
            let said = said.to_ascii_lowercase();
            said.starts_with("entering ") && said.contains(" state")
        };
        let last: Option<&str> = states.rev().find(|said: &&str| entered(said));
        last.is_some_and(|said| said.to_ascii_lowercase().contains("backup"))
    }

    /// Returns its log.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }
}

impl Drop for Keepalived {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(30)..];
            eprintln!("--- keepalived {}:\n{}", self.name, tail.join("\n"));
        }
    }
}

//! Examines this machine: files, ports, clock, addresses, keepalived's process. It works without
//! root, and reports what only root may see as unseen.

use super::finding::Findings;
use crate::exit::words;
use rustix::fs::{Access, access, statvfs};
use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use tmr_core::base::limits::{CLIENT_LINKS_MAX, FILES_RESERVED, ROOM_LEAST, ROOM_LOW};
use tmr_core::base::network::Address;

/// Ports below this one need a capability.
const PRIVILEGED: u16 = 1024;

/// Examines the group key's file.
pub(super) fn group_key(path: &Path, read: Result<(), String>, findings: &mut Findings) {
    let topic = "group key";
    if let Err(failure) = read {
        let todo = "copy the group key of the other machines there; as the user of tmrd, or as root, \
                    this command can read it";
        return findings.problem(topic, failure, todo);
    }
    let mode = fs::metadata(path).map_or(0, |it| it.permissions().mode() & 0o777);
    if mode & 0o077 == 0 {
        findings.ok(topic, format!("{} is there, for its owner alone", path.display()));
    } else {
        let what = format!("{}: others may read this key (mode {mode:03o})", path.display());
        findings.problem(topic, what, &format!("chmod 600 {}", path.display()));
    }
}

/// Examines the state folder of the front.
pub(super) fn state(path: &Path, findings: &mut Findings) {
    let (topic, shown) = ("state folder", path.display());
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let what = format!("{shown} is not there");
            let todo = "nothing, if the front was never started; else name its folder with --state";
            return findings.warning(topic, what, todo);
        }
        Err(error) => {
            let what = format!("{shown} cannot be looked at: {}", words(&error));
            return findings.warning(
                topic,
                what,
                "run this command as root, or as the user of tmrd",
            );
        }
        Ok(found) if !found.is_dir() => {
            let what = format!("{shown} is no folder");
            return findings.problem(
                topic,
                what,
                "put it out of the way: the front makes a folder",
            );
        }
        Ok(_) => {}
    }
    if access(path, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let what = format!("{shown} cannot be written by the user of this command");
        let todo = "nothing, if that is not the user of tmrd; else give it to that user";
        findings.warning(topic, what, todo);
    }
    let free = statvfs(path).map(|it| it.f_bavail.saturating_mul(it.f_frsize));
    room(&shown.to_string(), free.unwrap_or(u64::MAX), findings);
}

fn room(shown: &str, free: u64, findings: &mut Findings) {
    let (topic, megabytes) = ("state folder", free >> 20);
    let what = format!("{shown} has {megabytes} MiB of free space");
    let todo = "make room on that disk: a front writes its history and its log there";
    match free {
        free if free < ROOM_LEAST => findings.problem(topic, what, todo),
        free if free < ROOM_LOW => findings.warning(topic, what, todo),
        _ => findings.ok(topic, what),
    }
}

/// Examines how many files the front's process may have open.
pub(super) fn files(most: Option<u64>, findings: &mut Findings) {
    let topic = "open files";
    let Some(most) = most else { return };
    let (most, wanted) =
        (usize::try_from(most).unwrap_or(usize::MAX), CLIENT_LINKS_MAX + FILES_RESERVED);
    if most >= wanted {
        return findings.ok(topic, format!("the front may have {most} files open"));
    }
    let clients = most.saturating_sub(FILES_RESERVED);
    let what = format!(
        "the front may have {most} files open: room for {clients} clients, not {CLIENT_LINKS_MAX}"
    );
    findings.warning(topic, what, "raise LimitNOFILE in the unit (systemctl edit tmrd-front)");
}

/// Examines the ports of a front that does not run.
pub(super) fn ports(listeners: &[(&str, &Address)], findings: &mut Findings) {
    let topic = "ports";
    for (key, at) in listeners {
        if at.port == 0 {
            continue;
        }
        privileged(key, at, findings);
        let Err(error) = TcpListener::bind((at.host.as_str(), at.port)) else {
            findings.ok(topic, format!("{at} ({key}) is free"));
            continue;
        };
        match error.kind() {
            ErrorKind::AddrInUse => {
                let owner = owner(at.port).map(|name| format!(": {name}")).unwrap_or_default();
                let what = format!("{at} ({key}) is used by another program{owner}");
                findings.problem(topic, what, "stop that program, or choose another port");
            }
            ErrorKind::AddrNotAvailable => {
                let what = format!("{at} ({key}) is no address of this machine");
                findings.problem(topic, what, "put an address of this machine there, or 0.0.0.0");
            }
            ErrorKind::PermissionDenied => {}
            _ => {
                let what = format!("{at} ({key}) cannot be listened on: {}", words(&error));
                findings.problem(topic, what, "put an address of this machine there");
            }
        }
    }
}

/// Adds a finding for a port that needs a capability.
pub(super) fn privileged(key: &str, at: &Address, findings: &mut Findings) {
    if (1..PRIVILEGED).contains(&at.port) {
        let what =
            format!("{at} ({key}) is a port below {PRIVILEGED}, which needs a right of its own");
        let todo = "give the unit AmbientCapabilities=CAP_NET_BIND_SERVICE, or choose another port";
        findings.warning("ports", what, todo);
    }
}

/// Returns the program that listens on a port, as far as this user may see it.
fn owner(port: u16) -> Option<String> {
    let wanted = format!(":{port:04X}");
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        let text = fs::read_to_string(table).ok()?;
        text.lines().find_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let listens = words.get(1)?.ends_with(&wanted) && *words.get(3)? == "0A";
            listens.then(|| words.get(9).map(ToString::to_string)).flatten()
        })
    })?;
    let socket = format!("socket:[{inode}]");
    processes().find_map(|(process, name)| {
        let files = fs::read_dir(format!("/proc/{process}/fd")).ok()?;
        let mut links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
        links
            .any(|link| link.as_os_str() == socket.as_str())
            .then(|| format!("{name}, process {process}"))
    })
}

/// Returns the processes with their names.
fn processes() -> impl Iterator<Item = (u32, String)> {
    let all = fs::read_dir("/proc").into_iter().flatten();
    all.filter_map(|entry| {
        let process = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
        Some((process, name.trim_end().to_owned()))
    })
}

/// Examines whether keepalived runs.
pub(super) fn keepalived_runs(findings: &mut Findings) {
    if processes().any(|(_, name)| name == "keepalived") {
        findings.ok("keepalived", "it runs");
    } else {
        let what = "it does not run: no machine gets the virtual address from here";
        findings.problem("keepalived", what, "systemctl enable --now keepalived");
    }
}

/// Returns the network interfaces of this machine.
pub(super) fn interfaces() -> Vec<String> {
    let all = fs::read_dir("/sys/class/net").into_iter().flatten();
    all.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

/// Returns the addresses of this machine.
pub(super) fn addresses() -> Vec<IpAddr> {
    if_addrs::get_if_addrs()
        .map_or_else(|_| Vec::new(), |all| all.iter().map(|it| it.ip()).collect())
}

/// Returns whether a time service sets the system's clock; `None`: unknown.
pub(super) fn clock_is_set() -> Option<bool> {
    let out = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .output()
        .ok()?;
    match String::from_utf8_lossy(&out.stdout).trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// Adds the finding about the clock.
pub(super) fn clock(set: Option<bool>, findings: &mut Findings) {
    let topic = "clocks";
    let reason = "seats do not depend on it; the ends of licences and the times in logs do";
    match set {
        Some(true) => findings.ok(topic, "this machine's clock is synchronised"),
        Some(false) => {
            let what = format!("this machine's clock is not synchronised: {reason}");
            findings.warning(topic, what, "run a time service (chrony, systemd-timesyncd)");
        }
        None => {
            let what = format!(
                "whether this machine's clock is synchronised cannot be seen here: {reason}"
            );
            findings.warning(
                topic,
                what,
                "see that a time service runs (chrony, systemd-timesyncd)",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level::{Ok as Fine, Problem, Warning};
    use super::*;

    fn found(look: impl FnOnce(&mut Findings)) -> Findings {
        let mut findings = Findings::default();
        look(&mut findings);
        findings
    }

    fn scratch(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("tmr-doctor-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn a_group_key_is_for_its_owner_alone() {
        let folder = scratch("key");
        let key = folder.join("key");
        fs::write(&key, "x").unwrap();
        let look = |mode: u32, read: Result<(), String>| {
            fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
            found(|findings| group_key(&key, read, findings))
        };
        look(0o600, Ok(())).has(Fine, &["owner alone"]);
        look(0o640, Ok(())).has(Problem, &["others may read", "640"]);
        look(0o600, Err("it is not there".into())).has(Problem, &["not there"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_state_folder_is_there_and_has_room() {
        let folder = scratch("state");
        let file = folder.join("file");
        fs::write(&file, "x").unwrap();
        found(|findings| state(&folder.join("none"), findings)).has(Warning, &["is not there"]);
        found(|findings| state(&file, findings)).has(Problem, &["no folder"]);
        found(|findings| state(&file.join("in"), findings)).has(Warning, &["cannot be looked at"]);
        found(|findings| room("f", ROOM_LOW, findings)).has(Fine, &["256 MiB"]);
        found(|findings| room("f", ROOM_LOW - 1, findings)).has(Warning, &["255 MiB"]);
        found(|findings| room("f", ROOM_LEAST - 1, findings)).has(Problem, &["31 MiB"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn few_files_are_few_clients() {
        found(|findings| files(Some(1_048_576), findings)).has(Fine, &["1048576"]);
        found(|findings| files(Some(1_024), findings)).has(Warning, &["room for 768 clients"]);
        assert!(found(|findings| files(None, findings)).0.is_empty());
    }

    #[test]
    fn a_port_is_free_or_somebody_has_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = |host: &str, port| Address { host: host.into(), port };
        let port = listener.local_addr().unwrap().port();
        let taken = found(|findings| ports(&[("TmrServer", &at("127.0.0.1", port))], findings));
        taken.has(Problem, &["used by another program", &std::process::id().to_string()]);
        drop(listener);
        found(|findings| ports(&[("TmrServer", &at("127.0.0.1", port))], findings))
            .has(Fine, &["is free"]);
        found(|findings| ports(&[("WebAdmin", &at("192.0.2.1", port))], findings))
            .has(Problem, &["no address of this machine"]);
        found(|findings| privileged("TmrServer", &at("127.0.0.1", 80), findings))
            .has(Warning, &["below 1024"]);
        found(|findings| ports(&[("TmrServer", &at("no host", 22350))], findings))
            .has(Problem, &["cannot be listened on"]);
    }

    #[test]
    fn a_clock_is_synchronised_or_not_or_it_cannot_be_seen() {
        found(|findings| clock(Some(true), findings)).has(Fine, &["is synchronised"]);
        found(|findings| clock(Some(false), findings)).has(Warning, &["is not synchronised"]);
        found(|findings| clock(None, findings)).has(Warning, &["cannot be seen"]);
    }
}

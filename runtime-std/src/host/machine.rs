//! The Unix socket for programs of this machine: keepalived's scripts, the package, the command
//! line. It answers independently of ports, addresses, certificates and floods. The system decides
//! who may open it: root, the user of the server, and the members of its group.
//!
//! What never lives here: the requests on it (HTTP, as at the admin port).

use crate::exit::words;
use crate::host::files::shown;
use crate::host::node_setup::EventSink;
use crate::reactor::listeners::Listeners;
use crate::reactor::machine_listener::MachineListener;
use crate::sync::lock;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fs, thread};
use tmr_core::base::server_files::{Misplaced, Place};
use tmr_core::io::HostEvent;
use tmr_core::link::Listener;

/// The name of the socket in its folder.
pub const SOCKET: &str = "admin.sock";
/// The sockets of a front and of a backend under the packages' units.
pub const USUAL: [&str; 2] = ["/run/tmrd-front/admin.sock", "/run/tmrd-backend/admin.sock"];
/// The variable with the folder that systemd has made for a unit.
pub const RUNTIME_FOLDER: &str = "RUNTIME_DIRECTORY";
/// The pause between two checks that the socket is there.
const LOOK: Duration = Duration::from_secs(5);
/// The suffix of a socket that is being made.
const NEW: &str = ".new";
/// The most bytes of a socket's path: 108 with the zero at its end.
const PATH_MAX: usize = 107;
/// Read and write for the user and the group of the server.
const MODE: u32 = 0o660;

/// Removes the socket's file when the process ends.
#[derive(Clone, Debug, Default)]
pub struct SocketCleanup(Arc<Mutex<Left>>);

#[derive(Debug, Default)]
struct Left {
    /// `None`: the socket could not be made.
    file: Option<File>,
    /// Whether the process ends.
    ended: bool,
}

/// A file with its device and inode, which differ for another file at its path.
#[derive(Debug)]
struct File {
    path: PathBuf,
    number: (u64, u64),
}

/// Watches the socket while the server runs, and makes another one if it was removed.
#[derive(Debug)]
pub struct Watch {
    /// The socket of the start; `None`: it could not be opened.
    pub(super) machine: Option<MachineListener>,
    cleanup: SocketCleanup,
    /// The folders that it may be in, in order of preference.
    folders: Vec<PathBuf>,
}

impl Watch {
    /// Opens the socket, and watches the folders in which it belongs.
    #[must_use]
    pub fn open(state: &Path, cleanup: &SocketCleanup) -> Self {
        let machine = open(state, cleanup);
        Self { machine, cleanup: cleanup.clone(), folders: folders(state) }
    }

    /// Watches it until the process ends. An error is logged once, and reported to the node.
    pub(super) fn serve(self, listeners: &Listeners, tell: &EventSink) {
        let mut said = String::new();
        loop {
            let opened = self.look().and_then(|machine| match machine {
                Some(machine) => listeners.swap(vec![(Listener::Machine, machine)]),
                None => Ok(()),
            });
            let trouble = opened.err().map(|error| words(&error)).unwrap_or_default();
            if trouble != said {
                let path = self.path();
                if !trouble.is_empty() {
                    tracing::warn!(
                        target: "tmr_runtime_std::daemon::machine",
                        "the machine's own socket, {path}, cannot be made: {trouble}"
                    );
                }
                let what = Some(trouble.clone()).filter(|trouble| !trouble.is_empty());
                let found = what.map(|what| Misplaced { path, what });
                tell(HostEvent::Misplaced { place: Place::Socket, found });
            }
            said = trouble;
            thread::sleep(LOOK);
        }
    }

    /// Returns the path of the socket, or the first that was tried.
    fn path(&self) -> String {
        let left = lock(&self.cleanup.0);
        let own = left.file.as_ref().map(|file| file.path.clone());
        let first = || self.folders.first().map(|folder| folder.join(SOCKET));
        shown(&own.or_else(first).unwrap_or_default())
    }

    /// Makes another socket if the opened one is gone, or none could be opened; `None`: it is
    /// there.
    fn look(&self) -> io::Result<Option<MachineListener>> {
        let mut left = lock(&self.cleanup.0);
        if left.ended {
            return Ok(None);
        }
        let Some(own) = left.file.as_mut() else {
            let mut error = None;
            for folder in &self.folders {
                match listen(&folder.join(SOCKET)) {
                    Ok(machine) => {
                        let path = machine.path.clone();
                        tracing::info!(
                            target: "tmr_runtime_std::daemon::machine",
                            "the machine itself comes in by {}", path.display()
                        );
                        left.file = Some(File { number: number(&path)?, path });
                        return Ok(Some(machine));
                    }
                    Err(failed) => error = error.or(Some(failed)),
                }
            }
            return error.map_or(Ok(None), Err);
        };
        if number(&own.path).is_ok_and(|there| there == own.number) {
            return Ok(None);
        }
        let machine = listen(&own.path)?;
        own.number = number(&own.path)?;
        tracing::warn!(
            target: "tmr_runtime_std::daemon::machine",
            "{}: it was removed, and is made anew", own.path.display()
        );
        Ok(Some(machine))
    }
}

/// Opens the socket of a server in the folder that systemd has made for it, or else in its state
/// folder, which no other process uses. A server without a socket serves all the same; the error is
/// logged.
fn open(state: &Path, cleanup: &SocketCleanup) -> Option<MachineListener> {
    for folder in folders(state) {
        let path = folder.join(SOCKET);
        match listen(&path) {
            Ok(machine) => {
                tracing::debug!(
                    target: "tmr_runtime_std::daemon::machine",
                    "the machine itself comes in by {}", path.display()
                );
                lock(&cleanup.0).file = number(&path).ok().map(|number| File { path, number });
                return Some(machine);
            }
            Err(error) => tracing::warn!(
                target: "tmr_runtime_std::daemon::machine",
                "the machine itself cannot come in by {}: {}; what needs it has to use the admin port",
                path.display(),
                words(&error)
            ),
        }
    }
    None
}

/// Listens at a path. A socket of an ended process is replaced; one that answers is not.
fn listen(path: &Path) -> io::Result<MachineListener> {
    let mut new = path.as_os_str().to_owned();
    new.push(NEW);
    if new.len() > PATH_MAX {
        let (is, most) = (path.as_os_str().len(), PATH_MAX - NEW.len());
        let text = format!(
            "this path has {is} bytes, and a socket's has {most} at most; right would be a shorter \
             state folder"
        );
        return Err(io::Error::new(ErrorKind::InvalidInput, text));
    }
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(data) if !data.file_type().is_socket() => {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "something else is there"));
        }
        Ok(_) if answers(path) => {
            return Err(io::Error::new(ErrorKind::AddrInUse, "another server answers there"));
        }
        Ok(_) => {}
    }
    // It gets its path only after its mode.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&new)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(MODE))?;
    fs::rename(&new, path)?;
    Ok(MachineListener { listener, path: path.to_owned() })
}

impl SocketCleanup {
    /// Removes the file, unless another one has taken its place.
    pub fn remove(&self) {
        let mut left = lock(&self.0);
        left.ended = true;
        let Some(file) = left.file.take() else { return };
        if number(&file.path).is_ok_and(|there| there == file.number) {
            // It does not exist if its folder is gone.
            let _ = fs::remove_file(&file.path);
        }
    }
}

fn number(path: &Path) -> io::Result<(u64, u64)> {
    let data = fs::symlink_metadata(path)?;
    Ok((data.dev(), data.ino()))
}

/// Returns where the socket may be: in the folder that systemd has made for this server, or else in
/// its state folder.
fn folders(state: &Path) -> Vec<PathBuf> {
    runtime_folder().into_iter().chain([state.to_owned()]).collect()
}

/// Returns the folder that systemd has made for this server.
fn runtime_folder() -> Option<PathBuf> {
    let folders = std::env::var(RUNTIME_FOLDER).ok()?;
    let first = folders.split(':').next().filter(|folder| !folder.is_empty())?;
    Some(PathBuf::from(first))
}

/// Returns whether a server listens there, also one that is busy or hangs.
fn answers(path: &Path) -> bool {
    matches!(call(path), Ok(()) | Err(Errno::AGAIN))
}

/// Returns whether a server may listen there: one does, or the system hides it from this user.
#[must_use]
pub fn may_answer(path: &Path) -> bool {
    matches!(call(path), Ok(()) | Err(Errno::AGAIN | Errno::ACCESS))
}

/// Connects, and closes the connection.
fn call(path: &Path) -> rustix::io::Result<()> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let to = SocketAddrUnix::new(path)?;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("tmrd-machine-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        path
    }

    #[test]
    fn a_socket_is_for_the_server_and_its_group_and_goes_with_it() {
        let folder = folder("own");
        let cleanup = SocketCleanup::default();
        let machine = open(&folder, &cleanup).unwrap();
        let path = folder.join(SOCKET);
        assert_eq!(fs::symlink_metadata(&path).unwrap().mode() & 0o7777, MODE);
        let _peer = UnixStream::connect(&path).unwrap();
        assert!(machine.accept().unwrap().is_some(), "who started it comes in");
        cleanup.remove();
        assert!(!path.exists());
        fs::remove_dir(&folder).unwrap();
    }

    #[test]
    fn what_a_process_has_left_goes_and_nothing_else_does() {
        let folder = folder("stale");
        let path = folder.join(SOCKET);
        drop(UnixListener::bind(&path).unwrap());
        drop(UnixListener::bind(folder.join("admin.sock.new")).unwrap());
        let cleanup = SocketCleanup::default();
        let first = open(&folder, &cleanup).unwrap();
        assert!(open(&folder, &SocketCleanup::default()).is_none(), "one answers there");
        drop(first);
        // Another one has taken its place.
        let second = open(&folder, &SocketCleanup::default()).unwrap();
        cleanup.remove();
        UnixStream::connect(&path).expect("it is there still");
        drop(second);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        assert!(open(&folder, &SocketCleanup::default()).is_none());
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn one_that_was_removed_is_made_again_and_another_server_s_stays() {
        let folder = folder("again");
        let cleanup = SocketCleanup::default();
        let watch = Watch::open(&folder, &cleanup);
        let path = folder.join(SOCKET);
        assert!(watch.look().unwrap().is_none(), "it is there");
        fs::remove_file(&path).unwrap();
        let again = watch.look().unwrap().expect("another one");
        UnixStream::connect(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert!(watch.look().unwrap().is_none());
        fs::remove_file(&path).unwrap();
        let other = UnixListener::bind(&path).unwrap();
        assert!(watch.look().is_err(), "somebody answers there");
        drop((again, other));
        let made = watch.look().unwrap().expect("what was left there makes room");
        cleanup.remove();
        assert!(!path.exists());
        assert!(watch.look().unwrap().is_none(), "the process ends");
        drop(made);
        fs::remove_dir(&folder).unwrap();
    }

    #[test]
    fn a_path_that_is_too_long_is_named() {
        let folder = folder(&"x".repeat(90));
        let error = listen(&folder.join(SOCKET)).unwrap_err().to_string();
        assert!(error.contains("103 at most"), "{error}");
        fs::remove_dir(&folder).unwrap();
    }
}

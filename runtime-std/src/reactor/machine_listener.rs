//! The Unix socket of this machine, and which users it accepts: root, the user of the server, and
//! members of its group.
//!
//! What never lives here: the path of the socket's file, and who creates and removes it.

use rustix::net::sockopt::socket_peercred;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

/// The permission bits of others. The system demands the right to write of a process that connects.
const OTHERS: u32 = 0o007;

/// The listening socket with its file.
#[derive(Debug)]
pub struct MachineListener {
    /// The socket.
    pub(crate) listener: UnixListener,
    /// Its file.
    pub(crate) path: PathBuf,
}

impl MachineListener {
    /// Accepts the next connection; `None`: its user has no right to connect any more.
    ///
    /// # Errors
    /// A system error; also that no connection waits.
    pub(crate) fn accept(&self) -> io::Result<Option<UnixStream>> {
        let (socket, _) = self.listener.accept()?;
        let peer = socket_peercred(&socket)?;
        let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
        let known = peer.uid.is_root() || peer.uid == user || peer.gid == group;
        // The system reports the first group only. A user whose other group gave access was
        // admitted by the file's mode, if that still excludes others.
        let closed = || fs::symlink_metadata(&self.path).is_ok_and(|it| it.mode() & OTHERS == 0);
        if known || closed() {
            return Ok(Some(socket));
        }
        let (user, path) = (peer.uid.as_raw(), self.path.display());
        tracing::debug!(
            target: "tmr_runtime_std::daemon::machine",
            "user {user} was refused at {path}: not of the server's group"
        );
        Ok(None)
    }
}

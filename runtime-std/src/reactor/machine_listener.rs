//! The listening socket of this machine, and whom it takes in: root, the user of the server, and members of
//! its group.
//!
//! What never lives here: where the socket's file is, and who looks after it.

use rustix::net::sockopt::socket_peercred;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

/// What nobody else may: the system asks for the right to write whoever connects.
const OTHERS: u32 = 0o007;

/// A socket of this machine, listening.
#[derive(Debug)]
pub struct MachineListener {
    /// The socket.
    pub(crate) listener: UnixListener,
    /// Its file.
    pub(crate) path: PathBuf,
}

impl MachineListener {
    /// Takes in the next connection; `None`: the system would not let its user in any more.
    ///
    /// # Errors
    /// The system's; nobody waits.
    pub(crate) fn accept(&self) -> io::Result<Option<UnixStream>> {
        let (socket, _) = self.listener.accept()?;
        let peer = socket_peercred(&socket)?;
        let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
        let known = peer.uid.is_root() || peer.uid == user || peer.gid == group;
        // A group that a user is in beside its first one is not told: then it was the mode that has
        // let them in, if that is as it was.
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

//! The verdict on files that the server itself has made, and that were removed or replaced while it
//! runs.

use super::{Found, Severity};
use crate::base::server_files::{Misplaced, Places};
use crate::status::FrontStatus;
use alloc::format;

/// The remedy for a state folder that is gone under a backend.
const RESTART: &str = "Restart that backend while the other two are up (systemctl restart tmrd-backend): \
                       its disk begins blank, and the front that leads brings it up to date.";
/// The remedy for a socket that cannot be made.
const CLEAR: &str = "Remove what stands in its place, or make its folder again: the server makes the \
                     socket anew within seconds.";

/// Adds the files that the machine of this server has lost.
pub(super) fn own(places: &Places, is_front: bool, found: &mut Found) {
    if let Some(Misplaced { path, what }) = &places.state {
        if is_front {
            let text = format!(
                "The state folder of this front is not the one it has opened ({path}: {what}): \
                 keepalived does not see what it writes there, and the record of changes is lost."
            );
            let todo =
                "Restart this front (systemctl restart tmrd-front): it makes the folder anew.";
            found.on("machine").red("state-lost", text, todo);
        } else {
            let text = format!(
                "The journal of this backend is not in its state folder any more ({path}: {what}): \
                 what it has acknowledged is gone when it stops."
            );
            found.on("machine").red("state-lost", text, RESTART);
        }
    }
    // A socket in a lost state folder is lost with it.
    let with_state = |socket: &&Misplaced| {
        let lies_in = socket.path.rsplit_once('/').map(|(folder, _)| folder);
        places.state.as_ref().is_some_and(|state| {
            let above = state.path.rsplit_once('/').map(|(folder, _)| folder);
            lies_in == above || lies_in == Some(&*state.path)
        })
    };
    if let Some(Misplaced { path, what }) = places.socket.as_ref().filter(|it| !with_state(it)) {
        let text = format!(
            "The machine's own socket, {path}, is not there and cannot be made ({what}): tmrd and \
             keepalived's scripts on this machine do not reach this server by it."
        );
        found.on("machine").yellow("socket-lost", text, CLEAR);
    }
}

/// Adds the reports of backends about their machines.
pub(super) fn of_backends(front: &FrontStatus, found: &mut Found) {
    let lost = front.backends.iter().filter(|one| one.state_lost);
    let severity = if lost.clone().count() > 1 { Severity::Red } else { Severity::Yellow };
    for one in lost {
        let text = format!(
            "Backend {} writes its journal to a file that is not in its state folder any more: what it \
             has acknowledged is gone when it stops.",
            one.address
        );
        found.on(&one.address).add(severity, "backend-state-lost", text, RESTART);
    }
    // The socket was mostly in the lost folder.
    for one in front.backends.iter().filter(|one| one.socket_lost && !one.state_lost) {
        let text = format!(
            "Backend {} has no socket on its machine, and cannot make one: tmrd status there does not \
             reach it.",
            one.address
        );
        found.on(&one.address).yellow(
            "backend-socket-lost",
            text,
            "See its log, or its admin page, for the path. Remove \
                      what stands there, or make the folder again.",
        );
    }
    let unusable = front.backends.iter().filter(|one| one.files_unusable > 0);
    for one in unusable {
        let text = format!(
            "Backend {} cannot use {} of its files: it does without, or with what it has read before, which is \
             gone when it stops.",
            one.address, one.files_unusable
        );
        let todo = "See tmrd status on that machine, or its admin page, for the path and what mends it; \
                    no restart is needed.";
        found.on(&one.address).yellow("backend-file-unusable", text, todo);
    }
}

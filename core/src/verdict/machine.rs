//! The verdict on the machine that a server runs on: files that it does without, and room on its
//! disk.

use super::{Found, Trouble};
use crate::base::limits::{ROOM_LEAST, ROOM_LOW};
use crate::base::server_files::{FileTrouble, Room};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Adds the troubles of the machine, and sorts the worst first.
#[must_use]
pub fn with_machine(
    troubles: Vec<Trouble>,
    files: &[FileTrouble],
    room: Option<&Room>,
) -> Vec<Trouble> {
    let mut found = Found(troubles);
    if let Some(Room { folder, free }) = room.filter(|room| room.free < ROOM_LOW) {
        let text = format!(
            "The disk of the state folder {folder} is {}: {} MiB are left.",
            if *free < ROOM_LEAST { "full, or as good as full" } else { "nearly full" },
            free >> 20
        );
        let todo = "Make room there: a backend that cannot write its journal ends, and a front loses \
                    lines of its usage history.";
        if *free < ROOM_LEAST {
            found.on("machine").red("disk-full", text, todo);
        } else {
            found.on("machine").yellow("disk-nearly-full", text, todo);
        }
    }
    for FileTrouble { file, trouble, what_to_do } in files {
        let text = format!("{file} cannot be used: {trouble}.");
        let mut letters = what_to_do.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        let todo: String = first.chain(letters).chain(['.']).collect();
        found.on("machine").red("file-unusable", text, &todo);
    }
    found.0.sort_by_key(|trouble| trouble.severity);
    found.0
}

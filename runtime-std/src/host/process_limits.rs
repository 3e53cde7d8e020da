//! The limits of this process: files, links, core dumps.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tmr_core::base::limits::{CLIENT_LINKS_MAX, FILES_RESERVED};

/// Raises the limit on open files, one for each connection, as far as the system permits. Returns
/// the limit.
pub fn raise_file_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(
                target: "tmr_runtime_std::daemon::doors",
                "no more than {:?} files at once: {error}", limit.current
            );
            limit.current
        }
    };
    files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX))
}

/// Prevents core dumps, because the memory has the group key and the secrets of licences.
pub fn leave_no_core() {
    let limit = getrlimit(Resource::Core);
    let none = Rlimit { current: Some(0), maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(
            target: "tmr_runtime_std::daemon::doors",
            "a crash may leave a core dump, which has keys in it: {error}"
        );
    }
}

/// Returns how many client links fit into this many files, one file each, without those that are
/// reserved for backends, pages and the journal.
#[must_use]
pub fn clients_max(files: usize) -> usize {
    let clients = files.saturating_sub(FILES_RESERVED);
    if clients < CLIENT_LINKS_MAX {
        tracing::warn!(
            target: "tmr_runtime_std::daemon::doors",
            "room for {clients} client links, not {CLIENT_LINKS_MAX}: the system gives this process {files} \
             files; raise its limit (LimitNOFILE, ulimit -n)"
        );
    }
    clients
}

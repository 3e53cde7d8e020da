//! The systemd journal behind standard error: whether it is there, and the priority of each line.
//!
//! The journal takes a priority from the beginning of a line, such as `<4>`, as sd-daemon(3)
//! describes. Elsewhere these characters would be noise, so only the journal gets them.

use rustix::fs::fstat;
use std::fmt;
use std::io;
use std::sync::OnceLock;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The variable in which systemd names the device and the inode of the stream to the journal.
const VARIABLE: &str = "JOURNAL_STREAM";

/// Returns whether standard error is the stream that `JOURNAL_STREAM` names. The variable alone
/// does not show it: a child whose standard error was redirected inherits it.
pub fn is_standard_error() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let named = std::env::var(VARIABLE).ok();
        let named = named.as_deref().and_then(device_and_inode);
        let own = fstat(io::stderr()).ok().map(|it| (it.st_dev, it.st_ino));
        named.is_some() && named == own
    })
}

fn device_and_inode(text: &str) -> Option<(u64, u64)> {
    let (device, inode) = text.split_once(':')?;
    Some((device.parse().ok()?, inode.parse().ok()?))
}

/// Returns the prefix of a line of this level on standard error: empty if that is not the journal.
#[must_use]
pub fn prefix(level: Level) -> &'static str {
    if is_standard_error() { priority(level) } else { "" }
}

/// Returns the priority of syslog(3) for a level; the last two levels share one.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        _ => "<7>",
    }
}

/// Formats events as `F` does, after their priority.
pub(super) struct Prioritised<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for Prioritised<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_str(priority(*event.metadata().level()))?;
        self.0.format_event(context, writer, event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_named_by_device_and_inode() {
        assert_eq!(device_and_inode("8:1234"), Some((8, 1234)));
        for text in ["", "8", "8:", ":8", "8:x", "-1:2", "8:1:2"] {
            assert_eq!(device_and_inode(text), None, "{text}");
        }
    }

    #[test]
    fn warnings_are_what_journalctl_calls_warnings() {
        let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
        assert_eq!(levels.map(priority), ["<3>", "<4>", "<6>", "<7>", "<7>"]);
    }
}

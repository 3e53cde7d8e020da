//! The share of a history file that refused accesses may take, so that repeated refused calls do
//! not push accesses out of the files that are kept.
//!
//! What lives here: which lines are refusals, and how many are left out. What never lives here:
//! files.

use super::Settings;
use std::borrow::Cow;
use std::io::{self, BufRead};
use tmr_core::base::limits::HISTORY_REFUSALS;

/// The use of a file's share.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// The bytes of refusals in the file.
    bytes: u64,
    /// The number of refusals that were left out of it.
    left_out: u64,
}

impl Share {
    /// Reads the use of the share from a file's lines.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn of(file: impl BufRead) -> io::Result<Self> {
        let lines = file.split(b'\n');
        let length = |line: io::Result<Vec<u8>>| {
            line.map(|line| if is_refusal(&line) { line.len() as u64 + 1 } else { 0 })
        };
        let bytes = lines.map(length).sum::<io::Result<u64>>()?;
        Ok(Self { bytes, left_out: 0 })
    }

    /// Returns the lines that are to be written.
    pub(super) fn sift<'a>(&mut self, lines: &'a [u8], settings: &Settings) -> Cow<'a, [u8]> {
        if !is_refusal(lines) {
            return Cow::Borrowed(lines);
        }
        // With one file a month, a file may be far from full when the month ends.
        let months = u64::from(settings.months) + 1;
        let most = settings.file.min(settings.files / months) / HISTORY_REFUSALS;
        let mut kept = Vec::with_capacity(lines.len());
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            if is_refusal(line) {
                let bytes = self.bytes + line.len() as u64;
                if bytes > most {
                    if self.left_out == 0 {
                        tracing::warn!(
                            target: "tmr_runtime_std::daemon::history::share",
                            "usage history: refused accesses have filled their share of the file, \
                             {most} bytes; the next file says how many more there were, or this one when the process is \
                             told to stop"
                        );
                    }
                    self.left_out += 1;
                    continue;
                }
                self.bytes = bytes;
            }
            kept.extend_from_slice(line);
        }
        Cow::Owned(kept)
    }

    /// Returns, once, how many refusals were left out.
    pub(super) fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }
}

/// What only the line of a refusal contains: quotes in clients' texts are escaped.
const REFUSAL: &[u8] = b"\"kind\":\"denied\"";

fn is_refusal(lines: &[u8]) -> bool {
    // Every line is searched, so this must be fast.
    memchr::memmem::find(lines, REFUSAL).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tmr_core::history::{Kind, Record};

    fn line(kind: Kind, user: &str) -> Vec<u8> {
        Record { kind, user: user.into(), ..Record::default() }.line()
    }

    #[test]
    fn only_refusals_are_left_out_and_a_text_makes_none() {
        let settings = Settings {
            enabled: true,
            folder: "/nowhere".into(),
            file: 8 * 4_000,
            files: 1_000_000,
            months: 2,
        };
        let lines: Vec<u8> = (0..400)
            .flat_map(|_| [line(Kind::Access, "\"kind\":\"denied\""), line(Kind::Denied, "eve")])
            .flatten()
            .collect();
        let mut share = Share::default();
        let kept = share.sift(&lines, &settings);
        let of = |user: &[u8]| {
            kept.split(|byte| *byte == b'\n')
                .filter(|line| line.windows(user.len()).any(|part| part == user))
                .count()
        };
        let refused = 4_000 / line(Kind::Denied, "eve").len();
        assert_eq!((of(b"access"), of(b"eve")), (400, refused));
        assert_eq!(share.take_left_out(), 400 - refused as u64);
        // A process that continues a file continues its share.
        let mut again = Share::of(&kept[..]).unwrap();
        assert_eq!(again.bytes, share.bytes);
        assert!(again.sift(&line(Kind::Denied, "eve"), &settings).is_empty());
    }
}

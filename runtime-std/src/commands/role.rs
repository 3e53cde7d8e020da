//! `notify` and `track`: the commands that keepalived calls.

use crate::commands::admin::http::{self, Answer};
use crate::commands::admin::pages::Pages;
use crate::commands::cli::Track;
use crate::exit::{Failure, Outcome};
use std::{fs, process};

/// Reports to a front that the virtual address may have moved; `news` is what keepalived passes:
/// kind, name and state of an instance or group, and its priority. The front sees the address
/// itself, but not that an instance is in FAULT.
///
/// # Errors
/// The front cannot be reached, or it is none; or the words are not those of keepalived.
pub fn notify(at: &Pages, news: &[String]) -> Outcome {
    let body = serde_json::json!({ "words": news, "begun": begun(), "keepalived": keepalived() });
    let answer = of_front(http::post_json(at, "/api/notify", &body.to_string(), http::PATIENCE)?)?;
    if answer.status == 400 {
        return Err(Failure::usage(format!("notify: {}", answer.body.trim_end())));
    }
    if answer.status != 202 {
        let line = answer.body.lines().next().unwrap_or_default();
        let words = news.iter().fold("notify".to_owned(), |words, word| words + " " + word);
        return Err(Failure::failed(format!(
            "{} answered {} to {words}: {line}",
            answer.at, answer.status
        )));
    }
    Ok(())
}

/// Returns when this process started, in steps that only rise; `None`: the system does not report
/// it. Keepalived starts a process for each change of a state without waiting for earlier ones, so
/// two reports may arrive in the wrong order.
fn begun() -> Option<u64> {
    Some(Process::read(process::id())?.begun)
}

/// Returns when the keepalived started that has started this process, in the same steps; `None`: it
/// has ended, or there was none.
fn keepalived() -> Option<u64> {
    /// An operator's scripts may be between keepalived and this process.
    const GENERATIONS: usize = 8;
    let parent = |process: &Process| Process::read(process.parent);
    let ancestors = std::iter::successors(Process::read(process::id()), parent).skip(1);
    let found = ancestors.take(GENERATIONS).find(|it| it.name.starts_with("keepalived"));
    Some(found?.begun)
}

/// A process as the system describes it (proc(5)).
#[derive(Debug, PartialEq, Eq)]
struct Process {
    name: String,
    parent: u32,
    /// In steps that only rise: hundredths of a second since the boot, with the process id for the
    /// order within one of them.
    begun: u64,
}

impl Process {
    fn read(id: u32) -> Option<Self> {
        Self::parse(id, &fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
    }

    fn parse(id: u32, stat: &str) -> Option<Self> {
        /// The number of bits of the largest process id (`PID_MAX_LIMIT` of proc(5)).
        const PID_BITS: u32 = 22;
        // The name may contain any character.
        let (head, rest) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let mut words = rest.split_whitespace();
        let parent = words.nth(1)?.parse().ok()?;
        let start: u64 = words.nth(17)?.parse().ok()?;
        Some(Self { name, parent, begun: (start << PID_BITS) | u64::from(id) })
    }
}

/// Returns a front's answer; a backend answers 404 to requests that are for fronts only.
fn of_front(answer: Answer) -> Result<Answer, Failure> {
    if answer.status == 404 {
        return Err(Failure::usage(format!("{}: {}", answer.at, answer.body.trim_end())));
    }
    Ok(answer)
}

/// Asks whether the virtual address may stay on this machine.
///
/// # Errors
/// It may not, with the reason; or the front cannot be reached, or it is none.
pub fn track(at: &Pages, what: Track) -> Outcome {
    let path = match what {
        // A backend has /readyz too, and keepalived must not take its answer for a front's.
        Track::Status => "/readyz?of=front",
        Track::ManualFailover => "/holdz",
    };
    let answer = of_front(http::get(at, path)?)?;
    if answer.status == 200 {
        return Ok(());
    }
    Err(Failure::failed(answer.body.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let stat = "7 (keep) alived (x) S 5 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9000 1 2";
        let process =
            Process { name: "keep) alived (x".into(), parent: 5, begun: 9000 * (1 << 22) + 7 };
        assert_eq!(Process::parse(7, stat), Some(process));
        for (count, _) in stat.match_indices(' ').take(23) {
            assert_eq!(Process::parse(7, &stat[..count]), None, "{count}");
        }
        let own = Process::read(process::id()).expect("this process is there");
        assert_eq!(begun(), Some(own.begun));
        let parent = Process::read(own.parent).expect("it is somebody's");
        assert!(parent.begun >> 22 <= own.begun >> 22);
    }
}

//! `notify` and `track`: the commands that keepalived calls.

use crate::commands::admin::http::{self, Answer};
use crate::commands::admin::pages::Pages;
use crate::commands::cli::Track;
use crate::exit::{Failure, Outcome};
use std::{fs, process};

/// Tells a front that the virtual address may have moved, and in `news` what keepalived says: kind,
/// name and state of an instance or group, and its priority. Where the address is the front sees for
/// itself; that an instance is in FAULT it cannot.
///
/// # Errors
/// It cannot be reached, or is no front.
pub fn notify(at: &Pages, news: &[String]) -> Outcome {
    let body = serde_json::json!({ "words": news, "begun": begun() }).to_string();
    let answer = of_front(http::post_json(at, "/api/notify", &body, http::PATIENCE)?)?;
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

/// When this process was begun, in steps that only rise; `None` where the system does not say.
/// Keepalived begins a process for each change of a state and waits for none of them, so two may be
/// heard the other way round. The system counts a process' start in hundredths of a second since it
/// was booted (`starttime` of proc(5)); within one of them the process id tells which was later.
fn begun() -> Option<u64> {
    /// The system's largest process id takes so many bits (`PID_MAX_LIMIT` of proc(5)).
    const PID_BITS: u32 = 22;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name, which may have anything in it, `starttime` is the twentieth word.
    let start: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    Some((start << PID_BITS) | u64::from(process::id()))
}

/// What a front answered; a backend says 404 to what only a front knows.
fn of_front(answer: Answer) -> Result<Answer, Failure> {
    if answer.status == 404 {
        return Err(Failure::usage(format!("{}: {}", answer.at, answer.body.trim_end())));
    }
    Ok(answer)
}

/// Whether the virtual address may stay on this machine, as far as one question goes.
///
/// # Errors
/// It may not, and why; or the front cannot be reached, or is none.
pub fn track(at: &Pages, what: Track) -> Outcome {
    let path = match what {
        // A backend has such a page too, and is not what keepalived asks for.
        Track::Status => "/readyz?of=front",
        Track::ManualFailover => "/holdz",
    };
    let answer = of_front(http::get(at, path)?)?;
    if answer.status == 200 {
        return Ok(());
    }
    Err(Failure::failed(answer.body.trim_end()))
}

//! `notify` and `track`: what keepalived calls.

use super::http;
use super::pages::Pages;
use crate::daemon::cli::Track;
use crate::daemon::{Failure, Outcome};

/// Tells a front that the virtual address may have moved. `news` is what keepalived says, for the
/// front's own look counts.
///
/// # Errors
/// It cannot be reached, or is no front.
pub fn notify(at: &Pages, news: &[String]) -> Outcome {
    let answer = http::post(at, "/api/notify")?;
    if answer.status != 202 {
        let line = answer.body.lines().next().unwrap_or_default();
        let news = news.join(" ");
        return Err(Failure::failed(format!(
            "{} answered {} to {news:?}: {line}",
            answer.at, answer.status
        )));
    }
    Ok(())
}

/// Whether the virtual address may stay on this machine, as far as one question goes.
///
/// # Errors
/// It may not, and why; or the front cannot be reached.
pub fn track(at: &Pages, what: Track) -> Outcome {
    let path = match what {
        Track::Status => "/readyz",
        Track::ManualFailover => "/holdz",
    };
    let answer = http::get(at, path)?;
    if answer.status == 200 {
        return Ok(());
    }
    Err(Failure::failed(answer.body.trim_end()))
}

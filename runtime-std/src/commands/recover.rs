//! `recover`: an operator's decision after the group's log was lost on two disks or on all.

use crate::commands::admin::http;
use crate::commands::colour::Colour;
use crate::commands::{cli, status, stdout};
use crate::exit::{Failure, Outcome};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::time::Duration;

/// The word that an operator types to confirm.
const WORD: &str = "recover";
/// Longer than a front takes to read a copy and write it to two disks, or to give that up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Shows what is left and what may be lost, asks, and has the front make a new group that serves.
///
/// # Errors
/// Nothing is lost, the operator has not confirmed, or the front could not do it; the message has
/// the reason.
pub fn recover(options: &cli::Recover) -> Outcome {
    let at = &options.admin.front();
    let answer = http::get(at, "/api/recover")?;
    if answer.status != 200 {
        return Err(Failure::failed(format!("{}: {}", answer.at, answer.body.trim_end())));
    }
    let plan: Value = serde_json::from_str(&answer.body)
        .map_err(|error| Failure::failed(format!("{at}: the answer is not JSON: {error}")))?;
    if options.json && options.confirm.is_none() {
        return stdout::line(format!("{plan:#}"));
    }
    if !options.json {
        stdout::line(shown(&plan, Colour::of_output()).trim_end())?;
    }
    confirmed(options.confirm.as_deref())?;
    let before = status::process(at)?;
    let body = json!({ "token": plan["token"] }).to_string();
    let answer = http::post_json(at, "/api/recover", &body, PATIENCE)?;
    let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let message = said["message"].as_str().unwrap_or_else(|| answer.body.trim_end());
    if answer.status != 200 {
        return Err(Failure::failed(format!("{at}: {message}")));
    }
    note!("{at}: {message}");
    status::wait_active(at, &before)?;
    if options.json {
        stdout::line(format!("{said:#}"))?;
    }
    Ok(())
}

/// Checks that the operator confirms, by an option or by a typed word.
fn confirmed(option: Option<&str>) -> Outcome {
    let typed = match option {
        Some(word) => word.to_owned(),
        None if io::stdin().is_terminal() => {
            let mut terminal = io::stderr().lock();
            let asked = write!(
                terminal,
                "Type {WORD} to do it, anything else to leave everything as it is: "
            );
            let mut line = String::new();
            let read = asked.and_then(|()| terminal.flush());
            let read = read.and_then(|()| io::stdin().read_line(&mut line));
            read.map_err(|error| Failure::failed(format!("standard input: {error}")))?;
            line.trim().to_owned()
        }
        None => {
            return Err(Failure::usage(format!(
                "nothing was changed: standard input is no terminal; say --confirm {WORD}"
            )));
        }
    };
    if typed == WORD {
        return Ok(());
    }
    Err(Failure::usage(format!("nothing was changed: the word is {WORD}, not {typed:?}")))
}

fn shown(plan: &Value, colour: Colour) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let number = |value: &Value| value.as_u64().map_or_else(|| "-".to_owned(), |it| it.to_string());
    let mut out = String::new();
    let _ = writeln!(out, "What is wrong:\n  {}", colour.red(&text(&plan["reason"])));
    let front = &plan["front"];
    let _ = writeln!(out, "\nWhat is known:");
    let _ = match front["group"].as_str() {
        Some(group) => writeln!(
            out,
            "  this front: group {group}, slot {}, {} handles held",
            number(&front["slot"]),
            number(&front["handles"])
        ),
        None => writeln!(out, "  this front: nothing in memory"),
    };
    for backend in plan["backends"].as_array().into_iter().flatten() {
        let _ =
            writeln!(out, "  backend {}: {}", text(&backend["address"]), text(&backend["text"]));
        if let Some(disk) = backend["disk"].as_str() {
            let group = backend["group"].as_str().unwrap_or("none");
            let (committed, last) = (number(&backend["committed"]), number(&backend["last"]));
            let _ =
                writeln!(out, "    disk {disk}, group {group}, committed {committed}, last {last}");
        }
    }
    let (source, slot) = (text(&plan["source"]), number(&plan["slot"]));
    let _ = writeln!(out, "\nWhat is done:\n  a new group goes on from {source}, slot {slot}");
    let _ = writeln!(out, "\nWhat may be lost:");
    for line in plan["lost"]["text"].as_array().into_iter().flatten() {
        let _ = writeln!(out, "  {}", colour.red(&text(line)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_plan_is_shown_in_words() {
        let plan = json!({
            "reason": "the group's memory is lost", "source": "the copy of backend a:1", "slot": 7,
            "front": { "group": null, "slot": 0, "handles": 0 },
            "backends": [
                { "address": "a:1", "disk": "d1", "group": "g", "committed": 7, "last": 8,
                  "text": "its copy is the best one" },
                { "address": "b:2", "disk": null, "text": "cannot be reached" }],
            "lost": { "text": ["slots 8 to 9 were chosen and are lost"] }
        });
        let shown = shown(&plan, Colour::Never);
        for line in [
            "  the group's memory is lost",
            "  this front: nothing in memory",
            "  backend a:1: its copy is the best one",
            "    disk d1, group g, committed 7, last 8",
            "  backend b:2: cannot be reached",
            "  a new group goes on from the copy of backend a:1, slot 7",
            "  slots 8 to 9 were chosen and are lost",
        ] {
            assert!(shown.lines().any(|found| found == line), "{line}\n{shown}");
        }
    }

    #[test]
    fn only_the_word_confirms_it() {
        assert_eq!(confirmed(Some("recover")), Ok(()));
        for word in ["yes", "Recover", ""] {
            assert_eq!(confirmed(Some(word)).unwrap_err().exit, Exit::Usage, "{word}");
        }
    }
}

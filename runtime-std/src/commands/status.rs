//! `status` and `activate`: an operator's commands to a server's admin pages.

use crate::commands::admin::http;
use crate::commands::admin::pages::Pages;
use crate::commands::colour::Colour;
use crate::commands::stdout;
use crate::commands::table::Table;
use crate::exit::{Failure, Outcome};
use serde_json::Value;
use std::fmt::Write;
use std::thread;
use std::time::{Duration, Instant};

/// How long a front may take to get the active role before the command ends its wait.
const ACTIVATION: Duration = Duration::from_secs(15);
/// The pause between two looks at the status.
const LOOK: Duration = Duration::from_millis(100);

/// Prints a server's status. With `json`, the exit code does not depend on the verdict in it.
///
/// # Errors
/// It cannot be reached, or its answer is not a status; without `json` also: its verdict has a red
/// trouble.
pub fn status(at: &Pages, json: bool) -> Outcome {
    let (value, text) = http::status(at)?;
    if json {
        return stdout::line(text.trim_end());
    }
    let text = match value["role"].as_str() {
        Some("backend") => backend(&value, Colour::of_output()),
        _ => front(&value, Colour::of_output()),
    };
    stdout::line(text.trim_end())?;
    match rows(&value, "verdict").iter().filter(|it| it["severity"] == "red").count() {
        0 => Ok(()),
        1 => Err(Failure::failed("one thing is red: see the first lines")),
        many => Err(Failure::failed(format!("{many} things are red: see the first lines"))),
    }
}

/// Gives a front the active role, and waits until it has it.
///
/// # Errors
/// It cannot be reached, is no front, or does not get the role in time.
pub fn activate(at: &Pages) -> Outcome {
    let before = process(at).map_err(nothing_ordered)?;
    let answer = http::post(at, "/api/activate")?;
    if answer.status != 202 {
        let line = answer.body.lines().next().unwrap_or_default();
        return Err(Failure::failed(format!("{} answered {}: {line}", answer.at, answer.status)));
    }
    wait_active(at, &before)
}

/// Returns the random name of the process that answers there; `null`: it has none.
///
/// # Errors
/// It cannot be reached.
pub fn process(at: &Pages) -> Result<Value, Failure> {
    Ok(http::status(at)?.0["process"].take())
}

/// Adds to the failure of a question before an order that nothing was ordered yet.
#[must_use]
pub fn nothing_ordered(failure: Failure) -> Failure {
    let text = format!("{failure}; nothing was ordered, and nothing has changed");
    Failure { text, ..failure }
}

/// Returns the status after an order, of the process that has taken it and has this name.
///
/// # Errors
/// It cannot be reached any more, or was restarted, so that the order may be lost.
pub fn status_after(at: &Pages, before: &Value, order: &str) -> Result<Value, Failure> {
    let status = http::status(at).map(|(status, _)| status).map_err(|failure| {
        let text = format!(
            "{failure}; it had taken the order before that, and whether it was carried out is not \
             known: see tmrd status"
        );
        Failure { text, ..failure }
    })?;
    if before.is_null() || status["process"] == *before {
        return Ok(status);
    }
    Err(Failure::failed(format!(
        "{at} was restarted meanwhile, and does not know of the order any more; see tmrd status, then \
         run {order} again"
    )))
}

/// Waits until a front that was ordered to lead does, as long as it is the process of this name.
///
/// # Errors
/// It cannot be reached, is no front, was restarted, or does not lead in time; the message has the
/// reason.
pub fn wait_active(at: &Pages, before: &Value) -> Outcome {
    let started = Instant::now();
    loop {
        let status = status_after(at, before, "tmrd activate")?;
        match status["role"].as_str() {
            Some("active") => break,
            Some("backend") => {
                return Err(Failure::usage(format!("{at} is a backend; only a front has a role")));
            }
            _ if started.elapsed() > ACTIVATION => {
                let reason = match status["obstacle"].as_str() {
                    Some(obstacle) => obstacle.to_owned(),
                    None => unready(at)?,
                };
                let waited = ACTIVATION.as_secs();
                return Err(Failure::failed(format!(
                    "{at} is not active after {waited} s (it goes on trying): {reason}"
                )));
            }
            _ => thread::sleep(LOOK),
        }
    }
    note!("{at} is active");
    Ok(())
}

/// Returns why a front does not lead if its status has no obstacle.
fn unready(at: &Pages) -> Result<String, Failure> {
    let answer = http::get(at, "/readyz")?;
    if answer.status == 200 {
        return Ok("it is still claiming the lead; tmrd status says how it stands".to_owned());
    }
    Ok(answer.body.trim_end().to_owned())
}

/// Returns a value as a cell: text without quotes, empty for null.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn rows<'a>(status: &'a Value, key: &str) -> &'a [Value] {
    status[key].as_array().map_or(&[], Vec::as_slice)
}

fn section(out: &mut String, name: &str, table: &Table, rows: usize) {
    let _ =
        if rows == 0 { writeln!(out, "\n{name}: none") } else { write!(out, "\n{name}:\n{table}") };
}

/// Appends a table of these columns, given by heading and key.
fn listed(out: &mut String, status: &Value, name: &str, key: &str, columns: &[(&str, &str)]) {
    let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
    let mut table = Table::new(&headings);
    for row in rows(status, key) {
        table.row(columns.iter().map(|(_, key)| cell(&row[key])));
    }
    section(out, name, &table, rows(status, key).len());
}

/// Appends the files that the server does without, one in each line.
fn files(out: &mut String, status: &Value, colour: Colour) {
    for row in rows(status, "files") {
        let (file, trouble) = (cell(&row["file"]), cell(&row["trouble"]));
        let text = format!("{file}: {trouble}; {}", cell(&row["what_to_do"]));
        let _ = writeln!(out, "{}", colour.red(&text));
    }
}

/// Appends the verdict in the server's own words: a line for each trouble, and below it what to do.
/// Returns `false` if the server gives none.
fn verdict(out: &mut String, status: &Value, colour: Colour) -> bool {
    let Some(troubles) = status["verdict"].as_array() else { return false };
    if troubles.iter().all(|trouble| trouble["severity"] == "info") {
        let _ = writeln!(out, "All is well.");
    }
    for trouble in troubles {
        let line = format!("{}: {}", cell(&trouble["severity"]), cell(&trouble["text"]));
        let line = if trouble["severity"] == "red" { colour.red(&line) } else { line };
        let _ = writeln!(out, "{line}\n  -> {}", cell(&trouble["what_to_do"]));
    }
    true
}

/// Appends the troubles of an older server, which gives no verdict, one in each line.
fn troubles(out: &mut String, status: &Value, colour: Colour) {
    if status["fenced"] != true {
        let _ = writeln!(
            out,
            "The backends are stock servers, which cannot promise: \
             no seat is protected against two leaders."
        );
    }
    if let Some(obstacle) = status["obstacle"].as_str() {
        let text = format!("This front cannot lead: {obstacle}");
        let _ = writeln!(out, "{}", colour.red(&text));
    }
    files(out, status, colour);
    if let Some(trouble) = status["failover_trouble"].as_str() {
        let _ = writeln!(out, "The last planned failover: {trouble}");
    }
    if let Some(ends) = status["certificate_ends"].as_str() {
        let _ = writeln!(out, "The certificate of the admin pages ends on {ends}");
    }
    for clock in rows(status, "clocks") {
        if let Some(verdict @ ("off" | "wrong")) = clock["verdict"].as_str() {
            let (machine, offset) = (cell(&clock["machine"]), cell(&clock["offset_seconds"]));
            let _ = writeln!(out, "  the clock of {machine} is {verdict}: {offset} s off the date");
        }
    }
    for copy in rows(status, "copies") {
        let _ = writeln!(out, "  {}", cell(&copy["trouble"]));
    }
    for stray in rows(status, "strays") {
        let (serial, backend) = (cell(&stray["serial"]), cell(&stray["backend"]));
        let _ = writeln!(out, "  {serial} at {backend}: {}", cell(&stray["trouble"]));
    }
    for licence in rows(status, "licenses").iter().filter(|licence| licence["expired"] == true) {
        let (firm, product) = (cell(&licence["firm_code"]), cell(&licence["product_code"]));
        let text = format!("{firm}:{product} has expired on {}", cell(&licence["expires"]));
        let _ = writeln!(out, "  {}", colour.red(&text));
    }
    for gone in rows(status, "gone") {
        let _ = writeln!(out, "  {}", cell(&gone["trouble"]));
    }
    for stranger in rows(status, "strangers") {
        let _ = writeln!(out, "  {}", cell(&stranger["trouble"]));
    }
    for licence in rows(status, "licenses") {
        for differs in rows(licence, "differs") {
            let _ = writeln!(
                out,
                "  {}:{} differs at {}: {} is {}, the others have {}",
                cell(&licence["firm_code"]),
                cell(&licence["product_code"]),
                cell(&differs["backend"]),
                cell(&differs["field"]),
                cell(&differs["value"]),
                cell(&differs["expected"])
            );
        }
    }
}

/// Returns the state of a licence in words: the worst of it.
fn standing(licence: &Value) -> &str {
    match licence["state"].as_str() {
        Some("served") => "served",
        Some("two-parts") => "2 of 3 parts",
        Some("all-in-use") => "all in use",
        Some("no-units") => "no units left",
        Some("not-active-yet") => "not active yet",
        Some("expired") => "expired",
        Some("too-few-parts") => "too few parts",
        Some("too-few-backends") => "too few backends",
        Some(other) => other,
        None => "-",
    }
}

fn licences(out: &mut String, status: &Value, colour: Colour) {
    let headings = [
        "firm",
        "product",
        "TMR-Id",
        "seats",
        "used",
        "free",
        "parts",
        "available",
        "state",
        "expires",
    ];
    let keys = [
        "firm_code",
        "product_code",
        "tmr_id",
        "quantity",
        "used",
        "free",
        "matching",
        "available",
    ];
    let mut table = Table::new(&headings);
    for row in rows(status, "licenses") {
        let state = standing(row).to_owned();
        let facts = keys.iter().map(|key| cell(&row[key]));
        table.row(facts.chain([state, cell(&row["expires"])]));
    }
    section(out, "licences", &table, rows(status, "licenses").len());
    for row in rows(status, "licenses").iter().filter(|row| row["severity"] == "red") {
        let (firm, product) = (cell(&row["firm_code"]), cell(&row["product_code"]));
        let text = format!("{firm}:{product}: {}", standing(row));
        let _ = writeln!(out, "  {}", colour.red(&text));
    }
}

fn front(status: &Value, colour: Colour) -> String {
    let mut out = String::new();
    let text = |key: &str| cell(&status[key]);
    let _ = write!(out, "front, {}, epoch {}", text("role"), text("epoch"));
    let fenced = if status["fenced"] == true { "fenced" } else { "unfenced" };
    let _ = writeln!(out, ", {fenced} (tmrd {}, {})", text("version"), text("runtime"));
    if !verdict(&mut out, status, colour) {
        troubles(&mut out, status, colour);
    }
    if let Some(twin) = status.get("twin").filter(|twin| !twin.is_null()) {
        let _ = write!(out, "twin {}: ", cell(&twin["address"]));
        let _ = match (twin["connected"] == true, twin["synced"] == true) {
            (false, _) => write!(out, "not connected"),
            (true, true) => write!(out, "{}, in sync", cell(&twin["role"])),
            (true, false) if twin["silent_seconds"].as_u64() > Some(0) => {
                write!(out, "silent for {} s", cell(&twin["silent_seconds"]))
            }
            (true, false) => {
                let little = twin["behind_seconds"].as_u64() == Some(0);
                let how = if little { "on their way" } else { "behind" };
                write!(out, "{}, {} {how}", cell(&twin["role"]), cell(&twin["lag"]))
            }
        };
        for (key, what) in [
            ("passed_to", "clients passed on to it"),
            ("passed_from", "of its clients served here"),
        ] {
            if let Some(count) = twin[key].as_u64().filter(|count| *count > 0) {
                let _ = write!(out, ", {count} {what}");
            }
        }
        let trouble = twin["trouble"].as_str().map(|text| format!("; {text}"));
        let _ = writeln!(out, "{}", trouble.unwrap_or_default());
        for differs in rows(twin, "differs") {
            let (key, ours) = (cell(&differs["key"]), cell(&differs["ours"]));
            let _ =
                writeln!(out, "  {key} differs: {ours} here, {} there", cell(&differs["theirs"]));
        }
    }
    let columns = [
        ("address", "address"),
        ("state", "state"),
        ("container", "serial"),
        ("epoch", "epoch"),
        ("handles", "handles"),
    ];
    listed(&mut out, status, "backends", "backends", &columns);
    for backend in rows(status, "backends") {
        if let Some(trouble) = backend["trouble"].as_str() {
            let text = format!("{}: {trouble}", cell(&backend["address"]));
            let _ = writeln!(out, "  {}", colour.red(&text));
        }
    }
    let mut table = Table::new(&["container", "CmActId", "parts"]);
    for container in rows(status, "containers") {
        let parts: Vec<String> = rows(container, "parts").iter().map(cell).collect();
        let parts = parts.join(", ");
        table.row([cell(&container["serial"]), cell(&container["cm_act_id"]), parts]);
    }
    section(&mut out, "containers", &table, rows(status, "containers").len());
    licences(&mut out, status, colour);
    let columns = [
        ("handle", "handle"),
        ("kind", "kind"),
        ("firm", "firm_code"),
        ("product", "product_code"),
        ("mode", "mode"),
        ("client", "client"),
        ("host", "host"),
        ("user", "user"),
        ("since", "since"),
        ("backends", "backends"),
    ];
    listed(&mut out, status, "handles held", "allocations", &columns);
    let shown = rows(status, "allocations").len() as u64;
    let more = status["handles"].as_u64().unwrap_or_default().saturating_sub(shown);
    if more > 0 {
        let _ = writeln!(out, "  and {more} more: /api/allocations?from={shown}");
    }
    out
}

fn backend(status: &Value, colour: Colour) -> String {
    let mut out = String::new();
    let text = |key: &str| cell(&status[key]);
    let _ = writeln!(
        out,
        "backend, epoch {} promised, {} handles held (tmrd {}, {})",
        text("promised_epoch"),
        text("handles"),
        text("version"),
        text("runtime")
    );
    let _ = writeln!(out, "group {}, disk {}", text("group"), text("disk"));
    let log = &status["log"];
    let (base, committed, last) = (cell(&log["base"]), cell(&log["committed"]), cell(&log["last"]));
    let _ = writeln!(out, "log: from {base}, committed {committed}, last {last}");
    if !verdict(&mut out, status, colour) {
        files(&mut out, status, colour);
        if rows(status, "containers").is_empty() {
            let text = "This backend has no licence to serve: put one where --license says";
            let _ = writeln!(out, "{}", colour.red(text));
        }
    }
    let mut table = Table::new(&["container", "CmActId", "firm", "product", "TMR-Id", "seats"]);
    let mut count = 0;
    for container in rows(status, "containers") {
        for licence in rows(container, "licenses") {
            let of = |key: &str| cell(&licence[key]);
            table.row([
                cell(&container["serial"]),
                cell(&container["cm_act_id"]),
                of("firm_code"),
                of("product_code"),
                of("tmr_id"),
                of("quantity"),
            ]);
            count += 1;
        }
    }
    section(&mut out, "licences", &table, count);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_front_is_shown_with_what_differs() {
        let shown = front(
            &json!({
                "version": "0.1.0", "runtime": "smol", "role": "active", "epoch": 3, "fenced": true,
                "twin": {"address": "b:2", "connected": true, "synced": false, "lag": 7,
                         "passed_to": 0, "passed_from": 2, "role": "standby", "trouble": null, "differs": [
                         {"key": "CmServer.Server", "ours": "x", "theirs": "y"}]},
                "backends": [{"address": "a:1", "state": "up", "serial": null, "epoch": 3,
                              "handles": 2, "trouble": "an empty state folder"}],
                "containers": [{"serial": "131-5", "cm_act_id": 7, "parts": ["130-1", "130-2"]}],
                "obstacle": "the group's memory is lost",
                "failover_trouble": "too late", "certificate_ends": "2026-12-01T00:00:00Z",
                "copies": [{"serial": "130-1", "backends": ["a:1", "c:3"],
                    "trouble": "backends a:1 and c:3 hold the same part (130-1)"}],
                "clocks": [{"machine": "front", "offset_seconds": 2, "verdict": "ok"},
                       {"machine": "twin", "offset_seconds": null, "verdict": null},
                       {"machine": "b:2", "offset_seconds": -90_000, "verdict": "wrong"}],
            "strays": [{"backend": "b:2", "serial": "130-9", "trouble": "it is alone"}],
                "licenses": [{"firm_code": 10, "product_code": 201, "tmr_id": 1, "quantity": 5,
                    "used": 2, "free": 3, "matching": 2, "available": true, "state": "expired", "severity": "red",
                    "expires": "2026-11-21T19:00:00Z", "expired": true, "differs": [
                    {"backend": "c:3", "field": "LicenseQuantity", "value": "4", "expected": "5"}]}],
                "gone": [{"trouble": "3 handles of a licence that is gone"}],
                "strangers": [{"trouble": "192.0.2.66 names handles that are not his"}],
                "handles": 7,
                "files": [{"file": "/etc/x", "trouble": "no PEM", "what_to_do": "mend it"}],
                "allocations": []
            }),
            Colour::Never,
        );
        for line in [
            "  10:201 has expired on 2026-11-21T19:00:00Z",
            "  3 handles of a licence that is gone",
            "  192.0.2.66 names handles that are not his",
            "  and 7 more: /api/allocations?from=0",
            "front, active, epoch 3, fenced (tmrd 0.1.0, smol)",
            "This front cannot lead: the group's memory is lost",
            "The last planned failover: too late",
            "/etc/x: no PEM; mend it",
            "  a:1: an empty state folder",
            "The certificate of the admin pages ends on 2026-12-01T00:00:00Z",
            "twin b:2: standby, 7 behind, 2 of its clients served here",
            "  CmServer.Server differs: x here, y there",
            "  a:1      up     -          3      2",
            "  131-5      7        130-1, 130-2",
            "  backends a:1 and c:3 hold the same part (130-1)",
            "  the clock of b:2 is wrong: -90000 s off the date",
            "  130-9 at b:2: it is alone",
            "  10    201      1       5      2     3     2      true       expired  2026-11-21T19:00:00Z",
            "  10:201: expired",
            "  10:201 differs at c:3: LicenseQuantity is 4, the others have 5",
            "handles held: none",
        ] {
            assert!(shown.lines().any(|found| found == line), "{line}\n{shown}");
        }
    }
}

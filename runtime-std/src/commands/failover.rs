//! `failover`: gives the lead to the other front in good order.

use crate::commands::admin::http;
use crate::commands::admin::pages::Pages;
use crate::commands::status::{nothing_ordered, status_after};
use crate::exit::{Failure, Outcome};
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};

/// Longer than a front takes to give the lead away, or to give that up.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long another front that has just started is waited for: it needs its backends first, and
/// keepalived there needs the first results of its scripts.
const STARTING: Duration = Duration::from_secs(10);
/// The pause between two looks at the status.
const LOOK: Duration = Duration::from_millis(20);

/// Orders a front to give the lead to the other one, and waits until that leads and the virtual
/// address, if there is one, has left this machine. `if_active`: does nothing if the front does not
/// lead.
///
/// # Errors
/// It cannot be reached, does not lead, has no front to give the lead to, or keeps it; the message
/// has the reason.
pub fn failover(at: &Pages, if_active: bool) -> Outcome {
    let (status, _) = http::status(at).map_err(nothing_ordered)?;
    if if_active && status["role"] != "active" {
        return Ok(());
    }
    let before = &status["process"];
    let started = Instant::now();
    loop {
        let answer = http::post(at, "/api/failover")?;
        if answer.status == 202 {
            break;
        }
        let starting = || {
            let (status, _) = http::status(at).map_err(nothing_ordered)?;
            Ok::<_, Failure>(status["twin"]["starting"] == true)
        };
        if answer.status != 409 || started.elapsed() > STARTING || !starting()? {
            return Err(Failure::failed(format!("{}: {}", answer.at, answer.body.trim_end())));
        }
        thread::sleep(10 * LOOK);
    }
    loop {
        let status = status_after(at, before, "tmrd failover")?;
        if let Some(trouble) = status["failover_trouble"].as_str() {
            return Err(Failure::failed(format!("{at}: {trouble}")));
        }
        if is_done(&status) {
            let (twin, took) = (&status["twin"]["address"], started.elapsed().as_millis());
            let twin = twin.as_str().unwrap_or("the other front");
            note!("{at} stands by; {twin} leads (it took {took} ms)");
            return Ok(());
        }
        if started.elapsed() > PATIENCE {
            let waited = PATIENCE.as_secs();
            return Err(Failure::failed(format!(
                "{at} has not given its role away after {waited} s; tmrd status says how it stands"
            )));
        }
        thread::sleep(LOOK);
    }
}

/// Returns whether the other front leads, and clients reach it.
fn is_done(status: &Value) -> bool {
    let led = status["role"] == "standby" && status["twin"]["role"] == "active";
    led && status["virtual_ip"] != true
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_is_done_when_the_other_one_leads_and_has_the_address() {
        let status = |role, twin, here: Option<bool>| json!({ "role": role, "virtual_ip": here, "twin": { "role": twin } });
        for (role, twin, here, done) in [
            ("standby", "active", None, true),
            ("standby", "active", Some(false), true),
            ("standby", "active", Some(true), false),
            ("standby", "starting", None, false),
            ("active", "standby", None, false),
            ("starting", "active", None, false),
        ] {
            assert_eq!(is_done(&status(role, twin, here)), done, "{role} {twin} {here:?}");
        }
    }
}

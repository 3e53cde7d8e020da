//! `doctor`: examines a front, its machine and the other four servers, and reports what is wrong
//! and what to do.
//!
//! What lives here: the examinations and their order. Each is a function from facts to findings.
//! What never lives here: a change of anything.

mod finding;
mod group;
mod keepalived;
mod machine;
mod probe;
mod served;

use crate::clock::Clock;
use crate::commands::admin::http;
use crate::commands::admin::pages::Pages;
use crate::commands::{cli, stdout};
use crate::exit::{Exit, Failure, Outcome};
use crate::host::files;
use crate::reactor::dial::dial;
use finding::{Finding, Findings, Level};
use group::Asked;
use serde_json::Value;
use std::path::Path;
use std::thread;
use tmr_core::base::network::Address;
use tmr_core::config::Config;

/// Examines everything, and prints the findings.
///
/// # Errors
/// There are problems.
pub fn doctor(options: &cli::Doctor) -> Outcome {
    let mut findings = Findings::default();
    match files::config(&options.config) {
        Ok((_, config)) => {
            let what = format!("{}: a front takes this", options.config.display());
            findings.ok("configuration", what);
            look(options, &config, &mut findings);
        }
        Err(failure) => {
            let todo = "correct it as the sentence says; tmrd check-config FILE looks at it alone";
            findings.problem("configuration", failure.to_string(), todo);
            if let Some(admin) = &options.admin.named() {
                front(admin, &mut findings);
            }
            machine::clock(machine::clock_is_set(), &mut findings);
        }
    }
    if options.json {
        stdout::line(format!("{:#}", findings.json()))?;
    } else {
        stdout::line(findings.text())?;
    }
    match findings.count(Level::Problem) {
        0 => Ok(()),
        1 => Err(Failure::failed("there is a problem")),
        many => Err(Failure::failed(format!("there are {many} problems"))),
    }
}

fn look(options: &cli::Doctor, config: &Config, findings: &mut Findings) {
    let usual = || options.admin.with(Pages::of(&options.state, reached(&config.admin)));
    let admin = options.admin.named().unwrap_or_else(usual);
    let status = front(&admin, findings);
    let listeners = [
        ("TmrServer", &config.listen),
        ("WebAdmin", &config.admin),
        ("TmrServer.TwinListen", &config.twin_listen),
    ];
    if status.is_some() {
        for (key, at) in listeners {
            machine::privileged(key, at, findings);
            if at.port != 0 && dial(&reached(at)).is_err() {
                let what = format!("the front runs, and nobody listens on {at} ({key})");
                findings.problem(
                    "ports",
                    what,
                    "restart the front: it was started with another file",
                );
            }
        }
    } else {
        machine::ports(&listeners, findings);
    }
    let path = files::beside(&options.config, &config.group_key_file);
    let key = files::group_key(&path);
    let read = key.as_ref().map(|_| ()).map_err(ToString::to_string);
    machine::group_key(&path, read, findings);
    if let Ok(key) = key {
        others(config, &key, status.as_ref(), findings);
    }
    let here = machine::addresses();
    let port = config.listen.port;
    let status = status.filter(|status| !status.is_null());
    let answers = |host: std::net::IpAddr| dial(&Address { host: host.to_string(), port }).is_ok();
    served::addresses(&config.virtual_ips, &here, status.as_ref(), answers, findings);
    if !config.virtual_ips.is_empty() {
        keepalived(&options.keepalived, config, findings);
    }
    machine::state(&options.state, findings);
    machine::clock(machine::clock_is_set(), findings);
}

/// Returns the status of this machine's front; `None`: it does not run; null: it does not give its
/// status.
fn front(admin: &Pages, findings: &mut Findings) -> Option<Value> {
    match http::status(admin) {
        Ok((status, _)) if status["role"] == "backend" => {
            let what = format!("the server at {admin} is a backend");
            findings.problem("front", what, "name the front's admin pages with --admin");
            None
        }
        Ok((status, _)) => {
            served::verdict(&status, findings);
            let metrics =
                http::get(admin, "/metrics").map(|answer| answer.body).unwrap_or_default();
            let value = |line: &str| line.strip_prefix("process_max_fds ")?.parse().ok();
            machine::files(metrics.lines().find_map(value), findings);
            Some(status)
        }
        Err(failure) if failure.exit == Exit::Unreachable && admin.open().is_ok() => {
            let what = format!("it is there and does not work: {failure}");
            let todo = "its process is stopped, or hangs: systemctl restart tmrd-front, where nobody has \
                        stopped it on purpose (kill -CONT has it go on)";
            findings.problem("front", what, todo);
            Some(Value::Null)
        }
        Err(failure) if failure.exit == Exit::Unreachable => {
            let todo = "systemctl status tmrd-front, and journalctl -u tmrd-front say why";
            findings.problem("front", format!("it does not run: {failure}"), todo);
            None
        }
        Err(failure) => {
            let todo =
                "let it look: as root by its socket, or with --token-file or --password-file";
            findings.problem("front", format!("it does not say how it is: {failure}"), todo);
            Some(Value::Null)
        }
    }
}

/// Asks all other servers at once. Findings that the front's verdict already has are left out;
/// findings that can be made from here only are added.
fn others(
    config: &Config,
    key: &tmr_core::link::channel::GroupKey,
    status: Option<&Value>,
    findings: &mut Findings,
) {
    let ask = |address: &Address| {
        let said = probe::backend(address, key);
        let there = said.is_ok().then(|| probe::clock(address)).flatten();
        let clocks = there.map(|there| (there, Clock::start().now().wall));
        Asked { address: address.clone(), said, clocks }
    };
    let (asked, twin) = thread::scope(|scope| {
        let asked = config.backends.each_ref().map(|address| scope.spawn(move || ask(address)));
        let twin = probe::twin(&config.twin.address, key);
        (asked.map(|ask| ask.join().expect("a look does not panic")), twin)
    });
    if config.unfenced {
        findings.ok("backends", "they are stock servers, which are asked by the front alone");
    } else {
        let verdict = status.and_then(|status| status["verdict"].as_array());
        let mut seen = Findings::default();
        group::backends(&asked, &mut seen);
        group::licences(config, &asked, Clock::start().now().wall, &mut seen);
        findings.0.extend(seen.0.into_iter().filter(|it| is_news(it, verdict)));
    }
    let mut seen = Findings::default();
    group::twin(&config.twin.address, &twin, &mut seen);
    let about_twin = |it: &Value| it["about"] == "twin";
    let verdict = status.and_then(|status| status["verdict"].as_array());
    let told = verdict.is_some_and(|verdict| verdict.iter().any(about_twin));
    findings.0.extend(seen.0.into_iter().filter(|it| !told || it.level == Level::Ok));
}

/// Returns whether a finding adds to the front's verdict: it is good, or a backend that the verdict
/// does not mention cannot be reached from here.
fn is_news(finding: &Finding, verdict: Option<&Vec<Value>>) -> bool {
    let Some(verdict) = verdict else { return true };
    let told = |it: &Value| {
        it["about"].as_str().is_some_and(|about| finding.what.starts_with(&format!("{about} ")))
    };
    finding.level == Level::Ok || finding.refused && !verdict.iter().any(told)
}

fn keepalived(path: &Path, config: &Config, findings: &mut Findings) {
    machine::keepalived_runs(findings);
    match std::fs::read_to_string(path) {
        Ok(text) => {
            keepalived::check(&text, &config.virtual_ips, &machine::interfaces(), findings);
        }
        Err(error) => {
            let what = format!("{}: {}", path.display(), crate::exit::words(&error));
            let todo = "copy /usr/share/doc/tmrd/examples/keepalived.conf there and adapt it; run this \
                        command as root if it may not be read";
            findings.problem("keepalived", what, todo);
        }
    }
}

/// Returns the address at which a listener is reached from this machine.
fn reached(at: &Address) -> Address {
    // By IP address: the name localhost may lead elsewhere, or nowhere.
    let host = match at.host.as_str() {
        "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        host => host,
    };
    Address { host: host.to_owned(), port: at.port }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_reached_by_its_number_and_by_no_name_that_it_has_not() {
        for (listens, at) in [
            ("0.0.0.0", "127.0.0.1"),
            ("::", "::1"),
            ("192.0.2.7", "192.0.2.7"),
            ("front-1.example.org", "front-1.example.org"),
        ] {
            let address = |host: &str| Address { host: host.to_owned(), port: 5 };
            assert_eq!(reached(&address(listens)), address(at));
        }
    }
}

//! `demo --drill`: clients work while servers are killed, frozen and started again, and their
//! answers are compared with the servers' state.
//!
//! What lives here: the steps. What never lives here: a front's reaction. A step lets the clients
//! work, does something to a server, waits for the consequence, and lets them continue. Then they
//! pause with their handles: the front that leads must list every handle in a client's hands, and
//! every handle must answer.

mod clients;
mod history;
mod report;

use super::{House, LOOK, Seen};
use crate::commands::admin::http;
use crate::commands::client::session::Session;
use crate::commands::stdout;
use crate::exit::{Failure, Outcome};
use clients::{CLIENTS, Clients, KEEPERS, session};
use history::History;
use report::{Report, Row};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tmr_core::wire::Request;

/// The sample licence that the drill uses.
const FIRM_CODE: u32 = 6_000_010;
const PRODUCT_CODE: u32 = 201;
/// How long clients work before a fault, and after its effect.
const WORK: Duration = Duration::from_millis(500);
/// The number of seats that must be granted after that.
const MORE: u32 = 8;
/// How long an effect may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Lets clients work through one fault after the other, and reports what they saw.
///
/// # Errors
/// A seat was lost or granted twice, an expected effect did not come, or a server does not start.
pub(super) fn run(
    house: &mut House,
    address: SocketAddr,
    stopped: &Receiver<()>,
    json: bool,
) -> Outcome {
    let mut drill = Drill::begin(house, address, stopped)?;
    drill.steps()?;
    let Drill { quantity, rows, left, clients, .. } = &drill;
    let report = Report::new(*quantity, rows.clone(), *left, &clients.history());
    if json {
        stdout::line(format!("{:#}", report.as_json()))?;
    } else {
        stdout::line(&report)?;
    }
    if report.is_clean() { Ok(()) } else { Err(Failure::failed("the drill found what may not be")) }
}

struct Drill<'a> {
    house: &'a mut House,
    stopped: &'a Receiver<()>,
    clients: Clients,
    /// Calls with the clients' handles, and releases the seats that lost answers have left.
    checker: Session,
    quantity: u32,
    /// The handles that existed before.
    before: BTreeSet<u32>,
    left: u32,
    rows: Vec<Row>,
}

/// An expected effect: a description, and a test of a front's status.
type Then = (String, Box<dyn Fn(&Seen) -> bool>);

impl<'a> Drill<'a> {
    fn begin(
        house: &'a mut House,
        address: SocketAddr,
        stopped: &'a Receiver<()>,
    ) -> Result<Self, Failure> {
        let seen = house.look();
        let status = seen.leader().ok_or_else(|| Failure::failed("no front leads"))?;
        let quantity = licence(status)["quantity"].as_u64().and_then(|it| u32::try_from(it).ok());
        let Some(quantity) = quantity else {
            let name = format!("{FIRM_CODE}:{PRODUCT_CODE}");
            return Err(Failure::usage(format!("there is no licence {name} in the demo's folder")));
        };
        let clients = Clients::start(address, History::new(quantity))?;
        note!("{CLIENTS} clients, {quantity} seats");
        let (checker, before) = (session(address), handles(status));
        Ok(Self { house, stopped, clients, checker, quantity, before, left: 0, rows: Vec::new() })
    }

    fn steps(&mut self) -> Outcome {
        self.clients.go();
        // The eight key agreements come before the measured time.
        self.until_seats_are_given(MORE)?;
        self.step("nothing: all is well", |_| Ok(()), None)?;

        self.step(
            "backend-3 killed (-9)",
            |house| house.servers.backends[2].kill(),
            Some(then("two parts serve", |seen| seen.parts() == 2)),
        )?;
        self.step(
            "backend-3 started again",
            |house| house.servers.backends[2].start_again(),
            Some(whole()),
        )?;

        let old = self.house.look().active.unwrap_or_default();
        let new = 1 - old;
        let (killed, leads) = (self.front(old), self.front(new));
        self.step(
            &format!("{killed}, which led, killed (-9)"),
            |house| house.servers.fronts[old].kill(),
            Some(then(&format!("{leads} leads"), move |seen| seen.active == Some(new))),
        )?;
        self.step(
            &format!("{killed} started again"),
            |house| house.servers.fronts[old].start_again(),
            Some(then("it stands by, in sync", move |seen| {
                let twin = seen.leader().map(|status| &status["twin"]);
                let synced = twin.is_some_and(|twin| twin["synced"] == true);
                seen.active == Some(new) && synced && seen.role(old) == "standby"
            })),
        )?;

        self.step(
            "backend-1 frozen (SIGSTOP)",
            |house| house.servers.backends[0].signal(Signal::STOP),
            Some(then("two parts serve", |seen| seen.parts() == 2)),
        )?;
        self.step(
            "backend-1 goes on (SIGCONT)",
            |house| house.servers.backends[0].signal(Signal::CONT),
            Some(whole()),
        )?;

        self.step(
            &format!("planned failover at {leads}"),
            |house| {
                let answer = http::post(&house.servers.fronts[new].admin(), "/api/failover")?;
                let refused = || Failure::failed(answer.body.trim_end());
                if answer.status == 202 { Ok(()) } else { Err(refused()) }
            },
            Some(then(&format!("{killed} leads"), move |seen| seen.active == Some(old))),
        )
    }

    fn front(&self, index: usize) -> String {
        self.house.servers.fronts[index].line.name.clone()
    }

    fn step(
        &mut self,
        what: &str,
        act: impl FnOnce(&mut House) -> Outcome,
        then: Option<Then>,
    ) -> Outcome {
        note!("step {}: {what}", self.rows.len() + 1);
        self.clients.history().begin(Instant::now());
        self.clients.go();
        self.work(WORK)?;
        act(self.house)?;
        let then = match then {
            Some((words, met)) => Some((words, self.wait(|seen, _| met(seen))?)),
            None => None,
        };
        if let Some((words, None)) = &then {
            self.broken(format!("{what}: not within {} s: {words}", LIMIT.as_secs()));
        }
        let taken = self.clients.history().so_far().taken;
        self.work(WORK)?;
        // Until this step has ended, a seat whose grant was lost is taken and no client holds it.
        let lost = self.clients.history().so_far().lost;
        if lost + KEEPERS < self.quantity {
            self.until_seats_are_given(taken + MORE)?;
        }
        let end = Instant::now();
        let (house, stopped) = (&mut *self.house, self.stopped);
        self.clients.halt(|| look(house, stopped).map(drop))?;
        self.check(what)?;
        let counts = self.clients.history().end(end);
        self.rows.push(Row { what: what.to_owned(), then, counts });
        Ok(())
    }

    /// Compares the clients' handles with those of the front that leads, while no call is under
    /// way.
    fn check(&mut self, what: &str) -> Outcome {
        let seen = self.look()?;
        let Some(status) = seen.leader() else {
            self.broken(format!("{what}: no front leads"));
            return Ok(());
        };
        let there = handles(status).difference(&self.before).copied().collect();
        let left = self.clients.history().compare(&there);
        let held = self.clients.history().held().clone();
        for handle in held {
            if let Err(failure) = self.checker.call(&Request::GetVersion { handle }) {
                self.broken(format!("{what}: seat {handle} does not answer: {failure}"));
            }
        }
        for handle in left {
            self.checker.call(&Request::Release { handle })?;
            self.left += 1;
        }
        Ok(())
    }

    /// Waits until this many seats were granted in this step.
    fn until_seats_are_given(&mut self, count: u32) -> Outcome {
        if self.wait(|_, clients| clients.history().so_far().taken >= count)?.is_none() {
            self.broken(format!("no {count} seats were given within {} s", LIMIT.as_secs()));
        }
        Ok(())
    }

    fn broken(&self, what: String) {
        self.clients.history().broken(what);
    }

    fn look(&mut self) -> Result<Seen, Failure> {
        look(self.house, self.stopped)
    }

    /// Lets the clients work for a while.
    fn work(&mut self, time: Duration) -> Outcome {
        let start = Instant::now();
        while start.elapsed() < time {
            self.look()?;
        }
        Ok(())
    }

    /// Returns how long it took until the condition was met; `None`: longer than [`LIMIT`].
    fn wait(&mut self, met: impl Fn(&Seen, &Clients) -> bool) -> Result<Option<Duration>, Failure> {
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            let seen = self.look()?;
            if met(&seen, &self.clients) {
                return Ok(Some(start.elapsed()));
            }
        }
        Ok(None)
    }
}

/// Moves the address as the demo does, and pauses for a moment.
fn look(house: &mut House, stopped: &Receiver<()>) -> Result<Seen, Failure> {
    let seen = house.look();
    match stopped.recv_timeout(LOOK) {
        Err(RecvTimeoutError::Timeout) => Ok(seen),
        _ => Err(Failure::failed("stopped before its end")),
    }
}

fn then(words: &str, met: impl Fn(&Seen) -> bool + 'static) -> Then {
    (words.to_owned(), Box::new(met))
}

fn whole() -> Then {
    then("three parts again", |seen| seen.parts() == 3)
}

impl Seen {
    /// Returns how many parts of the drilled licence the leading front counts.
    fn parts(&self) -> u64 {
        let up = |status: &Value| {
            let backends = status["backends"].as_array().map_or(&[][..], Vec::as_slice);
            backends.iter().filter(|backend| backend["state"] == "up").count() as u64
        };
        let matching = |status| licence(status)["matching"].as_u64().unwrap_or(0);
        self.leader().map_or(0, |status| up(status).min(matching(status)))
    }
}

/// Returns the row of the drilled licence.
fn licence(status: &Value) -> &Value {
    let rows = status["licenses"].as_array().map_or(&[][..], Vec::as_slice);
    rows.iter().find(|row| is_drilled(row)).unwrap_or(&Value::Null)
}

/// Returns the handles with its seats.
fn handles(status: &Value) -> BTreeSet<u32> {
    let rows = status["allocations"].as_array().map_or(&[][..], Vec::as_slice);
    let handles =
        rows.iter().filter(|row| is_drilled(row)).filter_map(|row| row["handle"].as_u64());
    handles.filter_map(|handle| u32::try_from(handle).ok()).collect()
}

fn is_drilled(row: &Value) -> bool {
    row["firm_code"] == FIRM_CODE && row["product_code"] == PRODUCT_CODE
}

//! What the tests of unfenced mode begin with: a front with three stock servers, the licences of those,
//! and what clients ask of them.

use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};
use tmr_tests::harness::{
    CM_ACT_ID, FIRM_CODE, ORDINARY, Runtime, Server, TMR, Workshop, get_json, give_back,
    licence_row, specification, status_until, take, until,
};
use tmr_tests::independent_client::{AccessRequest, Client, Crypt, Person, Reply};
use tmr_tests::stock_server::{Licence, PlainServer};

pub(crate) const SEATS: u32 = 5;
pub(crate) const PAIR: u32 = 202;
pub(crate) const UNITS: u32 = 203;
pub(crate) const VIRTUAL: u32 = 59_885_682;
/// A lost seat is taken again within this time, and any other seat follows its answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(50);
/// A refusal must come within this time.
pub(crate) const REFUSAL: Duration = Duration::from_secs(5);

pub(crate) const ACCESS2: u32 = 0x64;
pub(crate) const CRYPT2: u32 = 0x69;

/// A front, three stock servers, and the folder of the front.
pub(crate) struct SetUp {
    pub(crate) front: Server,
    pub(crate) servers: Vec<PlainServer>,
    pub(crate) workshop: Workshop,
}

pub(crate) fn licence(product_code: u32, quantity: u32) -> Licence {
    let text = format!("Product {product_code}");
    let (firm_code, features, units) = (FIRM_CODE, 6, None);
    Licence { firm_code, product_code, tmr_id: 1, quantity, features, text, units }
}

pub(crate) fn licences() -> Vec<Licence> {
    vec![
        Licence { tmr_id: 0, ..licence(ORDINARY, 2) },
        licence(TMR, SEATS),
        licence(PAIR, 2),
        Licence { units: Some(100), ..licence(UNITS, 3) },
    ]
}

pub(crate) fn serial(index: usize) -> u32 {
    7_654_321 + u32::try_from(index).expect("three servers") * 1_111
}

pub(crate) fn configuration(
    workshop: &Workshop,
    servers: &[PlainServer],
    container: &Value,
) -> Value {
    let ip = workshop.ip();
    let list: Vec<Value> =
        servers.iter().map(|it| json!({ "Ip": ip, "Port": it.address().port() })).collect();
    json!({
        "TmrServer": {
            "Ip": ip, "Port": 0,
            "TwinServer": { "Ip": ip, "Port": 22354 },
            "TwinListen": { "Ip": ip, "Port": 0 },
            "GroupKeyFile": workshop.group_key(),
        },
        "CmServer": { "NetworkRetryIntervalInSeconds": 1, "Unfenced": true, "Server": list },
        "WebAdmin": { "Ip": ip, "Port": 0 },
        "VirtualContainers": [container],
    })
}

impl SetUp {
    pub(crate) fn start(runtime: Runtime) -> Self {
        Self::of(runtime, CM_ACT_ID, &json!({ "CmActId": CM_ACT_ID, "Serial": VIRTUAL }))
    }

    /// Starts servers whose containers have this CmActId, and a front with this virtual container.
    pub(crate) fn of(runtime: Runtime, cm_act_id: u32, container: &Value) -> Self {
        let workshop = Workshop::new(runtime, &specification(&[]));
        let servers: Vec<PlainServer> = (0..3)
            .map(|at| PlainServer::start(workshop.ip(), serial(at), cm_act_id, licences()))
            .collect();
        let file = workshop.folder().join("tmrconf.json");
        fs::write(&file, configuration(&workshop, &servers, container).to_string())
            .expect("a file");
        let state = workshop.folder().join("front");
        let arguments =
            ["serve".into(), "--config".into(), file.into(), "--state".into(), state.into()];
        let front = Server::start("front", workshop.folder(), workshop.program(), &arguments)
            .unwrap_or_else(|end| panic!("{end:?}"));
        let url = format!("http://{}", front.admin());
        workshop.program().run(["activate", "--admin", &url]).expect(0);
        let set_up = Self { front, servers, workshop };
        set_up.whole();
        set_up
    }

    pub(crate) fn status(&self) -> Value {
        get_json(self.front.admin(), "/api/status").expect("the front's status")
    }

    pub(crate) fn whole(&self) {
        whole(&self.front);
    }

    pub(crate) fn down(&self, index: usize) {
        status_until(self.front.admin(), "the server to be shown as down", |status| {
            (status["backends"][index]["state"] == "down").then_some(())
        });
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.front.licence()).expect("the front takes a client")
    }

    #[track_caller]
    pub(crate) fn used_there(&self, product_code: u32, seats: [u32; 3]) {
        used_at(&self.servers, product_code, seats);
    }

    /// Waits until the front knows the handles of this number of seats at each server. A server
    /// counts a seat before its reply is sent, and a reply that is lost with the server leaves a
    /// doubt.
    pub(crate) fn held(&self, seats: u64) {
        status_until(self.front.admin(), "handles at each server", |status| {
            let rows = status["backends"].as_array()?;
            rows.iter().all(|row| row["handles"] == seats).then_some(())
        });
    }

    pub(crate) fn used(&self, product_code: u32) -> u64 {
        let row = licence_row(&self.status(), product_code).expect("the licence is shown");
        row["used"].as_u64().expect("a number")
    }
}

#[track_caller]
pub(crate) fn whole(front: &Server) {
    status_until(front.admin(), "three servers and whole licences", |status| {
        let all = |list: &str, is: &dyn Fn(&Value) -> bool| {
            status[list].as_array().is_some_and(|it| !it.is_empty() && it.iter().all(is))
        };
        (all("backends", &|it| it["state"] == "unfenced")
            && all("licenses", &|it| it["matching"] == 3))
        .then_some(())
    });
}

/// Waits until each server counts these seats.
#[track_caller]
pub(crate) fn used_at(servers: &[PlainServer], product_code: u32, seats: [u32; 3]) {
    let start = Instant::now();
    until("seats at the servers", || {
        let there = [0, 1, 2].map(|at: usize| servers[at].used(product_code));
        let right = there == seats;
        assert!(right || start.elapsed() < PATIENCE, "{there:?} and not {seats:?} seats");
        right.then_some(())
    });
}

pub(crate) fn ask(product_code: u32, person: u32) -> AccessRequest {
    let host = format!("ws-{person}");
    AccessRequest::new(FIRM_CODE, product_code)
        .by(Person { pid: person, ..Person::new(&host, "ada") })
}

#[track_caller]
pub(crate) fn seat(client: &mut Client, product_code: u32, person: u32) -> u32 {
    let taken = take(client, &ask(product_code, person)).expect("the connection stays open");
    taken.expect("a seat is free")
}

#[track_caller]
pub(crate) fn refused(client: &mut Client, product_code: u32, status: u32) {
    let taken = take(client, &ask(product_code, 99)).expect("the connection stays open");
    assert_eq!(taken, Err(status));
}

#[track_caller]
pub(crate) fn back(client: &mut Client, handle: u32) {
    assert_eq!(give_back(client, handle).expect("the connection stays open"), Ok(0));
}

#[track_caller]
pub(crate) fn crypt(client: &mut Client, handle: u32) -> Reply {
    let crypt = Crypt::firm_key(Crypt::ECB_ENCRYPT, 7);
    client.call(&crypt.request(handle, &[5; 32])).expect("the connection stays open")
}

//! Rules for accesses: `AccessControl` and `MinimumClientVersion`, at the front that leads and at
//! the one that passes calls on.

use serde_json::{Value, json};
use tmr_tests::harness::{
    BackendLine, Cluster, FIRM_CODE, Runtime, Server, TMR, Workshop, get, get_json, give_back,
    specification, status_until, take, until,
};
use tmr_tests::independent_client::error::{ACCESS_DENIED, USER_RUNTIME_VERSION_TOO_OLD};
use tmr_tests::independent_client::{AccessRequest, Client, Crypt};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    the_first_rule_that_fits_decides_at_either_front,
    an_old_client_is_refused_and_named,
    a_backend_serves_clients_of_its_own_networks_only,
);

/// A licence beside the sample licence.
const OTHER: u32 = 401;

fn denied(cluster: &Cluster, front: usize, reason: &str) -> u64 {
    let (code, text) = get(cluster.fronts[front].admin(), "/metrics").expect("metrics");
    assert_eq!(code, 200);
    let line = format!("tmrd_denials_total{{reason=\"{reason}\"}} ");
    text.lines().find_map(|it| it.strip_prefix(&line)?.parse().ok()).expect("the reason is counted")
}

/// Starts two fronts with these additional keys under `TmrServer` and at the top.
fn configure(cluster: &mut Cluster, server: &Value, rules: &Value) {
    for front in 0..cluster.fronts.len() {
        cluster.fronts[front].kill();
        cluster.restart_front_with(front, |value| {
            for (key, more) in server.as_object().into_iter().flatten() {
                value["TmrServer"][key] = more.clone();
            }
            value["AccessControl"] = rules.clone();
        });
    }
    cluster.activate(0);
    cluster.wait_whole(0);
}

fn the_first_rule_that_fits_decides_at_either_front(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).licences(&[(TMR, 5), (OTHER, 5)]).twin().start();
    let ask = |product| AccessRequest::new(FIRM_CODE, product);
    let mut held = cluster.client();
    let handle = take(&mut held, &ask(TMR)).expect("a reply").expect("nothing is denied yet");
    // Every client in this test has the test's own address, which is in the second network of the
    // rules.
    configure(
        &mut cluster,
        &json!({}),
        &json!([
            { "Action": "allow", "Networks": ["::/0", "127.0.0.1"],
              "FirmCode": FIRM_CODE, "ProductCode": OTHER },
            { "Action": "deny", "Networks": ["192.0.2.0/24", "127.0.0.0/8"], "FirmCode": FIRM_CODE },
            { "Action": "allow", "Networks": ["0.0.0.0/0"] }
        ]),
    );
    // For calls that are forwarded to the twin, the client's own address decides, not the front's.
    status_until(cluster.fronts[1].admin(), "the standby to pass calls on", |status| {
        (status["twin"]["role"] == "active" && status["twin"]["synced"] == true).then_some(())
    });
    for front in [0, 1] {
        let before = denied(&cluster, 0, "access-denied");
        let mut client = Client::connect(cluster.fronts[front].licence()).expect("a client");
        assert_eq!(take(&mut client, &ask(TMR)).expect("a reply"), Err(ACCESS_DENIED));
        let other = take(&mut client, &ask(OTHER)).expect("a reply").expect("it is allowed");
        assert_eq!(give_back(&mut client, other).expect("a reply"), Ok(0));
        let service = take(&mut client, &AccessRequest::subsystem()).expect("a reply");
        service.expect("a handle of the service names no Firm Code");
        assert_eq!(denied(&cluster, 0, "access-denied"), before + 1, "at front {front}");
    }
    // Handles that were granted before stay valid.
    let mut client = cluster.client();
    let crypt = Crypt::firm_key(Crypt::ECB_ENCRYPT, 5).request(handle, &[7; 16]);
    assert_eq!(client.call(&crypt).expect("a reply").status, 0);
    assert_eq!(give_back(&mut client, handle).expect("a reply"), Ok(0));
}

fn an_old_client_is_refused_and_named(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).start();
    configure(&mut cluster, &json!({ "MinimumClientVersion": "6.10" }), &json!([]));
    let with = |version: u32| {
        let mut request = AccessRequest::new(FIRM_CODE, TMR).access2();
        // mulUsedRuntimeVersion.
        request[24..28].copy_from_slice(&version.to_le_bytes());
        request
    };
    let mut client = cluster.client();
    for old in [0x0609_ffff, 0] {
        let reply = client.call(&with(old)).expect("a reply");
        assert_eq!(reply.status, USER_RUNTIME_VERSION_TOO_OLD, "{old:#x}");
    }
    assert_eq!(denied(&cluster, 0, "user-runtime-version-too-old"), 2);
    let mut young = cluster.client();
    let handle = young.call(&with(0x060a_0000)).expect("a reply").done().expect("it is new enough");

    let clients = |is: &dyn Fn(&Value) -> bool| {
        let status = get_json(cluster.front().admin(), "/api/status").expect("a status");
        let rows = status["clients"].as_array().expect("a list").clone();
        rows.into_iter().find(|row| is(row))
    };
    let row = clients(&|row| row["too_old"] == true).expect("the old client");
    assert_eq!((&row["host"], &row["user"]), (&json!("ws-1"), &json!("ada")));
    assert_eq!((&row["connected"], &row["runtime_version"]), (&json!(true), &Value::Null));
    assert_eq!((&row["calls"], &row["address"]), (&json!(2), &json!("127.0.0.1")));
    let row = clients(&|row| row["runtime_version"] == "6.10").expect("the young client");
    assert_eq!((&row["too_old"], &row["calls"]), (&json!(false), &json!(1)));
    drop(client);
    let row = until("the old client to be gone and remembered", || {
        clients(&|row| row["too_old"] == true && row["connected"] == false)
    });
    assert_eq!(row["calls"], 2);
    assert_eq!(give_back(&mut young, handle).expect("a reply"), Ok(0));
}

/// Starts a backend without fronts, with these options in addition to the usual ones.
fn alone(workshop: &Workshop, more: &[&str]) -> Server {
    let mut line = BackendLine::of(workshop, 1).arguments();
    line.extend(more.iter().map(Into::into));
    Server::start("alone", workshop.folder(), workshop.program(), &line).expect("it starts")
}

fn a_backend_serves_clients_of_its_own_networks_only(runtime: Runtime) {
    let workshop = Workshop::new(runtime, &specification(&[(TMR, 3)]));
    for (networks, served) in [
        (&[][..], true),
        (&["--clients", "192.0.2.0/24", "::1"], false),
        (&["--clients", "192.0.2.0/24", "127.0.0.0/8"], true),
    ] {
        let mut server = alone(&workshop, networks);
        let mut client = Client::connect(server.licence()).expect("it takes a connection");
        let taken = take(&mut client, &AccessRequest::subsystem()).expect("an answer");
        match taken {
            Ok(_) => assert!(served, "{networks:?}"),
            Err(code) => assert_eq!((code, served), (ACCESS_DENIED, false), "{networks:?}"),
        }
        server.kill();
    }
    let mut line = BackendLine::of(&workshop, 1).arguments();
    line.extend(["--clients", "192.0.2.1/24"].map(Into::into));
    workshop.program().run(&line).expect(2).one_clear_error(&["--clients", "192.0.2.0/24"]);
}

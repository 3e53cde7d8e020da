//! The admin page in a real browser: what an operator sees and does there, and which requests a
//! page of another origin cannot make.
//!
//! `TMR_PICTURES=DIR` makes the pictures of the operator's manual as well.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::thread;
use tmr_tests::browser::Browser;
use tmr_tests::harness::{
    Cluster, FIRM_CODE, PASSWORD, Runtime, TMR, get, give_back, missing, post, status_until, take,
    until,
};
use tmr_tests::independent_client::error::INVALID_HANDLE;
use tmr_tests::independent_client::{AccessRequest, Client};

/// Returns `None` if no browser is installed.
fn browser() -> Option<Browser> {
    let there = Browser::is_there();
    (!missing(there, "chromium and chromium-driver")).then(Browser::start)
}

/// Two fronts, three backends, and a password for operators of both fronts.
fn cluster(runtime: Runtime) -> Cluster {
    let cluster = Cluster::of(runtime).twin().start();
    for front in [0, 1] {
        cluster.set_password(front, "operator", PASSWORD);
    }
    cluster
}

fn url(at: SocketAddr) -> String {
    format!("http://{at}/")
}

/// Signs in at the page that is open.
fn sign_in(browser: &Browser, password: &str) {
    browser.click("#sign");
    browser.write("#ask-password [name=password]", password);
    browser.click("#ask-password .main");
}

fn picture(browser: &Browser, name: &str) {
    if let Some(folder) = std::env::var_os("TMR_PICTURES") {
        let folder = PathBuf::from(folder);
        fs::create_dir_all(&folder).expect("a folder for pictures");
        browser.picture(&folder.join(name));
    }
}

/// Takes a seat for a client.
fn seat(cluster: &Cluster) -> (Client, u32) {
    let mut client = cluster.client();
    let ask = AccessRequest::new(FIRM_CODE, TMR);
    let handle = take(&mut client, &ask).expect("an answer").expect("a seat");
    (client, handle)
}

#[test]
fn each_front_is_shown_as_what_it_is_and_a_kill_of_the_active_one_live() {
    let Some(browser) = browser() else { return };
    let mut cluster = cluster(Runtime::Smol);
    let (active, standby) = (cluster.fronts[0].admin(), cluster.fronts[1].admin());
    status_until(active, "the twin to be in sync", |status| {
        (status["twin"]["synced"] == true).then_some(())
    });
    browser.open(&url(active));
    browser.shows("#role", &["active"]);
    browser.shows("#verdict", &["all is well", "leads"]);
    browser.shows("#machines", &["this front", "the other front", "in sync", "lag 0", "backend 3"]);
    browser.shows("#licences", &["131-59885682", &format!("{FIRM_CODE}:{TMR}"), "3 of 3"]);
    assert_eq!(browser.run("return document.querySelectorAll('.machine').length"), 5);

    browser.open(&url(standby));
    browser.shows("#role", &["standby"]);
    browser.shows("#verdict", &["stands by", "the other one leads"]);
    let _ = browser.run("window.notReloaded = true");
    cluster.fronts[0].kill();
    browser.shows("#verdict", &["not connected"]);
    browser.shows("#events", &["the other front", "is not connected"]);
    cluster.activate(1);
    browser.shows("#role", &["active"]);
    browser.shows("#events", &["this front leads"]);
    cluster.backends[2].kill();
    browser.shows("#verdict", &["backend", "is down"]);
    cluster.restart_backend(2);
    cluster.restart_front(0);
    browser.shows("#verdict", &["all is well"]);
    assert_eq!(browser.run("return window.notReloaded"), true);

    // The server of the page is killed and restarted.
    cluster.fronts[1].kill();
    browser.shows("#silence", &["no answer from this server for"]);
    cluster.restart_front(1);
    browser.hides("#silence");
    assert_eq!(browser.run("return window.notReloaded"), true);
}

#[test]
fn who_signs_in_takes_a_seat_back_and_it_is_recorded() {
    let Some(browser) = browser() else { return };
    let cluster = cluster(Runtime::Threads);
    let at = cluster.front().admin();
    let (mut client, handle) = seat(&cluster);
    browser.open(&url(at));
    browser.shows("#seats", &["user-limit"]);
    // A handle's number is sensitive, and is shown to operators only.
    let shown = browser.text("#seats").expect("a table");
    assert!(!shown.contains(&handle.to_string()), "{shown}");
    browser.hides("#seats button");

    sign_in(&browser, "wrong");
    browser.shows("#ask-password .said", &["not right"]);
    browser.hides("#seats button");
    browser.write("#ask-password [name=password]", &format!("{PASSWORD}\u{e007}"));
    browser.shows("#who", &["operator"]);
    browser.shows("#seats", &[&handle.to_string()]);

    browser.click("#seats button");
    browser.click("#ask-sure .main");
    browser.shows("#seats", &["nobody holds a seat"]);
    browser.shows("#toast", &["is being taken back"]);
    browser.shows("#audit", &["sign in", &format!("take back handle {handle}"), "operator"]);
    browser.shows("#events", &["taken back"]);
    let refused = give_back(&mut client, handle).expect("an answer");
    assert_eq!(refused, Err(INVALID_HANDLE), "its program hears that it has it no more");
    let audit = cluster.workshop().folder().join("front-0/audit.jsonl");
    let line = until("a line on disk", || {
        let text = fs::read_to_string(&audit).ok()?;
        text.lines().find(|line| line.contains("take back")).map(ToOwned::to_owned)
    });
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["who"], &line["done"]), (&json!("operator"), &json!(true)));

    // All handles of an address are ended at once.
    let held: Vec<_> = (0..2).map(|_| seat(&cluster)).collect();
    for (_, handle) in &held {
        browser.shows("#seats", &[&handle.to_string()]);
    }
    browser.click("#seats button.all");
    browser.click("#ask-sure .main");
    browser.shows("#seats", &["nobody holds a seat"]);
    browser.shows("#audit", &["take back all 2 handles of 127.0.0.1"]);

    browser.click("#sign");
    browser.shows("#sign", &["sign in"]);
    let release = format!("{{\"handle\": {handle}}}");
    let script = format!(
        "return fetch('/api/release', {{method: 'POST', headers: {{'X-Tmr-Admin': '1'}}, \
         body: {}}}).then(answer => answer.status)",
        json!(release)
    );
    assert_eq!(browser.run(&script), 401, "who has signed out changes nothing");
}

#[test]
fn with_a_password_for_readers_a_page_from_elsewhere_is_empty_until_they_sign_in() {
    let Some(browser) = browser() else { return };
    let cluster = cluster(Runtime::Smol);
    cluster.set_password(0, "reader", "look at it");
    let at = cluster.front().admin();
    // A program of this machine that does not use the socket may not either.
    assert_eq!(get(at, "/api/status").unwrap().0, 401);
    let proxy = proxy(at);
    browser.open(&url(proxy));
    browser.shows("#verdict", &["sign in to see this server"]);
    browser.hides("#seats");
    sign_in(&browser, "look at it");
    browser.shows("#who", &["reader"]);
    browser.shows("#machines", &["backend 1"]);
    browser.hides("#config .actions button");
}

/// A proxy in front of the page, which adds the client's address.
fn proxy(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            thread::spawn(move || relay(socket, to));
        }
    });
    at
}

/// Forwards one request and its answer, both short.
fn relay(mut socket: std::net::TcpStream, to: SocketAddr) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).into_owned();
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    socket.read_exact(&mut body)?;
    let head = head.replacen("\r\n", "\r\nX-Forwarded-For: 192.0.2.9\r\nConnection: close\r\n", 1);
    let mut server = std::net::TcpStream::connect(to)?;
    server.write_all(head.as_bytes())?;
    server.write_all(&body)?;
    std::io::copy(&mut server, &mut socket)?;
    Ok(())
}

/// A page of another origin that looks harmless.
const FORGED: &str = r#"<!doctype html><title>kittens</title><form method="post" enctype="text/plain"
action="TARGETapi/release"><input name='{"handle": HANDLE, "x": "' value='"}'></form><script>
const target = 'TARGET', body = '{"handle": HANDLE}';
const tries = [
  fetch(target + 'api/release', { method: 'POST', mode: 'no-cors', credentials: 'include', body }),
  fetch(target + 'api/release', { method: 'POST', credentials: 'include', body, headers: { 'X-Tmr-Admin': '1' } }),
  fetch(target + 'api/failover', { method: 'POST', mode: 'no-cors', credentials: 'include' }),
  fetch(target + 'api/status', { credentials: 'include' }).then(answer => answer.text()),
];
Promise.allSettled(tries).then(ends => {
  document.title = 'tried ' + ends.map(end => end.status === 'rejected' || end.value.type === 'opaque' ? 'nothing' : 'READ').join(' ');
});
</script>"#;

#[test]
fn a_page_of_somebody_else_changes_and_reads_nothing() {
    let Some(browser) = browser() else { return };
    let cluster = cluster(Runtime::Smol);
    let at = cluster.front().admin();
    let (mut client, handle) = seat(&cluster);
    browser.open(&url(at));
    sign_in(&browser, PASSWORD);
    browser.shows("#who", &["operator"]);

    let page = FORGED.replace("TARGET", &url(at)).replace("HANDLE", &handle.to_string());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let evil = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let _ = socket.read(&mut request);
            let length = page.len();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
            let _ = write!(socket, "{head}Content-Length: {length}\r\n\r\n{page}");
        }
    });
    browser.open(&evil);
    until("all four to be tried", || {
        let title = browser.run("return document.title");
        (title == "tried nothing nothing nothing nothing").then_some(())
    });
    let _ = browser.run("document.forms[0].submit()");
    until("the form to have gone", || {
        let here = browser.run("return location.href");
        here.as_str().is_some_and(|here| here.contains("/api/release")).then_some(())
    });
    let status = cluster.status();
    assert_eq!(status["role"], "active");
    assert_ne!(status["handles"], 0, "{status}");
    let (_, audit) = get(at, "/api/audit").unwrap();
    assert!(!audit.contains("take back"), "{audit}");
    give_back(&mut client, handle).expect("an answer").expect("it was the client's all the time");
    assert_eq!(
        post(at, "/api/release").unwrap().0,
        401,
        "this machine has to sign in for that, too"
    );
}

#[test]
fn a_configuration_is_changed_and_a_wrong_one_refused_with_its_line() {
    let Some(browser) = browser() else { return };
    let cluster = cluster(Runtime::Smol);
    let file = cluster.workshop().folder().join("tmrconf-0.json");
    let before = fs::read_to_string(&file).unwrap();
    browser.open(&url(cluster.front().admin()));
    browser.shows("#config .editor pre", &["1"]);
    browser.hides("#config .actions button");
    sign_in(&browser, PASSWORD);
    browser.shows("#config .actions", &["save"]);
    // The file is rewritten on several lines, one of which has a mistake.
    let value: Value = serde_json::from_str(&before).unwrap();
    let pretty = format!("{value:#}");
    let write = |text: &str| {
        let script = format!(
            "const area = document.querySelector('#config textarea'); area.value = {}; \
             area.dispatchEvent(new Event('input'))",
            json!(text)
        );
        let _ = browser.run(&script);
        browser.click("#config .actions .main");
    };
    let wrong =
        pretty.replace("\"NetworkRetryIntervalInSeconds\": 2", "\"NetworkRetryInterval\": 2");
    assert_ne!(wrong, pretty);
    let line =
        1 + wrong.lines().position(|line| line.contains("\"NetworkRetryInterval\"")).unwrap();
    write(&wrong);
    browser.shows("#config-said", &["nothing was changed", &format!("line {line},")]);
    browser.shows("#config .editor pre b", &[&line.to_string()]);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    let right = pretty
        .replace("\"NetworkRetryIntervalInSeconds\": 2", "\"NetworkRetryIntervalInSeconds\": 3");
    write(&right);
    browser.shows("#config-said", &["stored, and in force"]);
    browser.shows("#audit", &["change the configuration", "operator"]);
    let after: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(after["CmServer"]["NetworkRetryIntervalInSeconds"], 3);
    assert_eq!(after["TmrServer"]["Revision"], 1);
}

#[test]
fn the_page_fits_a_phone_is_dark_if_wanted_and_has_its_picture_taken() {
    let Some(browser) = browser() else { return };
    let mut cluster = cluster(Runtime::Smol);
    let _seats: Vec<_> = (0..3).map(|_| seat(&cluster)).collect();
    status_until(cluster.front().admin(), "the twin to be in sync", |status| {
        (status["twin"]["synced"] == true).then_some(())
    });
    browser.width(1280, 1000);
    browser.open(&url(cluster.front().admin()));
    sign_in(&browser, PASSWORD);
    browser.shows("#seats", &["take back"]);
    browser.shows("#events", &["this front leads"]);
    let back = || browser.run("return getComputedStyle(document.body).backgroundColor");
    let wide = || browser.run("return document.documentElement.scrollWidth").as_u64().unwrap();
    for (name, width, dark) in [
        ("admin-light.png", 1280, false),
        ("admin-dark.png", 1280, true),
        ("admin-phone.png", 360, false),
        ("admin-phone-dark.png", 360, true),
        ("admin-small.png", 320, false),
    ] {
        browser.width(width, if width < 600 { 780 } else { 1000 });
        browser.dark(dark);
        until("the colours to be what is wanted", || {
            let dim = back().as_str()?.contains("16, 21, 27");
            (dim == dark).then_some(())
        });
        assert!(wide() <= u64::from(width), "{name}: {} wide", wide());
        picture(&browser, name);
    }
    // With the keyboard alone: the first element that gets the focus leads to the content, and
    // every focus is visible.
    browser.dark(false);
    browser.width(1280, 1000);
    browser.open(&url(cluster.front().admin()));
    browser.shows("#seats", &["take back"]);
    browser.write("body", "\u{e004}");
    assert_eq!(browser.run("return document.activeElement.className"), "skip");
    cluster.backends[1].kill();
    browser.shows("#verdict", &["is down"]);
    browser.shows("#licences", &["2 of 3 parts"]);
    picture(&browser, "admin-trouble.png");
}

//! Permissions, sessions, and the record of changes.

mod signing_in;

use super::*;
use crate::base::credentials::BrowserKey;
use crate::base::limits::{FILE_TROUBLES_SHOWN, SIGN_IN_AGAIN, SIGN_IN_SLIPS};
use crate::base::metrics::Page;
use crate::base::time::Mono;
use crate::history::Span;
use crate::io::HostRequest;
use crate::log::Handle;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use serde_json::json;

struct Node(Result<(), Refusal>);

impl View for Node {
    fn status(&self) -> Value {
        json!({ "version": "1.2.3", "role": "active" })
    }
    fn is_front(&self) -> bool {
        true
    }
    fn events(&self) -> Value {
        json!([])
    }
    fn measure(&self, page: &mut Page) {
        page.gauge("tmrd_nothing", "Nothing.").is(&[], 1);
    }
    fn usage(&self, span: Span) -> Option<Value> {
        (span != Span::Month).then(|| json!(span.name()))
    }
    fn ready(&self) -> Result<(), Refusal> {
        self.0.clone()
    }
    fn holds(&self) -> Result<(), Refusal> {
        self.0.clone()
    }
    fn yields(&self) -> Result<(), Refusal> {
        self.0.clone()
    }
    fn held(&self, handle: Handle) -> Result<String, Refusal> {
        if handle == Handle(7) { Ok("somebody".into()) } else { Err("nobody holds it".into()) }
    }
}

/// The origin of requests by the machine's own socket.
pub(super) const SOCKET: &str = "socket";
pub(super) const HERE: &str = "127.0.0.1";
pub(super) const AFAR: &str = "192.0.2.9";
pub(super) const PAGE: &str =
    "Host: 192.0.2.1:22352\r\nX-Tmr-Admin: 1\r\nOrigin: http://192.0.2.1:22352\r\n";

pub(super) fn sign_in_text(head: &str) -> String {
    let body = json!({ "password": "secret" }).to_string();
    let length = body.len();
    format!("POST /api/session HTTP/1.1\r\n{PAGE}{head}Content-Length: {length}\r\n\r\n{body}")
}

pub(super) struct Bench {
    pub(super) admin: Admin,
    now: Now,
    links: u64,
    node: Node,
    pub(super) audit: Vec<String>,
}

/// The result of a request.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) text: String,
    pub(super) body: String,
    pub(super) closed: bool,
    pub(super) command: Option<Command>,
}

impl Bench {
    pub(super) fn new(operator: bool, reader: bool) -> Self {
        let mut admin = Admin::new([5; 32]);
        let password_file = "/etc/passwords".into();
        let browsers = BrowserKey::of("hashes");
        admin.set_entrance(AdminAccess {
            password_file,
            operator,
            reader,
            browsers,
            ..AdminAccess::default()
        });
        admin.set_names(vec!["front-1".into()]);
        let now = Now { mono: Mono(1_000_000), wall: Wall(1_795_287_600) };
        Self { admin, now, links: 0, node: Node(Ok(())), audit: Vec::new() }
    }

    pub(super) fn link(&mut self, from: &str) -> LinkId {
        self.links += 2;
        let link = LinkId(self.links);
        let (listener, from) =
            if from == SOCKET { (Listener::Machine, HERE) } else { (Listener::Admin, from) };
        self.admin.accepted(link, listener, from.parse().unwrap());
        link
    }

    /// Sends a request on a link; returns `None` if its password is being checked.
    pub(super) fn send(
        &mut self,
        link: LinkId,
        text: &str,
        checked: Option<Rights>,
    ) -> Option<Got> {
        let mut out = Vec::new();
        let mut command = None;
        if let Some(asked) = self.admin.admit(self.now, link, text.as_bytes(), checked, &mut out) {
            let reply = asked.answer(&self.admin, &self.node);
            command = self.admin.reply(self.now, &asked, reply, &mut out);
        }
        self.take(command, out)
    }

    pub(super) fn take(&mut self, command: Option<Command>, out: Vec<Intent>) -> Option<Got> {
        let (mut got, mut closed) = (None, false);
        for intent in out {
            match intent {
                Intent::Send { frame, .. } => got = Some(String::from_utf8(frame).unwrap()),
                Intent::Close { .. } => closed = true,
                Intent::Host(HostRequest::AdminFiles(AdminFilesRequest::Audit(line))) => {
                    self.audit.push(line);
                }
                Intent::Host(HostRequest::AdminFiles(AdminFilesRequest::Verify { .. })) => {
                    return None;
                }
                other => panic!("{other:?}"),
            }
        }
        let text = got.unwrap_or_default();
        let status = text.get(9..12).map_or(0, |code| code.parse().unwrap());
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        Some(Got { status, body: body.unwrap_or_default(), text, closed, command })
    }

    /// Sends a request from an address, on a link of its own.
    pub(super) fn ask(&mut self, from: &str, text: &str) -> Got {
        let link = self.link(from);
        self.send(link, text, None).expect("an answer at once")
    }

    pub(super) fn get(&mut self, from: &str, path: &str) -> Got {
        self.ask(from, &format!("GET {path} HTTP/1.1\r\n\r\n"))
    }

    pub(super) fn post(&mut self, from: &str, path: &str, head: &str, body: &str) -> Got {
        let length = body.len();
        self.ask(
            from,
            &format!("POST {path} HTTP/1.1\r\n{head}Content-Length: {length}\r\n\r\n{body}"),
        )
    }

    /// Signs in with the page's form; `granted` is the host's answer for the password.
    pub(super) fn sign_in(&mut self, from: &str, granted: Option<Rights>) -> Got {
        self.sign_in_with(from, "", granted)
    }

    pub(super) fn sign_in_with(&mut self, from: &str, head: &str, granted: Option<Rights>) -> Got {
        let link = self.link(from);
        match self.send(link, &sign_in_text(head), None) {
            Some(got) => got,
            None => self.verified(link, granted),
        }
    }

    pub(super) fn verified(&mut self, link: LinkId, granted: Option<Rights>) -> Got {
        let mut out = Vec::new();
        match self.admin.verified(self.now, link, granted, &mut out) {
            Some(bytes) => {
                let text = String::from_utf8(bytes).unwrap();
                self.send(link, &text, granted).expect("checked once is checked")
            }
            None => self.take(None, out).expect("an answer"),
        }
    }

    /// Returns the header that keeps a browser signed in.
    pub(super) fn cookie(&mut self, rights: Rights) -> String {
        let got = self.sign_in(AFAR, Some(rights));
        assert_eq!(got.status, 200, "{got:?}");
        let line = got.text.lines().find_map(|line| line.strip_prefix("Set-Cookie: ")).unwrap();
        assert!(line.contains("; HttpOnly; SameSite=Strict"), "{line}");
        format!("{PAGE}Cookie: other=1; {}\r\n", line.split(';').next().unwrap())
    }
}

#[test]
fn every_path_answers() {
    let mut bench = Bench::new(false, false);
    let got = bench.get(AFAR, "/api/status?pretty");
    let value: Value = serde_json::from_str(&got.body).unwrap();
    let mut status = bench.node.status();
    status["files"] = json!([]);
    status["verdict"] = json!([]);
    assert_eq!((got.status, &value), (200, &status));
    assert!(got.body.contains("\n  \"version\": \"1.2.3\""), "{}", got.body);
    for (path, kind) in
        [("/", "text/html"), ("/admin.js", "text/javascript"), ("/admin.css", "text/css")]
    {
        let got = bench.get(AFAR, path);
        assert_eq!(got.status, 200);
        assert!(got.text.contains(&format!("Content-Type: {kind}")) && !got.body.is_empty());
    }
    let got = bench.get(AFAR, "/metrics");
    assert!(got.text.contains("Content-Type: application/openmetrics-text; version=1.0.0"));
    assert!(got.body.contains("tmrd_nothing 1\n"), "{}", got.body);
    assert!(got.body.ends_with("tmrd_unusable_files 0\n# EOF\n"), "{}", got.body);
    for path in ["/healthz", "/readyz", "/holdz"] {
        assert_eq!(bench.get(AFAR, path).body, "ok\n");
    }
    assert_eq!(bench.get(AFAR, "/api/usage?span=hour").body, "\"hour\"\n");
    assert_eq!(bench.get(AFAR, "/api/usage?span=month").status, 404);
    let got = bench.get(AFAR, "/api/usage?span=x");
    assert_eq!((got.status, got.body), (400, format!("{}\n", usage::SPANS)));
    assert_eq!(bench.get(AFAR, "/nowhere").body, "There is nothing at this path.\n");
    assert_eq!(bench.get(AFAR, "//").status, 404);
    bench.node = Node(Err("Only one of three backends is reachable.".into()));
    let got = bench.get(AFAR, "/readyz");
    assert_eq!((got.status, &*got.body), (503, "Only one of three backends is reachable.\n"));
}

#[test]
fn the_page_loads_nothing_from_elsewhere_and_has_no_script_inside() {
    let mut bench = Bench::new(false, false);
    let (page, script) = (bench.get(AFAR, "/").body, bench.get(AFAR, "/admin.js").body);
    let style = bench.get(AFAR, "/admin.css").body;
    for text in [&page, &style] {
        assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("url("));
    }
    for inside in ["<style", " style=", "onclick=", "<script>"] {
        assert!(!page.contains(inside), "{inside}");
    }
    for dangerous in ["innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "document.write"] {
        assert!(!script.contains(dangerous), "{dangerous}");
    }
}

#[test]
fn head_is_get_without_the_body() {
    let mut bench = Bench::new(false, false);
    for path in ["/", "/api/status", "/healthz", "/readyz", "/nowhere"] {
        let whole = bench.get(AFAR, path).text;
        let head = bench.ask(AFAR, &format!("HEAD {path} HTTP/1.1\r\n\r\n")).text;
        assert!(head.ends_with("\r\n\r\n") && whole.starts_with(&head), "{path}");
    }
}

#[test]
fn another_method_is_told_which_ones_there_are() {
    let mut bench = Bench::new(false, false);
    for (method, path, allow) in [
        ("POST", "/api/status", "GET, HEAD"),
        ("GET", "/api/activate", "POST"),
        ("HEAD", "/api/activate", "POST"),
        ("DELETE", "/", "GET, HEAD"),
        ("PUT", "/api/session", "GET, HEAD, POST"),
    ] {
        let got = bench.ask(HERE, &format!("{method} {path} HTTP/1.1\r\n\r\n"));
        assert_eq!((got.status, got.command), (405, None), "{method} {path}");
        assert!(got.text.contains(&format!("\r\nAllow: {allow}\r\n")), "{}", got.text);
    }
}

#[test]
fn a_connection_ends_when_it_must() {
    let mut bench = Bench::new(false, false);
    assert!(bench.ask(HERE, "GET / HTTP/1.0\r\n\r\n").closed);
    assert!(bench.ask(HERE, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n").closed);
    assert!(!bench.get(HERE, "/").closed);
    let got = bench.ask(HERE, "POST /api/activate HTTP/1.1\r\nX-Tmr-Admin: 1\r\n\r\nx");
    assert_eq!((got.status, got.closed, got.command), (400, true, None));
}

#[test]
fn the_machine_itself_commands_without_a_password_and_nobody_else() {
    let mut bench = Bench::new(true, true);
    let mut post = |from, head: &str| {
        let got = bench.post(from, "/api/activate", head, "");
        (got.status, got.command)
    };
    let taken = (202, Some(Command::Activate));
    for head in ["", "Host: localhost:22352\r\n", "Host: [::1]:22352\r\n", "Host: front-1:1\r\n"] {
        let head = format!("X-Tmr-Admin: 1\r\n{head}");
        assert_eq!(post(SOCKET, &head), taken, "{head}");
        for from in [HERE, "::1", AFAR] {
            assert_eq!(post(from, &head), (401, None), "{from} {head}");
        }
    }
    for head in [
        "",
        "X-Tmr-Admin: 0\r\n",
        "Host: 127.0.0.1\r\n",
        "X-Tmr-Admin: 1\r\nHost: rebound.example.org\r\n",
        "X-Tmr-Admin: 1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\n",
        "X-Tmr-Admin: 1\r\nHost: 127.0.0.1\r\nOrigin: null\r\n",
        "X-Tmr-Admin: 1\r\nHost: 127.0.0.1:22352\r\nOrigin: http://127.0.0.1:80\r\n",
    ] {
        assert_eq!(post(SOCKET, head), (403, None), "{head}");
    }
    // A browser on this machine, and a proxy, are not the machine itself.
    for head in [
        "X-Tmr-Admin: 1\r\nHost: 127.0.0.1:1\r\nOrigin: http://127.0.0.1:1\r\n",
        "X-Tmr-Admin: 1\r\nX-Forwarded-For: 192.0.2.9\r\n",
        "X-Tmr-Admin: 1\r\nx-forwarded-host: tmrd.example.org\r\n",
        "X-Tmr-Admin: 1\r\nX-Real-IP: 192.0.2.9\r\n",
        "X-Tmr-Admin: 1\r\nVia: 1.1 proxy\r\n",
    ] {
        assert_eq!(post(SOCKET, head), (401, None), "{head}");
    }
}

#[test]
fn by_a_loopback_address_this_machine_commands_while_there_is_no_password() {
    for (operator, reader, status) in
        [(false, false, 202), (true, false, 401), (false, true, 403), (true, true, 401)]
    {
        let mut bench = Bench::new(operator, reader);
        for from in [HERE, "::1"] {
            let got = bench.post(from, "/api/activate", "X-Tmr-Admin: 1\r\n", "");
            assert_eq!(got.status, status, "{from}, operator {operator}, reader {reader}");
        }
        let got = bench.post(SOCKET, "/api/activate", "X-Tmr-Admin: 1\r\n", "");
        assert_eq!(got.status, 202, "operator {operator}, reader {reader}");
    }
}

#[test]
fn without_a_password_nobody_changes_anything_from_a_page_and_all_may_look() {
    let mut bench = Bench::new(false, false);
    let got = bench.sign_in(AFAR, Some(Rights::Operator));
    assert_eq!(got.status, 403);
    assert!(got.body.contains("tmrd password /etc/passwords"), "{}", got.body);
    for (from, path) in [(AFAR, "/api/activate"), (AFAR, "/api/release"), (HERE, "/api/release")] {
        let got = bench.post(from, path, PAGE, "{\"handle\": 7}");
        assert_eq!((got.status, got.command), (403, None), "{path}");
        assert!(got.body.contains("tmrd password"), "{}", got.body);
    }
    assert_eq!(bench.get(AFAR, "/api/status").status, 200);
}

#[test]
fn files_in_trouble_are_named_and_their_number_is_bounded() {
    let mut bench = Bench::new(false, false);
    let one = FileTrouble {
        file: "/etc/x".into(),
        trouble: "no PEM".into(),
        what_to_do: "mend it".into(),
    };
    let files = vec![one; FILE_TROUBLES_SHOWN + 1];
    let entrance = AdminAccess {
        password_file: "/etc/p".into(),
        trouble: Some("/etc/p: line 1: no hash".into()),
        files,
        ..AdminAccess::default()
    };
    bench.admin.set_entrance(entrance);
    let value: Value = serde_json::from_str(&bench.get(AFAR, "/api/status").body).unwrap();
    let files = value["files"].as_array().unwrap();
    assert_eq!(files.len(), FILE_TROUBLES_SHOWN);
    let shown = json!({ "file": "/etc/x", "trouble": "no PEM", "what_to_do": "mend it" });
    assert_eq!(files[0], shown);
    assert!(bench.get(AFAR, "/metrics").body.contains("tmrd_unusable_files 64\n"));
    // If the password file cannot be read, no other password is asked for.
    let got = bench.post(AFAR, "/api/release", PAGE, "{\"handle\": 7}");
    assert_eq!(got.status, 403);
    assert!(got.body.contains("/etc/p: line 1: no hash"), "{}", got.body);
}

#[test]
fn a_name_that_somebody_pointed_here_shows_nothing_of_people() {
    let mut bench = Bench::new(false, false);
    let ask = "GET /api/status HTTP/1.1\r\nHost: rebound.example:22352\r\n\r\n";
    assert_eq!(bench.ask(HERE, ask).status, 403);
    let ask = "GET /api/status HTTP/1.1\r\nHost: Front-1:22352\r\n\r\n";
    assert_eq!(bench.ask(AFAR, ask).status, 200);
    let ask = "GET /healthz HTTP/1.1\r\nHost: rebound.example\r\n\r\n";
    assert_eq!(bench.ask(AFAR, ask).status, 200);
}

#[test]
fn a_role_that_cannot_be_given_away_stays_with_a_reason() {
    let mut bench = Bench::new(false, false);
    bench.node = Node(Err("It does not lead.".into()));
    let got = bench.post(HERE, "/api/failover", "X-Tmr-Admin: 1\r\n", "");
    assert_eq!((got.status, got.command, &*got.body), (409, None, "It does not lead.\n"));
    assert!(bench.audit[0].contains("\"who\":\"this machine\""), "{:?}", bench.audit);
}

#[test]
fn a_change_that_takes_its_time_is_answered_and_recorded_at_its_end() {
    for gone in [false, true] {
        let mut bench = Bench::new(true, false);
        let (link, from) = (bench.link(AFAR), AFAR.parse().unwrap());
        let rights = Some(Rights::Operator);
        let who = Principal { from, machine: false, owner: false, rights, token: None };
        let request = Request { method: "POST", path: "/api/release", ..Request::default() };
        let route = routes::find(&request).unwrap();
        let asked = Asked { link, request, route, who, secure: false };
        let (mut out, reply) = (Vec::new(), Reply::later(Command::Activate, "store something"));
        let command = bench.admin.reply(bench.now, &asked, reply, &mut out);
        assert_eq!((command, out.len()), (Some(Command::Activate), 0), "nothing is said yet");
        if gone {
            assert!(bench.admin.closed(link));
        }
        let value = json!({ "message": "the disk is full" });
        bench.admin.conclude(bench.now, link, (409, &value), &mut out);
        let said = bench.take(None, out).unwrap();
        assert_eq!(said.status, if gone { 0 } else { 409 });
        assert!(bench.audit[0].contains("\"result\":\"the disk is full\""), "{:?}", bench.audit);
        let mut out = Vec::new();
        bench.admin.conclude(bench.now, link, (200, &value), &mut out);
        assert!(out.is_empty(), "once");
    }
}

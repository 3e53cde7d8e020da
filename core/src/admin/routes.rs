//! The paths: the methods of each, who may use it, and its answer.
//!
//! A topic with several paths has its answers in a file of its own and a row here.

use super::http::{Request, Response};
use super::principal::Principal;
use super::{Admin, Asked, Command, Refusal, View, allocations, page, settings, usage};
use crate::base::credentials::Rights;
use crate::base::keepalived::{Notice, Script};
use crate::base::metrics::Page;
use crate::log::Handle;
use crate::verdict::{self, Trouble};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;
use serde_json::{Value, json};

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permission {
    /// Any client that reaches the port: the answer contains nothing about people.
    Anyone,
    /// Any client, unless there is a password for readers; then signed-in ones, and the machine
    /// itself.
    Reader,
    /// The machine itself without a password, and operators.
    Machine,
    /// Operators, and users of the machine's own socket.
    Owner,
    /// Operators.
    Operator,
    /// Any client, with a password in the request.
    Stranger,
}

/// A path with a method.
pub(super) struct Route {
    pub(super) path: &'static str,
    /// The method; GET also answers HEAD.
    pub(super) method: &'static str,
    pub(super) may: Permission,
    pub(super) answer: fn(&Request<'_>, &Context<'_>) -> Reply,
}

impl core::fmt::Debug for Route {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl Route {
    /// Whether it changes something.
    pub(super) fn changes(&self) -> bool {
        self.method == "POST"
    }

    /// Whether it orders something of the server, apart from signing in and out. A notice of
    /// keepalived is no order: it is useful even if it comes late.
    pub(super) fn is_order(&self) -> bool {
        let news = matches!(self.path, "/api/session" | "/api/sign-out" | "/api/notify");
        self.changes() && !news
    }

    /// Whether a person is present: an open page does not make these requests by itself.
    pub(super) fn wakes(&self) -> bool {
        self.changes() || self.path == "/api/session"
    }
}

/// The values from which an answer is made.
pub(super) struct Context<'a> {
    pub(super) view: &'a dyn View,
    pub(super) admin: &'a Admin,
    pub(super) who: &'a Principal,
}

/// The effect of a request beside its response.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    Command(Command),
    /// The response is sent when the result of the command is known.
    Later(Command),
    SignIn(Rights),
    SignOut,
}

/// The result of a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    pub(super) response: Response,
    pub(super) effect: Effect,
    /// The change that was requested, as text for the record of changes.
    pub(super) change: Option<String>,
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Self { response, effect: Effect::None, change: None }
    }
}

impl Reply {
    /// Returns 202 with a command, and `change` for the record of changes.
    pub(super) fn command(command: Command, change: impl ToString, sentence: &str) -> Self {
        let response = Response::text(202, sentence);
        Self { response, effect: Effect::Command(command), change: Some(change.to_string()) }
    }

    /// Returns a command whose result is not known yet: [`Admin::conclude`] answers it.
    pub(super) fn later(command: Command, change: impl ToString) -> Self {
        let response = Response::text(202, "");
        Self { response, effect: Effect::Later(command), change: Some(change.to_string()) }
    }

    /// Returns the refusal of a change.
    pub(super) fn refused(status: u16, change: impl ToString, reason: &str) -> Self {
        let response = Response::text(status, reason);
        Self { response, effect: Effect::None, change: Some(change.to_string()) }
    }
}

const fn get(
    path: &'static str,
    may: Permission,
    answer: fn(&Request<'_>, &Context<'_>) -> Reply,
) -> Route {
    Route { path, method: "GET", may, answer }
}

const fn post(
    path: &'static str,
    may: Permission,
    answer: fn(&Request<'_>, &Context<'_>) -> Reply,
) -> Route {
    Route { path, method: "POST", may, answer }
}

const ROUTES: &[Route] = &[
    get("/", Permission::Anyone, |_, _| page::HTML.response().into()),
    get("/admin.js", Permission::Anyone, |_, _| page::SCRIPT.response().into()),
    get("/admin.css", Permission::Anyone, |_, _| page::STYLE.response().into()),
    get("/icon.svg", Permission::Anyone, |_, _| page::ICON.response().into()),
    get("/healthz", Permission::Anyone, |_, _| Response::text(200, "ok").into()),
    get("/readyz", Permission::Anyone, ready),
    get("/holdz", Permission::Anyone, holds),
    get("/metrics", Permission::Anyone, metrics),
    get("/api/status", Permission::Reader, status),
    get("/api/allocations", Permission::Reader, held),
    get("/api/events", Permission::Reader, |_, context| found(&context.view.events())),
    get("/api/usage", Permission::Reader, used),
    get("/api/audit", Permission::Reader, |_, context| found(&context.admin.audit.shown())),
    get("/api/session", Permission::Anyone, session),
    post("/api/session", Permission::Stranger, sign_in),
    post("/api/sign-out", Permission::Anyone, sign_out),
    post("/api/activate", Permission::Machine, |_, _| {
        let sentence = "The role is being taken; /api/status says when it is held.";
        Reply::command(Command::Activate, "take the active role", sentence)
    }),
    post("/api/failover", Permission::Machine, failover),
    post("/api/notify", Permission::Machine, notify),
    post("/api/release", Permission::Owner, release),
    get("/api/recover", Permission::Machine, |_, context| match context.view.recovery() {
        Ok(shown) => found(&shown),
        Err(refusal) => Response::text(409, refusal.reason()).into(),
    }),
    post("/api/recover", Permission::Machine, recover),
    get("/api/config", Permission::Reader, config),
    post("/api/config", Permission::Operator, store),
];

/// Returns the route of a request.
///
/// # Errors
/// Returns the answer if there is none.
pub(super) fn find(request: &Request<'_>) -> Result<&'static Route, Response> {
    let method = if request.method == "HEAD" { "GET" } else { request.method };
    let mut methods = String::new();
    for route in ROUTES.iter().filter(|route| route.path == request.path) {
        if route.method == method {
            return Ok(route);
        }
        let more = if route.method == "GET" { "GET, HEAD" } else { route.method };
        methods += if methods.is_empty() { "" } else { ", " };
        methods += more;
    }
    if methods.is_empty() {
        return Err(Response::text(404, "There is nothing at this path."));
    }
    let sentence = format!("This path answers to {methods} only.");
    Err(Response::text(405, &sentence).with("Allow", &methods))
}

fn found(value: &Value) -> Reply {
    Response::json(200, value).into()
}

/// Answers whether this node serves, or could; `?of=front`: whether this front does.
fn ready(request: &Request<'_>, context: &Context<'_>) -> Reply {
    if request.query == "of=front" && !context.view.is_front() {
        return no_front();
    }
    told(context.view.ready())
}

fn holds(_: &Request<'_>, context: &Context<'_>) -> Reply {
    if context.view.is_front() { told(context.view.holds()) } else { no_front() }
}

/// Takes `{"words": ["GROUP", "tmr", "BACKUP", "250"], "begun": 7, "keepalived": 5}`, or nothing:
/// the words that keepalived adds, and when the process of the notice and its keepalived were
/// started, in steps that only rise ([`TRACK_LATE`](crate::base::limits::TRACK_LATE)).
fn notify(request: &Request<'_>, context: &Context<'_>) -> Reply {
    if !context.view.is_front() {
        return no_front();
    }
    let body: Value = serde_json::from_slice(request.body).unwrap_or_default();
    let words = body["words"].as_array().into_iter().flatten();
    let words: Vec<&str> = words.filter_map(Value::as_str).collect();
    let (begun, keepalived) = (body["begun"].as_u64(), body["keepalived"].as_u64());
    let notice =
        Notice::of_words(&words).map(|notice| notice.map(|notice| notice.timed(begun, keepalived)));
    let response = match &notice {
        Ok(_) => Response::text(202, "The virtual address is being looked for."),
        Err(error) => Response::text(400, &error.to_string()),
    };
    // It is not recorded: keepalived sends it, and it changes nothing.
    Reply { response, effect: Effect::Command(Command::Notify(notice)), change: None }
}

impl Asked<'_> {
    /// Returns the track script of keepalived that makes this request, or to which a request of
    /// this machine is equal.
    #[must_use]
    pub fn script(&self) -> Option<Script> {
        let script = match self.route.path {
            "/holdz" => Script::ManualFailover,
            "/readyz" if self.request.query == "of=front" => Script::Status,
            _ => return None,
        };
        self.who.from.is_loopback().then_some(script)
    }
}

/// Answers, at a backend, a request that only a front can serve.
fn no_front() -> Reply {
    let sentence =
        "This is a backend, which has nothing to do with the virtual address: ask a front.";
    Response::text(404, sentence).into()
}

fn told(ready: Result<(), Refusal>) -> Reply {
    match ready {
        Ok(()) => Response::text(200, "ok").into(),
        Err(refusal) => Response::text(503, refusal.reason()).into(),
    }
}

/// Answers with the metrics.
fn metrics(request: &Request<'_>, context: &Context<'_>) -> Reply {
    let mut page = Page::new(request.accept);
    context.view.measure(&mut page);
    if let Some(end) = context.admin.entrance.certificate_ends {
        let help = "When the certificate of the admin pages ends, in Unix time.";
        page.gauge("tmrd_certificate_expiry_timestamp_seconds", help).is(&[], end.0);
    }
    let help = "Files of this machine that the server does without.";
    page.gauge("tmrd_unusable_files", help).is(&[], context.admin.entrance.files.len() as u64);
    verdict::write_metrics(&troubles(context), &mut page);
    let (kind, text) = page.end();
    Response::file(kind, text).into()
}

fn used(request: &Request<'_>, context: &Context<'_>) -> Reply {
    match usage::span(request.query).map(|span| context.view.usage(span)) {
        Some(Some(value)) => found(&value),
        Some(None) => Response::text(404, "Only fronts keep a usage history.").into(),
        None => Response::text(400, usage::SPANS).into(),
    }
}

/// Returns the troubles of the node, its group and its files, the worst first.
fn troubles(context: &Context<'_>) -> Vec<Trouble> {
    let entrance = &context.admin.entrance;
    let found = context.view.troubles();
    let found = verdict::with_places(found, &context.admin.places, context.view.is_front());
    verdict::with_machine(found, &entrance.files, entrance.room.as_ref())
}

/// Answers with the status of the node and the files in trouble.
fn status(_: &Request<'_>, context: &Context<'_>) -> Reply {
    let mut status = context.view.status();
    if let Some(fields) = status.as_object_mut() {
        fields.insert("files".to_string(), json!(context.admin.entrance.files));
        fields.insert("verdict".to_string(), json!(troubles(context)));
    }
    if !context.who.may_see_handles() {
        allocations::conceal(&mut status);
    }
    found(&status)
}

/// Answers with a page of the handles that are held.
fn held(request: &Request<'_>, context: &Context<'_>) -> Reply {
    let Some(from) = allocations::from(request.query) else {
        return Response::text(400, allocations::PAGES).into();
    };
    let mut page = context.view.allocations(from);
    if !context.who.may_see_handles() {
        allocations::conceal(&mut page);
    }
    found(&page)
}

/// Answers with the sender's rights, and who could sign in.
fn session(_: &Request<'_>, context: &Context<'_>) -> Reply {
    let entrance = &context.admin.entrance;
    found(&json!({
        "rights": context.who.rights.map(Rights::name),
        "token": context.who.token,
        "operator": entrance.operator,
        "reader": entrance.reader,
        "may_read": context.who.may_read(entrance),
        "password_file": entrance.password_file,
        "trouble": entrance.trouble,
        "certificate_ends": entrance.certificate_ends.map(|ends| ends.to_string()),
    }))
}

fn sign_in(_: &Request<'_>, context: &Context<'_>) -> Reply {
    // This route is not admitted without rights.
    let Some(rights) = context.who.rights else { return Response::text(401, "Sign in.").into() };
    let response = Response::json(200, &json!({ "rights": rights.name() }));
    Reply { response, effect: Effect::SignIn(rights), change: Some("sign in".to_string()) }
}

fn sign_out(_: &Request<'_>, context: &Context<'_>) -> Reply {
    let change = context.who.rights.map(|_| "sign out".to_string());
    Reply { response: Response::text(200, "Signed out."), effect: Effect::SignOut, change }
}

fn failover(_: &Request<'_>, context: &Context<'_>) -> Reply {
    let change = "give the active role away";
    if let Err(refusal) = context.view.yields() {
        return Reply::refused(409, change, refusal.reason());
    }
    let sentence = "The role is being given away; /api/status says when it is.";
    Reply::command(Command::Failover, change, sentence)
}

/// Takes `{"handle": 19857}`, or `{"address": "192.0.2.7"}` for all handles of an address.
fn release(request: &Request<'_>, context: &Context<'_>) -> Reply {
    let body: Value = serde_json::from_slice(request.body).unwrap_or_default();
    let handle = body["handle"].as_u64().and_then(|handle| u32::try_from(handle).ok());
    let address = body["address"].as_str().and_then(|text| text.parse::<IpAddr>().ok());
    if let (Some(address), true) = (address, body["handle"].is_null()) {
        return release_from(address.to_canonical(), context);
    }
    let Some(handle) = handle.map(Handle) else {
        let sentence = "Which handle? Right would be {\"handle\": 19857}, or \
                        {\"address\": \"192.0.2.7\"} for all of an address.";
        return Response::text(400, sentence).into();
    };
    match context.view.held(handle) {
        Err(refusal) => Reply::refused(409, format!("take back handle {handle}"), refusal.reason()),
        Ok(whose) => {
            let sentence = format!("Handle {handle} is being taken back from {whose}.");
            let change = format!("take back handle {handle} from {whose}");
            Reply::command(Command::Release(handle), change, &sentence)
        }
    }
}

/// Takes all handles of an address back.
fn release_from(address: IpAddr, context: &Context<'_>) -> Reply {
    match context.view.held_from(address) {
        Err(refusal) => {
            Reply::refused(409, format!("take back all handles of {address}"), refusal.reason())
        }
        Ok(count) => {
            let sentence = format!("{count} handles are being taken back from {address}.");
            let change = format!("take back all {count} handles of {address}");
            Reply::command(Command::ReleaseFrom(address), change, &sentence)
        }
    }
}

/// Takes `{"token": "…"}`, from the answer to GET.
fn recover(request: &Request<'_>, context: &Context<'_>) -> Reply {
    let change = "make a new group from what is left of the old one";
    let body: Value = serde_json::from_slice(request.body).unwrap_or_default();
    match context.view.recovery() {
        Err(refusal) => Reply::refused(409, change, refusal.reason()),
        Ok(shown) if shown["token"] != body["token"] => {
            let sentence = "What is known has changed, or no token came with this: look again with \
                            GET /api/recover.";
            Reply::refused(409, change, sentence)
        }
        Ok(shown) => {
            let source = shown["source"].as_str().unwrap_or_default();
            let change = format!("{change}: {source}, slot {}", shown["slot"]);
            Reply::later(Command::Recover, change)
        }
    }
}

/// Returns the answer of a node without a configuration.
fn no_config() -> Reply {
    Response::text(404, "A backend has no configuration file.").into()
}

fn config(_: &Request<'_>, context: &Context<'_>) -> Reply {
    let Some((now, _)) = context.view.settings() else { return no_config() };
    let (status, value) = settings::shown(now);
    Response::json(status, &value).into()
}

fn store(request: &Request<'_>, context: &Context<'_>) -> Reply {
    let Some((now, busy)) = context.view.settings() else { return no_config() };
    let change = "change the configuration";
    match settings::checked(now, busy, request.body) {
        Ok(text) => Reply::later(Command::Store(text), change),
        Err((status, value)) => {
            Reply { change: Some(change.to_string()), ..Response::json(status, &value).into() }
        }
    }
}

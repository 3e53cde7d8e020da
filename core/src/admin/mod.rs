//! The web admin role: HTTP in, JSON and a page out.
//!
//! What lives here: the paths and their answers (`routes`), who may make a request (`guard`),
//! sessions (`sessions`), tokens (`tokens`), the record of changes (`audit`), the page itself
//! (`page`). What never lives here: the facts of a front or a backend (they come from [`View`]),
//! the execution of a command ([`Command`] is returned to the node), and the check of a password,
//! which is slow ([`AdminFilesRequest::Verify`]).

#[cfg(test)]
mod admin_test;
mod allocations;
mod audit;
mod guard;
mod http;
#[cfg(test)]
mod known_test;
mod late;
mod login_backoff;
pub(crate) mod metrics;
mod names;
mod page;
mod places;
mod principal;
#[cfg(test)]
mod proxy_test;
mod relay;
mod routes;
mod sessions;
pub(crate) mod settings;
#[cfg(test)]
mod token_test;
mod tokens;
pub mod usage;
mod view;

use crate::base::credentials::tokens::Token;
use crate::base::credentials::{AdminAccess, KnownBrowser, Password, Rights};
use crate::base::limits::{
    FILE_TROUBLES_SHOWN, ORDER_LATE, PASSWORDS_KEPT, PASSWORDS_WAITING, TOKENS_MAX,
};

use crate::base::random::Random;
use crate::base::server_files::{FileTrouble, Places};
use crate::base::time::{Mono, Now, Wall};

use crate::io::{AdminFilesRequest, Intent};
use crate::link::{CloseReason, LinkId, Listener};

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use audit::Audit;
use core::net::IpAddr;
use http::{Malformed, Request, Response};
use ipnet::IpNet;
use login_backoff::{LoginBackoff, Trier};
use principal::Principal;
use relay::Sender;
pub use routes::Reply;
use routes::{Effect, Route};
use serde_json::Value;
use sessions::Sessions;
pub use view::{Command, Refusal, View};

/// The admin pages of a node.
#[derive(Clone, Debug)]
pub struct Admin {
    links: BTreeMap<LinkId, Origin>,
    entrance: AdminAccess,
    places: Places,
    /// The names of this server in Host headers, beside its addresses.
    names: Vec<String>,
    /// The configured names.
    more_names: Vec<String>,
    /// The trusted proxies.
    proxies: Vec<IpNet>,
    sessions: Sessions,
    slips: LoginBackoff,
    /// Requests whose password is being checked.
    waiting: BTreeMap<LinkId, Waiting>,
    random: Random,
    /// Changes whose result is not known yet.
    later: BTreeMap<LinkId, Later>,
    audit: Audit,
}

/// The origin of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The peer's address; a loopback address for the machine itself.
    from: IpAddr,
    /// Whether it came by the machine's own socket, whose permissions are restricted.
    socket: bool,
}

/// A request whose password is being checked.
#[derive(Clone, Debug)]
struct Waiting {
    trier: Trier,
    from: IpAddr,
    bytes: Vec<u8>,
    /// When the request arrived.
    at: Mono,
}

/// A change in progress.
#[derive(Clone, Debug)]
struct Later {
    who: Principal,
    change: String,
    /// Whether the connection is to be closed after the answer.
    close: bool,
}

/// The decision about a request.
enum Pass {
    /// It is admitted, from this sender.
    In(Principal),
    /// This password is to be checked first; the attempt is counted to this sender.
    Checked(Trier, String),
}

/// An admitted request, which is to be answered.
#[derive(Debug)]
pub struct Asked<'a> {
    link: LinkId,
    request: Request<'a>,
    route: &'static Route,
    who: Principal,
    /// Whether its cookies are for HTTPS only.
    secure: bool,
}

impl Admin {
    /// Returns the admin pages without links. `seed` is that of the node.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            links: BTreeMap::new(),
            entrance: AdminAccess::default(),
            places: Places::default(),
            names: Vec::new(),
            more_names: Vec::new(),
            proxies: Vec::new(),
            sessions: Sessions::new(Random::named(seed, "admin")),
            slips: LoginBackoff::default(),
            waiting: BTreeMap::new(),
            random: Random::named(seed, "browsers"),
            later: BTreeMap::new(),
            audit: Audit::default(),
        }
    }

    /// Sets the credentials and the files in trouble. If the passwords have changed, all sessions
    /// end.
    pub fn set_entrance(&mut self, mut entrance: AdminAccess) {
        if entrance.readings != self.entrance.readings {
            self.sessions.clear();
        }
        entrance.files.truncate(FILE_TROUBLES_SHOWN);
        entrance.tokens.truncate(TOKENS_MAX);
        self.entrance = entrance;
        self.name();
    }

    /// Returns the tokens in the password file.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.entrance.tokens
    }

    /// Returns the files of this server that it cannot use.
    #[must_use]
    pub fn files(&self) -> &[FileTrouble] {
        &self.entrance.files
    }

    /// Returns when the certificate ends, if there is one.
    #[must_use]
    pub fn certificate_ends(&self) -> Option<Wall> {
        self.entrance.certificate_ends
    }

    /// Takes a connection of the admin port or of the machine's own socket.
    pub fn accepted(&mut self, link: LinkId, listener: Listener, from: IpAddr) {
        self.links.insert(link, Origin { from, socket: listener == Listener::Machine });
    }

    /// Removes a closed link; returns `false` if it is none of these.
    pub fn closed(&mut self, link: LinkId) -> bool {
        // A password that is being checked stays: the result decides whether it was a guess.
        self.links.remove(&link).is_some()
    }

    /// Checks a complete HTTP request: its sender, its path, and the rights. `checked`: the
    /// password in it was right, and gives these rights. Returns `None` if it has been answered, or
    /// waits for the check of its password.
    pub fn admit<'a>(
        &mut self,
        now: Now,
        link: LinkId,
        bytes: &'a [u8],
        checked: Option<Rights>,
        out: &mut Vec<Intent>,
    ) -> Option<Asked<'a>> {
        let origin = *self.links.get(&link)?;
        if self.waiting.contains_key(&link) || self.later.contains_key(&link) {
            self.closed(link);
            let reason =
                CloseReason::Protocol("an HTTP request before the answer to the one before it");
            out.push(Intent::Close { link, reason });
            return None;
        }
        let mut request = match Request::parse(bytes) {
            Ok(request) => request,
            Err(Malformed { status, sentence }) => {
                let unread = Request { close: true, ..Request::default() };
                self.send(link, &unread, &Response::text(status, sentence), out);
                return None;
            }
        };
        let sender = relay::sender(&mut request, origin, &self.proxies, &self.names);
        let found = routes::find(&request);
        let admitted = found.and_then(|route| {
            self.pass(now, sender, &request, (route, checked), out).map(|pass| (route, pass))
        });
        let secure = sender.is_secure(self.entrance.certificate_ends.is_some());
        match admitted {
            Ok((route, Pass::In(who))) => Some(Asked { link, request, route, who, secure }),
            Ok((_, Pass::Checked(trier, password))) => {
                let (from, at) = (sender.from, now.mono);
                let waiting = Waiting { trier, from, bytes: bytes.to_vec(), at };
                self.waiting.insert(link, waiting);
                let password = Password(password);
                out.push(AdminFilesRequest::Verify { link, password }.into());
                None
            }
            Err(refused) => {
                self.send(link, &request, &refused, out);
                None
            }
        }
    }

    /// Decides whether a request is admitted.
    fn pass(
        &mut self,
        now: Now,
        sender: Sender,
        request: &Request<'_>,
        (route, checked): (&'static Route, Option<Rights>),
        out: &mut Vec<Intent>,
    ) -> Result<Pass, Response> {
        guard::site(request, route, &self.names)?;
        let cookie = request.cookie(&sessions::cookie_name(request.port()));
        let session = cookie.and_then(|token| self.sessions.rights(now.mono, token, route.wakes()));
        let from = sender.from;
        let machine = guard::is_machine(request, &sender, &self.entrance);
        let owner = machine && sender.socket;
        let mut who = Principal { from, machine, owner, rights: checked.or(session), token: None };
        if let Some(shown) = guard::token(request, route, &who, &self.entrance) {
            let token = self.token(now, from, shown, out)?;
            who.rights = Some(token.rights);
            who.token = Some(token.name);
        }
        let password = guard::password(request, route, &who, &self.entrance);
        if let Some(password) = password.filter(|_| checked.is_none()) {
            if !self.entrance.operator && !self.entrance.reader {
                return Err(guard::closed(&self.entrance));
            }
            let known = self.known(request);
            let operator = matches!(known, Some(KnownBrowser::Operator(_)));
            let kept = if operator { 0 } else { PASSWORDS_KEPT };
            if self.waiting.len() >= PASSWORDS_WAITING - kept {
                let sentence = "Too many passwords are being checked now; try again in a moment.";
                return Err(Response::text(503, sentence));
            }
            let trier = Trier::at(from, known);
            return match self.slips.take(now.mono, trier) {
                Ok(()) => Ok(Pass::Checked(trier, password)),
                Err(wait) => Err(guard::wait(wait, operator)),
            };
        }
        guard::rights(&who, route, &self.entrance)?;
        Ok(Pass::In(who))
    }

    /// Returns the recognised browser of a request.
    fn known(&self, request: &Request<'_>) -> Option<KnownBrowser> {
        let shown = request.cookie(&login_backoff::cookie_name(request.port()))?;
        self.entrance.browsers.known(shown)
    }

    /// Takes the result of a password check. Returns the request that contained the password, if
    /// its link is still open; a wrong password is answered here.
    pub fn verified(
        &mut self,
        now: Now,
        link: LinkId,
        granted: Option<Rights>,
        out: &mut Vec<Intent>,
    ) -> Option<Vec<u8>> {
        let Waiting { trier, from, bytes, at } = self.waiting.remove(&link)?;
        let gone = !self.links.contains_key(&link);
        if granted.is_some() {
            self.slips.give_back(trier);
            if gone {
                return None;
            }
            let late = now.mono.since(at) > ORDER_LATE && self.drops(link, &bytes, out);
            return (!late).then_some(bytes);
        }
        self.audit.wrong(now, "a wrong password", from, out);
        if gone {
            return None;
        }
        let request = Request::parse(&bytes).unwrap_or_default();
        let refused = guard::challenge("This password is not right.");
        self.send(link, &request, &refused, out);
        None
    }

    /// Handles a node's reply: sends it, records the change if there is one, and returns what is
    /// left for the node to do.
    pub fn reply(
        &mut self,
        now: Now,
        asked: &Asked<'_>,
        reply: Reply,
        out: &mut Vec<Intent>,
    ) -> Option<Command> {
        let Asked { link, request, who, secure, .. } = asked;
        let Reply { mut response, effect, change } = reply;
        let mut command = None;
        match effect {
            Effect::None => {}
            Effect::Command(wanted) => command = Some(wanted),
            Effect::Later(wanted) => {
                let (change, close) = (change.unwrap_or_default(), request.close);
                self.later.insert(*link, Later { who: who.clone(), change, close });
                return Some(wanted);
            }
            Effect::SignIn(rights) => {
                let token = self.sessions.open(now.mono, rights);
                let line = sessions::cookie(request.port(), &token, *secure);
                response = response.with("Set-Cookie", &line);
                // An operator's browser stays recognised as such when a reader signs in.
                let operator = matches!(self.known(request), Some(KnownBrowser::Operator(_)));
                let stays = rights == Rights::Reader && operator;
                let admitted = self.entrance.browsers.admit(&mut self.random, rights);
                if let Some(shown) = admitted.filter(|_| !stays) {
                    let line = login_backoff::cookie(request.port(), &shown, *secure);
                    response = response.with("Set-Cookie", &line);
                }
            }
            Effect::SignOut => {
                let name = sessions::cookie_name(request.port());
                if let Some(token) = request.cookie(&name) {
                    self.sessions.close(token);
                }
                response = response.with("Set-Cookie", &sessions::no_cookie(request.port()));
            }
        }
        if let Some(what) = change {
            self.audit.record(now, who, &what, &response, out);
        }
        self.send(*link, request, &response, out);
        command
    }

    /// Answers a change, by its result as a status and a JSON value. It is recorded even if its
    /// sender has disconnected.
    pub fn conclude(
        &mut self,
        now: Now,
        link: LinkId,
        (status, value): (u16, &Value),
        out: &mut Vec<Intent>,
    ) {
        let Some(Later { who, change, close }) = self.later.remove(&link) else { return };
        let response = Response::json(status, value);
        self.audit.record(now, &who, &change, &response, out);
        if self.links.contains_key(&link) {
            let request = Request { close, ..Request::default() };
            self.send(link, &request, &response, out);
        }
    }

    fn send(
        &mut self,
        link: LinkId,
        request: &Request<'_>,
        response: &Response,
        out: &mut Vec<Intent>,
    ) {
        let frame = response.write(request.method == "HEAD", request.close);
        out.push(Intent::Send { link, frame });
        if request.close {
            self.links.remove(&link);
            out.push(Intent::Close { link, reason: CloseReason::Eof });
        }
    }
}

impl Asked<'_> {
    /// Returns the reply, made from the facts of the node.
    #[must_use]
    pub fn answer(&self, admin: &Admin, view: &dyn View) -> Reply {
        let context = routes::Context { view, admin, who: &self.who };
        (self.route.answer)(&self.request, &context)
    }
}

//! The web admin role: HTTP in, JSON and a page out.
//!
//! What lives here: the paths and what each answers (`routes`), who may ask (`guard`), who is signed
//! in (`sessions`), who shows a token (`tokens`), what was changed and by whom (`audit`), the page itself (`page`). What never
//! lives here: what a front or a backend knows (it is asked through [`View`]), what a command does
//! ([`Command`] is handed to the node), and the checking of a password, which takes long
//! ([`AdminFilesRequest::Verify`]).

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
pub use view::{Command, View};

/// The admin pages of a node.
#[derive(Clone, Debug)]
pub struct Admin {
    links: BTreeMap<LinkId, Origin>,
    entrance: AdminAccess,
    places: Places,
    /// Names by which this server may be asked for, beside its addresses.
    names: Vec<String>,
    /// The names that are configured.
    more_names: Vec<String>,
    /// Proxies that are believed whom they ask for.
    proxies: Vec<IpNet>,
    sessions: Sessions,
    slips: LoginBackoff,
    /// Whose password is being checked.
    waiting: BTreeMap<LinkId, Waiting>,
    random: Random,
    /// Changes of which it is not known yet what becomes of them.
    later: BTreeMap<LinkId, Later>,
    audit: Audit,
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// A loopback address for one of the machine itself.
    from: IpAddr,
    /// It came in by the machine's own socket, which the system lets not everybody open.
    socket: bool,
}

/// A request whose password is being checked.
#[derive(Clone, Debug)]
struct Waiting {
    trier: Trier,
    from: IpAddr,
    bytes: Vec<u8>,
    /// When it came in.
    at: Mono,
}

/// A change that is under way.
#[derive(Clone, Debug)]
struct Later {
    who: Principal,
    change: String,
    /// The connection is to be closed with the answer.
    close: bool,
}

/// What becomes of a request.
enum Pass {
    /// It may come in, from this one.
    In(Principal),
    /// This password is to be checked, which this one tries.
    Checked(Trier, String),
}

/// A request that may be answered.
#[derive(Debug)]
pub struct Asked<'a> {
    link: LinkId,
    request: Request<'a>,
    route: &'static Route,
    who: Principal,
    /// Cookies are for HTTPS only.
    secure: bool,
}

impl Admin {
    /// With nobody there. `seed` is that of its node.
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

    /// Who can come in has changed, or which files are in trouble. Other passwords: all come in again.
    pub fn set_entrance(&mut self, mut entrance: AdminAccess) {
        if entrance.readings != self.entrance.readings {
            self.sessions.clear();
        }
        entrance.files.truncate(FILE_TROUBLES_SHOWN);
        entrance.tokens.truncate(TOKENS_MAX);
        self.entrance = entrance;
        self.name();
    }

    /// What the password file says of tokens.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.entrance.tokens
    }

    /// Files of this server that it cannot use.
    #[must_use]
    pub fn files(&self) -> &[FileTrouble] {
        &self.entrance.files
    }

    /// When the certificate ends, if there is one.
    #[must_use]
    pub fn certificate_ends(&self) -> Option<Wall> {
        self.entrance.certificate_ends
    }

    /// A connection came in, by the admin port or the machine's own socket.
    pub fn accepted(&mut self, link: LinkId, listener: Listener, from: IpAddr) {
        self.links.insert(link, Origin { from, socket: listener == Listener::Machine });
    }

    /// A link is gone; `false`: it is not one of these.
    pub fn closed(&mut self, link: LinkId) -> bool {
        // What waits for its password to be checked stays: the answer decides whether it was a guess.
        self.links.remove(&link).is_some()
    }

    /// Looks at one whole HTTP request, head and body: who asks, for what, and may they.
    /// `checked`: the password it came with was right, and gives these rights. `None`: it has been
    /// answered, or waits for its password to be checked.
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

    /// Whether a request may come in.
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

    /// Whose browser it is that a request comes from, if it is known.
    fn known(&self, request: &Request<'_>) -> Option<KnownBrowser> {
        let shown = request.cookie(&login_backoff::cookie_name(request.port()))?;
        self.entrance.browsers.known(shown)
    }

    /// A password was checked: the request that came with it, if its link is still there. A wrong
    /// one has been answered.
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

    /// What a node's reply leads to: it is sent, recorded if it changes something, and the rest is
    /// for the node to do.
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
                // An operator's browser stays one where a reader signs in.
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

    /// What has become of a change, as a status and a JSON value. It is recorded
    /// though who wanted it has gone.
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
    /// What is answered, by what the node shows.
    #[must_use]
    pub fn answer(&self, admin: &Admin, view: &dyn View) -> Reply {
        let context = routes::Context { view, admin, who: &self.who };
        (self.route.answer)(&self.request, &context)
    }
}

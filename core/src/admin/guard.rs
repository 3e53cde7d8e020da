//! Who may make a request. A request that changes something may come from a browser that a page of
//! another site has sent here, across sites or by a name that resolves to this machine; the same
//! holds for one that asks who holds licences.
//!
//! What never lives here: whether a password is right.

use super::http::{Request, Response, is_named};
use super::principal::Principal;
use super::relay::Sender;
use super::routes::{Permission, Route};
use crate::base::credentials::tokens::PREFIX;
use crate::base::credentials::{AdminAccess, Rights};
use crate::base::limits::PASSWORD_MAX;
use crate::base::time::Duration;
use alloc::format;
use alloc::string::String;
use base64ct::{Base64, Encoding};

/// Whether the machine itself makes the request, as `tmrd activate` and keepalived's scripts do.
/// Its own socket proves that; a loopback address does as long as there is no password that a user
/// of this machine could be asked for instead. A browser would name the page that made it, and a
/// proxy its client; a trusted proxy makes requests for clients even if it does not say so.
pub(super) fn is_machine(request: &Request<'_>, sender: &Sender, entrance: &AdminAccess) -> bool {
    let open = !entrance.operator && !entrance.reader;
    let here = sender.socket || (sender.from.is_loopback() && open && !sender.proxied);
    here && request.origin.is_none() && !request.proxy.relayed
}

/// Refuses requests that a foreign page may have made a browser send.
pub(super) fn site(request: &Request<'_>, route: &Route, names: &[String]) -> Result<(), Response> {
    let refused = |sentence: &str| Err(Response::text(403, sentence));
    if route.may == Permission::Anyone && !route.changes() {
        return Ok(());
    }
    let host = request.host.unwrap_or("localhost");
    if !is_named(host, names) {
        return refused(
            "This must name this server by its IP address, or by a name that stands in \
             WebAdmin.HostNames of tmrconf.json.",
        );
    }
    if !route.changes() {
        return Ok(());
    }
    if !request.from_admin {
        return refused("A request that changes something must carry the header X-Tmr-Admin: 1.");
    }
    let own = |origin: &str| {
        let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        rest.is_some_and(|rest| rest.eq_ignore_ascii_case(host))
    };
    if request.origin.is_some_and(|origin| !own(origin)) {
        return refused("A page of another site cannot change anything here.");
    }
    Ok(())
}

/// Refuses a sender without the rights for a route.
pub(super) fn rights(
    who: &Principal,
    route: &Route,
    entrance: &AdminAccess,
) -> Result<(), Response> {
    let operator = who.rights == Some(Rights::Operator);
    let may = match route.may {
        Permission::Anyone => true,
        Permission::Reader => who.may_read(entrance),
        Permission::Machine => who.machine || operator,
        Permission::Owner => operator || who.owner,
        Permission::Operator => operator,
        Permission::Stranger if who.token.is_some() => {
            let sentence = "A token signs nobody in: it comes with each request.";
            return Err(Response::text(400, sentence));
        }
        Permission::Stranger => {
            let sentence = "Right would be {\"password\": \"...\"}, of at most 256 bytes.";
            return if who.rights.is_some() { Ok(()) } else { Err(Response::text(400, sentence)) };
        }
    };
    if may {
        Ok(())
    } else if who.rights.is_some() {
        Err(Response::text(403, "A reader cannot change anything."))
    } else if !entrance.operator && route.may != Permission::Reader {
        Err(closed(entrance))
    } else {
        let sentence =
            "Sign in first: on the page, with the password (HTTP Basic), or with a token (Bearer).";
        Err(challenge(sentence))
    }
}

/// Returns the answer of a server at which nobody can sign in.
pub(super) fn closed(entrance: &AdminAccess) -> Response {
    let sentence = match entrance.password_file.as_str() {
        "" => String::from("Nothing can be changed here: this is a backend. Ask a front."),
        file => match &entrance.trouble {
            Some(trouble) if trouble.starts_with(file) => {
                format!("Nobody can sign in here: {trouble}.")
            }
            _ => format!(
                "Nobody can sign in here until there is a password: tmrd password {file}, on this \
                 machine."
            ),
        },
    };
    Response::text(403, &sentence)
}

/// Refuses a sender that has to wait for this long before its next attempt.
pub(super) fn wait(wait: Duration, known: bool) -> Response {
    let sentence = if known {
        "There were too many wrong passwords from this browser: wait a moment."
    } else {
        "There were too many wrong passwords or tokens from this address: wait a moment. A browser in which \
         somebody has signed in here before need not, nor need the tmrd commands on this server's machine."
    };
    let seconds = format!("{}", wait.as_secs() + 1);
    Response::text(429, sentence).with("Retry-After", &seconds)
}

/// Returns a 401. The challenge is not `Basic`, or browsers would ask for the password, and send it
/// with requests of foreign pages too.
pub(super) fn challenge(sentence: &str) -> Response {
    Response::text(401, sentence).with("WWW-Authenticate", "Session realm=\"tmrd\"")
}

/// Refuses a token (RFC 6750).
pub(super) fn no_token(sentence: &str) -> Response {
    let challenge = "Bearer realm=\"tmrd\", error=\"invalid_token\"";
    Response::text(401, sentence).with("WWW-Authenticate", challenge)
}

/// Returns the token in an `Authorization` header; `None` if there is none of this server's form.
fn shown(authorization: Option<&str>) -> Option<&str> {
    let (scheme, rest) = authorization?.split_once(' ')?;
    let token = rest.trim();
    (scheme.eq_ignore_ascii_case("bearer") && token.starts_with(PREFIX)).then_some(token)
}

/// Returns the token of a request that is to be looked up; `None` if there is none, or if the
/// answer does not depend on it. `who` is the sender without it.
pub(super) fn token<'a>(
    request: &Request<'a>,
    route: &Route,
    who: &Principal,
    entrance: &AdminAccess,
) -> Option<&'a str> {
    let session = request.path == "/api/session";
    let idle = (route.may == Permission::Anyone && !session)
        || ((who.machine || who.rights.is_some()) && rights(who, route, entrance).is_ok());
    if idle { None } else { shown(request.authorization) }
}

/// Returns the password of a request that is to be checked; `None` if there is none, or if the
/// answer does not depend on it. `who` is the sender without it.
///
/// A browser sends the password for a proxy with every request through it, and many proxies forward
/// it: that is not meant for this server, is not compared with its passwords and is not counted.
pub(super) fn password(
    request: &Request<'_>,
    route: &Route,
    who: &Principal,
    entrance: &AdminAccess,
) -> Option<String> {
    let session = request.path == "/api/session";
    if let Some(password) = posted(request).filter(|_| session) {
        return Some(password);
    }
    if route.may == Permission::Anyone && !session {
        return None;
    }
    let idle = who.rights.is_some() || (!entrance.operator && !entrance.reader);
    if idle && rights(who, route, entrance).is_ok() {
        return None;
    }
    in_head(request)
}

/// Returns the password in the header, for one of the names in use here.
fn in_head(request: &Request<'_>) -> Option<String> {
    let (scheme, coded) = request.authorization?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || coded.len() > 2 * PASSWORD_MAX {
        return None;
    }
    let pair = String::from_utf8(Base64::decode_vec(coded.trim()).ok()?).ok()?;
    let (name, password) = pair.split_once(':')?;
    ["operator", "reader", ""].contains(&name).then(|| password.into())
}

/// Returns the password in the body.
fn posted(request: &Request<'_>) -> Option<String> {
    if request.method != "POST" {
        return None;
    }
    let body: serde_json::Value = serde_json::from_slice(request.body).ok()?;
    let password = body["password"].as_str()?;
    (password.len() <= PASSWORD_MAX).then(|| password.into())
}

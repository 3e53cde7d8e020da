//! The web admin role: HTTP in, JSON and a page out.
//!
//! What lives here: the paths and what each answers. What never lives here: what a front or a
//! backend knows (it is asked through [`View`]) and what a command does ([`Command`] is handed to
//! the node).

mod http;
pub mod metrics;
pub(crate) mod settings;
pub mod status;

use crate::config::InForce;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use http::{Request, Response};
use metrics::Page;
use serde_json::Value;

/// What a node lets its admin pages see.
pub trait View {
    /// What `/api/status` says: one of the structures of [`status`].
    fn status(&self) -> Value;

    /// Whether this node serves, or could.
    ///
    /// # Errors
    /// Why not, in a sentence for people.
    fn ready(&self) -> Result<(), String>;

    /// Whether this machine may have the virtual address.
    ///
    /// # Errors
    /// Why it is to give it away, in a sentence for people.
    fn holds(&self) -> Result<(), String>;

    /// Whether this node has the active role, and somebody to give it to.
    ///
    /// # Errors
    /// Why it cannot give it away, and what would be right, in a sentence for people.
    fn yields(&self) -> Result<(), String>;

    /// Writes what `/metrics` says.
    fn measure(&self, page: &mut Page);

    /// The configuration, once it is known, and whether another one is being stored. `None`: a node
    /// without one.
    fn settings(&self) -> Option<(Option<&InForce>, bool)> {
        None
    }
}

/// What an operator wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Take the active role.
    Activate,
    /// Give the active role to the other front.
    Failover,
    /// The virtual address may have moved.
    Notify,
    /// Store this configuration, which a front would take. The response follows when it is known
    /// what became of it ([`said`]).
    Store(String),
}

/// What comes of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// To be sent.
    pub response: Vec<u8>,
    /// Then the connection is to be closed.
    pub close: bool,
    /// To be done.
    pub command: Option<Command>,
}

/// Answers one whole HTTP request, head and body. Bytes that are none get 400.
#[must_use]
pub fn answer(request: &[u8], view: &impl View) -> Answer {
    match Request::parse(request) {
        Ok(request) => {
            let (response, command) = route(&request, view);
            let headers_only = request.method == "HEAD";
            let response = response.write(headers_only, request.close);
            Answer { response, close: request.close, command }
        }
        Err(sentence) => {
            let response = Response::text(400, sentence).write(false, true);
            Answer { response, close: true, command: None }
        }
    }
}

fn route(request: &Request<'_>, view: &impl View) -> (Response, Option<Command>) {
    let allow = match request.path {
        "/" | "/api/status" | "/healthz" | "/metrics" | "/readyz" | "/holdz" => "GET, HEAD",
        "/api/activate" | "/api/failover" | "/api/notify" => "POST",
        "/api/config" => "GET, HEAD, POST",
        _ => return (Response::text(404, "There is nothing at this path."), None),
    };
    if !allow.split(", ").any(|method| method == request.method) {
        let sentence = format!("This path answers to {allow} only.");
        return (Response { allow: Some(allow), ..Response::text(405, &sentence) }, None);
    }
    if let Some(sentence) = (request.method == "POST").then(|| forbidden(request)).flatten() {
        return (Response::text(403, sentence), None);
    }
    let response = match request.path {
        "/" => page(&view.status()),
        "/metrics" => {
            let mut page = Page::new(request.accept);
            view.measure(&mut page);
            let (kind, body) = page.end();
            Response { status: 200, kind, allow: None, body }
        }
        "/api/status" => json(200, &view.status()),
        "/api/config" => match view.settings() {
            None => Response::text(404, "A backend has no configuration file."),
            Some((now, busy)) if request.method == "POST" => {
                match settings::checked(now, busy, request.body) {
                    Ok(text) => return (Response::text(202, "ok"), Some(Command::Store(text))),
                    Err((status, value)) => json(status, &value),
                }
            }
            Some((now, _)) => {
                let (status, value) = settings::shown(now);
                json(status, &value)
            }
        },
        "/readyz" => verdict(view.ready()),
        "/holdz" => verdict(view.holds()),
        "/api/activate" => {
            let sentence = "The role is being taken; /api/status says when it is held.";
            return (Response::text(202, sentence), Some(Command::Activate));
        }
        "/api/failover" => {
            if let Err(reason) = view.yields() {
                return (Response::text(409, &reason), None);
            }
            let sentence = "The role is being given away; /api/status says when it is.";
            return (Response::text(202, sentence), Some(Command::Failover));
        }
        "/api/notify" => {
            let sentence = "The virtual address is being looked for.";
            return (Response::text(202, sentence), Some(Command::Notify));
        }
        _ => Response::text(200, "ok"),
    };
    (response, None)
}

fn verdict(verdict: Result<(), String>) -> Response {
    match verdict {
        Ok(()) => Response::text(200, "ok"),
        Err(reason) => Response::text(503, &reason),
    }
}

/// Why a request that changes something is refused: a browser may have been led here by a page
/// of somebody else's, across sites or by a name that was pointed at this machine.
fn forbidden(request: &Request<'_>) -> Option<&'static str> {
    if !request.from_admin {
        Some("A request that changes something must carry the header X-Tmr-Admin: 1.")
    } else if !request.host_is_plain {
        Some("A request that changes something must name this server by its IP address.")
    } else {
        None
    }
}

/// The response that came later.
pub(crate) fn said((status, value): settings::Said, close: bool) -> Vec<u8> {
    json(status, &value).write(false, close)
}

fn json(status: u16, value: &Value) -> Response {
    let mut body = format!("{value:#}");
    body.push('\n');
    Response { status, kind: "application/json", allow: None, body }
}

/// What a person finds who opens the address in a browser.
fn page(status: &Value) -> Response {
    let text = |key: &str| escape(status[key].as_str().unwrap_or("unknown"));
    let body = format!(
        "<!doctype html>\n\
         <html lang=\"en\">\n\
         <meta charset=\"utf-8\">\n\
         <title>tmrd</title>\n\
         <h1>tmrd {version}</h1>\n\
         <p>A licence server in a Triple Mode Redundancy set-up. \
         Role of this process: <strong>{role}</strong>.</p>\n\
         <p><a href=\"/api/status\">Status as JSON</a></p>\n\
         </html>\n",
        version = text("version"),
        role = text("role"),
    );
    Response { status: 200, kind: "text/html; charset=utf-8", allow: None, body }
}

/// Text as it may stand in a page.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;
    use serde_json::json;

    struct Node(Result<(), String>);

    impl View for Node {
        fn status(&self) -> Value {
            json!({ "version": "1.2.3", "role": "<b>active & well</b>" })
        }
        fn ready(&self) -> Result<(), String> {
            self.0.clone()
        }
        fn holds(&self) -> Result<(), String> {
            self.0.clone()
        }
        fn yields(&self) -> Result<(), String> {
            self.0.clone()
        }

        fn measure(&self, page: &mut Page) {
            page.counter("tmrd_tests", "Tests.").is(&[], 1);
        }
    }

    /// Status line, whole response and the rest.
    fn ask(request: &str) -> (u16, String, Answer) {
        let answer = answer(request.as_bytes(), &Node(Ok(())));
        let text = String::from_utf8(answer.response.clone()).unwrap();
        let status = text.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
        (status, text, answer)
    }

    fn get(path: &str) -> (u16, String) {
        let (status, text, answer) = ask(&format!("GET {path} HTTP/1.1\r\n\r\n"));
        assert_eq!((answer.close, answer.command), (false, None));
        (status, text.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    #[test]
    fn every_path_answers() {
        let (status, body) = get("/api/status?pretty");
        let value: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &value), (200, &Node(Ok(())).status()));
        assert!(body.contains("\n  \"version\": \"1.2.3\""), "{body}");

        let (status, body) = get("/");
        assert_eq!(status, 200);
        assert!(body.contains("tmrd 1.2.3") && body.contains("href=\"/api/status\""), "{body}");
        assert!(body.contains("&lt;b&gt;active &amp; well&lt;/b&gt;"), "{body}");

        assert_eq!(get("/healthz"), (200, "ok\n".into()));
        assert_eq!(get("/readyz"), (200, "ok\n".into()));
        assert_eq!(get("/holdz"), (200, "ok\n".into()));
        assert_eq!(get("/nowhere"), (404, "There is nothing at this path.\n".into()));
        assert_eq!(get("//").0, 404);
    }

    #[test]
    fn not_ready_says_why() {
        let node = Node(Err("Only one of three backends is reachable.".into()));
        let answer = answer(b"GET /readyz HTTP/1.1\r\n\r\n", &node);
        let text = String::from_utf8(answer.response).unwrap();
        assert!(text.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nOnly one of three backends is reachable.\n"), "{text}");
    }

    #[test]
    fn head_is_get_without_the_body() {
        for path in ["/", "/api/status", "/healthz", "/readyz", "/nowhere"] {
            let (_, whole, _) = ask(&format!("GET {path} HTTP/1.1\r\n\r\n"));
            let (_, head, _) = ask(&format!("HEAD {path} HTTP/1.1\r\n\r\n"));
            assert!(head.ends_with("\r\n\r\n") && whole.starts_with(&head), "{path}");
        }
    }

    #[test]
    fn another_method_is_told_which_ones_there_are() {
        for (method, path, allow) in [
            ("POST", "/api/status", "GET, HEAD"),
            ("GET", "/api/activate", "POST"),
            ("HEAD", "/api/activate", "POST"),
            ("DELETE", "/", "GET, HEAD"),
            ("G", "/", "GET, HEAD"),
        ] {
            let (status, text, answer) = ask(&format!("{method} {path} HTTP/1.1\r\n\r\n"));
            assert_eq!((status, answer.command), (405, None), "{method} {path}");
            assert!(text.contains(&format!("\r\nAllow: {allow}\r\n")), "{text}");
        }
    }

    #[test]
    fn a_role_is_taken_only_by_who_could_mean_it() {
        let post = |headers: &str| {
            let (status, _, answer) =
                ask(&format!("POST /api/activate HTTP/1.1\r\n{headers}Content-Length: 0\r\n\r\n"));
            (status, answer.command)
        };
        let taken = (202, Some(Command::Activate));
        assert_eq!(post("X-Tmr-Admin: 1\r\n"), taken);
        assert_eq!(post("X-Tmr-Admin: 1\r\nHost: localhost:22352\r\n"), taken);
        assert_eq!(post("X-Tmr-Admin: 1\r\nHost: [::1]:22352\r\n"), taken);
        assert_eq!(post(""), (403, None));
        assert_eq!(post("X-Tmr-Admin: 0\r\n"), (403, None));
        assert_eq!(post("Host: 127.0.0.1\r\n"), (403, None));
        assert_eq!(post("X-Tmr-Admin: 1\r\nHost: rebound.example.org\r\n"), (403, None));
    }

    #[test]
    fn a_role_that_cannot_be_given_away_stays_with_a_reason() {
        let request = b"POST /api/failover HTTP/1.1\r\nX-Tmr-Admin: 1\r\n\r\n";
        let done = answer(request, &Node(Ok(())));
        assert_eq!(done.command, Some(Command::Failover));
        assert!(done.response.starts_with(b"HTTP/1.1 202 "));
        let refused = answer(request, &Node(Err("It does not lead.".into())));
        let text = String::from_utf8(refused.response).unwrap();
        assert_eq!(refused.command, None);
        assert!(text.starts_with("HTTP/1.1 409 Conflict\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nIt does not lead.\n"), "{text}");
    }

    #[test]
    fn a_connection_ends_when_it_must() {
        assert!(ask("GET / HTTP/1.0\r\n\r\n").2.close);
        assert!(ask("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").2.close);
        let (status, text, answer) = ask("POST /api/activate HTTP/1.1\r\nX-Tmr-Admin: 1\r\n\r\nx");
        assert_eq!((status, answer.close, answer.command), (400, true, None));
        assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
    }
}

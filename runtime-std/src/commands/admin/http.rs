//! One HTTP request to a server's admin pages.

use crate::commands::admin::credentials::basic;
use crate::commands::admin::pages::{Opened, Pages};
use crate::commands::admin::trust;
use crate::exit::{Failure, words};
use crate::reactor::net::Socket;
use rustls::Stream;
use serde_json::Value;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::time::Duration;
use tmr_core::base::network::Address;

/// How long a request may take: admin pages answer at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// The most bytes of an answer: the status of a server with every seat taken.
const ANSWER_MAX: u64 = 64 * 1024 * 1024;
/// How a TLS server answers plain HTTP: the beginning of an alert.
const ALERT: [u8; 2] = [0x15, 3];
/// The message for an order without an answer.
const UNKNOWN: &str = "; whether it has begun what was ordered is not known. What it had not begun \
                       when this command ended it does not carry out any more (an older server \
                       may): see tmrd status";
/// The most headers of an answer.
const HEADERS_MAX: usize = 32;

/// The answer of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The address of the server.
    pub at: String,
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Sends `GET path`.
///
/// # Errors
/// The server cannot be reached, or its answer is not HTTP.
pub fn get(to: &Pages, path: &str) -> Result<Answer, Failure> {
    ask(to, &format!("GET {path}"), "", "", PATIENCE)
}

/// Sends `POST path`, with the header that marks a deliberate request.
///
/// # Errors
/// As of [`get`].
pub fn post(to: &Pages, path: &str) -> Result<Answer, Failure> {
    ask(to, &format!("POST {path}"), "", "", PATIENCE)
}

/// Does the same with a body. The answer may take as long as `patience`.
///
/// # Errors
/// As of [`get`].
pub fn post_json(
    to: &Pages,
    path: &str,
    body: &str,
    patience: Duration,
) -> Result<Answer, Failure> {
    ask(to, &format!("POST {path}"), "", body, patience)
}

/// Does the same with an operator's password.
///
/// # Errors
/// As of [`get`].
pub fn post_signed(to: &Pages, path: &str, body: &str, password: &str) -> Result<Answer, Failure> {
    ask(to, &format!("POST {path}"), &basic(password), body, PATIENCE)
}

/// Requests `/api/status`; returns it parsed, and its text.
///
/// # Errors
/// As of [`get`], or the answer is not a status.
pub fn status(to: &Pages) -> Result<(Value, String), Failure> {
    let answer = get(to, "/api/status")?;
    if answer.status != 200 {
        let line = answer.body.lines().next().unwrap_or_default();
        return Err(Failure::failed(format!("{} answered {}: {line}", answer.at, answer.status)));
    }
    match serde_json::from_str(&answer.body) {
        Ok(value) => Ok((value, answer.body)),
        Err(error) => {
            Err(Failure::failed(format!("{}: the status is not JSON: {error}", answer.at)))
        }
    }
}

/// Sends a request. `line`: method and path; `head`: more header lines.
fn ask(
    to: &Pages,
    line: &str,
    head: &str,
    body: &str,
    patience: Duration,
) -> Result<Answer, Failure> {
    if !head.is_empty() {
        return ask_once(to, line, head, body, patience);
    }
    let own = to.credentials().head()?;
    let mut answer = ask_once(to, line, &own, body, patience)?;
    if answer.status == 401 {
        if let Some(typed) = to.credentials().asked(&answer.at)? {
            return ask_once(to, line, &typed, body, patience);
        }
        if own.is_empty() {
            answer.body = format!(
                "{} A token comes with --token-file FILE, a password with --password-file FILE.",
                answer.body.trim_end()
            );
        }
    }
    Ok(answer)
}

/// Sends a request with these credentials, or with none.
fn ask_once(
    to: &Pages,
    line: &str,
    head: &str,
    body: &str,
    patience: Duration,
) -> Result<Answer, Failure> {
    let unknown = if line.starts_with("POST ") { UNKNOWN } else { "" };
    let Opened { socket, tls, at } = to.open()?;
    let covered = tls.as_ref().map(|(_, named)| named.clone());
    let text = socket.set_read_timeout(patience).and_then(|()| {
        let host = match (&tls, &socket) {
            // The certificate proves the host.
            (Some((_, named)), _) => named.to_string(),
            // By IP address: the server must not be led to take a command that was meant for
            // another host name.
            (None, Socket::Tcp(socket)) => socket.peer_addr()?.to_string(),
            (None, Socket::Unix(_)) => "localhost".to_owned(),
        };
        Ok(request(line, &host, head, body))
    });
    let mut socket = &socket;
    let bytes = text
        .and_then(|text| match tls {
            Some((mut tls, _)) => exchange(Stream::new(&mut tls, &mut socket), &text),
            None => exchange(socket, &text),
        })
        .map_err(|error| {
            let reason = covered.as_ref().and_then(|named| refused(&error, named, to.ca()));
            Failure::unreachable(match reason {
                Some(reason) => format!("{at}: {reason}"),
                None => unanswered(&at, &error, patience) + unknown,
            })
        })?;
    if bytes.is_empty() {
        let text = format!("{at} closed the connection without an answer{unknown}");
        return Err(Failure::unreachable(text));
    }
    if bytes.starts_with(&ALERT) {
        let what = format!("{at} speaks HTTPS; right would be https://{at}");
        return Err(Failure::unreachable(what));
    }
    let Some((status, body)) = parse(&bytes) else {
        return Err(Failure::failed(format!("{at} does not speak HTTP")));
    };
    Ok(Answer { at, status, body })
}

/// Returns why HTTPS with that server fails; `None`: the error is not one of HTTPS.
fn refused(error: &io::Error, named: &Address, ca: Option<&Path>) -> Option<String> {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(inner) => Some(trust::words(inner, named, ca)),
        None if error.kind() == ErrorKind::UnexpectedEof => Some(format!(
            "it closed the connection before there was HTTPS; right may be http://{named}, or another port"
        )),
        None => None,
    }
}

/// Returns why there is no answer. For a time-out the system's message would not be clear.
fn unanswered(at: &str, error: &io::Error, patience: Duration) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            format!("{at} did not answer within {} s", patience.as_secs())
        }
        _ => format!("{at} does not answer: {}", words(error)),
    }
}

/// Returns the text of a request. A POST has the header that a page of another origin cannot send.
fn request(line: &str, host: &str, head: &str, body: &str) -> String {
    let length = body.len();
    let more = match line.split(' ').next() {
        Some("POST") => format!("X-Tmr-Admin: 1\r\nContent-Length: {length}\r\n"),
        _ => String::new(),
    };
    format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{head}{more}\r\n{body}")
}

fn exchange(mut socket: impl Read + Write, text: &str) -> io::Result<Vec<u8>> {
    socket.write_all(text.as_bytes())?;
    socket.flush()?;
    let mut bytes = Vec::new();
    match socket.take(ANSWER_MAX).read_to_end(&mut bytes) {
        // The answer may be complete before the connection breaks.
        Err(error) if parse(&bytes).is_none() => Err(error),
        _ => Ok(bytes),
    }
}

/// Parses the status and the body of an answer that ends with the connection, or at its stated
/// length.
fn parse(bytes: &[u8]) -> Option<(u16, String)> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes).ok()? else { return None };
    let length = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .map(|header| std::str::from_utf8(header.value).ok()?.trim().parse::<usize>().ok());
    let body = match length {
        Some(length) => bytes[head..].get(..length?)?,
        None => &bytes[head..],
    };
    Some((response.code?, String::from_utf8_lossy(body).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use crate::host::certificate::Certificate;
    use std::net::TcpListener;
    use std::thread;

    /// Returns what a server with this answer received, and the client's result.
    fn served(answer: &'static str, path: &str, post: bool) -> (String, Result<Answer, Failure>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut got = Vec::new();
            while !got.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                socket.read_exact(&mut byte).unwrap();
                got.push(byte[0]);
            }
            socket.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(got).unwrap().replace(&at.to_string(), "HERE")
        });
        let to = Address { host: at.ip().to_string(), port: at.port() };
        let line = format!("{} {path}", if post { "POST" } else { "GET" });
        let made = ask(&to.into(), &line, "", "", PATIENCE);
        (server.join().unwrap(), made)
    }

    #[test]
    fn a_whole_answer_is_read() {
        let (got, made) = served("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "/a", false);
        assert_eq!(got, "GET /a HTTP/1.1\r\nHost: HERE\r\nConnection: close\r\n\r\n");
        let made = made.map(|answer| (answer.status, answer.body));
        assert_eq!(made, Ok((200, "ok".into())));
        let (got, made) = served("HTTP/1.1 202 Accepted\r\n\r\ntaken\n", "/b", true);
        assert!(got.starts_with("POST /b ") && got.contains("\r\nX-Tmr-Admin: 1\r\n"), "{got}");
        let made = made.map(|answer| (answer.status, answer.body));
        assert_eq!(made, Ok((202, "taken\n".into())));
    }

    /// Returns the result of an HTTPS request to a server with the tests' certificate, which names
    /// `localhost`.
    fn by_https(host: &str, ca: Option<&str>) -> (String, Result<Answer, Failure>) {
        by_https_with("admin.pem", host, ca)
    }

    /// Does the same with this certificate.
    fn by_https_with(
        chain: &str,
        host: &str,
        ca: Option<&str>,
    ) -> (String, Result<Answer, Failure>) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/certificate");
        let certificate = Certificate { chain: folder.join(chain), key: folder.join("admin.key") };
        let (config, _) = certificate.read().unwrap();
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let tls = rustls::ServerConnection::new(config).unwrap();
            let mut stream = rustls::StreamOwned::new(tls, socket);
            let (mut got, mut byte) = (Vec::new(), [0]);
            while !got.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                got.push(byte[0]);
            }
            if !got.is_empty() {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
                stream.conn.send_close_notify();
                stream.flush().unwrap();
            }
            String::from_utf8(got).unwrap()
        });
        let to = Pages::parse(&format!("https://{host}:{port}")).unwrap();
        let made = get(&to.trusting(ca.map(|name| folder.join(name))), "/x");
        (server.join().unwrap().replace(&port.to_string(), "PORT"), made)
    }

    #[test]
    fn by_https_only_the_server_that_was_meant_is_asked() {
        let (got, made) = by_https("localhost", Some("admin.pem"));
        assert_eq!(made.map(|answer| (answer.status, answer.body)), Ok((200, "ok".into())));
        assert_eq!(got, "GET /x HTTP/1.1\r\nHost: localhost:PORT\r\nConnection: close\r\n\r\n");
        let (got, made) = by_https("localhost", None);
        assert!(got.is_empty(), "nothing is said to a server that nobody vouches for");
        assert!(made.unwrap_err().text.contains("certificate"));
        let (got, made) = by_https("127.0.0.2", Some("admin.pem"));
        assert!(got.is_empty() && made.is_err(), "another name than that of the certificate");
    }

    #[test]
    fn who_is_not_believed_is_told_why_and_what_to_do() {
        for (chain, host, ca, words) in [
            ("admin.pem", "localhost", Some("authority.pem"), &["neither in", "right file"][..]),
            ("admin.pem", "localhost", None, &["this system trusts", "--ca FILE"]),
            ("authority.pem", "localhost", None, &["this system trusts", "--ca FILE"]),
            (
                "admin.pem",
                "127.0.0.2",
                Some("admin.pem"),
                &["not for 127.0.0.2, but for localhost, 127.0.0.1;"],
            ),
            ("authority.pem", "127.0.0.2", Some("authority.pem"), &["not for 127.0.0.2, but"]),
            ("ended.pem", "localhost", Some("ended.pem"), &["ended on 2020-01-31T", "new one"]),
        ] {
            let (got, made) = by_https_with(chain, host, ca);
            let failure = made.unwrap_err();
            assert!(got.is_empty(), "nothing is said to it: {got}");
            assert_eq!(failure.exit, Exit::Unreachable, "{failure}");
            for word in words {
                assert!(failure.text.contains(word), "{chain} {host} {ca:?}: {failure}");
            }
        }
    }

    #[test]
    fn a_self_signed_certificate_is_its_own_voucher_though_it_calls_itself_an_authority() {
        let (_, made) = by_https_with("authority.pem", "localhost", Some("authority.pem"));
        assert_eq!(made.map(|answer| answer.status), Ok(200));
    }

    /// Returns the message for a server that accepts a connection, sends these bytes, and closes
    /// it.
    fn said_to(kind: &str, says: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            assert!(socket.read(&mut [0; 4096]).unwrap() > 0);
            socket.write_all(says).unwrap();
        });
        let to = Pages::parse(&format!("{kind}://127.0.0.1:{port}")).unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/certificate");
        let ca = (kind == "https").then(|| folder.join("admin.pem"));
        let failure = get(&to.trusting(ca), "/").unwrap_err();
        server.join().unwrap();
        failure.text.replace(&port.to_string(), "PORT")
    }

    #[test]
    fn https_where_http_is_spoken_and_the_reverse_is_said() {
        let said = said_to("https", b"HTTP/1.1 400 Bad Request\r\n\r\n");
        assert!(said.contains("does not speak HTTPS") && said.contains("http://127.0.0.1:PORT"));
        let said = said_to("https", b"");
        assert!(said.contains("right may be http://127.0.0.1:PORT"), "{said}");
        let said = said_to("http", &[0x15, 3, 3, 0, 2, 2, 10]);
        assert_eq!(said, "127.0.0.1:PORT speaks HTTPS; right would be https://127.0.0.1:PORT");
    }

    #[test]
    fn half_an_answer_is_none() {
        let (_, made) = served("", "/", false);
        assert_eq!(made.unwrap_err().exit, Exit::Unreachable);
        for half in ["HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", "noise"] {
            let (_, made) = served(half, "/", false);
            assert_eq!(made.unwrap_err().exit, Exit::Failed, "{half:?}");
        }
    }

    #[test]
    fn a_server_that_is_frozen_is_said_to_have_said_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let to = Address { host: at.ip().to_string(), port: at.port() };
        let failure = ask(&to.into(), "GET /", "", "", Duration::from_secs(1)).unwrap_err();
        assert_eq!(failure.exit, Exit::Unreachable);
        assert_eq!(failure.text, format!("{at} did not answer within 1 s"));
    }

    #[test]
    fn nobody_there_is_unreachable() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let failure = get(&Address { host: "127.0.0.1".into(), port }.into(), "/").unwrap_err();
        assert_eq!(failure.exit, Exit::Unreachable);
        assert!(failure.text.contains(&format!("127.0.0.1:{port}")), "{failure}");
    }
}

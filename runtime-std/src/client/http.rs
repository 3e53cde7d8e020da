//! One HTTP request to a server's admin pages.

use super::pages::{Opened, Pages};
use crate::daemon::Failure;
use crate::daemon::exit::words;
use crate::daemon::net::Socket;
use base64ct::{Base64, Encoding};
use rustls::Stream;
use serde_json::Value;
use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

/// An admin page answers at once, or its server is not well.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer that is read, in bytes: the status of a server with every seat taken.
const ANSWER_MAX: u64 = 64 * 1024 * 1024;
/// Most headers in an answer.
const HEADERS_MAX: usize = 32;

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who answered.
    pub at: String,
    /// Like 200.
    pub status: u16,
    /// The text.
    pub body: String,
}

/// `GET path`.
///
/// # Errors
/// The server cannot be reached, or does not speak HTTP.
pub fn get(to: &Pages, path: &str) -> Result<Answer, Failure> {
    ask(to, &format!("GET {path}"), "", "", PATIENCE)
}

/// `POST path`, with the header that says an operator means it.
///
/// # Errors
/// As of [`get`].
pub fn post(to: &Pages, path: &str) -> Result<Answer, Failure> {
    ask(to, &format!("POST {path}"), "", "", PATIENCE)
}

/// The same with a body. The answer may take so long.
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

/// The same as an operator whose password this is.
///
/// # Errors
/// As of [`get`].
pub fn post_signed(to: &Pages, path: &str, body: &str, password: &str) -> Result<Answer, Failure> {
    ask(to, &format!("POST {path}"), &basic(password), body, PATIENCE)
}

/// The line of a head that carries a password.
fn basic(password: &str) -> String {
    let coded = Base64::encode_string(format!("operator:{password}").as_bytes());
    format!("Authorization: Basic {coded}\r\n")
}

/// `/api/status`, and its text as it came.
///
/// # Errors
/// As of [`get`], or the answer is no status.
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

/// `line`: method and path; `head`: more lines of the head.
fn ask(
    to: &Pages,
    line: &str,
    head: &str,
    body: &str,
    patience: Duration,
) -> Result<Answer, Failure> {
    let own = match to.password()? {
        Some(password) if head.is_empty() => basic(&password),
        _ => String::new(),
    };
    let Opened { socket, tls, at } = to.open()?;
    let text = socket.set_read_timeout(patience).and_then(|()| {
        let host = match (&tls, &socket) {
            // The certificate says that it is the one that was meant.
            (Some((_, named)), _) => named.to_string(),
            // By its number: a server must not be led to take a command that was meant for another.
            (None, Socket::Tcp(socket)) => socket.peer_addr()?.to_string(),
            (None, Socket::Unix(_)) => "localhost".to_owned(),
        };
        Ok(request(line, &host, &format!("{head}{own}"), body))
    });
    let mut socket = &socket;
    let bytes = text
        .and_then(|text| match tls {
            Some((mut tls, _)) => exchange(Stream::new(&mut tls, &mut socket), &text),
            None => exchange(socket, &text),
        })
        .map_err(|error| Failure::unreachable(unanswered(&at, &error, patience)))?;
    if bytes.is_empty() {
        return Err(Failure::unreachable(format!("{at} closed the connection without an answer")));
    }
    let Some((status, body)) = parse(&bytes) else {
        return Err(Failure::failed(format!("{at} does not speak HTTP")));
    };
    Ok(Answer { at, status, body })
}

/// Why there is no answer. A time that is over is not said in the system's words, which speak of a
/// resource.
fn unanswered(at: &str, error: &io::Error, patience: Duration) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            format!("{at} did not answer within {} s", patience.as_secs())
        }
        _ => format!("{at} does not answer: {}", words(error)),
    }
}

/// The text of a request. A change carries the header that a foreign page cannot send.
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
        // A server that ends rudely may have said all there is.
        Err(error) if parse(&bytes).is_none() => Err(error),
        _ => Ok(bytes),
    }
}

/// The status and the body of an answer that ends with its connection, or where its length says.
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
    use crate::daemon::Exit;
    use crate::daemon::tls::Certificate;
    use std::net::TcpListener;
    use std::path::Path;
    use std::thread;
    use tmr_core::io::Address;

    /// What a server got that answers like this, and what the client made of the answer.
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

    /// What comes of a request by HTTPS to a server with the certificate of the tests, which names
    /// `localhost`.
    fn by_https(host: &str, ca: Option<&str>) -> (String, Result<Answer, Failure>) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/certificate");
        let certificate =
            Certificate { chain: folder.join("admin.pem"), key: folder.join("admin.key") };
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

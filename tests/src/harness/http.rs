//! The admin pages over a plain connection: one request, one answer.

use base64ct::{Base64, Encoding};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The longest wait for an answer of an admin page.
const PATIENCE: Duration = Duration::from_secs(10);

/// Status code and body of `GET path`.
///
/// # Errors
/// The system's, or `InvalidData` for what is not HTTP.
pub fn get(at: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    ask(at, "GET", path, "", "")
}

/// Head and body of `GET path` with these header lines more.
///
/// # Errors
/// As for [`get`].
pub fn get_with(at: SocketAddr, path: &str, headers: &str) -> io::Result<(String, String)> {
    exchange(at, "GET", path, Content { headers, body: "" })
}

/// Status code and body of `POST path` with nothing in it: something is to change.
///
/// # Errors
/// As for [`get`].
pub fn post(at: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    ask(at, "POST", path, "", "")
}

/// The operator's password in all tests.
pub const PASSWORD: &str = "correct horse";

/// Status code and body of `POST path` with something in it, and the operator's password.
///
/// # Errors
/// As for [`get`].
pub fn post_text(at: SocketAddr, path: &str, text: &str) -> io::Result<(u16, String)> {
    let coded = Base64::encode_string(format!("operator:{PASSWORD}").as_bytes());
    ask(at, "POST", path, &format!("Authorization: Basic {coded}\r\n"), text)
}

/// Head and body of the answer to a sign-in with this password, and these header lines more.
///
/// # Errors
/// As for [`get`].
pub fn sign_in(at: SocketAddr, password: &str, headers: &str) -> io::Result<(String, String)> {
    let body = serde_json::json!({ "password": password }).to_string();
    exchange(at, "POST", "/api/session", Content { headers, body: &body })
}

fn ask(
    at: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> io::Result<(u16, String)> {
    let (head, body) = exchange(at, method, path, Content { headers, body })?;
    Ok((code(&head)?, body))
}

/// Returns the status code in a head.
fn code(head: &str) -> io::Result<u16> {
    let code = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    code.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {head:?}")))
}

/// The contents of a request after its first line.
#[derive(Clone, Copy, Default)]
struct Content<'a> {
    /// Further header lines, each with its end.
    headers: &'a str,
    body: &'a str,
}

/// Returns the head and the body of the answer to a request.
fn exchange(
    at: SocketAddr,
    method: &str,
    path: &str,
    content: Content<'_>,
) -> io::Result<(String, String)> {
    let socket = TcpStream::connect_timeout(&at, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    exchange_by(socket, at, method, path, content)
}

/// The same on an established connection.
fn exchange_by(
    mut socket: impl Read + Write,
    at: SocketAddr,
    method: &str,
    path: &str,
    content: Content<'_>,
) -> io::Result<(String, String)> {
    let Content { headers, body } = content;
    write!(
        socket,
        "{method} {path} HTTP/1.1\r\nHost: {at}\r\nX-Tmr-Admin: 1\r\nConnection: close\r\n\
         Content-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {answer:?}"));
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(wrong)?;
    Ok((head.to_owned(), body.to_owned()))
}

/// The sockets of the machines whose admin pages are at these addresses, each in a network of its own.
static MACHINES: Mutex<BTreeMap<(u64, SocketAddr), PathBuf>> = Mutex::new(BTreeMap::new());

/// Returns the network namespace of this thread, because the same address may exist in several.
fn network() -> u64 {
    fs::metadata("/proc/thread-self/ns/net").map_or(0, |it| it.ino())
}

/// Registers a server's admin address and its state folder.
pub(super) fn started(at: SocketAddr, state: &Path) {
    let mut machines = MACHINES.lock().unwrap_or_else(PoisonError::into_inner);
    machines.insert((network(), at), state.join("admin.sock"));
}

/// Makes the request by the server's Unix socket, which needs no password. Returns `None` if there
/// is none.
fn by_machine(at: SocketAddr, path: &str) -> Option<io::Result<(u16, String)>> {
    let machines = MACHINES.lock().unwrap_or_else(PoisonError::into_inner);
    let socket = UnixStream::connect(machines.get(&(network(), at))?).ok()?;
    drop(machines);
    let answer = socket
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| exchange_by(socket, at, "GET", path, Content::default()));
    Some(answer.and_then(|(head, body)| Ok((code(&head)?, body))))
}

/// The JSON value of `GET path`, asked for as the machine itself where that can be.
///
/// # Errors
/// The system's, or `InvalidData` for what is not JSON with status 200.
pub fn get_json(at: SocketAddr, path: &str) -> io::Result<Value> {
    let (code, body) = by_machine(at, path).unwrap_or_else(|| get(at, path))?;
    let wrong = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    if code != 200 {
        return Err(wrong(format!("{path} answered {code}: {body}")));
    }
    serde_json::from_str(&body).map_err(|error| wrong(format!("{path}: {error}: {body}")))
}

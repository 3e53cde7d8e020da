//! The transport of WebDriver: JSON over HTTP, one request for each connection.

use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The limit for an answer of the driver; a browser on a loaded machine starts slowly.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn post(at: SocketAddr, path: &str, body: &Value) -> io::Result<Value> {
    ask(at, "POST", path, &body.to_string())
}

pub(super) fn get(at: SocketAddr, path: &str) -> io::Result<Value> {
    ask(at, "GET", path, "")
}

pub(super) fn delete(at: SocketAddr, path: &str) -> io::Result<Value> {
    ask(at, "DELETE", path, "")
}

fn ask(at: SocketAddr, method: &str, path: &str, body: &str) -> io::Result<Value> {
    let mut socket = TcpStream::connect(at)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    write!(
        socket,
        "{method} {path} HTTP/1.1\r\nHost: {at}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    let mut answer = BufReader::new(socket);
    let mut length = 0;
    loop {
        let mut line = String::new();
        answer.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    answer.read_exact(&mut body)?;
    let mut answer: Value = serde_json::from_slice(&body)?;
    let value = answer["value"].take();
    match value["error"].as_str() {
        Some(error) => Err(io::Error::other(format!("{error}: {}", value["message"]))),
        None => Ok(value),
    }
}

//! One HTTP request in, one response out, as bytes (RFC 9110, 9112).
//!
//! What never lives here: where a request ends in a stream (that is
//! [`channel`](crate::channel)), and what a path means.

use crate::limits::HTTP_HEADERS_MAX;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use httparse::Status;

/// What of a request matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    /// Without the query.
    pub(super) path: &'a str,
    /// The client will close the connection, or does not know that it could stay open.
    pub(super) close: bool,
    /// The host it asked for is an address or this machine: no name that somebody else could have
    /// pointed here.
    pub(super) host_is_plain: bool,
    /// It carries `X-Tmr-Admin: 1`, which a form on a foreign page cannot send.
    pub(super) from_admin: bool,
    /// The kinds of answer that it would like.
    pub(super) accept: &'a str,
    pub(super) body: &'a [u8],
}

impl<'a> Request<'a> {
    /// Reads one whole request.
    ///
    /// # Errors
    /// It is not one; in a sentence.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let mut headers = [httparse::EMPTY_HEADER; HTTP_HEADERS_MAX];
        let mut head = httparse::Request::new(&mut headers);
        let length = match head.parse(bytes) {
            Ok(Status::Complete(length)) => length,
            Ok(Status::Partial) => return Err("The request ends before its head does."),
            Err(_) => return Err("This is not an HTTP request."),
        };
        let (Some(method), Some(target), Some(version)) = (head.method, head.path, head.version)
        else {
            return Err("This is not an HTTP request.");
        };
        if !target.starts_with('/') {
            return Err("The request target must begin with a slash.");
        }
        let mut request = Request {
            method,
            path: target.split('?').next().unwrap_or_default(),
            close: version == 0,
            host_is_plain: true,
            from_admin: false,
            accept: "",
            body: &bytes[length..],
        };
        let mut body = 0;
        let mut hosts = 0;
        for header in head.headers.iter() {
            let value = core::str::from_utf8(header.value).unwrap_or_default().trim();
            let named = |name: &str| header.name.eq_ignore_ascii_case(name);
            if named("connection") {
                request.close |= value.split(',').any(|it| it.trim().eq_ignore_ascii_case("close"));
            } else if named("host") {
                hosts += 1;
                request.host_is_plain &= is_plain(value);
            } else if named("x-tmr-admin") {
                request.from_admin = value == "1";
            } else if named("accept") {
                request.accept = value;
            } else if named("content-length") {
                body = value.parse().map_err(|_| "The Content-Length is not a number.")?;
            } else if named("transfer-encoding") {
                return Err("A body in chunks is not taken here.");
            }
        }
        if hosts > 1 {
            return Err("The request names more than one host.");
        }
        if bytes.len() - length != body {
            return Err("The body is not as long as its Content-Length says.");
        }
        Ok(request)
    }
}

/// Whether a Host header names an address or `localhost`, with or without a port.
fn is_plain(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    host.parse::<SocketAddr>().is_ok()
        || host.parse::<IpAddr>().is_ok()
        || bracketed.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
        || name.eq_ignore_ascii_case("localhost")
}

/// What a page of ours may load and do: only what this server itself serves.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// A response that is still to be written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    /// The methods that the path knows, with 405.
    pub(super) allow: Option<&'static str>,
    pub(super) body: String,
}

impl Response {
    /// One line of plain text.
    pub(super) fn text(status: u16, sentence: &str) -> Self {
        let kind = "text/plain; charset=utf-8";
        Self { status, kind, allow: None, body: format!("{sentence}\n") }
    }

    /// As bytes. With `headers_only` the body is counted but left out, as HEAD wants it.
    pub(super) fn write(&self, headers_only: bool, close: bool) -> Vec<u8> {
        let Self { status, kind, allow, body } = self;
        let mut head = format!(
            "HTTP/1.1 {status} {reason}\r\n\
             Content-Type: {kind}\r\n\
             Content-Length: {length}\r\n\
             Cache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\n\
             Content-Security-Policy: {POLICY}\r\n",
            reason = reason(*status),
            length = body.len(),
        );
        if let Some(methods) = allow {
            head += &format!("Allow: {methods}\r\n");
        }
        head += if close { "Connection: close\r\n\r\n" } else { "Connection: keep-alive\r\n\r\n" };
        if !headers_only {
            head += body;
        }
        head.into_bytes()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        503 => "Service Unavailable",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Result<Request<'_>, &'static str> {
        Request::parse(text.as_bytes())
    }

    #[test]
    fn takes_what_matters_out_of_a_request() {
        let text = "POST /api/activate?now=1 HTTP/1.1\r\nHost: 127.0.0.1:22352\r\n\
                    x-tmr-admin:  1 \r\nContent-Length: 2\r\n\r\n{}";
        let expected = Request {
            method: "POST",
            path: "/api/activate",
            close: false,
            host_is_plain: true,
            from_admin: true,
            accept: "",
            body: b"{}",
        };
        assert_eq!(request(text), Ok(expected));
    }

    #[test]
    fn stays_open_only_when_both_sides_can() {
        for (head, close) in [
            ("GET / HTTP/1.1\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nConnection: keep-alive\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nConnection: foo, Close\r\n\r\n", true),
            ("GET / HTTP/1.0\r\n\r\n", true),
            ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
        ] {
            assert_eq!(request(head).map(|request| request.close), Ok(close), "{head}");
        }
    }

    #[test]
    fn a_name_that_could_point_anywhere_is_not_plain() {
        for host in
            ["127.0.0.1", "192.0.2.1:80", "[::1]", "[::1]:22352", "localhost", "LocalHost:22352"]
        {
            assert!(is_plain(host), "{host}");
        }
        for host in
            ["", "example.org", "127.0.0.1.example.org:22352", "localhost.example.org", "[::1", "a"]
        {
            assert!(!is_plain(host), "{host}");
        }
    }

    #[test]
    fn what_is_no_request_is_said_in_a_sentence() {
        for text in [
            "",
            "GET",
            "GET / HTTP/1.1\r\n",
            "GET / HTTP/3.0\r\n\r\n",
            "\u{a0}\r\n\r\n",
            "GET http://127.0.0.1/ HTTP/1.1\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: 127.0.0.1\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab",
            "GET / HTTP/1.1\r\n\r\nab",
            "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ] {
            let said = request(text).expect_err(text);
            assert!(said.ends_with('.') && said.starts_with(char::is_uppercase), "{said}");
        }
    }

    #[test]
    fn a_response_is_written_in_full_or_without_its_body() {
        let mut response = Response::text(405, "Ä");
        response.allow = Some("POST");
        let head = "HTTP/1.1 405 Method Not Allowed\r\n\
                    Content-Type: text/plain; charset=utf-8\r\n\
                    Content-Length: 3\r\n\
                    Cache-Control: no-store\r\n\
                    X-Content-Type-Options: nosniff\r\n\
                    Content-Security-Policy: default-src 'none'; script-src 'self'; \
                    style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
                    form-action 'none'; frame-ancestors 'none'\r\n\
                    Allow: POST\r\n";
        let whole = format!("{head}Connection: keep-alive\r\n\r\nÄ\n");
        assert_eq!(String::from_utf8(response.write(false, false)), Ok(whole));
        let without = format!("{head}Connection: close\r\n\r\n");
        assert_eq!(String::from_utf8(response.write(true, true)), Ok(without));
    }
}

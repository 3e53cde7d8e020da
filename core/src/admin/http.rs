//! One HTTP request in, one response out, as bytes (RFC 9110, 9112).
//!
//! What never lives here: where a request ends in a stream (that is
//! [`channel`](crate::link::channel)), the meaning of a path, and who may make a request (see
//! `guard`).

use crate::base::limits::{FORWARDED_LINES_MAX, HTTP_HEADERS_MAX};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use httparse::Status;

/// The parts of a request that matter here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    /// The path without the query.
    pub(super) path: &'a str,
    /// The query after the `?`; empty if there is none.
    pub(super) query: &'a str,
    /// Whether the client will close the connection, or does not know that it could stay open.
    pub(super) close: bool,
    /// The Host header, with or without a port.
    pub(super) host: Option<&'a str>,
    /// The page that made the request, if a browser names it.
    pub(super) origin: Option<&'a str>,
    /// All cookies, unparsed.
    pub(super) cookies: &'a str,
    /// The Authorization header, unparsed.
    pub(super) authorization: Option<&'a str>,
    /// Whether it has `X-Tmr-Admin: 1`, which a form on a foreign page cannot send.
    pub(super) from_admin: bool,
    pub(super) proxy: ProxyHeaders<'a>,
    /// The kinds of answer that the client prefers.
    pub(super) accept: &'a str,
    pub(super) body: &'a [u8],
}

/// The headers of a request that proxies add.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ProxyHeaders<'a> {
    /// Whether it came through a proxy: the other end of the connection is not its sender.
    pub(super) relayed: bool,
    /// The lines `X-Forwarded-For`, the last one last; missing ones are empty.
    pub(super) forwarded_for: [&'a str; FORWARDED_LINES_MAX],
    /// `X-Real-IP`.
    pub(super) real_ip: &'a str,
    /// The last line `X-Forwarded-Host`.
    pub(super) forwarded_host: &'a str,
    /// The last line `X-Forwarded-Proto`.
    pub(super) forwarded_proto: &'a str,
}

/// Replaces a line of `X-Forwarded-For` that is not text; it is no address.
const UNREADABLE: &str = "unreadable";
/// Headers by which a proxy marks a request of a client, beside `X-Forwarded-…`.
const RELAYED: [&str; 8] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "client-ip",
    "true-client-ip",
    "cf-connecting-ip",
];

/// The reason why bytes are no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// The status of the answer.
    pub(super) status: u16,
    /// What is wrong, for people.
    pub(super) sentence: &'static str,
}

impl From<&'static str> for Malformed {
    fn from(sentence: &'static str) -> Self {
        Self { status: 400, sentence }
    }
}

/// A chunked body has no length in its header, and no request here needs one.
const CHUNKS: Malformed = Malformed {
    status: 411,
    sentence: "A body in chunks is not taken here: send it whole, with its Content-Length.",
};

/// No client needs so many headers, and a proxy has room for its own.
const MANY: Malformed = Malformed {
    status: 431,
    sentence: "The request has more than 64 headers, which is as many as are looked at.",
};
const _: () = assert!(HTTP_HEADERS_MAX == 64);

/// Whether the part of a Host header after its colon is not a port.
fn has_no_port(host: &str) -> bool {
    let behind = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').and_then(|(_, after)| after.strip_prefix(':')),
        None => host.split_once(':').map(|(_, after)| after).filter(|it| !it.contains(':')),
    };
    // A colon alone is allowed (RFC 3986, 3.2.3).
    let behind = behind.filter(|port| !port.is_empty());
    behind.is_some_and(|it| !it.bytes().all(|it| it.is_ascii_digit()) || it.parse::<u16>().is_err())
}

/// Whether a header is `X-Forwarded-For` or a related one.
fn is_forwarded(name: &str) -> bool {
    name.get(..11).is_some_and(|start| start.eq_ignore_ascii_case("x-forwarded"))
}

impl<'a> Request<'a> {
    /// Parses one complete request.
    ///
    /// # Errors
    /// Returns why the bytes are no request.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut headers = [httparse::EMPTY_HEADER; HTTP_HEADERS_MAX];
        let mut head = httparse::Request::new(&mut headers);
        let length = match head.parse(bytes) {
            Ok(Status::Complete(length)) => length,
            Ok(Status::Partial) => return Err("The request ends before its head does.".into()),
            Err(httparse::Error::TooManyHeaders) => return Err(MANY),
            Err(_) => return Err("This is not an HTTP request.".into()),
        };
        let (Some(method), Some(target), Some(version)) = (head.method, head.path, head.version)
        else {
            return Err("This is not an HTTP request.".into());
        };
        if !target.starts_with('/') {
            return Err("The request target must begin with a slash.".into());
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let body = &bytes[length..];
        let mut request = Request { method, path, query, body, ..Request::default() };
        request.close = version == 0;
        let mut announced: Option<usize> = None;
        for header in head.headers.iter() {
            let value = core::str::from_utf8(header.value).unwrap_or_default().trim();
            let named = |name: &str| header.name.eq_ignore_ascii_case(name);
            if named("connection") {
                request.close |= value.split(',').any(|it| it.trim().eq_ignore_ascii_case("close"));
            } else if named("host") {
                if request.host.replace(value).is_some() {
                    return Err("The request names more than one host.".into());
                }
                if has_no_port(value) {
                    return Err("What follows the colon in the Host header is no port.".into());
                }
            } else if named("origin") {
                request.origin = Some(value);
            } else if named("cookie") {
                request.cookies = value;
            } else if named("authorization") {
                request.authorization = Some(value);
            } else if named("x-tmr-admin") {
                request.from_admin = value == "1";
            } else if RELAYED.iter().any(|name| named(name)) || is_forwarded(header.name) {
                request.proxy.relayed = true;
                if named("x-forwarded-for") {
                    // A line that is not text still counts: the lines before it were not written by
                    // the last proxy.
                    let text = core::str::from_utf8(header.value).is_ok();
                    request.proxy.forwarded_for.rotate_left(1);
                    request.proxy.forwarded_for[FORWARDED_LINES_MAX - 1] =
                        if text { value } else { UNREADABLE };
                } else if named("x-real-ip") {
                    request.proxy.real_ip = value;
                } else if named("x-forwarded-host") {
                    request.proxy.forwarded_host = value;
                } else if named("x-forwarded-proto") {
                    request.proxy.forwarded_proto = value;
                }
            } else if named("accept") {
                request.accept = value;
            } else if named("content-length") {
                let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                let length = value.parse().ok().filter(|_| digits);
                let length = length.ok_or("The Content-Length is not a number.")?;
                if announced.is_some_and(|other| other != length) {
                    return Err("The request has two lengths.".into());
                }
                announced = Some(length);
            } else if named("transfer-encoding") {
                return Err(CHUNKS);
            }
        }
        if body.len() != announced.unwrap_or(0) {
            return Err("The body is not as long as its Content-Length says.".into());
        }
        Ok(request)
    }

    /// Returns the value of a cookie.
    pub(super) fn cookie(&self, name: &str) -> Option<&'a str> {
        let pairs = self.cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.into_iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// Returns the port of the Host header, as text; empty for the port that a URL may leave out.
    pub(super) fn port(&self) -> &'a str {
        let (_, port) = self.host.and_then(|host| host.rsplit_once(':')).unwrap_or_default();
        if port.bytes().all(|byte| byte.is_ascii_digit()) { port } else { "" }
    }
}

/// Returns the name in a Host header: without the port, the brackets of an IPv6 address, and the
/// dot at the end of an absolute name.
pub(super) fn host_name(host: &str) -> &str {
    if let Some((inside, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return inside;
    }
    let name = match host.rsplit_once(':') {
        Some((name, _)) if !name.contains(':') => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}

/// Whether a Host header names this server: by an address, or by one of these names.
pub(super) fn is_named(host: &str, names: &[String]) -> bool {
    is_plain(host) || names.iter().any(|name| name.eq_ignore_ascii_case(host_name(host)))
}

/// Whether a Host header names an address or `localhost`, with or without a port: not a name whose
/// resolution another party could control.
pub(super) fn is_plain(host: &str) -> bool {
    if let Some((inside, after)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        // `%25eth0`: the interface of a link-local address (RFC 6874).
        let address = inside.split_once('%').map_or(inside, |(address, _)| address);
        let port =
            after.strip_prefix(':').map_or(after.is_empty(), |port| port.parse::<u16>().is_ok());
        return port && address.parse::<Ipv6Addr>().is_ok();
    }
    let name = host_name(host);
    host.parse::<SocketAddr>().is_ok()
        || name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
}

/// Headers of every response: a page may load and do only what this server itself serves, and must
/// not be framed.
const GUARDS: &str = "Cache-Control: no-store\r\n\
     X-Content-Type-Options: nosniff\r\n\
     X-Frame-Options: DENY\r\n\
     Referrer-Policy: no-referrer\r\n\
     Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'\r\n";

/// A response that is not encoded yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    /// Further headers: whole lines with their ends.
    pub(super) head: String,
    pub(super) body: Cow<'static, str>,
}

impl Response {
    /// Returns a response with one line of plain text.
    pub(super) fn text(status: u16, sentence: &str) -> Self {
        let body = format!("{sentence}\n").into();
        Self { status, kind: "text/plain; charset=utf-8", head: String::new(), body }
    }

    /// Returns a response with a JSON value, indented for people.
    pub(super) fn json(status: u16, value: &serde_json::Value) -> Self {
        let body = format!("{value:#}\n").into();
        Self { status, kind: "application/json", head: String::new(), body }
    }

    /// Returns a response with a text of this content type.
    pub(super) fn file(kind: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status: 200, kind, head: String::new(), body: text.into() }
    }

    /// Adds a header.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.head += &format!("{name}: {value}\r\n");
        self
    }

    /// Encodes the response. With `headers_only` the body is counted but left out, as HEAD
    /// requires.
    pub(super) fn write(&self, headers_only: bool, close: bool) -> Vec<u8> {
        let Self { status, kind, head, body } = self;
        let connection = if close { "close" } else { "keep-alive" };
        let mut text = format!(
            "HTTP/1.1 {status} {reason}\r\n\
             Content-Type: {kind}\r\n\
             Content-Length: {length}\r\n\
             {GUARDS}{head}Connection: {connection}\r\n\r\n",
            reason = reason(*status),
            length = body.len(),
        );
        if !headers_only {
            text += body;
        }
        text.into_bytes()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Result<Request<'_>, Malformed> {
        Request::parse(text.as_bytes())
    }

    #[test]
    fn takes_what_matters_out_of_a_request() {
        let text = "POST /api/activate?now=1 HTTP/1.1\r\nHost: 127.0.0.1:22352\r\n\
                    x-tmr-admin:  1 \r\nCookie: a=1; b=2\r\nContent-Length: 2\r\n\r\n{}";
        let expected = Request {
            method: "POST",
            path: "/api/activate",
            query: "now=1",
            host: Some("127.0.0.1:22352"),
            from_admin: true,
            cookies: "a=1; b=2",
            body: b"{}",
            ..Request::default()
        };
        assert_eq!(request(text), Ok(expected));
        assert_eq!((expected.cookie("b"), expected.cookie("c")), (Some("2"), None));
        assert_eq!(expected.port(), "22352");
    }

    #[test]
    fn a_host_has_a_name() {
        for (host, name) in [
            ("a.example:1", "a.example"),
            ("a.example", "a.example"),
            ("[::1]:1", "::1"),
            ("::1", "::1"),
            ("", ""),
            ("[", "["),
            ("a.example.:1", "a.example"),
            ("a.example.", "a.example"),
            ("[fe80::1%25eth0]:1", "fe80::1%25eth0"),
        ] {
            assert_eq!(host_name(host), name);
        }
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
        for host in [
            "127.0.0.1",
            "192.0.2.1:80",
            "[::1]",
            "[::1]:22352",
            "localhost",
            "LocalHost:22352",
            "localhost.",
            "localhost.:1",
            "[fe80::1%25eth0]:22352",
            "[fe80::1%eth0]",
            "127.0.0.1.:1",
        ] {
            assert!(is_plain(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "127.0.0.1.example.org:22352",
            "localhost.example.org",
            "[::1",
            "a",
            "[::1]x",
            "[::1]:x",
            "[a%25eth0]",
            "[fe80::1%25eth0].example.org",
            ".",
            "localhost..",
        ] {
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
            "GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: +0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a:xyz\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: [::1]:+5\r\n\r\n",
        ] {
            let said = request(text).expect_err(text).sentence;
            assert!(said.ends_with('.') && said.starts_with(char::is_uppercase), "{said}");
        }
    }

    #[test]
    fn too_many_headers_have_a_status_of_their_own_and_odd_hosts_that_are_none_are_taken() {
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65));
        assert_eq!(request(&many).map_err(|it| it.status), Err(431));
        for host in ["a", "a:", "a:80", "[::1]", "[::1]:", "[::1]:5", "::1", "fe80::abcd"] {
            let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert!(request(&text).is_ok(), "{host}");
        }
    }

    #[test]
    fn a_response_is_written_in_full_or_without_its_body() {
        let response = Response::text(405, "Ä").with("Allow", "POST");
        let whole = String::from_utf8(response.write(false, false)).unwrap();
        let head = "HTTP/1.1 405 Method Not Allowed\r\n\
                    Content-Type: text/plain; charset=utf-8\r\n\
                    Content-Length: 3\r\n";
        assert!(whole.starts_with(head), "{whole}");
        assert!(whole.ends_with("Allow: POST\r\nConnection: keep-alive\r\n\r\nÄ\n"), "{whole}");
        for guard in ["X-Frame-Options: DENY", "script-src 'self';", "frame-ancestors 'none'\r\n"] {
            assert!(whole.contains(guard), "{whole}");
        }
        let without = String::from_utf8(response.write(true, true)).unwrap();
        assert!(without.ends_with("Connection: close\r\n\r\n"), "{without}");
    }
}

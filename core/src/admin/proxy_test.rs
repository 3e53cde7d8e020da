//! A reverse proxy in front: its client, the headers that it forwards, and its names.

use super::admin_test::{AFAR, Bench, HERE, PAGE, SOCKET};
use super::*;
use crate::base::limits::SIGN_IN_SLIPS;
use alloc::format;
use alloc::vec;
use base64ct::{Base64, Encoding};

/// Returns an `Authorization` header with a name and a password.
fn basic(name: &str) -> String {
    let coded = Base64::encode_string(format!("{name}:secret").as_bytes());
    format!("Authorization: Basic {coded}\r\n")
}

#[test]
fn what_a_browser_typed_for_a_proxy_is_not_compared_with_passwords_here() {
    let mut bench = Bench::new(true, false);
    for path in
        ["/", "/metrics", "/healthz", "/readyz", "/api/status", "/api/events", "/api/session"]
    {
        for _ in 0..3 * SIGN_IN_SLIPS {
            let got = bench.ask(AFAR, &format!("GET {path} HTTP/1.1\r\n{}\r\n", basic("alice")));
            assert_eq!(got.status, 200, "{path}");
        }
    }
    for path in ["/", "/metrics", "/healthz"] {
        let got = bench.ask(AFAR, &format!("GET {path} HTTP/1.1\r\n{}\r\n", basic("operator")));
        assert_eq!(got.status, 200, "{path}: it tells everybody the same");
    }
    let release = |bench: &mut Bench, head: &str| {
        bench
            .post(AFAR, "/api/release", &format!("{head}{}", basic("alice")), "{\"handle\": 7}")
            .status
    };
    assert_eq!(release(&mut bench, PAGE), 401);
    let signed = {
        let got = bench.sign_in_with(AFAR, &basic("alice"), Some(Rights::Operator));
        assert_eq!(got.status, 200, "the page's own password counts: {got:?}");
        bench.cookie(Rights::Operator)
    };
    assert_eq!(release(&mut bench, &signed), 202);
    // For the names in use here it is checked if the answer depends on it.
    for name in ["operator", "reader", ""] {
        let link = bench.link(AFAR);
        let text = format!("GET /api/status HTTP/1.1\r\n{}\r\n", basic(name));
        assert!(bench.send(link, &text, None).is_none(), "{name}");
        assert_eq!(bench.verified(link, Some(Rights::Reader)).status, 200);
    }
    let mut bench = Bench::new(false, false);
    let got = bench.ask(AFAR, &format!("GET /api/status HTTP/1.1\r\n{}\r\n", basic("operator")));
    assert_eq!(got.status, 200, "there is nothing to compare it with");
}

#[test]
fn a_trusted_proxy_says_who_tries_passwords_and_nobody_else_does() {
    let proxy = "198.51.100.80";
    let mut bench = Bench::new(true, false);
    bench.admin.set_proxies(vec!["198.51.100.80/32".parse().unwrap()]);
    let by = |who: &str| format!("X-Forwarded-For: {who}\r\n");
    for _ in 0..SIGN_IN_SLIPS {
        assert_eq!(bench.sign_in_with(proxy, &by("203.0.113.1"), None).status, 401);
    }
    let right = Some(Rights::Operator);
    assert_eq!(bench.sign_in_with(proxy, &by("203.0.113.1"), right).status, 429);
    let forged = by("203.0.113.2, 203.0.113.1");
    assert_eq!(bench.sign_in_with(proxy, &forged, right).status, 429, "who tries writes that");
    assert_eq!(bench.sign_in_with(proxy, &by("203.0.113.2"), right).status, 200);
    assert_eq!(bench.sign_in_with("203.0.113.1", "", right).status, 429, "without the proxy, too");
    assert!(bench.audit.iter().any(|line| line.contains("\"from\":\"203.0.113.2\"")));
    // No other proxy can have attempts counted to another address, or escape its own count.
    for at in 0..SIGN_IN_SLIPS {
        let got = bench.sign_in_with("198.51.100.81", &by(&format!("203.0.113.{}", 50 + at)), None);
        assert_eq!(got.status, 401);
    }
    assert_eq!(bench.sign_in_with("198.51.100.81", &by("203.0.113.99"), right).status, 429);
}

#[test]
fn a_trusted_proxy_on_this_machine_is_not_the_machine() {
    let mut bench = Bench::new(false, false);
    assert_eq!(bench.post(HERE, "/api/activate", "X-Tmr-Admin: 1\r\n", "").status, 202);
    bench.admin.set_proxies(vec!["127.0.0.0/8".parse().unwrap()]);
    let local = "X-Tmr-Admin: 1\r\nX-Forwarded-For: 127.0.0.1\r\n";
    for head in ["X-Tmr-Admin: 1\r\n", local] {
        assert_eq!(bench.post(HERE, "/api/activate", head, "").status, 403, "{head}");
    }
    assert_eq!(bench.post(SOCKET, "/api/activate", "X-Tmr-Admin: 1\r\n", "").status, 202);
}

#[test]
fn a_trusted_proxy_says_which_host_was_asked_for_and_whether_by_https() {
    let mut bench = Bench::new(true, false);
    let page = |host: &str, origin: &str, more: &str| {
        format!("Host: {host}\r\nX-Tmr-Admin: 1\r\nOrigin: {origin}\r\n{more}")
    };
    let sign_in = |bench: &mut Bench, from: &str, head: &str| {
        let body = "{\"password\": \"secret\"}";
        let text = format!(
            "POST /api/session HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let link = bench.link(from);
        match bench.send(link, &text, None) {
            Some(got) => got,
            None => bench.verified(link, Some(Rights::Operator)),
        }
    };
    let more = "X-Forwarded-Host: Front-1.:8443\r\nX-Forwarded-Proto: https\r\n";
    let head = page("127.0.0.1:22352", "https://front-1.:8443", more);
    assert_eq!(sign_in(&mut bench, HERE, &head).status, 403, "it is not trusted");
    bench.admin.set_proxies(vec!["127.0.0.1/32".parse().unwrap()]);
    let got = sign_in(&mut bench, HERE, &head);
    assert_eq!(got.status, 200, "{got:?}");
    assert!(got.text.contains("tmrd-8443=") && got.text.contains("; Secure"), "{}", got.text);
    let plain = head.replace("https", "http");
    assert!(!sign_in(&mut bench, HERE, &plain).text.contains("; Secure"));
    for head in [
        head.replace("Origin: https://front-1.", "Origin: https://evil.example"),
        // A name that resolves to the proxy, and a header that it forwards.
        page("evil.example", "https://front-1.:8443", more),
        page("127.0.0.1", "http://evil.example", "X-Forwarded-Host: evil.example\r\n"),
        page("127.0.0.1", "http://evil.example", "X-Forwarded-Host: front-1, evil.example\r\n"),
    ] {
        assert_eq!(sign_in(&mut bench, HERE, &head).status, 403, "{head}");
    }
}

#[test]
fn a_server_answers_to_all_names_of_its_own() {
    let mut bench = Bench::new(false, false);
    let names = vec!["front-1.example.org.".into(), "lic".into()];
    bench.admin.set_entrance(AdminAccess { names, ..AdminAccess::default() });
    for host in [
        "front-1",
        "front-1.",
        "FRONT-1.example.org",
        "front-1.example.org.:22352",
        "lic",
        "[fe80::1%25eth0]:22352",
        "[fe80::1]",
        "192.0.2.1",
    ] {
        let got = bench.ask(AFAR, &format!("GET /api/status HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(got.status, 200, "{host}");
    }
    for host in ["front-1.evil.example", "lic.evil.example", "example.org", "front-1..", "."] {
        let got = bench.ask(AFAR, &format!("GET /api/status HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(got.status, 403, "{host}");
    }
}

#[test]
fn a_body_in_chunks_is_refused_in_words() {
    let mut bench = Bench::new(false, false);
    let got = bench.ask(HERE, "POST /api/activate HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!((got.status, got.closed, got.command), (411, true, None));
    assert!(got.body.contains("Content-Length"), "{}", got.body);
    assert!(got.text.starts_with("HTTP/1.1 411 Length Required\r\n"), "{}", got.text);
}

#[test]
fn the_page_works_in_a_folder_of_a_proxys() {
    let mut bench = Bench::new(false, false);
    for path in ["/", "/admin.js", "/admin.css"] {
        let text = bench.get(AFAR, path).body;
        for absolute in ["href=\"/", "src=\"/", "'/api", "`/api", "\"/api", "url(/"] {
            assert!(!text.contains(absolute), "{path}: {absolute}");
        }
    }
}

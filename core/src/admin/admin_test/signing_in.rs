//! Passwords: in a request, and for a session.

use super::*;

#[test]
fn who_gives_the_right_password_may_change_things_until_they_sign_out() {
    let mut bench = Bench::new(true, false);
    let signed = bench.cookie(Rights::Operator);
    let got = bench.post(AFAR, "/api/release", &signed, "{\"handle\": 7}");
    assert_eq!(
        (got.status, got.command.clone()),
        (202, Some(Command::Release(Handle(7)))),
        "{got:?}"
    );
    for body in ["", "{}", "{\"handle\": \"7\"}", "{\"handle\": 4294967296}"] {
        assert_eq!(bench.post(AFAR, "/api/release", &signed, body).status, 400, "{body}");
    }
    assert_eq!(bench.post(AFAR, "/api/release", &signed, "{\"handle\": 8}").status, 409);
    let session = bench.ask(AFAR, &format!("GET /api/session HTTP/1.1\r\n{signed}\r\n"));
    assert!(session.body.contains("\"rights\": \"operator\""), "{}", session.body);
    // The same from a foreign page, with which a browser might send the cookie.
    let forged = signed.replace("Origin: http://192.0.2.1:22352", "Origin: http://evil.example");
    assert_eq!(bench.post(AFAR, "/api/release", &forged, "{\"handle\": 7}").status, 403);
    let form = signed.replace("X-Tmr-Admin: 1\r\n", "");
    assert_eq!(bench.post(AFAR, "/api/release", &form, "{\"handle\": 7}").status, 403);

    let out = bench.post(AFAR, "/api/sign-out", &signed, "");
    assert!(out.text.contains("Max-Age=0"), "{}", out.text);
    assert_eq!(bench.post(AFAR, "/api/release", &signed, "{\"handle\": 7}").status, 401);

    let audit: Vec<Value> =
        bench.audit.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let what = |entry: &Value| {
        (entry["what"].as_str().unwrap().to_owned(), entry["done"].as_bool().unwrap())
    };
    let whats: Vec<_> = audit.iter().map(what).collect();
    let expected = [
        ("sign in", true),
        ("take back handle 7 from somebody", true),
        ("take back handle 8", false),
        ("sign out", true),
    ];
    assert_eq!(whats, expected.map(|(what, done)| (what.to_owned(), done)));
    assert_eq!(
        audit[1],
        json!({ "time": "2026-11-21T19:00:00Z", "who": "operator", "from": AFAR,
                "what": "take back handle 7 from somebody", "done": true,
                "result": "Handle 7 is being taken back from somebody." })
    );
    let shown: Value = serde_json::from_str(&bench.get(AFAR, "/api/audit").body).unwrap();
    assert_eq!((shown.as_array().unwrap().len(), &shown[3]), (4, &audit[0]));
}

#[test]
fn who_gives_a_wrong_password_hears_so_and_has_to_wait_after_a_few() {
    let mut bench = Bench::new(true, false);
    for _ in 0..SIGN_IN_SLIPS {
        let got = bench.sign_in(AFAR, None);
        assert_eq!((got.status, &*got.body), (401, "This password is not right.\n"));
        assert!(!got.text.contains("Set-Cookie") && !got.text.contains("Basic"), "{}", got.text);
    }
    let got = bench.sign_in(AFAR, Some(Rights::Operator));
    assert_eq!(got.status, 429);
    assert!(got.text.contains("\r\nRetry-After: 21\r\n"), "{}", got.text);
    assert_eq!(bench.sign_in("198.51.100.1", Some(Rights::Operator)).status, 200);
    bench.now.mono = bench.now.mono + SIGN_IN_AGAIN;
    assert_eq!(bench.sign_in(AFAR, Some(Rights::Reader)).status, 200);
    assert_eq!(bench.sign_in(AFAR, None).status, 401, "a right one forgives no wrong ones");
    assert_eq!(bench.sign_in(AFAR, Some(Rights::Operator)).status, 429);
    let wrong = bench.audit.iter().filter(|line| line.contains("wrong password")).count();
    assert_eq!(wrong, 1, "one line a minute for all of them");
    assert!(bench.audit.iter().all(|line| !line.contains("secret")));
}

#[test]
fn with_a_password_for_readers_only_who_is_signed_in_may_look() {
    let mut bench = Bench::new(true, true);
    for path in ["/api/status", "/api/events", "/api/audit", "/api/usage"] {
        assert_eq!(bench.get(AFAR, path).status, 401, "{path}");
        assert_eq!(bench.get(HERE, path).status, 401, "{path}: anybody may be on this machine");
        assert_eq!(bench.get(SOCKET, path).status, 200, "{path}: the machine itself may");
    }
    for path in ["/", "/healthz", "/readyz", "/holdz", "/api/session"] {
        for from in [HERE, AFAR] {
            assert_eq!(bench.get(from, path).status, 200, "{path}");
        }
    }
    let signed = bench.cookie(Rights::Reader);
    let got = bench.ask(AFAR, &format!("GET /api/status HTTP/1.1\r\n{signed}\r\n"));
    assert_eq!(got.status, 200);
    let got = bench.post(AFAR, "/api/release", &signed, "{\"handle\": 7}");
    assert_eq!((got.status, got.command), (403, None));
    // Another password was set: sessions of the old one have ended.
    let mut entrance = bench.admin.entrance.clone();
    bench.admin.set_entrance(AdminAccess { trouble: Some("x".into()), ..entrance.clone() });
    let got = bench.ask(AFAR, &format!("GET /api/status HTTP/1.1\r\n{signed}\r\n"));
    assert_eq!(got.status, 200, "nothing was said of passwords");
    entrance.readings += 1;
    bench.admin.set_entrance(entrance);
    let got = bench.ask(AFAR, &format!("GET /api/status HTTP/1.1\r\n{signed}\r\n"));
    assert_eq!(got.status, 401);
}

#[test]
fn a_password_may_come_with_the_request() {
    let mut bench = Bench::new(true, true);
    let basic = "Authorization: Basic b3BlcmF0b3I6c2VjcmV0\r\n";
    let text = format!("POST /api/failover HTTP/1.1\r\nX-Tmr-Admin: 1\r\n{basic}\r\n");
    let link = bench.link(AFAR);
    assert!(bench.send(link, &text, None).is_none(), "it is being checked");
    let got = bench.verified(link, Some(Rights::Operator));
    assert_eq!((got.status, got.command), (202, Some(Command::Failover)));
    let link = bench.link(AFAR);
    assert!(bench.send(link, &text, None).is_none());
    assert_eq!(bench.verified(link, Some(Rights::Reader)).status, 403);
}

#[test]
fn passwords_to_be_checked_are_few_and_one_a_connection() {
    let mut bench = Bench::new(true, false);
    let text = format!(
        "POST /api/session HTTP/1.1\r\n{PAGE}Content-Length: 16\r\n\r\n{}",
        "{\"password\":\"x\"}"
    );
    let links: Vec<LinkId> =
        (0..PASSWORDS_WAITING - PASSWORDS_KEPT).map(|_| bench.link(AFAR)).collect();
    for link in &links {
        assert!(bench.send(*link, &text, None).is_none());
    }
    assert_eq!(bench.ask(AFAR, &text).status, 503);
    // A sender that does not wait for the answer is disconnected, like one that has closed.
    assert!(bench.send(links[0], &text, None).is_some_and(|got| got.closed && got.status == 0));
    assert!(bench.admin.closed(links[1]));
    for link in &links[..2] {
        let mut out = Vec::new();
        assert_eq!(bench.admin.verified(bench.now, *link, Some(Rights::Operator), &mut out), None);
        assert!(out.is_empty());
    }
    assert_eq!(bench.verified(links[2], Some(Rights::Operator)).status, 200);
}

#[test]
fn a_password_counts_as_what_it_was_though_its_connection_is_gone() {
    let mut bench = Bench::new(true, false);
    let gone = |bench: &mut Bench, granted| {
        let link = bench.link(AFAR);
        assert!(bench.send(link, &sign_in_text(""), None).is_none(), "it is being checked");
        bench.admin.closed(link);
        let mut out = Vec::new();
        assert_eq!(bench.admin.verified(bench.now, link, granted, &mut out), None);
        bench.take(None, out)
    };
    for _ in 0..40 {
        gone(&mut bench, Some(Rights::Operator));
    }
    assert!(bench.audit.is_empty(), "{:?}", bench.audit);
    assert_eq!(bench.sign_in(AFAR, Some(Rights::Operator)).status, 200);
    for _ in 0..5 {
        gone(&mut bench, None);
    }
    let wrong = |line: &String| line.contains("sign-in with a wrong password");
    assert!(bench.audit.iter().any(wrong), "{:?}", bench.audit);
    assert_eq!(bench.sign_in(AFAR, Some(Rights::Operator)).status, 429);
}

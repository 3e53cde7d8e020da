//! Tokens: their rights and validity, and the answers to invalid ones.

use super::admin_test::{AFAR, Bench, Got, HERE, SOCKET};
use super::*;
use crate::base::credentials::tokens::{NoToken, add, named};
use crate::base::limits::{SIGN_IN_SLIPS, TOKEN_NAME_MAX, TOKENS_MAX};
use alloc::format;
use alloc::string::ToString;

/// A time long after the tests.
const LATER: Wall = Wall(1_900_000_000);

fn made(name: &str, rights: Rights, ends: Wall, seed: u8) -> (Token, String) {
    Token::make(name, rights, ends, [seed; 32]).unwrap()
}

/// Returns a server with these tokens, and with passwords for both roles.
fn with(tokens: &[&Token]) -> Bench {
    let mut bench = Bench::new(true, true);
    let tokens = tokens.iter().copied().cloned().collect();
    bench.admin.set_entrance(AdminAccess { tokens, ..bench.admin.entrance.clone() });
    bench
}

fn bearer(shown: &str) -> String {
    format!("Authorization: Bearer {shown}\r\n")
}

fn get(bench: &mut Bench, from: &str, path: &str, shown: &str) -> Got {
    bench.ask(from, &format!("GET {path} HTTP/1.1\r\n{}\r\n", bearer(shown)))
}

fn failover(bench: &mut Bench, from: &str, shown: &str) -> Got {
    bench.post(from, "/api/failover", &format!("X-Tmr-Admin: 1\r\n{}", bearer(shown)), "")
}

#[test]
fn a_token_gives_the_rights_of_its_role_and_the_record_names_it() {
    let (reader, looks) = made("grafana", Rights::Reader, LATER, 1);
    let (operator, changes) = made("nightly", Rights::Operator, LATER, 2);
    let mut bench = with(&[&reader, &operator]);
    for shown in [&looks, &changes] {
        assert_eq!(get(&mut bench, AFAR, "/api/status", shown).status, 200);
        assert_eq!(get(&mut bench, HERE, "/api/status", shown).status, 200);
    }
    let got = failover(&mut bench, AFAR, &looks);
    assert_eq!((got.status, got.command), (403, None));
    let got = failover(&mut bench, AFAR, &changes);
    assert_eq!((got.status, got.command), (202, Some(Command::Failover)));
    let line = bench.audit.iter().find(|line| line.contains("\"done\":true")).unwrap();
    assert!(line.contains("\"who\":\"token nightly\""), "{line}");
    let session: Value =
        serde_json::from_str(&get(&mut bench, AFAR, "/api/session", &looks).body).unwrap();
    assert_eq!((&session["rights"], &session["token"]), (&"reader".into(), &"grafana".into()));
    // The header that no foreign page can send is required all the same.
    let got = bench.post(AFAR, "/api/failover", &bearer(&changes), "");
    assert_eq!((got.status, got.command), (403, None));
}

#[test]
fn a_token_that_is_over_says_so_and_is_no_guess() {
    let (mut revoked, taken) = made("old", Rights::Operator, LATER, 1);
    revoked.revoked = true;
    let (ended, last) = made("short", Rights::Operator, Wall(1_795_287_600), 2);
    let (good, shown) = made("good", Rights::Reader, Wall(1_795_287_601), 3);
    let mut bench = with(&[&revoked, &ended, &good]);
    for _ in 0..3 * SIGN_IN_SLIPS {
        let got = get(&mut bench, AFAR, "/api/status", &taken);
        assert_eq!(got.status, 401);
        assert!(got.body.starts_with("The token old is revoked."), "{}", got.body);
        let got = get(&mut bench, AFAR, "/api/status", &last);
        assert_eq!(got.status, 401);
        assert!(got.body.starts_with("The token short ended on 2026-11-21T"), "{}", got.body);
        assert!(got.text.contains("WWW-Authenticate: Bearer "), "{}", got.text);
        assert_eq!(get(&mut bench, AFAR, "/api/status", &shown).status, 200, "a second is left");
    }
    assert!(bench.audit.is_empty());
}

#[test]
fn tokens_that_are_tried_count_as_wrong_passwords_do() {
    let (good, shown) = made("good", Rights::Reader, LATER, 3);
    let mut bench = with(&[&good]);
    for number in 0..SIGN_IN_SLIPS {
        let got = get(&mut bench, AFAR, "/api/status", &format!("tmrd_{number:064}"));
        assert_eq!(got.status, 401);
        assert!(got.body.contains("not known"), "{}", got.body);
    }
    assert_eq!(get(&mut bench, AFAR, "/api/status", "tmrd_").status, 429);
    assert_eq!(bench.sign_in(AFAR, Some(Rights::Operator)).status, 429, "they count together");
    assert!(bench.audit[0].contains("a token that is not known"), "{:?}", bench.audit);
    assert_eq!(
        get(&mut bench, AFAR, "/api/status", &shown).status,
        200,
        "nobody guesses a right one"
    );
    assert_eq!(get(&mut bench, "192.0.2.77", "/api/status", "tmrd_x").status, 401);
}

#[test]
fn a_token_on_which_nothing_depends_is_not_looked_at() {
    let mut bench = with(&[]);
    for _ in 0..3 * SIGN_IN_SLIPS {
        for path in ["/", "/healthz", "/readyz", "/metrics"] {
            assert_eq!(get(&mut bench, AFAR, path, "tmrd_old").status, 200, "{path}");
        }
        // A script of the machine itself has a token in its environment.
        assert_eq!(get(&mut bench, SOCKET, "/api/status", "tmrd_old").status, 200);
        assert_eq!(failover(&mut bench, SOCKET, "tmrd_old").status, 202);
        // A token that a proxy of another system forwards is ignored.
        let got = get(&mut bench, AFAR, "/api/status", "eyJhbGciOiJub25lIn0");
        assert!(got.status == 401 && got.body.starts_with("Sign in first"), "{got:?}");
    }
    // It gives the machine itself rights that it would not have without.
    let (operator, shown) = made("config", Rights::Operator, LATER, 2);
    let mut bench = with(&[&operator]);
    let store = |bench: &mut Bench, head: &str| {
        bench.post(SOCKET, "/api/config", &format!("X-Tmr-Admin: 1\r\n{head}"), "{}").status
    };
    assert_eq!((store(&mut bench, ""), store(&mut bench, &bearer(&shown))), (401, 404));
}

#[test]
fn a_token_signs_nobody_in_and_signs_nobody_out() {
    let (token, shown) = made("script", Rights::Operator, LATER, 1);
    let mut bench = with(&[]);
    let signed = bench.cookie(Rights::Reader);
    let tokens = [token].to_vec();
    bench.admin.set_entrance(AdminAccess { tokens, ..bench.admin.entrance.clone() });
    let got = bench.ask(AFAR, &format!("GET /api/status HTTP/1.1\r\n{signed}\r\n"));
    assert_eq!(got.status, 200, "who is signed in stays so when a token is made");
    let head = format!("X-Tmr-Admin: 1\r\n{}", bearer(&shown));
    let got = bench.post(AFAR, "/api/session", &head, "{}");
    assert!(got.status == 400 && !got.text.contains("Set-Cookie"), "{got:?}");
}

#[test]
fn a_line_of_the_password_file_is_read_as_it_was_written() {
    let (mut token, shown) = made("a-b_c.9", Rights::Reader, LATER, 7);
    let text = token.to_text();
    assert!(shown.starts_with("tmrd_") && shown.len() == 69, "{shown}");
    assert!(!text.contains(&shown[5..]), "the file has its hash alone");
    assert_eq!(Token::parse(token.kind(), &text), Ok(token.clone()));
    token.revoked = true;
    assert_eq!(Token::parse("revoked", &text), Ok(token));
    for wrong in [
        String::new(),
        "name".into(),
        text.replace("reader", "owner"),
        text.replace("2030", "soon"),
        text[..text.len() - 1].to_string(),
        format!("{text} more"),
        text.replace("a-b", "a/b"),
    ] {
        assert!(Token::parse("token", &wrong).is_err(), "{wrong}");
    }
    assert!(Token::parse("tokens", &text).is_err());
    for name in ["", "two words", "ü", "a:b", &"n".repeat(TOKEN_NAME_MAX + 1)] {
        assert!(named(name).is_err(), "{name}");
    }
    assert!(named(&"n".repeat(TOKEN_NAME_MAX)).is_ok());
}

#[test]
fn a_name_is_given_once_at_a_time_and_tokens_that_are_over_make_room() {
    let now = Wall(1_000);
    let one = |name: &str, ends| made(name, Rights::Reader, Wall(ends), 1).0;
    let mut tokens = Vec::new();
    add(&mut tokens, one("a", 900), now).unwrap();
    add(&mut tokens, one("a", 2_000), now).unwrap();
    assert!(add(&mut tokens, one("a", 3_000), now).is_err());
    tokens[1].revoked = true;
    add(&mut tokens, one("a", 3_000), now).unwrap();
    assert_eq!(tokens.len(), 3, "those that are over are named when they are shown");
    for number in tokens.len()..TOKENS_MAX {
        add(&mut tokens, one(&format!("n{number}"), 5_000), now).unwrap();
    }
    for left in ["x", "y"] {
        add(&mut tokens, one(left, 4_000), now).unwrap();
        assert_eq!(tokens.len(), TOKENS_MAX);
    }
    assert!(tokens.iter().all(|token| token.holds(now)), "the two that were over made room");
    let NoToken(full) = add(&mut tokens, one("z", 4_000), now).unwrap_err();
    assert!(full.contains(&TOKENS_MAX.to_string()), "{full}");
}

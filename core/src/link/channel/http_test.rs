//! The stream of the admin port is split into complete requests within their bounds.

use super::SecureChannel;
use crate::base::limits::{HTTP_HEAD_MAX, HTTP_REQUEST_MAX};
use crate::link::{CloseReason, Frame};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

const STATUS: &str = "GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n";
const POST: &str = "POST /api/failover HTTP/1.1\r\ncontent-LENGTH: 5\r\n\r\nhello";
const OLD: &str = "GET / HTTP/1.0\n\n";

fn read(stream: &mut SecureChannel, bytes: &[u8]) -> (Vec<String>, Result<(), CloseReason>) {
    let (mut wire, mut frames) = (Vec::new(), Vec::new());
    let result = stream.open(bytes, &mut wire, &mut frames);
    assert!(wire.is_empty(), "framing answers nothing");
    let text = |frame| match frame {
        Frame::Http(bytes) => String::from_utf8(bytes).unwrap(),
        other => panic!("{other:?}"),
    };
    (frames.into_iter().map(text).collect(), result)
}

fn refused(request: &str) -> CloseReason {
    let (frames, result) = read(&mut SecureChannel::admin(), request.as_bytes());
    assert!(frames.is_empty());
    result.unwrap_err()
}

#[test]
fn one_request_and_the_next_are_cut_out_of_any_chunks() {
    let all = [STATUS, POST, "\r\n", OLD, STATUS].concat();
    for size in 1..=all.len() {
        let mut stream = SecureChannel::admin();
        let mut got = Vec::new();
        for chunk in all.as_bytes().chunks(size) {
            let (frames, result) = read(&mut stream, chunk);
            result.unwrap();
            got.extend(frames);
        }
        assert_eq!(got, [STATUS, POST, OLD, STATUS]);
        assert!(!stream.partial());
    }
}

#[test]
fn a_request_cut_short_yields_nothing() {
    for cut in 1..POST.len() {
        let mut stream = SecureChannel::admin();
        assert_eq!(read(&mut stream, &POST.as_bytes()[..cut]), (vec![], Ok(())));
        assert!(stream.partial());
    }
}

#[test]
fn requests_before_a_bad_one_are_yielded() {
    let mut stream = SecureChannel::admin();
    let (frames, result) = read(&mut stream, [STATUS, "no request\r\n\r\n"].concat().as_bytes());
    assert_eq!(frames, [STATUS]);
    assert_eq!(result, Err(CloseReason::Protocol("not an HTTP/1.x request")));
    let (frames, result) = read(&mut stream, STATUS.as_bytes());
    assert!(frames.is_empty() && result.is_err(), "a broken stream stays broken");
}

#[test]
fn what_is_no_request_is_refused_at_once() {
    let not = CloseReason::Protocol("not an HTTP/1.x request");
    assert_eq!(refused("samc\x21\0\0\0"), not);
    assert_eq!(refused("\x16\x03\x01\x02"), not);
    assert_eq!(refused("PRI * HTTP/2.0\r\n\r\n"), not);
    assert_eq!(refused("GET / HTTP/1.1\r\nno colon\r\n"), not);
}

#[test]
fn of_a_request_of_unclear_length_the_head_alone_is_read_and_nothing_behind_it() {
    let values = ["", "-1", "+1", "1, 1", "0x1", "1 2", "1\r\nContent-Length: 2"];
    for value in values {
        let head = format!("POST / HTTP/1.1\r\nContent-Length: {value}\r\n\r\n");
        let all = [&head, "x", STATUS].concat();
        let mut stream = SecureChannel::admin();
        assert_eq!(read(&mut stream, all.as_bytes()), (vec![head], Ok(())), "{value}");
        assert_eq!(read(&mut stream, STATUS.as_bytes()), (vec![], Ok(())), "{value}");
    }
}

#[test]
fn of_too_many_headers_as_many_are_read_as_say_it() {
    let headers = "A: b\r\n".repeat(70);
    let all = [&format!("GET / HTTP/1.1\r\n{headers}\r\n"), STATUS].concat();
    let told = format!("GET / HTTP/1.1\r\n{}x: y\r\n\r\n", "A: b\r\n".repeat(64));
    for size in [1, 7, all.len()] {
        let (mut stream, mut got) = (SecureChannel::admin(), Vec::new());
        for chunk in all.as_bytes().chunks(size) {
            let (frames, end) = read(&mut stream, chunk);
            got.extend(frames);
            assert_eq!(end, Ok(()));
        }
        assert_eq!(got, [told.as_str()], "{size}");
    }
}

#[test]
fn of_a_request_in_chunks_the_head_alone_is_read_and_nothing_behind_it() {
    for also in ["", "Content-Length: 3\r\n"] {
        let head = format!("POST / HTTP/1.1\r\n{also}Transfer-Encoding: chunked\r\n\r\n");
        let all = [&head, "3\r\nabc\r\n0\r\n\r\n", STATUS].concat();
        for size in 1..=all.len() {
            let mut stream = SecureChannel::admin();
            let mut got = Vec::new();
            for chunk in all.as_bytes().chunks(size) {
                let (frames, result) = read(&mut stream, chunk);
                result.unwrap();
                got.extend(frames);
            }
            assert_eq!(got, [&*head], "in pieces of {size}");
        }
    }
}

#[test]
fn a_request_has_a_greatest_length() {
    let long = CloseReason::Limit("length of an HTTP request");
    for length in ["1064960", "18446744073709551615", "99999999999999999999999"] {
        let request = format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
        assert_eq!(refused(&request), long);
    }

    let mut stream = SecureChannel::admin();
    let head = "POST / HTTP/1.1\r\nContent-Length: 1064910\r\n\r\n";
    let fits = format!("{head}{}", "x".repeat(HTTP_REQUEST_MAX - head.len()));
    let body = fits.len() - head.len();
    let fits = fits.replace("1064910", &format!("{body}"));
    assert_eq!(read(&mut stream, fits.as_bytes()).0, [fits.as_str()]);
    let over = fits.replace(&format!("{body}"), &format!("{}", body + 1));
    assert_eq!(read(&mut stream, over.as_bytes()).1, Err(long.clone()));

    // A head without an end, one byte at a time.
    let mut stream = SecureChannel::admin();
    let endless = format!("GET /{}", "a".repeat(HTTP_HEAD_MAX));
    let at = endless.bytes().position(|byte| read(&mut stream, &[byte]).1 == Err(long.clone()));
    assert_eq!(at, Some(HTTP_HEAD_MAX));
}

#[test]
fn responses_go_out_as_they_are() {
    let mut stream = SecureChannel::admin();
    let mut wire = Vec::new();
    stream.greet(&mut wire);
    stream.seal(&[b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), b"x".to_vec()], &mut wire);
    assert_eq!(wire, b"HTTP/1.1 200 OK\r\n\r\nx");
    assert!(!stream.duplex());
}

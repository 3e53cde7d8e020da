//! The admin port: any bytes in any chunks give requests within their limit or an error, and the
//! result is the same for every division into chunks. Any request gets one response, and only a
//! marked POST is a command.

use super::stream::{Opened, open};
use super::{byte, pieces};
use arbitrary::Unstructured;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use tmr_core::admin::{Admin, Refusal, View};
use tmr_core::base::credentials::AdminAccess;
use tmr_core::base::limits::HTTP_REQUEST_MAX;
use tmr_core::base::metrics::Page;
use tmr_core::base::time::Now;
use tmr_core::history::Span;
use tmr_core::io::{AdminFilesRequest, HostRequest, Intent};
use tmr_core::link::channel::SecureChannel;
use tmr_core::link::{Frame, LinkId, Listener};
use tmr_core::log::Handle;

struct Blank;

impl View for Blank {
    fn status(&self) -> Value {
        json!({ "role": "standby" })
    }
    fn events(&self) -> Value {
        json!([])
    }
    fn held(&self, _: Handle) -> Result<String, Refusal> {
        Err("Nobody has it.".into())
    }
    fn measure(&self, page: &mut Page) {
        page.gauge("tmrd_nothing", "Nothing.").is(&[("label", &"\\\"\n")], 1);
    }
    fn usage(&self, span: Span) -> Option<Value> {
        Some(json!(span.name()))
    }
    fn ready(&self) -> Result<(), Refusal> {
        Err("Nothing is reachable.".into())
    }
    fn holds(&self) -> Result<(), Refusal> {
        Ok(())
    }
    fn yields(&self) -> Result<(), Refusal> {
        Err("It leads.".into())
    }
}

pub(super) fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    if byte(&mut input) % 2 == 0 {
        let rest = input.take_rest();
        one(rest);
        // The request as a browser sends it, divided into two chunks.
        let (head, tail) = rest.split_at(rest.len() / 2);
        same(&[head, tail]);
    } else {
        same(&pieces(&mut input));
    }
}

fn same(chunks: &[&[u8]]) {
    let Opened { end, frames, .. } = open(SecureChannel::admin(), chunks);
    for frame in &frames {
        let Frame::Http(request) = frame else { panic!("{frame:?} on the admin port") };
        assert!(request.len() <= HTTP_REQUEST_MAX);
        one(request);
    }
    let Opened { end: whole_end, frames: whole, .. } =
        open(SecureChannel::admin(), &[&chunks.concat()]);
    // An invalid head is detected at its next line break, or together with the other bytes of its
    // chunk. So the number of requests before the error depends on the chunks.
    match end.is_ok() && whole_end.is_ok() {
        true => assert_eq!(frames, whole),
        false => assert!(frames.starts_with(&whole) || whole.starts_with(&frames)),
    }
}

fn one(request: &[u8]) {
    let (mut admin, link, mut out) = (Admin::new([1; 32]), LinkId(2), Vec::new());
    admin.accepted(link, Listener::Admin, Ipv4Addr::LOCALHOST.into());
    let entrance = AdminAccess { operator: true, ..AdminAccess::default() };
    admin.set_entrance(entrance);
    let now = Now::default();
    let mut command = None;
    if let Some(asked) = admin.admit(now, link, request, None, &mut out) {
        let reply = asked.answer(&admin, &Blank);
        command = admin.reply(now, &asked, reply, &mut out);
    }
    let answers = |intent: &&Intent| match intent {
        Intent::Send { frame, .. } => frame.starts_with(b"HTTP/1.1 "),
        Intent::Host(HostRequest::AdminFiles(AdminFilesRequest::Verify { .. })) => true,
        _ => false,
    };
    assert_eq!(out.iter().filter(answers).count(), 1, "one answer, or a password to be checked");
    let marked = request.to_ascii_lowercase().windows(11).any(|name| name == b"x-tmr-admin");
    let post = request.windows(4).any(|word| word == b"POST");
    assert!(command.is_none() || (marked && post));
}

//! The record of changes: who made them, from where, what they were, and their results. Each is one
//! line of JSON, which the host appends to a file ([`AdminFilesRequest::Audit`]); the latest ones
//! are kept for the page.

use super::http::Response;
use super::principal::Principal;
use crate::base::limits::{AUDIT_SHOWN, AUDIT_TEXT};
use crate::base::log_throttle::LogThrottle;
use crate::base::time::Now;
use crate::io::{AdminFilesRequest, Intent};
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::IpAddr;
use serde_json::{Value, json};

/// The latest changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Audit {
    last: VecDeque<Value>,
    wrong: LogThrottle,
}

impl Audit {
    /// Records a change, or an attempt.
    pub(super) fn record(
        &mut self,
        now: Now,
        who: &Principal,
        what: &str,
        response: &Response,
        out: &mut Vec<Intent>,
    ) {
        let (name, from, status) = (who.name(), who.from, response.status);
        let done = status < 300;
        tracing::info!(
            target: "tmr_core::admin::audit",
            "admin: {name} at {from}: {what}: {}",
            if done { "taken" } else { "refused" }
        );
        let said: Value = serde_json::from_str(&response.body).unwrap_or_default();
        let result = match said["message"].as_str() {
            Some(message) => message,
            None if response.kind.starts_with("text/") => &response.body,
            None => "ok",
        };
        self.write(now, &name, from, what, (done, cut(result)), out);
    }

    /// Records a wrong password or token, as `what` says: one line a minute for all of them.
    pub(super) fn wrong(&mut self, now: Now, what: &str, from: IpAddr, out: &mut Vec<Intent>) {
        let text = format!("sign-in with {what}, from {from}");
        if let Some(line) = self.wrong.line(now.mono, &text) {
            tracing::warn!(target: "tmr_core::admin::audit", "admin: {line}");
            self.write(now, "nobody", from, "sign in", (false, cut(&line)), out);
        }
    }

    fn write(
        &mut self,
        now: Now,
        who: &str,
        from: IpAddr,
        what: &str,
        (done, result): (bool, &str),
        out: &mut Vec<Intent>,
    ) {
        let entry = json!({
            "time": now.wall.to_string(),
            "who": who,
            "from": from.to_string(),
            "what": cut(what),
            "done": done,
            "result": result,
        });
        let mut line = entry.to_string();
        line.push('\n');
        out.push(AdminFilesRequest::Audit(line).into());
        self.last.truncate(AUDIT_SHOWN - 1);
        self.last.push_front(entry);
    }

    /// Returns the changes, the latest first.
    pub(super) fn shown(&self) -> Value {
        Value::Array(self.last.iter().cloned().collect())
    }
}

/// Returns the first line, cut to the greatest length.
fn cut(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    let mut end = line.len().min(AUDIT_TEXT);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[..end]
}

//! `/metrics`: the text format of Prometheus, in the form that was asked for.
//!
//! OpenMetrics and the older format differ in the name of a counter's family only: the one leaves
//! `_total` out, the other wants it. Who asks for neither gets OpenMetrics in which counters have no
//! type: so both readers take it, `promtool check metrics` among them.
//!
//! Labels hold what the configuration and the licences name, and words of this program: nothing that
//! a client says.

use crate::base::metrics::{Histogram, HubMetrics, Limit};
use alloc::format;
use alloc::string::String;
use core::fmt::{Display, Write};

/// The form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Open,
    Older,
    Both,
}

/// Families of metrics, as they are written.
#[derive(Debug)]
pub struct Page {
    form: Form,
    text: String,
}

impl Page {
    /// An empty one, in the form that the `Accept` header asks for.
    #[must_use]
    pub fn new(accept: &str) -> Self {
        let form = if accept.contains("application/openmetrics-text") {
            Form::Open
        } else if accept.contains("text/plain") {
            Form::Older
        } else {
            Form::Both
        };
        Self { form, text: String::new() }
    }

    /// The content type and the whole text.
    #[must_use]
    pub fn end(mut self) -> (&'static str, String) {
        if self.form == Form::Older {
            return ("text/plain; version=0.0.4; charset=utf-8", self.text);
        }
        self.text.push_str("# EOF\n");
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", self.text)
    }

    fn family(&mut self, name: &str, kind: Option<&str>, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}");
        if let Some(kind) = kind {
            let _ = writeln!(self.text, "# TYPE {name} {kind}");
        }
    }

    /// A family of values that go up and down; what follows adds them.
    pub fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, Some("gauge"), help);
        Family { page: self, name, suffix: "" }
    }

    /// A family of counts; its name without `_total`.
    pub fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        match self.form {
            Form::Open => self.family(name, Some("counter"), help),
            Form::Older => self.family(&format!("{name}_total"), Some("counter"), help),
            Form::Both => self.family(&format!("{name}_total"), None, help),
        }
        Family { page: self, name, suffix: "_total" }
    }

    /// A family of durations in buckets.
    pub(crate) fn histogram<'h>(
        &mut self,
        name: &'static str,
        help: &str,
        each: impl Iterator<Item = (Option<(&'static str, &'static str)>, &'h Histogram)>,
    ) {
        self.family(name, Some("histogram"), help);
        for (label, histogram) in each {
            let label = label.map(|(key, value)| format!("{key}=\"{value}\""));
            let label = label.unwrap_or_default();
            let comma = if label.is_empty() { "" } else { "," };
            for (bound, count) in histogram.within() {
                let bound = bound.as_secs_f64();
                let _ =
                    writeln!(self.text, "{name}_bucket{{{label}{comma}le=\"{bound:?}\"}} {count}");
            }
            let (count, sum) = histogram.total();
            let _ = writeln!(self.text, "{name}_bucket{{{label}{comma}le=\"+Inf\"}} {count}");
            let braces = if label.is_empty() { label } else { format!("{{{label}}}") };
            let _ = writeln!(self.text, "{name}_sum{braces} {:?}", sum.as_secs_f64());
            let _ = writeln!(self.text, "{name}_count{braces} {count}");
        }
    }

    /// One of some words holds: each word has a value of 0 or 1.
    pub fn state(&mut self, name: &'static str, help: &str, label: &str, all: &[&str], now: &str) {
        let mut family = self.gauge(name, help);
        for word in all {
            family.is(&[(label, word)], u8::from(*word == now));
        }
    }

    /// What every server has: its version, when it started, its links, how calls went.
    pub(crate) fn common(&mut self, who: &crate::service::LicenceService, counts: &HubMetrics) {
        let (version, runtime) = (env!("CARGO_PKG_VERSION"), who.identity().runtime);
        self.gauge("tmrd_build_info", "The program and the runtime it is built on.")
            .is(&[("version", &version), ("runtime", &runtime)], 1);
        let started = who.started().unwrap_or_default();
        self.gauge("process_start_time_seconds", "When the process began to work, in Unix time.")
            .is(&[], started.0);
        if counts.files_max > 0 {
            self.gauge("process_max_fds", "Files that the process may have open at once.")
                .is(&[], counts.files_max);
        }
        let mut family =
            self.gauge("tmrd_links", "Connections that stand, by the door they came in.");
        counts.links().for_each(|(door, links, _)| family.is(&[("door", &door)], links));
        let mut family = self.gauge("tmrd_links_max", "Connections that a door takes at most.");
        counts.links().for_each(|(door, _, most)| family.is(&[("door", &door)], most));
        let mut family = self.counter("tmrd_limits_reached", "How often a limit was reached.");
        for (limit, count) in Limit::ALL.iter().zip(counts.reached) {
            family.is(&[("limit", &limit.name())], count);
        }
        let tally = who.tally();
        let took = tally.took().map(|(kind, took)| (Some(("kind", kind.name())), took));
        let help = "From a call's arrival to its reply, by what it needed.";
        self.histogram("tmrd_call_duration_seconds", help, took);
        let mut family =
            self.counter("tmrd_calls", "Calls, by what they needed and how they ended.");
        for (kind, status, count) in tally.results() {
            let result = status_name(status);
            family.is(&[("kind", &kind.name()), ("result", &result)], count);
        }
        let mut family = self.counter("tmrd_denials", "Accesses that were refused, by the error.");
        for (status, count) in tally.denied() {
            family.is(&[("reason", &status_name(status))], count);
        }
        self.counter(
            "tmrd_foreign_handles",
            "Calls that named a handle that was not their sender's.",
        )
        .is(&[], who.strange_calls());
        let [granted, released, expired] = tally.handles();
        self.counter("tmrd_grants", "Accesses that were granted.").is(&[], granted);
        self.counter("tmrd_releases", "Handles that were given back.").is(&[], released);
        self.counter("tmrd_expiries", "Handles that ended because their client was silent.")
            .is(&[], expired);
    }
}

/// A status as a label: `no-error`, `no-more-licenses`.
fn status_name(status: crate::wire::CmError) -> String {
    let name = status.name().trim_start_matches("CMERROR_");
    if name == "?" { "other".into() } else { name.to_ascii_lowercase().replace('_', "-") }
}

/// A family whose values are being written.
#[derive(Debug)]
pub struct Family<'a> {
    page: &'a mut Page,
    name: &'static str,
    suffix: &'static str,
}

impl Family<'_> {
    /// Adds one value.
    pub fn is(&mut self, labels: &[(&str, &dyn Display)], value: impl Display) {
        let out = &mut self.page.text;
        let _ = write!(out, "{}{}", self.name, self.suffix);
        for (at, (key, text)) in labels.iter().enumerate() {
            let text = format!("{text}").replace('\\', "\\\\").replace('"', "\\\"");
            let text = text.replace('\n', "\\n");
            let _ = write!(out, "{}{key}=\"{text}\"", if at == 0 { '{' } else { ',' });
        }
        let _ = writeln!(out, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

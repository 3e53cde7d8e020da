//! `/metrics`: the text format of Prometheus, in the form that the client accepts.
//!
//! OpenMetrics and the older format differ only in the name of a counter's family: the former omits
//! `_total`, the latter requires it. A client that accepts neither gets OpenMetrics with untyped
//! counters, which both parsers accept, `promtool check metrics` among them.
//!
//! Labels contain names from the configuration and the licences, and words of this program: nothing
//! from a client.

use super::Histogram;
use alloc::format;
use alloc::string::String;
use core::fmt::{Display, Write};

/// The form of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Open,
    Older,
    Both,
}

/// The page, to which families of metrics are appended.
#[derive(Debug)]
pub struct Page {
    form: Form,
    text: String,
}

impl Page {
    /// Returns an empty page in the form that the `Accept` header asks for.
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

    /// Returns the content type and the whole text.
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

    /// Starts a family of values that may rise and fall.
    pub fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, Some("gauge"), help);
        Family { page: self, name, suffix: "" }
    }

    /// Starts a family of counters; `name` is without `_total`.
    pub fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        match self.form {
            Form::Open => self.family(name, Some("counter"), help),
            Form::Older => self.family(&format!("{name}_total"), Some("counter"), help),
            Form::Both => self.family(&format!("{name}_total"), None, help),
        }
        Family { page: self, name, suffix: "_total" }
    }

    /// Writes a family of durations in buckets.
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

    /// Writes a state: each of its words has the value 0 or 1.
    pub fn state(&mut self, name: &'static str, help: &str, label: &str, all: &[&str], now: &str) {
        let mut family = self.gauge(name, help);
        for word in all {
            family.is(&[(label, word)], u8::from(*word == now));
        }
    }
}

/// A family to which values are added.
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

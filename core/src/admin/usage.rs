//! `/api/usage`: the values of the usage charts.

use crate::base::rfc3339;
use crate::base::time::Wall;
use crate::history::{Charts, Span};
use alloc::vec::Vec;
use serde_json::{Value, json};

/// The hint in the answer to a wrong query.
pub(super) const SPANS: &str = "Right would be /api/usage?span=hour, span=day or span=month.";

/// Returns the span of a query; a day if none is given.
pub(super) fn span(query: &str) -> Option<Span> {
    let mut spans = query.split('&').filter_map(|pair| pair.strip_prefix("span="));
    spans.next().map_or(Some(Span::Day), Span::of_name)
}

/// Returns, per licence and step, the most seats in use at once, and the accesses refused; the last
/// step is the present one.
#[must_use]
pub fn usage(charts: &Charts, span: Span, now: Wall) -> Value {
    let shown = charts.show(span, now).into_iter();
    let licences: Vec<Value> = shown
        .map(|chart| {
            json!({
                "firm_code": chart.firm_code,
                "product_code": chart.product_code,
                "tmr_id": chart.tmr_id,
                "max_used": chart.most,
                "denied": chart.denied,
            })
        })
        .collect();
    json!({
        "span": span.name(),
        "step_seconds": span.step(),
        "from": rfc3339::format(span.from(now)),
        "licenses": licences,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_its_span() {
        assert_eq!(span(""), Some(Span::Day));
        assert_eq!(span("x=1&span=month"), Some(Span::Month));
        assert_eq!(span("span=hour"), Some(Span::Hour));
        assert_eq!(span("span=year"), None);
    }

    #[test]
    fn an_empty_history_has_its_span_all_the_same() {
        let value = usage(&Charts::default(), Span::Hour, Wall(1_795_287_630));
        let expected = json!({
            "span": "hour", "step_seconds": 60, "from": "2026-11-21T18:01:00Z", "licenses": []
        });
        assert_eq!(value, expected);
    }
}

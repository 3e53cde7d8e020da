//! The metrics that fronts and backends have in common.

use crate::base::metrics::Page;
use crate::link::{HubMetrics, Limit};
use crate::service::LicenceService;
use crate::wire::CmError;
use alloc::string::String;

/// Writes the metrics of every server: version, start, links, and calls.
pub(crate) fn common(page: &mut Page, service: &LicenceService, counts: &HubMetrics) {
    let (version, runtime) = (env!("CARGO_PKG_VERSION"), service.identity().runtime);
    page.gauge("tmrd_build_info", "The program and the runtime it is built on.")
        .is(&[("version", &version), ("runtime", &runtime)], 1);
    let started = service.started().unwrap_or_default();
    page.gauge("process_start_time_seconds", "When the process began to work, in Unix time.")
        .is(&[], started.0);
    if counts.files_max > 0 {
        page.gauge("process_max_fds", "Files that the process may have open at once.")
            .is(&[], counts.files_max);
    }
    let mut family = page.gauge("tmrd_links", "Connections that stand, by the door they came in.");
    counts.links().for_each(|(listener, links, _)| family.is(&[("door", &listener)], links));
    let mut family = page.gauge("tmrd_links_max", "Connections that a door takes at most.");
    counts.links().for_each(|(listener, _, most)| family.is(&[("door", &listener)], most));
    let mut family = page.counter("tmrd_limits_reached", "How often a limit was reached.");
    for (limit, count) in Limit::ALL.iter().zip(counts.reached) {
        family.is(&[("limit", &limit.name())], count);
    }
    let call_stats = service.call_stats();
    let took = call_stats.took().map(|(kind, took)| (Some(("kind", kind.name())), took));
    let help = "From a call's arrival to its reply, by what it needed.";
    page.histogram("tmrd_call_duration_seconds", help, took);
    let mut family = page.counter("tmrd_calls", "Calls, by what they needed and how they ended.");
    for (kind, status, count) in call_stats.results() {
        let result = status_name(status);
        family.is(&[("kind", &kind.name()), ("result", &result)], count);
    }
    let mut family = page.counter("tmrd_denials", "Accesses that were refused, by the error.");
    for (status, count) in call_stats.denied() {
        family.is(&[("reason", &status_name(status))], count);
    }
    page.counter("tmrd_foreign_handles", "Calls that named a handle that was not their sender's.")
        .is(&[], service.strange_calls());
    let [granted, released, expired] = call_stats.handles();
    page.counter("tmrd_grants", "Accesses that were granted.").is(&[], granted);
    page.counter("tmrd_releases", "Handles that were given back.").is(&[], released);
    page.counter("tmrd_expiries", "Handles that ended because their client was silent.")
        .is(&[], expired);
}

/// Returns a status as a label: `no-error`, `no-more-licenses`.
fn status_name(status: CmError) -> String {
    let name = status.name().trim_start_matches("CMERROR_");
    if name == "?" { "other".into() } else { name.to_ascii_lowercase().replace('_', "-") }
}

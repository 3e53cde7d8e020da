//! The metrics of a backend at `/metrics`.

use super::Backend;
use crate::admin::metrics::common;
use crate::base::metrics::Page;

impl Backend {
    /// Writes all metrics.
    pub(super) fn write_metrics(&self, page: &mut Page) {
        common(page, &self.service, &self.counts);
        let help = "What part this server plays: 1 for the one it does.";
        page.state("tmrd_role", help, "role", &["backend"], "backend");
        let standing = self.acceptor.standing();
        page.gauge("tmrd_promised_epoch", "Round of the epoch that this backend has promised.")
            .is(&[], standing.promised.round);
        page.gauge("tmrd_group_member", "Whether it belongs to a group: it is not blank.")
            .is(&[], u8::from(standing.group.is_some()));
        let mut family = page.gauge("tmrd_log_slot", "How far its copy of the log goes.");
        for (which, slot) in
            [("base", standing.base), ("committed", standing.committed), ("last", standing.last)]
        {
            family.is(&[("which", &which)], slot.0);
        }
        page.gauge("tmrd_fronts_connected", "Fronts that have proved the group key.")
            .is(&[], self.fronts.links.len());
        let help = "Handles in its copy of the state, and those of its own licences.";
        let mut family = page.gauge("tmrd_backend_held_handles", help);
        family.is(&[("of", &"group")], self.acceptor.settled().seat_count());
        family.is(&[("of", &"own")], self.direct.state.seat_count());
        page.gauge("tmrd_containers", "Containers in its licence files.")
            .is(&[], self.licences.containers.len());
        page.gauge("tmrd_journal_bytes", "Length of the journal.").is(&[], self.writer.length());
        let help = "How long a durable write of the journal takes.";
        page.histogram(
            "tmrd_journal_write_seconds",
            help,
            core::iter::once((None, self.writer.took())),
        );
    }
}

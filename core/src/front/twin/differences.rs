//! What the configurations of both fronts must have alike, and where they differ.

use crate::front::Config;
use crate::log::ContainerId;
use crate::messages::twin::Shared;
use crate::status::TwinDifference;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The differences between the two configurations.
#[derive(Clone, Debug, Default)]
pub(super) struct Differences(Vec<TwinDifference>);

impl Differences {
    pub(super) fn rows(&self) -> &[TwinDifference] {
        &self.0
    }

    /// Finds the differences, for a twin that reports only these keys.
    pub(super) fn compare(&mut self, own: &Shared, theirs: &Shared) {
        let list = |servers: &[String; 3]| servers.join(", ");
        let pairs = |virtuals: &[(ContainerId, Option<u32>)]| {
            let each = virtuals.iter().map(|(id, serial)| match serial {
                Some(serial) => format!("{id} as {serial}"),
                None => id.to_string(),
            });
            let each: Vec<String> = each.collect();
            if each.is_empty() { "none".to_string() } else { each.join(", ") }
        };
        let seconds = |it: &Shared| it.cleanup_seconds.to_string();
        let row = |key: &str, text: &dyn Fn(&Shared) -> String| TwinDifference {
            key: key.to_string(),
            ours: text(own),
            theirs: text(theirs),
        };
        let rows = [
            row("CmServer.Server", &|it| list(&it.servers)),
            row("VirtualContainers", &|it| pairs(&it.virtuals)),
            row("TmrServer.CleanUpTimeInSeconds", &seconds),
        ];
        self.set(rows.into_iter().filter(|row| row.ours != row.theirs).collect());
    }

    /// Keeps these differences, and logs new ones.
    pub(super) fn set(&mut self, rows: Vec<TwinDifference>) {
        for TwinDifference { key, ours, theirs } in &rows {
            if !self.0.iter().any(|known| known.key == *key && known.theirs == *theirs) {
                tracing::warn!(
                    target: "tmr_core::front::twin::hear",
                    "the twin's configuration differs in {key}: {theirs}; here: {ours}"
                );
            }
        }
        self.0 = rows;
    }
}

/// Returns the part of this front's configuration that both fronts must have alike.
pub(in crate::front) fn shared(config: &Config) -> Shared {
    let mut servers = config.backends.each_ref().map(ToString::to_string);
    servers.sort();
    let mut virtuals = config.virtuals.clone();
    virtuals.sort_unstable();
    Shared { servers, virtuals, cleanup_seconds: config.cleanup.as_secs() }
}

//! The configuration as a whole: what is in force, how an operator changes it at the web admin, and
//! how the two fronts keep alike what both must have alike.
//!
//! A change is an intent: the machine checks what only it can check, puts the text into its file and
//! into force, and says so ([`FrontEvent::Configured`](crate::io::FrontEvent::Configured), then
//! [`FrontEvent::ConfigStored`](crate::io::FrontEvent::ConfigStored)). What follows from a configuration that is in force
//! stands in `configure`.

use crate::admin::settings as page;
use crate::admin::status::TwinDifference;
use crate::config::{self, InForce};
use crate::front::Front;
use crate::io::{HostRequest, Intent, Stored};
use crate::limits::TWIN_SETTINGS_MAX;
use crate::link::Link;
use crate::time::{Mono, Now};
use crate::wire::twin::{Tell, Version};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

/// The configuration and what becomes of it.
#[derive(Clone, Debug, Default)]
pub(in crate::front) struct ConfigSync {
    /// What is in force; `None` until the machine has said so.
    pub(in crate::front) now: Option<Box<InForce>>,
    /// A text is being stored, and for whom.
    storing: Option<Asker>,
    theirs: Option<Theirs>,
    /// Why the twin's part is not taken over, in a sentence.
    pub(in crate::front) trouble: Option<String>,
}

#[derive(Clone, Debug)]
enum Asker {
    /// Who waits for a response.
    Page(Link),
    Twin,
}

/// What the twin has told of its configuration.
#[derive(Clone, Debug)]
struct Theirs {
    revision: u32,
    text: String,
    /// Nothing has followed from it.
    fresh: bool,
}

impl ConfigSync {
    /// A text is being stored.
    pub(in crate::front) fn is_busy(&self) -> bool {
        self.storing.is_some()
    }

    /// What the twin is told.
    fn told(&self) -> Option<Tell> {
        let now = self.now.as_ref()?;
        let (revision, text) = (now.config.revision, config::shared(&now.text));
        (text.len() <= TWIN_SETTINGS_MAX).then_some(Tell::Settings { revision, text })
    }
}

impl Front {
    /// An operator wants this text stored, which a front would take.
    pub(in crate::front) fn store(&mut self, link: Link, text: String, out: &mut Vec<Intent>) {
        self.config_sync.storing = Some(Asker::Page(link));
        out.push(HostRequest::StoreConfig(text).into());
    }

    /// This is in force from now on.
    pub(in crate::front) fn in_force(&mut self, now: Mono, new: InForce, out: &mut Vec<Intent>) {
        self.config_sync.now = Some(Box::new(new));
        self.tell_settings(now, out);
        self.compare_settings(now, out);
    }

    /// The text that was to be stored is in force, or nothing has changed.
    pub(in crate::front) fn stored(&mut self, now: Now, stored: Stored, out: &mut Vec<Intent>) {
        match (self.config_sync.storing.take(), stored) {
            (Some(Asker::Page(link)), stored) => {
                let revision = self.config_sync.now.as_ref().map_or(0, |now| now.config.revision);
                let (status, said) = page::stored(revision, &stored);
                self.admin.conclude(now, link, (status, &said), out);
            }
            (Some(Asker::Twin), Ok(_)) => {
                tracing::info!(
                    target: "tmr_core::front::settings",
                    "the configuration follows the twin's"
                );
            }
            (Some(Asker::Twin), Err(reason)) => self.not_taken_over(reason),
            (None, _) => {}
        }
        self.compare_settings(now.mono, out);
    }

    /// Tells the twin what this configuration says of what both must have alike.
    pub(in crate::front) fn tell_settings(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let Some(twin) = &mut self.twin else { return };
        let tell = self.config_sync.told().filter(|_| twin.speaks(Version::SETTINGS));
        twin.tell(
            now,
            &tell.unwrap_or_else(|| Tell::Shared(crate::front::twin::shared(&self.config))),
            out,
        );
    }

    /// The twin has told what its configuration says.
    pub(in crate::front) fn heard_settings(
        &mut self,
        now: Mono,
        (revision, text): (u32, String),
        out: &mut Vec<Intent>,
    ) {
        let before = self.config_sync.theirs.as_ref();
        let same = before.is_some_and(|it| it.revision == revision && it.text == text);
        // What is being stored is not stored twice.
        let fresh = !(same && matches!(self.config_sync.storing, Some(Asker::Twin)));
        self.config_sync.theirs = Some(Theirs { revision, text, fresh });
        self.compare_settings(now, out);
    }

    /// Follows the twin if its configuration was changed later, or has it follow; and keeps in what
    /// the two differ.
    fn compare_settings(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let ConfigSync { now: Some(own), storing, theirs: Some(theirs), trouble } =
            &mut self.config_sync
        else {
            return;
        };
        let rows = config::differences(&own.text, &theirs.text);
        let row = |(key, ours, theirs)| TwinDifference { key, ours, theirs };
        if let Some(twin) = &mut self.twin {
            twin.differ(rows.into_iter().map(row).collect());
        }
        if storing.is_some() || !core::mem::take(&mut theirs.fresh) {
            return;
        }
        *trouble = None;
        match theirs.revision.cmp(&own.config.revision) {
            Ordering::Greater => match config::adopt(&own.text, &theirs.text, theirs.revision) {
                Ok(text) => {
                    *storing = Some(Asker::Twin);
                    out.push(HostRequest::StoreConfig(text).into());
                }
                Err(error) => self.not_taken_over(format!("{error}")),
            },
            Ordering::Less => self.tell_settings(now, out),
            Ordering::Equal => {}
        }
    }

    fn not_taken_over(&mut self, reason: String) {
        tracing::warn!(
            target: "tmr_core::front::settings",
            "the twin's later configuration is not taken over: {reason}"
        );
        self.config_sync.trouble = Some(reason);
    }
}

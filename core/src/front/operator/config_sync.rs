//! The configuration as a whole: what is in effect, how an operator changes it on the admin page,
//! and how the two fronts keep alike what both must have alike.
//!
//! A change is an intent: the machine checks what only it can check, writes the text to its file,
//! puts it into effect, and reports it
//! ([`FrontEvent::Configured`](crate::io::FrontEvent::Configured), then
//! [`FrontEvent::ConfigStored`](crate::io::FrontEvent::ConfigStored)). What follows from a
//! configuration in effect is in `reconfigure`.

use super::Operator;
use crate::admin::settings as page;
use crate::base::limits::TWIN_SETTINGS_MAX;
use crate::base::time::Now;
use crate::config::{self, InForce};
use crate::front::Config;
use crate::front::twin::shared;
use crate::io::{ConfigStoreResult, HostRequest, Intent};
use crate::link::LinkId;
use crate::messages::twin::TwinMessage;
use crate::status::TwinDifference;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

/// The configuration, and its state.
#[derive(Clone, Debug, Default)]
pub(in crate::front) struct ConfigSync {
    /// The configuration in effect; `None` until the machine has reported it.
    now: Option<Box<InForce>>,
    /// Who waits for a text that is being stored.
    storing: Option<Asker>,
    theirs: Option<Theirs>,
    /// Why the twin's configuration is not adopted, in a sentence.
    trouble: Option<String>,
}

#[derive(Clone, Debug)]
enum Asker {
    /// A page that waits for a response on this link.
    Page(LinkId),
    Twin,
}

/// The twin's configuration, as received.
#[derive(Clone, Debug)]
struct Theirs {
    revision: u32,
    text: String,
    /// Whether it is still to be compared.
    fresh: bool,
}

/// The result of a comparison of the two configurations.
#[derive(Debug)]
pub(in crate::front) struct Compared {
    /// The differences between the two.
    pub(in crate::front) differs: Vec<TwinDifference>,
    /// Whether the twin has to be sent the configuration here, which was changed later.
    pub(in crate::front) tells: bool,
}

impl ConfigSync {
    /// Returns the configuration in effect; `None` until the machine has reported it.
    pub(super) fn in_force(&self) -> Option<&InForce> {
        self.now.as_deref()
    }

    /// Returns whether a text is being stored.
    pub(super) fn is_busy(&self) -> bool {
        self.storing.is_some()
    }

    /// Returns the message for the twin; `None` if no configuration is in effect yet, or if it is
    /// too long.
    fn told(&self) -> Option<TwinMessage> {
        let now = self.now.as_ref()?;
        let (revision, text) = (now.config.revision, config::shared(&now.text));
        (text.len() <= TWIN_SETTINGS_MAX).then_some(TwinMessage::Settings { revision, text })
    }

    fn heard(&mut self, revision: u32, text: String) {
        let before = self.theirs.as_ref();
        let same = before.is_some_and(|it| it.revision == revision && it.text == text);
        // A text that is being stored is not stored a second time.
        let fresh = !(same && matches!(self.storing, Some(Asker::Twin)));
        self.theirs = Some(Theirs { revision, text, fresh });
    }

    fn compare(&mut self, out: &mut Vec<Intent>) -> Option<Compared> {
        let Self { now: Some(own), storing, theirs: Some(theirs), trouble } = self else {
            return None;
        };
        let rows = config::differences(&own.text, &theirs.text);
        let row = |(key, ours, theirs)| TwinDifference { key, ours, theirs };
        let mut compared = Compared { differs: rows.into_iter().map(row).collect(), tells: false };
        if storing.is_some() || !core::mem::take(&mut theirs.fresh) {
            return Some(compared);
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
            Ordering::Less => compared.tells = true,
            Ordering::Equal => {}
        }
        Some(compared)
    }

    fn not_taken_over(&mut self, reason: String) {
        tracing::warn!(
            target: "tmr_core::front::settings",
            "the twin's later configuration is not taken over: {reason}"
        );
        self.trouble = Some(reason);
    }
}

impl Operator {
    /// Has a text stored that a front would accept, by an operator's order. `link`: where the
    /// operator waits.
    pub(in crate::front) fn store(&mut self, link: LinkId, text: String, out: &mut Vec<Intent>) {
        self.config_sync.storing = Some(Asker::Page(link));
        out.push(HostRequest::StoreConfig(text).into());
    }

    /// Notes the configuration that is in effect from now on.
    pub(in crate::front) fn in_force(&mut self, new: InForce) {
        self.config_sync.now = Some(Box::new(new));
    }

    /// Handles the result of storing a text: it is in effect, or nothing has changed.
    pub(in crate::front) fn stored(
        &mut self,
        now: Now,
        stored: ConfigStoreResult,
        out: &mut Vec<Intent>,
    ) {
        match (self.config_sync.storing.take(), stored) {
            (Some(Asker::Page(link)), stored) => {
                let own = self.config_sync.now.as_ref();
                let revision = own.map_or(0, |now| now.config.revision);
                let (status, said) = page::stored(revision, &stored);
                self.admin.conclude(now, link, (status, &said), out);
            }
            (Some(Asker::Twin), Ok(_)) => {
                tracing::info!(
                    target: "tmr_core::front::settings",
                    "the configuration follows the twin's"
                );
            }
            (Some(Asker::Twin), Err(error)) => self.config_sync.not_taken_over(error.reason),
            (None, _) => {}
        }
    }

    /// Returns the message that sends the configuration to the twin. It has the `whole` text if the
    /// twin understands that, and if a configuration is in effect that is not too long; otherwise
    /// only what both fronts must have alike.
    pub(in crate::front) fn told_configuration(&self, whole: bool, own: &Config) -> TwinMessage {
        let told = self.config_sync.told().filter(|_| whole);
        told.unwrap_or_else(|| TwinMessage::Shared(shared(own)))
    }

    /// Takes the configuration that the twin has sent.
    pub(in crate::front) fn heard_configuration(&mut self, revision: u32, text: String) {
        self.config_sync.heard(revision, text);
    }

    /// Follows the twin if its configuration was changed later. Returns what else follows; `None`
    /// while one of the two is not known.
    pub(in crate::front) fn compare_configurations(
        &mut self,
        out: &mut Vec<Intent>,
    ) -> Option<Compared> {
        self.config_sync.compare(out)
    }

    /// Returns why the twin's later configuration is not adopted, in a sentence.
    pub(in crate::front) fn configuration_trouble(&self) -> Option<&str> {
        self.config_sync.trouble.as_deref()
    }

    /// For an exhaustive check: whether nothing is known of any configuration.
    #[cfg(feature = "model")]
    pub(in crate::front) fn knows_no_configuration(&self) -> bool {
        self.config_sync.now.is_none()
    }
}

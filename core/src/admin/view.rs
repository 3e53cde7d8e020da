//! The facts that a node gives its admin pages, and the commands of operators.

use crate::base::keepalived::{Notice, NoticeError};
use crate::base::metrics::Page;
use crate::config::InForce;
use crate::history::Span;
use crate::log::Handle;
use crate::verdict::Trouble;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use serde_json::Value;

/// Why a node does not do, or is not, what it is asked for: a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(String);

impl Refusal {
    /// Returns the sentence.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0
    }
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self(reason)
    }
}

impl From<&str> for Refusal {
    fn from(reason: &str) -> Self {
        Self(reason.into())
    }
}

/// The facts that a node gives its admin pages.
pub trait View {
    /// Returns the contents of `/api/status`: one of the structures of [`status`](crate::status).
    fn status(&self) -> Value;

    /// Returns the troubles of the node and its group, the worst first, without files of its
    /// machine.
    fn troubles(&self) -> Vec<Trouble> {
        Vec::new()
    }

    /// Returns the latest events, the latest first; for `/api/events`.
    fn events(&self) -> Value;

    /// Returns the contents of `/api/usage` (`admin::usage`); `None` if it keeps no usage history.
    fn usage(&self, span: Span) -> Option<Value>;

    /// Checks whether this node serves, or could.
    ///
    /// # Errors
    /// Returns why not, as a sentence.
    fn ready(&self) -> Result<(), Refusal>;

    /// Returns whether it is a front: only a front has to do with the virtual address.
    fn is_front(&self) -> bool {
        self.settings().is_some()
    }

    /// Checks whether this machine may have the virtual address.
    ///
    /// # Errors
    /// Returns why it is to give the address away, as a sentence.
    fn holds(&self) -> Result<(), Refusal>;

    /// Checks whether this node has the active role, and another front can take it.
    ///
    /// # Errors
    /// Returns why it cannot give the role away, and what would be right, as a sentence.
    fn yields(&self) -> Result<(), Refusal>;

    /// Returns one page of the handles that are held, starting after `from`: for
    /// `/api/allocations`.
    fn allocations(&self, _from: usize) -> Value {
        serde_json::json!({ "total": 0, "allocations": [] })
    }

    /// Returns how many handles of this address can be taken back here.
    ///
    /// # Errors
    /// Returns why none can, as a sentence.
    fn held_from(&self, _address: IpAddr) -> Result<usize, Refusal> {
        Err("this is a backend, which takes no handle back: ask the front that leads".into())
    }

    /// Returns the holder of a handle, as text, if the handle can be taken back here.
    ///
    /// # Errors
    /// Returns why it cannot, and what would be right, as a sentence.
    fn held(&self, handle: Handle) -> Result<String, Refusal>;

    /// Returns what is left of the group's lost memory and what recovery would do, with a `token`
    /// that stands for these facts.
    ///
    /// # Errors
    /// Returns why recovery is not possible or not needed here, as a sentence.
    fn recovery(&self) -> Result<Value, Refusal> {
        Err("this is a backend: ask a front".into())
    }

    /// Writes the metrics.
    fn measure(&self, page: &mut Page);

    /// Returns the configuration, once it is known, and whether another one is being stored; `None`
    /// for a node without one.
    fn settings(&self) -> Option<(Option<&InForce>, bool)> {
        None
    }
}

/// A command of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Take the active role.
    Activate,
    /// Give the active role to the other front.
    Failover,
    /// The virtual address may have moved; with keepalived's notice, if there is one.
    Notify(Result<Option<Notice>, NoticeError>),
    /// Take this handle back.
    Release(Handle),
    /// Take all handles of this address back.
    ReleaseFrom(IpAddr),
    /// Make a new group from what is left of the old one, and answer with the result
    /// ([`Admin::conclude`](super::Admin::conclude)).
    Recover,
    /// Store this configuration, which a front would accept, and answer with the result
    /// ([`Admin::conclude`](super::Admin::conclude)).
    Store(String),
}

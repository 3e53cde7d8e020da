//! What a node shows to its admin pages, and what its operators order.

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

/// What a node lets its admin pages see.
pub trait View {
    /// What `/api/status` says: one of the structures of [`status`](crate::status).
    fn status(&self) -> Value;

    /// What is wrong with it and its group, the worst first, without the files of its machine.
    fn troubles(&self) -> Vec<Trouble> {
        Vec::new()
    }

    /// What happened to it, the latest first; for `/api/events`.
    fn events(&self) -> Value;

    /// What `admin::usage` says of it; `None`: it keeps no usage history.
    fn usage(&self, span: Span) -> Option<Value>;

    /// Whether this node serves, or could.
    ///
    /// # Errors
    /// Why not, in a sentence for people.
    fn ready(&self) -> Result<(), String>;

    /// Whether it is a front: only a front has to do with the virtual address.
    fn is_front(&self) -> bool {
        self.settings().is_some()
    }

    /// Whether this machine may have the virtual address.
    ///
    /// # Errors
    /// Why it is to give it away, in a sentence for people.
    fn holds(&self) -> Result<(), String>;

    /// Whether this node has the active role, and somebody to give it to.
    ///
    /// # Errors
    /// Why it cannot give it away, and what would be right, in a sentence for people.
    fn yields(&self) -> Result<(), String>;

    /// So many of the handles that are held, beginning behind `from`: for `/api/allocations`.
    fn allocations(&self, _from: usize) -> Value {
        serde_json::json!({ "total": 0, "allocations": [] })
    }

    /// How many handles of this address can be taken back here.
    ///
    /// # Errors
    /// Why none can, in a sentence for people.
    fn held_from(&self, _address: IpAddr) -> Result<usize, String> {
        Err("this is a backend, which takes no handle back: ask the front that leads".into())
    }

    /// Whose handle this is, in words, if it can be taken back here.
    ///
    /// # Errors
    /// Why it cannot, and what would be right, in a sentence for people.
    fn held(&self, handle: Handle) -> Result<String, String>;

    /// What is left of the group's memory where it is lost, and what would be done; with a `token`
    /// that stands for all of it.
    ///
    /// # Errors
    /// Why nothing can be done here, or need be, in a sentence for people.
    fn recovery(&self) -> Result<Value, String> {
        Err("this is a backend: ask a front".into())
    }

    /// Writes what `/metrics` says.
    fn measure(&self, page: &mut Page);

    /// The configuration, once it is known, and whether another one is being stored. `None`: a node
    /// without one.
    fn settings(&self) -> Option<(Option<&InForce>, bool)> {
        None
    }
}

/// What an operator wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Take the active role.
    Activate,
    /// Give the active role to the other front.
    Failover,
    /// The virtual address may have moved; with what keepalived says, if it is known.
    Notify(Result<Option<Notice>, NoticeError>),
    /// Take this handle back from whoever holds it.
    Release(Handle),
    /// Take all handles of this address back.
    ReleaseFrom(IpAddr),
    /// Make a new group from what is left of the old one; then say what became of it
    /// ([`Admin::conclude`](super::Admin::conclude)).
    Recover,
    /// Store this configuration, which a front would take; then say what became of it
    /// ([`Admin::conclude`](super::Admin::conclude)).
    Store(String),
}

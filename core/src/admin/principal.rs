//! The sender of a request.

use crate::base::credentials::{AdminAccess, Rights};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use core::net::IpAddr;

/// The sender of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Principal {
    pub(super) from: IpAddr,
    /// Whether it is a program of the machine itself, and no browser.
    pub(super) machine: bool,
    /// Whether it uses the machine's own socket, for which the system has checked its permissions.
    pub(super) owner: bool,
    /// The rights of its session, token or password, if there is one.
    pub(super) rights: Option<Rights>,
    /// The name of the token that gives these rights, if one does.
    pub(super) token: Option<String>,
}

impl Principal {
    /// Whether it may see who holds licences.
    pub(super) fn may_read(&self, entrance: &AdminAccess) -> bool {
        !entrance.reader || self.machine || self.rights.is_some()
    }

    /// Whether it may see handles, with which one can do what their holders can.
    pub(super) fn may_see_handles(&self) -> bool {
        self.machine || self.rights == Some(Rights::Operator)
    }

    /// Returns the name used in the record of changes.
    pub(super) fn name(&self) -> Cow<'static, str> {
        match (&self.token, self.rights) {
            (Some(token), _) => format!("token {token}").into(),
            (None, Some(rights)) => rights.name().into(),
            (None, None) if self.machine => "this machine".into(),
            (None, None) => "nobody".into(),
        }
    }
}

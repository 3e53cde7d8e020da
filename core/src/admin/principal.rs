//! Who asks.

use crate::base::credentials::{AdminAccess, Rights};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use core::net::IpAddr;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Principal {
    pub(super) from: IpAddr,
    /// A program that the machine itself runs, and no browser.
    pub(super) machine: bool,
    /// By the machine's own socket: the system has asked who they are, and let them in.
    pub(super) owner: bool,
    /// What they are signed in as, if they are.
    pub(super) rights: Option<Rights>,
    /// The name of the token that gives them these rights, if one does.
    pub(super) token: Option<String>,
}

impl Principal {
    /// They may see who holds what.
    pub(super) fn may_read(&self, entrance: &AdminAccess) -> bool {
        !entrance.reader || self.machine || self.rights.is_some()
    }

    /// They may see which handles there are, with which one can do what their holders can.
    pub(super) fn may_see_handles(&self) -> bool {
        self.machine || self.rights == Some(Rights::Operator)
    }

    /// As it stands in the record of changes.
    pub(super) fn name(&self) -> Cow<'static, str> {
        match (&self.token, self.rights) {
            (Some(token), _) => format!("token {token}").into(),
            (None, Some(rights)) => rights.name().into(),
            (None, None) if self.machine => "this machine".into(),
            (None, None) => "nobody".into(),
        }
    }
}

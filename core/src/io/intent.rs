//! What a node wants done.

use crate::admin::Password;
use crate::history::Mark;
use crate::link::{Address, Callee, Link, Why};
use alloc::string::String;
use alloc::vec::Vec;

/// What a node wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Open a connection.
    Dial {
        /// The name of the link to be.
        link: Link,
        /// Where to.
        to: Address,
        /// Whom it expects there.
        callee: Callee,
    },
    /// Send one plaintext frame.
    Send {
        /// On which link.
        link: Link,
        /// A reply, an HTTP response, or one message between servers.
        frame: Vec<u8>,
    },
    /// Send what is queued, then close. The node has forgotten the link already.
    Close {
        /// Which.
        link: Link,
        /// Why, for the log.
        why: Why,
    },
    /// Append these bytes to the journal and make them durable, then say [`Input::Written`](super::Input::Written).
    /// At most one durable write is outstanding, which is what makes group commit: all that
    /// becomes ready meanwhile goes out with the next one.
    Append(Vec<u8>),
    /// Put these bytes in the journal's place, atomically and durably, then say
    /// [`Input::Written`](super::Input::Written).
    Rewrite(Vec<u8>),
    /// The same, but keep the journal that was there under another name, in the place of one that
    /// was kept before: this disk begins anew, and what it remembered may be needed by people.
    BeginAnew(Vec<u8>),
    /// Add these lines to the usage history. What cannot be written is lost: nothing waits for it.
    Record(Vec<u8>),
    /// Read lines of the usage history that follow this, in order and one message at most
    /// ([`HISTORY_BLOCK`](crate::limits::HISTORY_BLOCK)), then say [`Input::Recalled`](super::Input::Recalled).
    Recall {
        /// `None`: from the first one on.
        after: Option<Mark>,
    },
    /// Look now whether this machine has the virtual address: it may just have moved.
    Look,
    /// Tell whoever moves the virtual address whether this machine is to give it away.
    GiveAway(bool),
    /// Check a password, which takes long on purpose, then say [`Input::Verified`](super::Input::Verified).
    Verify {
        /// The link it came in by.
        link: Link,
        /// What was typed.
        password: Password,
    },
    /// Append this line to the record of what operators changed. Nothing waits for it.
    Audit(String),
    /// Put this text into the file of the configuration, durably and as a whole, and into force; then
    /// say [`Input::Configured`](super::Input::Configured) and [`Input::Stored`](super::Input::Stored). At most one is outstanding.
    Store(String),
    /// This process must not go on; the reason, for people.
    Halt(String),
}

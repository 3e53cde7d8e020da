//! The reasons why a call got no answer, as messages.

use super::Effect;
use crate::base::network::Address;
use crate::link::CloseReason;
use alloc::vec::Vec;
use core::fmt;

/// A call that ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// The name of the API function.
    pub call: &'static str,
    /// The effect that the call may have had all the same; `None` if it has none.
    pub doubt: Option<Effect>,
    /// The servers that were tried, with the end of the last attempt. In doubt, the one server that may
    /// have done it.
    pub tried: Vec<(Address, CloseReason)>,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, .. } = self;
        match self.doubt {
            None => write!(f, "no licence server answers {call}: ")?,
            Some(_) => write!(f, "the answer to {call} was lost with the connection to ")?,
        }
        for (index, (server, reason)) in self.tried.iter().enumerate() {
            write!(f, "{}{server}: {reason}", if index == 0 { "" } else { "; " })?;
        }
        f.write_str(match self.doubt {
            None | Some(Effect::Nothing) => "",
            Some(Effect::Access) => {
                ". The seat may or may not have been taken. Ask again for another; if this one was \
                 taken, it is free again after its clean-up time, and the server's status lists it \
                 until then"
            }
            Some(Effect::Release) => {
                ". The handle may or may not have been given back. Give it back again: that does \
                 no harm, and 106 (invalid handle) says that it was done"
            }
            Some(Effect::Units) => {
                ". The units may or may not have been taken. See how many are left before this is \
                 done again"
            }
            Some(Effect::Unknown) => {
                ". It may or may not have been done, and it is not known what doing it again would do"
            }
        })
    }
}

impl core::error::Error for Unanswered {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    #[test]
    fn it_says_what_happened_where_and_what_to_do() {
        let at = |host: &str| Address { host: host.into(), port: 22350 };
        let tried = vec![
            (at("a"), CloseReason::Broken("Connection refused".into())),
            (at("b"), CloseReason::Timeout("connecting")),
        ];
        let none = Unanswered { call: "CmGetVersion", doubt: None, tried };
        let text = "no licence server answers CmGetVersion: a:22350: Connection refused; \
                    b:22350: timed out: connecting";
        assert_eq!(none.to_string(), text);
        for (effect, words) in [
            (Effect::Access, "seat may or may not have been taken"),
            (Effect::Release, "Give it back again"),
            (Effect::Units, "See how many are left"),
            (Effect::Unknown, "may or may not have been done"),
        ] {
            let tried = vec![(at("a"), CloseReason::Eof)];
            let text = Unanswered { call: "CmX", doubt: Some(effect), tried }.to_string();
            assert!(
                text.starts_with("the answer to CmX was lost with the connection to a:22350: ")
            );
            assert!(text.contains(words), "{text}");
        }
    }
}

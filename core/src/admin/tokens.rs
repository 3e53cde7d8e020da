//! Requests that contain a token instead of a password.

use super::http::Response;
use super::login_backoff::Trier;
use super::{Admin, guard};
use crate::base::credentials::tokens::{Refused, Token, look};
use crate::base::time::Now;
use crate::io::Intent;
use alloc::vec::Vec;
use core::net::IpAddr;

impl Admin {
    /// Checks the token of a request from this address. An unknown one counts as a wrong password;
    /// a known one is no guess, so guesses of other senders do not delay it.
    pub(super) fn token(
        &mut self,
        now: Now,
        from: IpAddr,
        shown: &str,
        out: &mut Vec<Intent>,
    ) -> Result<Token, Response> {
        match look(&self.entrance.tokens, shown, now.wall) {
            Ok(token) => Ok(token.clone()),
            Err(Refused::Over(sentence)) => Err(guard::no_token(&sentence)),
            Err(Refused::Unknown) => {
                let taken = self.slips.take(now.mono, Trier::at(from, None));
                taken.map_err(|wait| guard::wait(wait, false))?;
                self.audit.wrong(now, "a token that is not known", from, out);
                Err(guard::no_token("This token is not known here. See tmrd token --list."))
            }
        }
    }
}

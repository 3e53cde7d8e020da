//! A licence client under load: the messages that it sends and receives.

use super::load::{Caller, Heard};
use crate::entropy;
use std::mem::take;
use tmr_core::link::channel::SecureChannel;
use tmr_core::link::{CloseReason, Frame};
use tmr_core::wire::constants::{access, crypt};
use tmr_core::wire::structs::{CmAccess2, CmCredential, CmCrypt2};
use tmr_core::wire::{CmError, Reply, Request};

/// What a client does repeatedly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Takes a seat and releases it.
    Cycle,
    /// Encrypts this number of bytes with a seat that the client holds.
    Crypt(usize),
    /// Makes one request for the version, and no further call.
    Idle,
}

/// One client of the licence protocol.
#[derive(Debug)]
pub(super) struct LicenceClient {
    stream: SecureChannel,
    work: Work,
    licence: (u32, u32),
    /// The handle of the client's seat; 0 if it holds none.
    handle: u32,
    /// The requests of the call that uses the seat; each call is the same.
    crypt: Vec<Vec<u8>>,
    ready: bool,
    frames: Vec<Frame>,
}

impl LicenceClient {
    /// Makes a client of a licence, given by Firm Code and Product Code.
    pub(super) fn new(work: Work, licence: (u32, u32)) -> Self {
        let stream = SecureChannel::dial_server(entropy::fresh());
        let (crypt, frames) = (Vec::new(), Vec::new());
        Self { stream, work, licence, handle: 0, crypt, ready: false, frames }
    }

    fn say(&mut self, request: &Request, wire: &mut Vec<u8>) {
        self.stream.seal(&[request.encode()], wire);
    }

    fn access(&self) -> Request {
        let (firm_code, product_code) = self.licence;
        let credential = CmCredential {
            pid: std::process::id(),
            user_defined_text: "tmrd bench".into(),
            ..CmCredential::default()
        };
        let wanted = CmAccess2 {
            ctrl: access::USERLIMIT,
            firm_code,
            product_code,
            credential,
            ..CmAccess2::default()
        };
        Request::Access2 { ctrl: access::LAN, access: Box::new(wanted), tail: Vec::new() }
    }

    /// Appends the requests that encrypt. They are built only once, so that the load generator
    /// takes little processor time.
    fn crypt(&mut self, bytes: usize, wire: &mut Vec<u8>) {
        if self.crypt.is_empty() {
            let (handle, ctrl) = (self.handle, crypt::AES_ENC_ECB);
            let (crypt, data) = (CmCrypt2::default(), vec![0x5a; bytes].into());
            self.crypt.push(Request::Crypt2 { handle, ctrl, crypt, data }.encode());
        }
        self.stream.seal(&self.crypt, wire);
    }

    fn reply(&mut self, reply: &Reply) -> Heard {
        if reply.status != CmError::NO_ERROR {
            return Heard::Refused(reply.status.to_string());
        }
        match self.work {
            Work::Crypt(bytes) if self.ready && self.handle != 0 => {
                let whole = reply.body.len() == bytes;
                if whole { Heard::Answered } else { Heard::Refused("a cut answer".to_owned()) }
            }
            Work::Idle => Heard::Answered,
            _ => {
                self.handle = reply.result;
                Heard::Answered
            }
        }
    }
}

impl Caller for LicenceClient {
    fn greet(&mut self, wire: &mut Vec<u8>) {
        self.stream.greet(wire);
    }

    fn hear(&mut self, bytes: &[u8], wire: &mut Vec<u8>) -> Result<Heard, CloseReason> {
        let mut frames = take(&mut self.frames);
        let agreed = self.stream.greeted();
        self.stream.open(bytes, wire, &mut frames)?;
        if !agreed {
            if !self.stream.greeted() {
                return Ok(Heard::Nothing);
            }
            match self.work {
                Work::Cycle => {
                    self.ready = true;
                    return Ok(Heard::Ready);
                }
                Work::Crypt(_) => self.say(&self.access(), wire),
                Work::Idle => self.say(&Request::GetVersion { handle: 0 }, wire),
            }
            return Ok(Heard::Nothing);
        }
        let Some(Frame::Reply(reply)) = frames.pop() else { return Ok(Heard::Nothing) };
        self.frames = frames;
        let reply = Reply::parse(&reply).map_err(|_| CloseReason::Protocol("not a reply"))?;
        let heard = self.reply(&reply);
        let first = !std::mem::replace(&mut self.ready, true);
        Ok(if first && heard == Heard::Answered { Heard::Ready } else { heard })
    }

    fn ask(&mut self, last: bool, wire: &mut Vec<u8>) -> Option<&'static str> {
        match (self.work, self.handle) {
            (Work::Cycle, 0) | (Work::Idle, _) if last => None,
            (Work::Crypt(_), 0) | (Work::Idle, _) => None,
            (Work::Cycle, 0) => {
                self.say(&self.access(), wire);
                Some("access")
            }
            (Work::Crypt(bytes), _) if !last => {
                self.crypt(bytes, wire);
                Some("crypt")
            }
            (_, handle) => {
                self.handle = 0;
                self.say(&Request::Release { handle }, wire);
                Some("release")
            }
        }
    }
}

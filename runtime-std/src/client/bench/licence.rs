//! A licence client under load: what it says on its connection.

use super::load::{Caller, Heard};
use crate::daemon::entropy;
use std::mem::take;
use tmr_core::channel::{Sealer, Stream};
use tmr_core::io::{Frame, Why};
use tmr_core::wire::constants::{access, crypt};
use tmr_core::wire::structs::{CmAccess2, CmCredential, CmCrypt2};
use tmr_core::wire::{CmError, Reply, Request};

/// What a client does again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Takes a seat and gives it back.
    Cycle,
    /// Encrypts so many bytes with a seat that it holds.
    Crypt(usize),
    /// Nothing: it asks for the version once.
    Idle,
}

/// One client.
#[derive(Debug)]
pub(super) struct LicenceClient {
    stream: Stream,
    sealer: Option<Sealer>,
    work: Work,
    licence: (u32, u32),
    /// Its seat; 0: none.
    handle: u32,
    ready: bool,
    frames: Vec<Frame>,
}

impl LicenceClient {
    /// Of a licence: Firm Code, Product Code.
    pub(super) fn new(work: Work, licence: (u32, u32)) -> Self {
        let (stream, sealer) = (Stream::dial_server(entropy::fresh()), None);
        Self { stream, sealer, work, licence, handle: 0, ready: false, frames: Vec::new() }
    }

    fn say(&mut self, request: &Request, wire: &mut Vec<u8>) {
        if let Some(sealer) = &mut self.sealer {
            sealer.seal(&[request.encode()], wire);
        }
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

    fn hear(&mut self, bytes: &[u8], wire: &mut Vec<u8>) -> Result<Heard, Why> {
        let mut frames = take(&mut self.frames);
        self.stream.open(bytes, wire, &mut frames)?;
        if self.sealer.is_none() {
            self.sealer = self.stream.split();
            if self.sealer.is_none() {
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
        let Some(Frame::Call(reply)) = frames.pop() else { return Ok(Heard::Nothing) };
        let reply = Reply::parse(&reply).map_err(|_| Why::Protocol("not a reply"))?;
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
            (Work::Crypt(bytes), handle) if !last => {
                let crypt = CmCrypt2::default();
                let data = vec![0x5a; bytes].into();
                self.say(&Request::Crypt2 { handle, ctrl: crypt::AES_ENC_ECB, crypt, data }, wire);
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

//! A client of etcd's own gRPC interface: `etcdserverpb.KV/Put`, one call at a time.
//!
//! gRPC is what etcd is fastest at: its HTTP/JSON gateway is a gRPC client inside the same
//! process. Of HTTP/2 (RFC 9113) this speaks what one call at a time needs: header fields are
//! never indexed (RFC 7541, 6.2.2), and of an answer it is read whether its message came and its
//! stream ended. gRPC sends a message only with a call that went well.

use tmr_core::link::CloseReason;
use tmr_runtime_std::commands::bench::load::{Caller, Heard};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Frame types.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
/// Flags.
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// Length, type, flags, stream.
const HEAD: usize = 9;
/// What may be sent to this client before it says more, in bytes: for as long as a bench lasts.
const WINDOW: u32 = 0x7fff_0000;

/// One client, with a connection and a key of its own.
#[derive(Debug)]
pub(crate) struct Etcd {
    headers: Vec<u8>,
    message: Vec<u8>,
    got: Vec<u8>,
    /// The stream of the call under way; odd, upwards.
    stream: u32,
    said: bool,
    ready: bool,
}

impl Etcd {
    /// The client of this number, which puts so many bytes under its key.
    pub(crate) fn new(number: u32, bytes: usize) -> Self {
        let mut headers = Vec::new();
        for (name, value) in [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/etcdserverpb.KV/Put"),
            (":authority", "etcd"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ] {
            headers.push(0);
            for text in [name, value] {
                headers.push(u8::try_from(text.len()).expect("below 127"));
                headers.extend_from_slice(text.as_bytes());
            }
        }
        let mut put = Vec::new();
        field(&mut put, 1, format!("client-{number}").as_bytes());
        field(&mut put, 2, &vec![0x5a; bytes]);
        let mut message = vec![0];
        message.extend_from_slice(&length(put.len()).to_be_bytes());
        message.extend_from_slice(&put);
        Self { headers, message, got: Vec::new(), stream: 1, said: false, ready: false }
    }

    fn call(&mut self, wire: &mut Vec<u8>) {
        self.stream += 2;
        self.said = false;
        frame(wire, HEADERS, END_HEADERS, self.stream, &self.headers);
        frame(wire, DATA, END_STREAM, self.stream, &self.message);
    }

    /// One whole frame.
    fn frame(
        &mut self,
        head: [u8; HEAD],
        body: &[u8],
        wire: &mut Vec<u8>,
    ) -> Result<Heard, CloseReason> {
        let [_, _, _, kind, flags, stream @ ..] = head;
        let own = u32::from_be_bytes(stream) == self.stream;
        match kind {
            SETTINGS if flags & ACK == 0 => {
                frame(wire, SETTINGS, ACK, 0, &[]);
                // The first call makes the connection warm, and shows that there is a leader.
                if !self.ready && self.stream == 1 {
                    self.call(wire);
                }
            }
            PING if flags & ACK == 0 => frame(wire, PING, ACK, 0, body),
            GOAWAY => return Err(CloseReason::Protocol("etcd sends its client away")),
            RST_STREAM if own => return Ok(Heard::Refused("stream reset".to_owned())),
            DATA if own => self.said |= !body.is_empty(),
            HEADERS if own && flags & END_STREAM != 0 => {
                let first = !std::mem::replace(&mut self.ready, true);
                return Ok(match (self.said, first) {
                    (false, _) => Heard::Refused("an answer without a message".to_owned()),
                    (true, true) => Heard::Ready,
                    (true, false) => Heard::Answered,
                });
            }
            _ => {}
        }
        Ok(Heard::Nothing)
    }
}

impl Caller for Etcd {
    fn greet(&mut self, wire: &mut Vec<u8>) {
        wire.extend_from_slice(PREFACE);
        frame(wire, SETTINGS, 0, 0, &[]);
        frame(wire, WINDOW_UPDATE, 0, 0, &WINDOW.to_be_bytes());
    }

    fn hear(&mut self, bytes: &[u8], wire: &mut Vec<u8>) -> Result<Heard, CloseReason> {
        self.got.extend_from_slice(bytes);
        let (got, mut from, mut heard) = (std::mem::take(&mut self.got), 0, Heard::Nothing);
        while let Some((head, rest)) = got[from..].split_first_chunk::<HEAD>() {
            let size = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let Some(body) = rest.get(..size) else { break };
            match self.frame(*head, body, wire)? {
                Heard::Nothing => {}
                other => heard = other,
            }
            from += HEAD + size;
        }
        self.got = got[from..].to_vec();
        Ok(heard)
    }

    fn ask(&mut self, last: bool, wire: &mut Vec<u8>) -> Option<&'static str> {
        if last {
            return None;
        }
        self.call(wire);
        Some("put")
    }
}

fn frame(wire: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, body: &[u8]) {
    wire.extend_from_slice(&length(body.len()).to_be_bytes()[1..]);
    wire.extend_from_slice(&[kind, flags]);
    wire.extend_from_slice(&stream.to_be_bytes());
    wire.extend_from_slice(body);
}

/// A length-delimited field of protobuf.
fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    let mut left = bytes.len();
    while left >= 0x80 {
        out.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    out.push((left & 0x7f) as u8);
    out.extend_from_slice(bytes);
}

fn length(of: usize) -> u32 {
    u32::try_from(of).expect("a short message")
}

//! The facts about backends that a front must hide from its clients, and the search for them in
//! every reply.
//!
//! A test that starts a front declares it with [`Secrets::guard`], and then declares the backends
//! behind it. From then on each [`Client`](super::Client) of that front searches each reply, and
//! panics if the reply contains one of these:
//!
//! - a backend's serial, as u32 little endian, and its digits as text and as UTF-16
//! - a backend's IP address, as text and UTF-16 (which also finds an address with a port), and its
//!   four bytes in network order, as a u32, and in an address of 16-bit groups
//! - a handle that a backend gave, as u32 little endian, if its bytes cannot be mistaken for other
//!   data
//!
//! A port alone is not searched for, because parts of handles, dates and counters are numbers of
//! sixteen bits too. For the search to be reliable, each backend must have an address of its own,
//! and a serial that is neither text nor a small number.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The numbers of the calls that give a handle: CmAccess and CmAccess2.
const ACCESSES: [u32; 2] = [0x0a, 0x64];

/// Byte sequences to search for, each with its description.
type Needles = Vec<(Vec<u8>, String)>;

/// The secrets of the backends of one cluster.
#[derive(Debug, Default)]
pub struct Secrets {
    /// The byte sequences by their first byte, so that one pass over a reply finds all of them.
    needles: Mutex<BTreeMap<u8, Needles>>,
    searched: AtomicUsize,
}

/// What this test process does with the replies of a server.
#[derive(Clone, Debug)]
pub(super) enum Side {
    /// The server is a front: its replies are searched.
    Front(Arc<Secrets>),
    /// The server is a backend: the handles in its replies are secrets.
    Backend(Arc<Secrets>),
}

/// Returns the declared servers by the addresses that clients use.
fn servers() -> MutexGuard<'static, BTreeMap<SocketAddr, Side>> {
    static SERVERS: Mutex<BTreeMap<SocketAddr, Side>> = Mutex::new(BTreeMap::new());
    SERVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns how the server at this address was declared; `None` if it was not.
pub(super) fn side(server: SocketAddr) -> Option<Side> {
    servers().get(&server).cloned()
}

impl Secrets {
    /// Returns an empty set of secrets.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Declares a front: its clients search every reply from now on.
    pub fn guard(self: &Arc<Self>, front: SocketAddr) {
        servers().insert(front, Side::Front(Arc::clone(self)));
    }

    /// Declares a backend: its address is a secret, and so is every handle that it gives to a
    /// client of this test process.
    ///
    /// # Panics
    /// The address is not an IPv4 address.
    pub fn backend(self: &Arc<Self>, backend: SocketAddr) {
        servers().insert(backend, Side::Backend(Arc::clone(self)));
        let IpAddr::V4(ip) = backend.ip() else { panic!("the tests use IPv4") };
        let what = format!("the address of backend {backend}");
        self.text(&ip.to_string(), &what);
        let [a, b, c, d] = ip.octets();
        for octets in [[a, b, c, d], [d, c, b, a], [b, a, d, c]] {
            self.add(octets.into(), &what);
        }
    }

    /// Declares the serial of a backend's container a secret.
    pub fn serial(&self, serial: u32) {
        let what = format!("the serial 130-{serial}");
        self.text(&serial.to_string(), &what);
        self.add(serial.to_le_bytes().into(), &what);
    }

    /// Declares a handle of a backend a secret if it differs from all other data in replies. The
    /// low half of a handle is a counter, so its high half must be neither text nor zero. Returns
    /// whether the handle is a secret now.
    pub fn handle(&self, handle: u32) -> bool {
        let [.., third, fourth] = handle.to_le_bytes();
        let telling = third >= 0x80 && (1..0x20).contains(&fourth);
        if telling {
            self.add(handle.to_le_bytes().into(), &format!("the backend's handle {handle}"));
        }
        telling
    }

    /// Returns the number of replies that were searched.
    #[must_use]
    pub fn searched(&self) -> usize {
        self.searched.load(Ordering::Relaxed)
    }

    /// Returns the offset of the first secret in `bytes`, and its description.
    #[must_use]
    pub fn find(&self, bytes: &[u8]) -> Option<(usize, String)> {
        let needles = self.needles();
        bytes.iter().enumerate().find_map(|(at, first)| {
            let here = needles.get(first)?.iter();
            let mut found = here.filter(|(needle, _)| bytes[at..].starts_with(needle));
            found.next().map(|(_, what)| (at, what.clone()))
        })
    }

    /// Searches the plaintext of a front's reply to a call.
    ///
    /// # Panics
    /// The reply contains a secret.
    #[track_caller]
    pub(super) fn search(&self, call: u32, reply: &[u8]) {
        self.searched.fetch_add(1, Ordering::Relaxed);
        if let Some((at, what)) = self.find(reply) {
            panic!("{what} is in the reply to {} at offset {at}: {reply:02x?}", name(call));
        }
    }

    /// Records the secrets in a backend's reply to a call.
    pub(super) fn learn(&self, call: u32, reply: &[u8]) {
        let word = |at: usize| {
            reply.get(at..at + 4).map(|word| u32::from_le_bytes(word.try_into().expect("four")))
        };
        if let (true, Some(0), Some(handle)) = (ACCESSES.contains(&call), word(0), word(4)) {
            self.handle(handle);
        }
    }

    fn text(&self, text: &str, what: &str) {
        self.add(text.into(), &format!("{what} as text"));
        let wide = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        self.add(wide, &format!("{what} as UTF-16"));
    }

    fn add(&self, needle: Vec<u8>, what: &str) {
        let mut needles = self.needles();
        let alike = needles.entry(needle[0]).or_default();
        if alike.iter().all(|(other, _)| *other != needle) {
            alike.push((needle, what.into()));
        }
    }

    fn needles(&self) -> MutexGuard<'_, BTreeMap<u8, Needles>> {
        self.needles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the number of a call, with its name if the tests make that call.
fn name(call: u32) -> String {
    let name = match call {
        0x0a => "CmAccess",
        0x0b => "CmRelease",
        0x10 => "CmCrypt",
        0x11 => "CmCryptSim",
        0x14 => "CmGetSecureData",
        0x1f => "CmGetBoxContents",
        0x20 => "CmGetBoxes",
        0x21 => "CmGetInfo",
        0x22 => "CmGetServers",
        0x23 => "CmGetVersion",
        0x24 => "CmGetLicenseInfo",
        0x36 => "CmValidateEntry",
        0x5a => "CmCalculateSignature",
        0x5b => "CmGetPublicKey",
        0x64 => "CmAccess2",
        0x69 => "CmCrypt2",
        _ => "a call",
    };
    format!("{name} ({call:#x})")
}

#[cfg(test)]
mod test {
    use super::*;

    fn secrets() -> Arc<Secrets> {
        let secrets = Secrets::new();
        secrets.serial(9_411_533);
        secrets.backend("127.9.8.7:22350".parse().unwrap());
        secrets
    }

    #[test]
    fn every_form_of_a_secret_is_found_wherever_it_stands() {
        let secrets = secrets();
        assert!(secrets.handle(0x1080_0001));
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        for (what, needle) in [
            ("130-9411533", 9_411_533_u32.to_le_bytes().to_vec()),
            ("130-9411533 as text", b"130-9411533".to_vec()),
            ("130-9411533 as UTF-16", wide("130-9411533")),
            ("127.9.8.7:22350", [127, 9, 8, 7].to_vec()),
            ("127.9.8.7:22350", [7, 8, 9, 127].to_vec()),
            ("127.9.8.7:22350", [9, 127, 7, 8].to_vec()),
            ("127.9.8.7:22350 as text", b"127.9.8.7:22350".to_vec()),
            ("127.9.8.7:22350 as UTF-16", wide("127.9.8.7:22350")),
            ("the backend's handle", 0x1080_0001_u32.to_le_bytes().to_vec()),
        ] {
            for before in [0, 1, 144] {
                for after in [0, 3] {
                    let reply = [vec![0x31; before], needle.clone(), vec![0; after]].concat();
                    let (at, found) = secrets.find(&reply).expect(what);
                    assert!(found.contains(what), "{found} is not {what}");
                    let there = before..before + needle.len();
                    assert!(there.contains(&at), "{found} at {at}, not in {there:?}");
                }
            }
        }
    }

    #[test]
    fn what_only_looks_alike_is_not_found() {
        let secrets = secrets();
        for innocent in
            [&b"131-59885682"[..], b"127.9.8.4:22350", &22_350_u32.to_le_bytes(), &[127, 9, 8], b""]
        {
            assert_eq!(secrets.find(innocent), None, "{innocent:?}");
        }
        assert!(!secrets.handle(1), "a small number is no handle that could be told");
        assert!(!secrets.handle(u32::from_le_bytes(*b"ada\0")), "nor is a text");
        assert_eq!(secrets.find(&[1, 0, 0, 0]), None);
    }

    #[test]
    fn handles_of_backends_are_learnt_from_their_replies() {
        let secrets = secrets();
        let handle = 0x1f90_0001_u32.to_le_bytes();
        let granted = [[0; 4], handle].concat();
        secrets.learn(0x21, &granted);
        secrets.learn(0x64, &[212_u32.to_le_bytes(), handle].concat());
        assert_eq!(secrets.find(&handle), None, "only what an access gave");
        secrets.learn(0x64, &granted);
        assert!(secrets.find(&handle).is_some());
    }

    #[test]
    #[should_panic(
        expected = "the serial 130-9411533 is in the reply to CmGetInfo (0x21) at offset 12"
    )]
    fn a_reply_that_tells_fails_the_test() {
        let mut reply = vec![0; 152];
        reply[12..16].copy_from_slice(&9_411_533_u32.to_le_bytes());
        secrets().search(0x21, &reply);
    }
}

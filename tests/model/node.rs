//! The common parts of the model's fronts and backends: the time, fingerprints, and messages
//! between them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tmr_core::base::time::{Mono, Now, Wall};
use tmr_core::io::Input;
use tmr_core::link::{CloseReason, LinkId};
use tmr_core::log::{Acked, DiskId, Entry, Epoch, Setting};
use tmr_core::messages::group::{Description, Order, Report, correlate, decode, encode};
use tmr_core::service::Identity;

/// The only time in the model.
pub(crate) const NOW: Now = Now { mono: Mono(3_600_000_000), wall: Wall(1_795_287_600) };

/// Returns a print of 64 bits that distinguishes a value from others.
pub(crate) fn print(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

pub(crate) fn entry_print(entry: &Entry) -> u64 {
    print(&format!("{entry:?}"))
}

/// The owners of disks, and the properties by which disks differ.
#[derive(Debug)]
pub(crate) struct Names {
    /// By backend, its first disk and the one with which it begins anew.
    disks: [[DiskId; 2]; 4],
    kinds: [u8; 4],
}

impl Names {
    pub(crate) fn new(disks: [[DiskId; 2]; 4], kinds: [u8; 4]) -> Arc<Self> {
        Arc::new(Self { disks, kinds })
    }

    /// Returns the backend of a disk, and how often it has begun anew.
    fn place(&self, disk: DiskId) -> (usize, usize) {
        let places = (0..4).flat_map(|backend| [(backend, 0), (backend, 1)]);
        let mut places = places.filter(|&(backend, anew)| self.disks[backend][anew] == disk);
        places.next().expect("no backend begins anew twice")
    }

    /// Returns whether the group was born without this disk.
    pub(crate) fn is_new(&self, disk: DiskId) -> bool {
        let (backend, anew) = self.place(disk);
        backend == 3 || anew > 0
    }

    /// Disks of one name are members of the same sets, and seen by the same fronts.
    pub(crate) fn of(&self, disk: DiskId) -> u8 {
        let (backend, anew) = self.place(disk);
        2 * self.kinds[backend] + u8::from(anew > 0)
    }

    /// Returns one print for each backend of what is known about its disks.
    pub(crate) fn sort(&self, said: impl IntoIterator<Item = (DiskId, Vec<u8>)>) -> [u64; 4] {
        let mut sorted: [Vec<(usize, Vec<u8>)>; 4] = Default::default();
        for (disk, said) in said {
            let (backend, anew) = self.place(disk);
            sorted[backend].push((anew, said));
        }
        sorted.map(|said| if said.is_empty() { 0 } else { print(&said) })
    }
}

/// A message between a front and a backend, without its number: reports of a link come in the
/// order of their orders.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) bytes: Arc<[u8]>,
    print: u64,
    /// Its print apart from the backend that it is about, and the prints of what it says about each
    /// backend's disks.
    pub(crate) form: u64,
    pub(crate) about: [u64; 4],
    /// The epoch, if it is an order.
    pub(crate) epoch: Option<Epoch>,
    /// Whether it is an order that changes the members.
    pub(crate) members: bool,
    /// Whether it was sent together with the message before it, and arrives with it.
    pub(crate) joined: bool,
}

impl Message {
    pub(crate) fn order(mut bytes: Vec<u8>, names: &Names) -> Self {
        correlate(&mut bytes, 0);
        let [order] = &mut decode::<Order>(&bytes).expect("a front sends whole orders")[..] else {
            panic!("a front sends its orders one by one");
        };
        let order = &mut order.body;
        let epoch = match order {
            Order::Describe | Order::Perform { .. } => None,
            Order::Claim { epoch }
            | Order::Fetch { epoch, .. }
            | Order::Found { epoch, .. }
            | Order::Append { epoch, .. }
            | Order::Install { epoch, .. }
            | Order::Witness { epoch, .. }
            | Order::Disown { epoch, .. }
            | Order::Recover { epoch, .. }
            | Order::Confirm { epoch, .. } => Some(*epoch),
        };
        let members = match order {
            Order::Append { entries, .. } => {
                entries.iter().any(|entry| matches!(entry, Entry::Configure(Setting::Members(_))))
            }
            _ => false,
        };
        let told = match order {
            Order::Witness { acked, .. } => std::mem::take(acked),
            Order::Disown { disk, .. } => {
                *disk = DiskId(names.of(*disk).into());
                Vec::new()
            }
            _ => Vec::new(),
        };
        let form = print(&encode(0, order));
        let joined = matches!(order, Order::Witness { .. });
        let about = names.sort(told.iter().map(told_of));
        Self { epoch, members, joined, ..Self::of(bytes, form, about) }
    }

    pub(crate) fn report(bytes: Vec<u8>, names: &Names) -> Self {
        let (mut form, mut told) = (Vec::new(), Vec::new());
        for report in &mut decode::<Report>(&bytes).expect("a backend sends whole reports") {
            let body = &mut report.body;
            match body {
                Report::Described(Description { standing, parts, .. }) => {
                    standing.disk = DiskId(names.of(standing.disk).into());
                    parts.clear();
                }
                Report::Promised(standing) => {
                    standing.disk = DiskId(names.of(standing.disk).into());
                }
                Report::Facts(facts) => {
                    told.append(&mut facts.acked);
                    facts.process = 0;
                    facts.thirds.clear();
                }
                _ => {}
            }
            form.extend(encode(0, body));
        }
        Self::of(bytes, print(&form), names.sort(told.iter().map(told_of)))
    }

    fn of(bytes: Vec<u8>, form: u64, about: [u64; 4]) -> Self {
        let (epoch, members, joined) = (None, false, false);
        Self { print: print(&bytes), bytes: bytes.into(), form, about, epoch, members, joined }
    }

    /// Returns the bytes of a report to this order, whose number is last in the report.
    pub(crate) fn answer(&self, order: u32) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        let mut last = &mut bytes[..];
        loop {
            let length = u32::from_le_bytes(last[8..12].try_into().expect("four bytes"));
            let end = 12 + usize::try_from(length).expect("messages are short");
            if end == last.len() {
                break;
            }
            last = &mut last[end..];
        }
        correlate(last, order);
        bytes
    }
}

/// Hashes all its contents.
impl Hash for Message {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.print, self.joined).hash(state);
    }
}

/// Returns how far a disk has come, apart from which disk it is.
pub(crate) fn told_of(acked: &Acked) -> (DiskId, Vec<u8>) {
    (acked.disk, format!("{} {}", acked.promised, acked.slot).into_bytes())
}

pub(crate) fn closed(link: LinkId) -> Input {
    Input::Closed { link, reason: CloseReason::Eof, unsent: false }
}

pub(crate) fn client() -> SocketAddr {
    (IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), 40_000).into()
}

pub(crate) fn identity() -> Identity {
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    Identity { name: "server".into(), runtime: "model", address }
}

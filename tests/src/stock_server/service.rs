//! The effects of calls at a stock server: protocol facts 3 to 5, and nothing else.

use crate::independent_client::error::{
    ENTRY_NOT_FOUND, EXCLUSIVE_MODE_CONFLICT, INVALID_HANDLE, INVALID_PARAMETER, NO_MORE_LICENSES,
    WRONG_ACCESS_MODE, WRONG_HANDLE_TYPE,
};
use std::collections::{BTreeMap, BTreeSet};

const BOX_NOT_FOUND: u32 = 201;
const FUNCTION_NOT_SUPPORTED: u32 = 306;
const FEATURE_MAP_INCOMPATIBLE: u32 = 30;

/// Mask of a container with universal Firm Code (5.9).
const MASK: u16 = 130;

/// A licence of its container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Licence {
    /// Firm Code.
    pub firm_code: u32,
    /// Product Code.
    pub product_code: u32,
    /// TMR-Id; 0 for an ordinary licence.
    pub tmr_id: u32,
    /// Seats.
    pub quantity: u32,
    /// Feature bits.
    pub features: u32,
    /// Product text.
    pub text: String,
    /// Units, if they are counted.
    pub units: Option<u32>,
}

/// How an access counts (5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every access takes a licence.
    UserLimit,
    /// No licence is taken.
    NoUserLimit,
    /// One instance of a machine.
    Exclusive,
    /// One licence a machine.
    StationShare,
}

#[derive(Clone, Debug)]
enum Kind {
    Subsystem,
    Container,
    Entry { at: usize, mode: Mode, take: u32, host: String },
}

/// Containers, handles, counters of one server.
#[derive(Debug)]
pub(super) struct Service {
    serial: u32,
    cm_act_id: u32,
    pub(super) licences: Vec<Licence>,
    handles: BTreeMap<u32, Kind>,
    counter: u32,
    pub(super) most: u32,
    pub(super) calls: BTreeMap<u32, u64>,
    pub(super) given: BTreeSet<u32>,
}

/// A frame, read by offset.
struct Frame<'a>(&'a [u8]);

impl Frame<'_> {
    fn word(&self, at: usize) -> u32 {
        self.0
            .get(at..at + 4)
            .map_or(0, |bytes| u32::from_le_bytes(bytes.try_into().expect("four bytes")))
    }
    fn text(&self, at: usize, room: usize) -> String {
        crate::independent_client::text(self.0.get(at..at + room).unwrap_or_default())
    }
}

/// A structure under construction.
struct Image(Vec<u8>);

impl Image {
    fn word(&mut self, at: usize, word: u32) {
        self.0[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    fn wide(&mut self, at: usize, text: &str) {
        for (place, unit) in self.0[at..].chunks_exact_mut(2).zip(text.encode_utf16()) {
            place.copy_from_slice(&unit.to_le_bytes());
        }
    }
}

fn reply(status: u32, result: u32, body: &[u8]) -> Vec<u8> {
    let mut reply = status.to_le_bytes().to_vec();
    reply.extend_from_slice(&result.to_le_bytes());
    reply.extend_from_slice(body);
    reply
}

/// An output buffer of the size asked for.
fn buffer(size: u32, body: &[u8]) -> Vec<u8> {
    let mut output = vec![0; size as usize];
    if body.len() > output.len() {
        return reply(112, 0, &output);
    }
    output[..body.len()].copy_from_slice(body);
    reply(0, u32::try_from(body.len()).expect("small"), &output)
}

impl Service {
    pub(super) fn new(serial: u32, cm_act_id: u32, licences: Vec<Licence>) -> Self {
        Self {
            serial,
            cm_act_id,
            licences,
            handles: BTreeMap::new(),
            counter: 0,
            most: 0,
            calls: BTreeMap::new(),
            given: BTreeSet::new(),
        }
    }

    /// As a restart does; numbers begin anew.
    pub(super) fn forget(&mut self) {
        self.handles.clear();
        self.counter = 0;
    }

    /// Host names of those who hold a seat.
    pub(super) fn hosts(&self) -> Vec<String> {
        let host = |kind: &Kind| match kind {
            Kind::Entry { mode, host, .. } if *mode != Mode::NoUserLimit => Some(host.clone()),
            _ => None,
        };
        self.handles.values().filter_map(host).collect()
    }

    pub(super) fn used(&self, product_code: u32) -> u32 {
        let mut stations = BTreeSet::new();
        let mut used = 0;
        for kind in self.handles.values() {
            let Kind::Entry { at, mode, take, host } = kind else { continue };
            if self.licences[*at].product_code != product_code {
                continue;
            }
            match mode {
                Mode::UserLimit | Mode::Exclusive => used += take,
                Mode::NoUserLimit => {}
                Mode::StationShare => {
                    stations.insert(host);
                }
            }
        }
        used + u32::try_from(stations.len()).expect("few stations")
    }

    pub(super) fn call(&mut self, call: &[u8]) -> Vec<u8> {
        let frame = Frame(call);
        *self.calls.entry(frame.word(0)).or_default() += 1;
        if frame.word(0) == 0x64 {
            return match self.access(&frame) {
                Ok(kind) => {
                    self.counter += 1;
                    let handle = (self.serial & 0x7fff) << 16 | self.counter;
                    self.handles.insert(handle, kind);
                    self.given.insert(handle);
                    let most = self.licences.iter().map(|it| self.used(it.product_code)).max();
                    self.most = self.most.max(most.unwrap_or(0));
                    reply(0, handle, &[])
                }
                Err(status) => reply(status, 0, &[]),
            };
        }
        let Some(kind) = self.handles.get(&frame.word(4)).cloned() else {
            return reply(INVALID_HANDLE, 0, &[]);
        };
        match frame.word(0) {
            0x0b => {
                self.handles.remove(&frame.word(4));
                reply(0, 0, &[])
            }
            0x20 => self.boxes(frame.word(12)),
            0x1f => self.contents(&frame),
            0x21 => self.info(&kind, frame.word(8), frame.word(12)),
            0x69 | 0x5a | 0x5b => match kind {
                Kind::Entry { at, .. } => self.compute(at, &frame),
                _ => reply(WRONG_HANDLE_TYPE, 0, &[]),
            },
            _ => reply(FUNCTION_NOT_SUPPORTED, 0, &[]),
        }
    }

    /// CmAccess2 (3.4), CMACCESS2 from +8 on.
    fn access(&self, frame: &Frame<'_>) -> Result<Kind, u32> {
        if frame.0.len() < 712 {
            return Err(INVALID_PARAMETER);
        }
        let ctrl = frame.word(8);
        if ctrl & 0x0008_0000 != 0 {
            return Ok(Kind::Subsystem);
        }
        let any_or = |wanted: u32, own: u32| wanted == 0 || wanted == own;
        let mask = u32::from(u16::try_from(frame.word(40) >> 16).expect("16 bits"));
        if !any_or(mask, MASK.into())
            || !any_or(frame.word(44), self.serial)
            || !any_or(frame.word(200), self.cm_act_id)
        {
            return Err(BOX_NOT_FOUND);
        }
        let (firm_code, product_code, item) = (frame.word(12), frame.word(16), frame.word(32));
        if firm_code == 0 {
            return Ok(Kind::Container);
        }
        let at = (0..self.licences.len()).find(|&at| {
            let it = &self.licences[at];
            let codes = (it.firm_code, it.product_code) == (firm_code, product_code);
            codes && any_or(item, Self::item(at))
        });
        let at = at.ok_or(ENTRY_NOT_FOUND)?;
        let licence = &self.licences[at];
        if licence.features & frame.word(20) != frame.word(20) {
            return Err(FEATURE_MAP_INCOMPATIBLE);
        }
        let mode = match ctrl & 0x700 {
            0x000 => Mode::UserLimit,
            0x100 => Mode::NoUserLimit,
            0x200 => Mode::Exclusive,
            0x300 => Mode::StationShare,
            _ => return Err(WRONG_ACCESS_MODE),
        };
        let (take, host) = (frame.word(48).max(1), frame.text(316, 128));
        let new = Kind::Entry { at, mode, take, host: host.clone() };
        if mode == Mode::Exclusive {
            let conflict = self.handles.values().any(|kind| {
                matches!(kind, Kind::Entry { at: other, host: there, mode, .. }
                    if *other == at && *there == host && *mode != Mode::NoUserLimit)
            });
            if conflict {
                return Err(EXCLUSIVE_MODE_CONFLICT);
            }
        }
        let mut after = Self { handles: self.handles.clone(), ..Self::new(0, 0, Vec::new()) };
        after.licences.clone_from(&self.licences);
        after.handles.insert(u32::MAX, new.clone());
        if after.used(product_code) > licence.quantity {
            return Err(NO_MORE_LICENSES);
        }
        Ok(new)
    }

    fn item(at: usize) -> u32 {
        u32::try_from(at + 1).expect("few licences")
    }

    fn box_info(&self) -> Vec<u8> {
        let mut info = Image(vec![0; 144]);
        info.0[2..4].copy_from_slice(&MASK.to_le_bytes());
        info.word(4, self.serial);
        info.0
    }

    fn boxes(&self, number: u32) -> Vec<u8> {
        let mut body = vec![0; number as usize * 144];
        body[..144].copy_from_slice(&self.box_info());
        reply(0, 1, &body)
    }

    /// CmGetBoxContents: products of the container, CMBOXENTRY.
    fn contents(&self, frame: &Frame<'_>) -> Vec<u8> {
        let serial = frame.word(20);
        if serial != 0 && serial != self.serial {
            return reply(BOX_NOT_FOUND, 0, &[]);
        }
        let mut body = Vec::new();
        for (at, licence) in self.licences.iter().enumerate() {
            let mut entry = Image(vec![0; 588]);
            entry.word(0, 4);
            entry.word(4, licence.firm_code);
            entry.wide(20, "Example");
            entry.word(536, licence.product_code);
            entry.word(540, licence.features);
            entry.0[586..588].copy_from_slice(&Self::item(at).to_le_bytes()[..2]);
            body.extend_from_slice(&entry.0);
        }
        let number = u32::try_from(self.licences.len()).expect("few licences");
        body.resize(frame.word(160) as usize * 588, 0);
        reply(0, number, &body)
    }

    fn info(&self, kind: &Kind, selector: u32, size: u32) -> Vec<u8> {
        match (selector & 0xff, kind) {
            (0x0b, _) => buffer(size, &[6, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            (0x01, Kind::Subsystem) => reply(WRONG_HANDLE_TYPE, 0, &vec![0; size as usize]),
            (0x01, _) => buffer(size, &self.box_info()),
            (0x33, Kind::Entry { at, .. }) => buffer(size, &self.entry(*at)),
            (0x41, Kind::Entry { at, .. }) => {
                let text = self.licences[*at].text.encode_utf16().chain([0]);
                buffer(size, &text.flat_map(u16::to_le_bytes).collect::<Vec<u8>>())
            }
            _ => reply(FUNCTION_NOT_SUPPORTED, 0, &vec![0; size as usize]),
        }
    }

    /// CMBOXENTRY2 (4).
    fn entry(&self, at: usize) -> Vec<u8> {
        let licence = &self.licences[at];
        let mut entry = Image(vec![0; 1024]);
        let units = if licence.units.is_some() { 0x10 } else { 0 };
        let options = 0x1 | 0x2 | 0x400 | 0x1000 | units;
        entry.word(0, 4);
        entry.word(4, licence.firm_code);
        entry.wide(20, "Example");
        entry.word(632, options);
        entry.word(636, options);
        entry.word(640, options);
        entry.word(644, licence.product_code);
        entry.word(648, licence.features);
        entry.word(684, licence.units.unwrap_or(0));
        entry.word(740, licence.quantity);
        if licence.tmr_id != 0 {
            entry.word(752, 0x200);
            entry.word(756, licence.tmr_id);
        }
        entry.0[820..822].copy_from_slice(&Self::item(at).to_le_bytes()[..2]);
        entry.0
    }

    /// A pure function of the licence, equal on every server: its data, changed by its codes.
    fn compute(&self, at: usize, frame: &Frame<'_>) -> Vec<u8> {
        let licence = &self.licences[at];
        let pad = licence.firm_code.wrapping_mul(31).wrapping_add(licence.product_code);
        if frame.word(0) != 0x69 {
            let one = pad.to_le_bytes()[0];
            return reply(0, 64, &[one; 64]);
        }
        let size = frame.word(156) as usize;
        let Some(data) = frame.0.get(160..160 + size) else {
            return reply(INVALID_PARAMETER, 0, &[]);
        };
        let pad = pad.to_le_bytes();
        let changed: Vec<u8> = data.iter().zip(pad.iter().cycle()).map(|(a, b)| a ^ b).collect();
        reply(0, 1, &changed)
    }
}

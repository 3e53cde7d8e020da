//! What a stock server holds, found out one call after the other: its containers, which of them
//! have a wanted CmActId, their products, and the properties of each.
//!
//! A server does not report a CmActId (the layout of CMACTLICENSEINFO is not public), but an access
//! may name the one that it wants: so every container is accessed with each one in the
//! configuration. Each product is read over a handle that takes no licence. That handle is kept:
//! the product is read over it again, and it serves calls of clients whose own handle takes no
//! licence either.

use super::calls::{self, Place, Product};
use super::entry::{product, tmr_id};
use crate::base::limits::{STOCK_CONTAINERS, STOCK_PRODUCTS};
use crate::licence::{self, FirmItem, Part};
use crate::log::{ContainerId, LicenceKey};
use crate::wire::structs::{CmBoxEntry, CmBoxEntry2, CmBoxInfo, Layout};
use crate::wire::{CmError, Reply, Request};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A licence at a stock server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) product: Product,
    /// Its properties.
    pub(super) licence: licence::Product,
    /// [`FirmItem::fingerprint`] of it.
    pub(super) print: u64,
    /// A handle of it that takes no licence.
    pub(super) number: u32,
}

/// Everything that a stock server holds for this front.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Holdings {
    pub(super) parts: Vec<Part>,
    pub(super) licences: BTreeMap<LicenceKey, Known>,
}

/// What follows after a reply.
#[derive(Clone, Debug)]
pub(super) enum DiscoveryStep {
    /// The next call is to be made.
    More,
    /// Everything is known.
    Done(Holdings),
    /// Discovery failed, for this reason.
    Failed(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Service,
    Containers,
    /// Whether the container has this CmActId.
    Container {
        at: usize,
        id: usize,
    },
    /// The list of its products, over that handle.
    Contents {
        at: usize,
        id: usize,
        handle: u32,
    },
    /// That handle is released.
    Leave {
        at: usize,
        handle: u32,
    },
    /// An access to a product.
    Open {
        line: usize,
    },
    /// The properties, over that handle; `old`: it is of an earlier round.
    Info {
        line: usize,
        old: bool,
    },
    Text {
        line: usize,
    },
    /// Handles of products that are gone are released.
    Drop {
        handles: Vec<u32>,
    },
    /// No call is due.
    Idle,
}

#[derive(Clone, Debug)]
struct Line {
    product: Product,
    container: ContainerId,
    entry: Option<Box<CmBoxEntry2>>,
    text: String,
}

/// The product for which a handle was taken, in a container by its serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    serial: u32,
    firm_code: u32,
    product_code: u32,
    item: u16,
}

/// Discovers what one server holds, again and again.
#[derive(Clone, Debug)]
pub(super) struct Discovery {
    /// The virtual containers whose parts are wanted.
    wanted: Vec<ContainerId>,
    step: Step,
    /// The handle of the service; 0 if there is none. `fresh`: it is of this round.
    service: u32,
    fresh: bool,
    places: Vec<Place>,
    lines: Vec<Line>,
    handles: BTreeMap<Key, u32>,
}

fn key(product: &Product) -> Key {
    let Product { place, firm_code, product_code, item } = *product;
    Key { serial: place.serial, firm_code, product_code, item }
}

/// Whether the server does not know the handle: it was restarted, or has cleaned up.
pub(super) fn is_unknown(status: CmError) -> bool {
    [CmError::INVALID_HANDLE, CmError::BAD_HANDLE, CmError::HANDLE_INCONSISTENCY].contains(&status)
}

/// Returns consecutive structures.
fn listed<T: Layout>(body: &[u8], most: u32) -> impl Iterator<Item = T> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    body.chunks_exact(T::SIZE).take(most).filter_map(|bytes| Some(T::parse(bytes).ok()?.1))
}

impl Discovery {
    /// Returns a discovery for parts of these virtual containers.
    pub(super) fn new(wanted: Vec<ContainerId>) -> Self {
        Self {
            wanted,
            step: Step::Idle,
            service: 0,
            fresh: false,
            places: Vec::new(),
            lines: Vec::new(),
            handles: BTreeMap::new(),
        }
    }

    /// Begins a round.
    pub(super) fn begin(&mut self) {
        self.step = if self.service == 0 { Step::Service } else { Step::Containers };
        self.fresh = false;
        self.places.clear();
        self.lines.clear();
    }

    /// Stops a round before its end.
    pub(super) fn stop(&mut self) {
        self.step = Step::Idle;
    }

    /// Forgets every handle: the server was away, and may be another one.
    pub(super) fn forget(&mut self) {
        *self = Self::new(core::mem::take(&mut self.wanted));
    }

    /// Returns whether this handle is one of discovery.
    pub(super) fn has(&self, number: u32) -> bool {
        self.service == number || self.handles.values().any(|handle| *handle == number)
    }

    /// Returns the handle of the service; 0 if there is none.
    pub(super) fn service(&self) -> u32 {
        self.service
    }

    /// Returns the next call; `None` between two rounds.
    pub(super) fn call(&self) -> Option<Request> {
        let handle = |line: &usize| self.handle(*line);
        Some(match &self.step {
            Step::Service => calls::service(),
            Step::Containers => calls::containers(self.service),
            Step::Container { at, id } => {
                calls::container(self.places[*at], self.wanted[*id].cm_act_id())
            }
            Step::Contents { at, handle, .. } => calls::contents(*handle, self.places[*at]),
            Step::Leave { handle, .. } => Request::Release { handle: *handle },
            Step::Open { line } => calls::product(&self.lines[*line].product),
            Step::Info { line, .. } => calls::entry(handle(line)),
            Step::Text { line } => calls::text(handle(line)),
            Step::Drop { handles } => Request::Release { handle: *handles.last()? },
            Step::Idle => return None,
        })
    }

    fn handle(&self, line: usize) -> u32 {
        self.handles.get(&key(&self.lines[line].product)).copied().unwrap_or(0)
    }

    /// Takes the reply to the latest call.
    pub(super) fn replied(&mut self, reply: &Reply) -> DiscoveryStep {
        let given = (reply.status == CmError::NO_ERROR).then_some(reply.result);
        match core::mem::replace(&mut self.step, Step::Idle) {
            Step::Service => match given.filter(|&handle| handle != 0) {
                Some(handle) => {
                    self.service = handle;
                    self.fresh = true;
                    self.step = Step::Containers;
                }
                None => {
                    return DiscoveryStep::Failed(format!("it gives no handle: {}", reply.status));
                }
            },
            Step::Containers if given.is_none() => {
                if !is_unknown(reply.status) || core::mem::take(&mut self.fresh) {
                    return DiscoveryStep::Failed(format!(
                        "it lists no containers: {}",
                        reply.status
                    ));
                }
                self.service = 0;
                self.begin();
            }
            Step::Containers => {
                // Unused places are zero.
                let found = listed::<CmBoxInfo>(&reply.body, STOCK_CONTAINERS);
                let found = found.take_while(|found| found.serial_number != 0);
                let place =
                    |found: CmBoxInfo| Place { mask: found.box_mask, serial: found.serial_number };
                self.places = found.map(place).collect();
                self.step = self.container(0, 0);
            }
            Step::Container { at, id } => match given.filter(|&handle| handle != 0) {
                Some(handle) => self.step = Step::Contents { at, id, handle },
                None => self.step = self.container(at, id + 1),
            },
            Step::Contents { at, id, handle } => {
                if given.is_some() {
                    self.list(at, id, &reply.body);
                } else {
                    let (serial, status) = (self.places[at].serial, reply.status);
                    tracing::warn!(
                        target: "tmr_core::front::stock::learn",
                        serial, %status, "a stock server does not list a container"
                    );
                }
                self.step = Step::Leave { at, handle };
            }
            Step::Leave { at, .. } => self.step = self.container(at + 1, 0),
            Step::Open { line } => match given.filter(|&handle| handle != 0) {
                Some(handle) => {
                    self.handles.insert(key(&self.lines[line].product), handle);
                    self.step = Step::Info { line, old: false };
                }
                None => {
                    let (product, status) = (&self.lines[line].product, reply.status);
                    tracing::warn!(
                        target: "tmr_core::front::stock::learn",
                        ?product, %status, "a stock server does not show a licence"
                    );
                    self.step = self.open(line + 1);
                }
            },
            Step::Info { line, old } => self.step = self.info(line, old, reply),
            Step::Text { line } => {
                if given.is_some() {
                    self.lines[line].text = wide(&reply.body);
                }
                self.step = self.open(line + 1);
            }
            Step::Drop { mut handles } => {
                handles.pop();
                self.step = Step::Drop { handles };
            }
            Step::Idle => {}
        }
        self.end()
    }

    /// Ends the round when the last handle is released.
    fn end(&mut self) -> DiscoveryStep {
        match &self.step {
            Step::Drop { handles } if handles.is_empty() => {
                self.step = Step::Idle;
                DiscoveryStep::Done(self.holdings())
            }
            _ => DiscoveryStep::More,
        }
    }

    /// Returns the next step: what a container may be a part of, the next container, or the
    /// products. A CmActId has to be tried; a list names its serials.
    fn container(&self, at: usize, id: usize) -> Step {
        let Some(place) = self.places.get(at) else { return self.open(0) };
        let may_be = |wanted: &ContainerId| match wanted {
            ContainerId::CmAct(_) => true,
            listed => listed.includes(place.serial, 0),
        };
        match self.wanted.iter().skip(id).position(may_be) {
            Some(further) => Step::Container { at, id: id + further },
            None => self.container(at + 1, 0),
        }
    }

    fn list(&mut self, at: usize, id: usize, body: &[u8]) {
        let (place, container) = (self.places[at], self.wanted[id]);
        let entries: Vec<CmBoxEntry> =
            listed(body, STOCK_PRODUCTS).take_while(|e: &CmBoxEntry| e.firm_code != 0).collect();
        for entry in &entries {
            let CmBoxEntry { firm_code, product_code, product_item_ref, .. } = *entry;
            let same = |e: &&CmBoxEntry| (e.firm_code, e.product_code) == (firm_code, product_code);
            let item = if entries.iter().filter(same).count() > 1 { product_item_ref } else { 0 };
            let product = Product { place, firm_code, product_code, item };
            self.lines.push(Line { product, container, entry: None, text: String::new() });
        }
    }

    /// Returns the next step: a product, with a handle that exists already, or the end.
    fn open(&self, line: usize) -> Step {
        match self.lines.get(line) {
            Some(_) if self.handle(line) != 0 => Step::Info { line, old: true },
            Some(_) => Step::Open { line },
            None => {
                let there = |key: &&Key| self.lines.iter().any(|l| self::key(&l.product) == **key);
                let gone = self.handles.keys().filter(|key| !there(key));
                Step::Drop { handles: gone.map(|key| self.handles[key]).collect() }
            }
        }
    }

    fn info(&mut self, line: usize, old: bool, reply: &Reply) -> Step {
        let entry = CmBoxEntry2::parse(&reply.body).ok().map(|(_, entry)| entry);
        match entry.filter(|_| reply.status == CmError::NO_ERROR) {
            Some(entry) => {
                let next = if super::entry::has_text(&entry) {
                    Step::Text { line }
                } else {
                    self.open(line + 1)
                };
                self.lines[line].entry = Some(Box::new(entry));
                next
            }
            None if old && is_unknown(reply.status) => {
                self.handles.remove(&key(&self.lines[line].product));
                Step::Open { line }
            }
            None => {
                let (product, status) = (&self.lines[line].product, reply.status);
                tracing::warn!(
                    target: "tmr_core::front::stock::learn",
                    ?product, %status, "a stock server does not describe a licence"
                );
                self.open(line + 1)
            }
        }
    }

    /// Returns what was found. Only TMR licences concern this front.
    fn holdings(&mut self) -> Holdings {
        let mut holdings = Holdings::default();
        let lines = core::mem::take(&mut self.lines);
        self.handles.retain(|key, _| lines.iter().any(|line| self::key(&line.product) == *key));
        for line in lines {
            let Some(entry) = line.entry.filter(|entry| tmr_id(entry) != 0) else { continue };
            let licence = product(&entry, line.text);
            let Place { mask, serial } = line.product.place;
            let at = holdings.parts.iter().position(|part| part.serial == serial);
            let at = at.unwrap_or_else(|| {
                let (cm_act_id, firm_items) = (line.container.cm_act_id(), Vec::new());
                holdings.parts.push(Part { serial, mask, cm_act_id, firm_items });
                holdings.parts.len() - 1
            });
            let items = &mut holdings.parts[at].firm_items;
            let firm_code = entry.firm_code;
            let at = items.iter().position(|item| item.firm_code == firm_code);
            let at = at.unwrap_or_else(|| {
                let text = entry.firm_item_text.to_text();
                items.push(FirmItem { firm_code, text, key_check: 0, products: Vec::new() });
                items.len() - 1
            });
            let number = self.handles.get(&key(&line.product)).copied().unwrap_or(0);
            let key = LicenceKey {
                container: line.container,
                firm_code,
                product_code: licence.product_code,
                tmr_id: licence.tmr_id,
            };
            let print = items[at].fingerprint(&licence);
            items[at].products.push(licence.clone());
            holdings.licences.insert(key, Known { product: line.product, licence, print, number });
        }
        holdings
    }
}

/// Decodes UTF-16 up to its NUL (inferred, like the reply of tmrd itself).
fn wide(body: &[u8]) -> String {
    let units = body.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]]));
    let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    String::from_utf16_lossy(&units)
}

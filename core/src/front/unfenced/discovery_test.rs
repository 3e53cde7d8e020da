//! Discovery of what a server holds, with a server whose containers and replies a test decides.

use super::discovery::{Discovery, DiscoveryStep, Holdings};
use crate::licence::Part;
use crate::log::ContainerId;
use crate::testing::{CM_ACT_ID, FIRM, LICENCE, ORDINARY, TMR};
use crate::wire::constants::{info, pio, quantity};
use crate::wire::structs::{CmAccess2, CmBoxEntry, CmBoxEntry2, CmBoxInfo, Layout};
use crate::wire::{CmError, Reply, Request};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

fn entry(product_code: u32, product_item_ref: u16) -> CmBoxEntry2 {
    CmBoxEntry2 {
        firm_code: FIRM,
        set_pios: pio::PRODUCTCODE | pio::TEXT,
        product_code,
        product_item_ref,
        license_quantity: 5,
        license_quantity_flags: quantity::TRIPLEMODEREDUNDANCY,
        license_tag: 1,
        ..CmBoxEntry2::default()
    }
}

/// What a handle was given for.
enum Given {
    Service,
    Container(usize),
    Product(Box<CmBoxEntry2>),
}

/// Calls that a server refuses, and with which error.
type Refusal = (fn(&Request) -> bool, CmError);

/// The serial of a container that is a dongle.
const DONGLE: u32 = 8;

#[derive(Default)]
struct Server {
    /// Serial and products of each container.
    boxes: Vec<(u32, Vec<CmBoxEntry2>)>,
    handles: BTreeMap<u32, Given>,
    number: u32,
    /// The calls that it refuses.
    refuses: Option<Refusal>,
}

impl Server {
    fn new(boxes: Vec<(u32, Vec<CmBoxEntry2>)>) -> Self {
        Self { boxes, ..Self::default() }
    }

    fn give(&self, asked: &CmAccess2) -> Option<Given> {
        if asked.serial_number == 0 {
            return Some(Given::Service);
        }
        let at = self.boxes.iter().position(|(serial, _)| *serial == asked.serial_number)?;
        if asked.firm_code == 0 {
            let known = asked.cm_act_id == CM_ACT_ID.to_le_bytes() || asked.cm_act_id == [0; 4];
            return known.then_some(Given::Container(at));
        }
        let item = asked.product_item_reference;
        let meant = |e: &&CmBoxEntry2| {
            e.product_code == asked.product_code
                && (item == 0 || item == u32::from(e.product_item_ref))
        };
        self.boxes[at].1.iter().find(meant).map(|e| Given::Product(Box::new(e.clone())))
    }

    fn body(&mut self, call: &Request) -> Option<Vec<u8>> {
        let given = self.handles.get(&call.handle()?)?;
        match (call, given) {
            (Request::Release { handle }, _) => {
                self.handles.remove(handle);
                Some(vec![])
            }
            (Request::GetBoxes { .. }, Given::Service) => {
                let each = |(serial, _): &(u32, _)| CmBoxInfo {
                    box_mask: if *serial == DONGLE { 3 } else { 130 },
                    serial_number: *serial,
                    ..CmBoxInfo::default()
                };
                Some(self.boxes.iter().flat_map(|it| each(it).to_bytes()).collect())
            }
            (Request::GetBoxContents { .. }, Given::Container(at)) => {
                let line = |e: &CmBoxEntry2| CmBoxEntry {
                    firm_code: e.firm_code,
                    product_code: e.product_code,
                    product_item_ref: e.product_item_ref,
                    ..CmBoxEntry::default()
                };
                Some(self.boxes[*at].1.iter().flat_map(|e| line(e).to_bytes()).collect())
            }
            (Request::GetInfo { ctrl: info::PITEXT, .. }, Given::Product(_)) => {
                Some(crate::wire::inferred::text("a product"))
            }
            (Request::GetInfo { .. }, Given::Product(entry)) => Some(entry.to_bytes()),
            _ => None,
        }
    }

    fn reply(&mut self, call: &Request) -> Reply {
        if let Some((_, error)) = self.refuses.filter(|(which, _)| which(call)) {
            return Reply::error(error);
        }
        let Request::Access2 { access, .. } = call else {
            let body = self.body(call);
            return match body {
                Some(body) => Reply { status: CmError::NO_ERROR, result: 0, body },
                None => Reply::error(CmError::INVALID_HANDLE),
            };
        };
        let Some(given) = self.give(access) else { return Reply::error(CmError::ENTRY_NOT_FOUND) };
        self.number += 1;
        self.handles.insert(self.number, given);
        Reply { status: CmError::NO_ERROR, result: self.number, body: vec![] }
    }

    /// Runs one round. Returns its result, and the calls.
    fn round(&mut self, discovery: &mut Discovery) -> (Result<Holdings, String>, Vec<Request>) {
        let mut asked = Vec::new();
        discovery.begin();
        for _ in 0..100 {
            let call = discovery.call().expect("the round is not over");
            let reply = self.reply(&call);
            asked.push(call);
            match discovery.replied(&reply) {
                DiscoveryStep::More => {}
                DiscoveryStep::Done(holdings) => {
                    assert!(discovery.call().is_none());
                    return (Ok(holdings), asked);
                }
                DiscoveryStep::Failed(reason) => return (Err(reason), asked),
            }
        }
        panic!("the same is asked for ever: {:?}", asked.last());
    }

    fn holdings(&mut self, discovery: &mut Discovery) -> Holdings {
        self.round(discovery).0.expect("it is found out")
    }

    fn looks(&self) -> usize {
        self.handles.values().filter(|given| matches!(given, Given::Product(_))).count()
    }
}

fn discovery() -> Discovery {
    Discovery::new(vec![ContainerId::CmAct(CM_ACT_ID)])
}

fn accesses(asked: &[Request]) -> Vec<&CmAccess2> {
    asked
        .iter()
        .filter_map(|call| match call {
            Request::Access2 { access, .. } => Some(&**access),
            _ => None,
        })
        .collect()
}

fn is_release(call: &Request) -> bool {
    matches!(call, Request::Release { .. })
}

fn is_list(call: &Request) -> bool {
    matches!(call, Request::GetBoxes { .. })
}

fn is_entry(call: &Request) -> bool {
    matches!(call, Request::GetInfo { ctrl: info::ENTRYINFO2, .. })
}

#[test]
fn two_products_of_one_code_are_told_apart_by_their_place_and_others_are_not() {
    let twice = CmBoxEntry2 { license_tag: 2, ..entry(TMR, 8) };
    let mut server = Server::new(vec![(7, vec![entry(TMR, 3), twice, entry(ORDINARY, 9)])]);
    let mut discovery = discovery();
    let (holdings, asked) = server.round(&mut discovery);
    let items: Vec<(u32, u32)> = accesses(&asked)
        .iter()
        .filter(|access| access.firm_code != 0)
        .map(|access| (access.product_code, access.product_item_reference))
        .collect();
    assert_eq!(items, [(TMR, 3), (TMR, 8), (ORDINARY, 0)]);
    let mut ids: Vec<u32> = holdings.unwrap().licences.keys().map(|key| key.tmr_id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 1, 2]);
}

#[test]
fn handles_of_products_are_kept_while_those_are_there_and_given_back_when_they_are_gone() {
    let mut server = Server::new(vec![(7, vec![entry(TMR, 3), entry(ORDINARY, 4)])]);
    let mut discovery = discovery();
    let first = server.holdings(&mut discovery);
    let (second, asked) = server.round(&mut discovery);
    assert_eq!(second.unwrap(), first);
    let again = accesses(&asked);
    assert!(again.iter().all(|access| access.firm_code == 0), "no product is taken twice");
    assert_eq!(asked.iter().filter(|call| is_release(call)).count(), 1, "the container's");
    assert_eq!(server.looks(), 2);
    let gone = first.licences.values().find(|known| known.product.product_code == ORDINARY);
    let gone = gone.unwrap().number;
    server.boxes[0].1.pop();
    let left = server.holdings(&mut discovery);
    assert_eq!(left.licences.keys().collect::<Vec<_>>(), [&LICENCE]);
    assert!(!server.handles.contains_key(&gone));
    assert_eq!(server.looks(), 1);
    assert!(discovery.has(left.licences[&LICENCE].number) && !discovery.has(gone));
}

#[test]
fn each_container_is_a_part_with_its_own_products() {
    let mut server =
        Server::new(vec![(7, vec![entry(TMR, 3)]), (8, vec![entry(ORDINARY, 3), entry(TMR, 4)])]);
    let list = ContainerId::of_serials([8, 21, 22]);
    let mut discovery = Discovery::new(vec![list, ContainerId::CmAct(CM_ACT_ID)]);
    let holdings = server.holdings(&mut discovery);
    let found: Vec<(u32, u32, usize)> = holdings
        .parts
        .iter()
        .map(|part| (part.serial, part.cm_act_id, part.firm_items[0].products.len()))
        .collect();
    assert_eq!(found, [(7, CM_ACT_ID, 1), (8, 0, 2)]);
    let names: Vec<_> = holdings.parts.iter().map(Part::name).collect();
    assert_eq!(names, ["130-7", "3-8"], "a dongle is named as its own server names it");
    // A container that is not wanted is skipped.
    let mut discovery = Discovery::new(vec![list]);
    let holdings = server.holdings(&mut discovery);
    assert_eq!(holdings.parts.iter().map(|part| part.serial).collect::<Vec<_>>(), [8]);
}

#[test]
fn a_text_is_asked_for_where_there_is_one() {
    let inherited = CmBoxEntry2 { set_effective_pios: pio::TEXT, ..entry(TMR, 3) };
    let none = CmBoxEntry2 { set_pios: pio::PRODUCTCODE, ..entry(ORDINARY, 4) };
    let mut server = Server::new(vec![(7, vec![none, inherited])]);
    let (holdings, asked) = server.round(&mut discovery());
    let texts = asked.iter().filter(|c| matches!(c, Request::GetInfo { ctrl: info::PITEXT, .. }));
    assert_eq!(texts.count(), 1);
    let holdings = holdings.unwrap();
    let text = |known: &super::discovery::Known| known.licence.text.clone();
    let texts: Vec<String> = holdings.licences.values().map(text).collect();
    assert_eq!(texts, ["a product", ""]);
}

#[test]
fn what_a_server_does_not_show_is_passed_over_and_the_rest_is_found() {
    let all = || vec![(7, vec![entry(ORDINARY, 3), entry(TMR, 4)])];
    let mut server = Server::new(all());
    server.refuses = Some((
        |call| matches!(call, Request::Access2 { access, .. } if access.product_code == ORDINARY),
        CmError::ACCESS_DENIED,
    ));
    let holdings = server.holdings(&mut discovery());
    assert_eq!(holdings.licences.keys().collect::<Vec<_>>(), [&LICENCE]);
    // It gives handles, and then does not know one of them, or all of them.
    let mut server = Server::new(all());
    server.refuses = Some((is_entry, CmError::INVALID_HANDLE));
    assert_eq!(server.holdings(&mut discovery()), Holdings::default());
    assert_eq!(server.looks(), 2, "nothing is asked for anew in the same round");
    // Later it cannot report their properties: the handles stay.
    let mut server = Server::new(all());
    let mut discovery = discovery();
    server.holdings(&mut discovery);
    server.refuses = Some((is_entry, CmError::NO_MORE_MEMORY));
    assert_eq!(server.holdings(&mut discovery), Holdings::default());
    assert_eq!(server.looks(), 2);
}

#[test]
fn a_server_that_lists_nothing_has_failed_unless_it_has_only_lost_an_old_handle() {
    let mut server = Server::new(vec![(7, vec![entry(TMR, 3)])]);
    let mut discovery = discovery();
    server.refuses = Some((is_list, CmError::INVALID_HANDLE));
    assert!(server.round(&mut discovery).0.is_err(), "the handle is of this round");
    discovery.forget();
    server.refuses = None;
    server.holdings(&mut discovery);
    server.refuses = Some((is_list, CmError::NO_MORE_MEMORY));
    assert!(server.round(&mut discovery).0.is_err());
    server.refuses = None;
    server.handles.clear();
    assert_eq!(server.holdings(&mut discovery).parts.len(), 1);
}

#[test]
fn a_round_that_is_stopped_asks_nothing_more_and_one_that_is_away_has_no_handles() {
    let mut server = Server::new(vec![(7, vec![entry(TMR, 3)])]);
    let mut discovery = discovery();
    let number = server.holdings(&mut discovery).licences[&LICENCE].number;
    let service = discovery.service();
    discovery.begin();
    assert!(discovery.call().is_some());
    discovery.stop();
    assert!(discovery.call().is_none());
    discovery.forget();
    assert!(!discovery.has(number) && !discovery.has(service));
    discovery.begin();
    let first = discovery.call().unwrap();
    assert!(matches!(first, Request::Access2 { .. }), "{first:?}");
}

//! Every call and selector that a service answers, on a virtual container with three licences.

use super::{CallAction, CallContext, Catalogue, ContainerInfo, LicenceService, Offer};
use crate::base::time::{Duration, Now, Wall};
use crate::io::Intent;
use crate::licence::{Period, Product};
use crate::link::LinkId;
use crate::log::{ContainerId, Entry, Handle, LicenceKey, Mode, State};
use crate::testing::{CM_ACT_ID, FIRM, TMR, access, at, identity, peer, product};
use crate::wire::constants::{access as ways, boxes, credential, crypt, info, pio, validate};
use crate::wire::structs::{
    CmAccess2, CmBoxEntry, CmBoxEntry2, CmBoxInfo, CmCredential, CmCryptSim, CmEntryData,
    CmInternalEntryInfo, CmNetInfoCluster, CmNetInfoUser, CmNetInfoUserExt, CmPiEntryBase,
    CmSecureData, CmSystemStatus, CmTime, Layout, seconds_since_2000,
};
use crate::wire::{CmError, Reply, Request};
use core::net::SocketAddr;
use std::boxed::Box;
use std::vec;
use std::vec::Vec;

pub(super) const SERIAL: u32 = 59_885_682;
/// A licence with nothing but a quantity.
pub(super) const PLAIN: u32 = 203;
/// A licence whose parts do not match.
const SPLIT: u32 = 204;
const LINK: LinkId = LinkId(1);
const CLIENT: &str = "198.51.100.7";

pub(super) struct Table {
    pub(super) service: LicenceService,
    pub(super) state: State,
    pub(super) catalogue: Catalogue,
    pub(super) now: Now,
}

fn rich() -> Product {
    Product {
        text: "Editor é".into(),
        feature_map: Some(0b110),
        expiration_time: Some(Wall(1_900_000_000)),
        activation_time: Some(Wall(1_700_000_000)),
        maintenance_period: Some(Period { start: Wall(1_710_000_000), end: Wall(1_720_000_000) }),
        usage_period: Some(200_000_000),
        unit_counter: Some(77),
        linger_time: Some(30),
        minimum_runtime_version: Some(0x0650_0000),
        denied_modes: vec![Mode::StationShare],
        ..product(TMR, 9)
    }
}

pub(super) fn table() -> Table {
    let mut service = LicenceService::new(
        identity(),
        Duration::from_secs(600),
        crate::service::HandleKey::default(),
    );
    service.start(at(0));
    service.accepted(at(0), LINK, peer(1));
    service.take_numbers(11, 1..=1000);
    let id = ContainerId::CmAct(CM_ACT_ID);
    let shown = ContainerInfo { id, mask: 131, serial: SERIAL, cm_act_id: CM_ACT_ID };
    let mut catalogue = Catalogue { containers: vec![shown], ..Catalogue::default() };
    let plain = Product { text: "".into(), ..product(PLAIN, 1) };
    let split = product(SPLIT, 1);
    for (product, bar) in
        [(rich(), None), (plain, None), (split, Some(CmError::NO_LICENSE_AVAILABLE))]
    {
        let (product_code, tmr_id) = (product.product_code, product.tmr_id);
        let key = LicenceKey { container: id, firm_code: FIRM, product_code, tmr_id };
        let (firm_text, charged) = ("Firma ü".into(), Vec::new());
        let offer = Offer { key, fingerprint: 1, firm_text, product, bar, charged };
        catalogue.offers.insert(key, offer);
    }
    Table { service, state: State::default(), catalogue, now: at(100) }
}

impl Table {
    /// Returns the action of a call, and the reply if it was answered at once.
    pub(super) fn call(&mut self, request: &Request) -> (CallAction, Option<Reply>) {
        let mut out = Vec::new();
        self.service.named(self.now.mono, LINK, request, &self.state);
        let context = CallContext { now: self.now, state: &self.state, catalogue: &self.catalogue };
        let made = self.service.call(LINK, request, &context, &mut out);
        if let CallAction::Commit(Entry::Grant(grant)) = &made {
            self.state.apply(&Entry::Grant(grant.clone()));
            self.service.granted(self.now.mono, LINK, grant, &mut out);
        }
        let reply = match &out[..] {
            [] => None,
            [Intent::Send { link: LINK, frame }] => Some(Reply::parse(frame).unwrap()),
            more => panic!("{more:?}"),
        };
        (made, reply)
    }

    fn ask(&mut self, request: &Request) -> Reply {
        self.call(request).1.expect("an answer at once")
    }

    /// Returns the status of a call, 0 if it goes to the keys of a licence or to the log.
    pub(super) fn outcome(&mut self, request: &Request) -> u32 {
        match self.call(request) {
            (CallAction::Perform(_) | CallAction::Commit(_) | CallAction::Spend(..), None) => 0,
            (_, Some(reply)) => reply.status.code(),
            other => panic!("{other:?}"),
        }
    }

    /// Returns the status and the result of a call that the service answers.
    fn said(&mut self, request: &Request) -> (u32, u32) {
        let reply = self.ask(request);
        (reply.status.code(), reply.result)
    }

    fn status(&mut self, request: &Request) -> u32 {
        self.said(request).0
    }

    fn handle(&mut self, bytes: &[u8]) -> u32 {
        let (status, handle) = self.said(&Request::parse(bytes).unwrap());
        assert_eq!(status, 0);
        handle
    }

    /// Returns the status of an access by a link from this address.
    pub(super) fn access_from(&mut self, from: SocketAddr, request: &Request) -> u32 {
        self.service.dismiss(LINK);
        self.service.accepted(self.now, LINK, from);
        self.status(request)
    }

    /// Takes a seat for a client of the newest runtime.
    pub(super) fn seat(&mut self, code: u32, mode: Mode) -> u32 {
        let request = Request::parse(&access(code, mode, 60)).unwrap();
        let Request::Access2 { ctrl, mut access, tail } = request else { panic!("made so") };
        access.used_runtime_version = 0x0700_0000;
        self.handle(&Request::Access2 { ctrl, access, tail }.encode())
    }

    /// Takes a handle by an access with these flags and no codes.
    pub(super) fn other(&mut self, ctrl: u32, firm_code: u32) -> u32 {
        let wanted = CmAccess2 { ctrl, firm_code, ..CmAccess2::default() };
        let request = Request::Access2 { ctrl: 0, access: Box::new(wanted), tail: vec![] };
        self.handle(&request.encode())
    }

    /// Returns a selector's answer, of one or more structures, and checks the buffer rule.
    #[track_caller]
    pub(super) fn info<T: Layout>(&mut self, handle: u32, ctrl: u32) -> Vec<T> {
        let bytes = self.bytes(handle, ctrl);
        assert_eq!(bytes.len() % T::SIZE, 0, "selector {ctrl:#x}");
        bytes.chunks(T::SIZE).map(|chunk| T::parse(chunk).unwrap().1).collect()
    }

    #[track_caller]
    pub(super) fn one<T: Layout>(&mut self, handle: u32, ctrl: u32) -> T {
        let mut all = self.info(handle, ctrl);
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    #[track_caller]
    fn bytes(&mut self, handle: u32, ctrl: u32) -> Vec<u8> {
        let (status, needed) = self.said(&Request::GetInfo { handle, ctrl, size: 0 });
        assert_eq!(status, 0, "selector {ctrl:#x}");
        let short = Request::GetInfo { handle, ctrl, size: needed - 1 };
        let short = self.ask(&short);
        assert_eq!(short.status, CmError::BUFFER_OVERFLOW, "selector {ctrl:#x}");
        assert_eq!(short.body, vec![0; needed as usize - 1], "never a cut structure");
        let reply = self.ask(&Request::GetInfo { handle, ctrl, size: needed + 3 });
        assert_eq!((reply.status.code(), reply.result), (0, needed), "selector {ctrl:#x}");
        assert_eq!(reply.body[needed as usize..], [0; 3]);
        reply.body[..needed as usize].to_vec()
    }

    #[track_caller]
    fn refused(&mut self, handle: u32, ctrl: u32) -> u32 {
        self.status(&Request::GetInfo { handle, ctrl, size: 32 })
    }
}

#[test]
fn entries_show_every_property() {
    let mut table = table();
    let handle = table.seat(TMR, Mode::UserLimit);
    let entry: CmBoxEntry2 = table.one(handle, info::ENTRYINFO2);
    assert_eq!((entry.fi_ctrl, entry.firm_code), (4, FIRM));
    assert_eq!(entry.firm_item_text.to_text(), "Firma ü");
    let all = pio::PRODUCTCODE
        | pio::FEATUREMAP
        | pio::EXPTIME
        | pio::ACTTIME
        | pio::UNITCOUNTER
        | pio::TEXT
        | pio::USAGEPERIOD
        | pio::LICENSEQUANTITY
        | pio::MAINTENANCEPERIOD
        | pio::LINGERTIME
        | pio::MINIMUMVERSION;
    assert_eq!((entry.set_pios, entry.set_native_pios, entry.set_effective_pios), (all, all, all));
    assert_eq!((entry.product_code, entry.feature_map, entry.unit_counter), (TMR, 6, 77));
    assert_eq!(entry.expiration_time, CmTime::from_wall(Wall(1_900_000_000)));
    assert_eq!(entry.activation_time, CmTime::from_wall(Wall(1_700_000_000)));
    assert_eq!(entry.maintenance_period_start, CmTime::from_wall(Wall(1_710_000_000)));
    assert_eq!(entry.maintenance_period_end, CmTime::from_wall(Wall(1_720_000_000)));
    assert_eq!((entry.usage_period_life_time, entry.linger_time), (200_000_000, 30));
    assert_eq!(entry.usage_period_start_time, CmTime::from_wall(at(100).wall));
    assert_eq!((entry.license_quantity, entry.minimum_runtime_version), (5, 0x0650_0000));
    assert_eq!((entry.license_quantity_flags, entry.license_tag), (0x208, 9));
    assert_eq!(entry.product_item_ref, 1);

    let old: CmBoxEntry = table.one(handle, info::ENTRYINFO);
    assert_eq!((old.set_pios, old.product_code, old.unit_counter), (all & 0xffff, TMR, 77));
    assert_eq!(old.firm_item_text.to_text(), "Firma ü");
    assert_eq!(old.expiration_time, entry.expiration_time);
    let place: CmInternalEntryInfo = table.one(handle, info::INTERNALENTRYINFO);
    assert_eq!((place.firm_item_reference, place.product_item_reference), (1, 1));
    let data: CmEntryData = table.one(handle, info::ENTRYDATA);
    assert_eq!((data.ctrl, data.data_size), (pio::TEXT, 18));
    let text = table.bytes(handle, info::PITEXT);
    assert_eq!(data.data[..18], text);
    assert_eq!(text[14..], [0xe9, 0, 0, 0]);

    // A licence without options, and the firm item.
    let plain = table.seat(PLAIN, Mode::UserLimit);
    let entry: CmBoxEntry2 = table.one(plain, info::ENTRYINFO2);
    assert_eq!(entry.set_pios, pio::PRODUCTCODE | pio::LICENSEQUANTITY);
    assert_eq!((entry.license_quantity_flags, entry.product_item_ref), (0x200, 2));
    assert_eq!(entry.expiration_time, CmTime::default());
    assert_eq!(table.refused(plain, info::ENTRYDATA), 209);
    assert_eq!(table.refused(plain, info::PITEXT), 205);
    assert_eq!(table.refused(plain, info::NAMEDUSER), 205);
    let firm = table.other(ways::FIRMITEM, FIRM);
    let entry: CmBoxEntry2 = table.one(firm, info::ENTRYINFO2);
    assert_eq!((entry.firm_code, entry.product_code, entry.set_pios), (FIRM, 0, 0));
    let old: CmBoxEntry = table.one(firm, info::ENTRYINFO);
    assert_eq!((old.firm_code, old.product_code), (FIRM, 0));
    let place: CmInternalEntryInfo = table.one(firm, info::INTERNALENTRYINFO);
    assert_eq!((place.firm_item_reference, place.product_item_reference), (1, 0));
    assert_eq!(table.refused(firm, info::ENTRYDATA), 209);
    assert_eq!(table.refused(firm, info::PITEXT), 205);
}

#[test]
fn lists_leave_out_what_cannot_be_had() {
    let mut table = table();
    let seat = table.seat(TMR, Mode::UserLimit);
    let container = table.other(0, 0);
    for handle in [seat, container] {
        let listed: Vec<CmPiEntryBase> = table.info(handle, info::LISTALLPI);
        let codes: Vec<u32> = listed.iter().map(|item| item.product_code).collect();
        assert_eq!(codes, [TMR, PLAIN]);
        assert_eq!(listed[0].license_quantity_flags, 0x208);
        assert_eq!(listed[0].expiration_time, 1_900_000_000 - 946_684_800);
        assert_eq!((listed[0].unit_counter, listed[1].product_item_ref), (77, 2));
    }

    let ask = |ctrl, firm_code, box_info: CmBoxInfo, number| Request::GetBoxContents {
        handle: container,
        ctrl,
        firm_code,
        box_info,
        number,
    };
    let any = CmBoxInfo::default;
    assert_eq!(table.said(&ask(boxes::ALLENTRIES, 0, any(), 0)), (0, 2));
    assert_eq!(table.said(&ask(boxes::ALLENTRIES, FIRM, any(), 1)), (112, 0));
    let reply = table.ask(&ask(boxes::ALLENTRIES, FIRM, any(), 3));
    assert_eq!((reply.status.code(), reply.result, reply.body.len()), (0, 2, 3 * 588));
    let second = CmBoxEntry::parse(&reply.body[588..]).unwrap().1;
    assert_eq!((second.product_code, second.product_item_ref), (PLAIN, 2));
    assert_eq!(table.said(&ask(boxes::ALLENTRIES, FIRM + 1, any(), 3)), (0, 0));
    let reply = table.ask(&ask(boxes::FI, 0, any(), 1));
    let firm = CmBoxEntry::parse(&reply.body).unwrap().1;
    assert_eq!((reply.result, firm.firm_code, firm.product_code), (1, FIRM, 0));
    let own = CmBoxInfo { box_mask: 131, serial_number: SERIAL, ..any() };
    assert_eq!(table.said(&ask(boxes::BOX, 0, own, 0)), (0, 2));
    let other = CmBoxInfo { box_mask: 130, ..any() };
    assert_eq!(table.said(&ask(boxes::BOX, 0, other.clone(), 0)), (201, 0));
    assert_eq!(table.said(&ask(boxes::ALLENTRIES, 0, other, 0)), (0, 2), "asked of all");
}

#[test]
fn boxes_are_the_virtual_ones() {
    let mut table = table();
    let service = table.other(ways::SUBSYSTEM, 0);
    let ask = |port, number| Request::GetBoxes { handle: service, port, number };
    for (port, found) in
        [(boxes::ALLPORTS, 1), (boxes::ACT, 1), (boxes::DONGLE, 0), (boxes::SIM, 0)]
    {
        assert_eq!(table.said(&ask(port, 0)), (0, found), "port {port}");
    }
    let reply = table.ask(&ask(boxes::ALLPORTS, 4));
    assert_eq!((reply.result, reply.body.len()), (1, 4 * 144));
    let first = CmBoxInfo::parse(&reply.body).unwrap().1;
    let expected = CmBoxInfo { box_mask: 131, serial_number: SERIAL, ..CmBoxInfo::default() };
    assert_eq!(first, expected);
    assert_eq!(table.said(&ask(0, u32::MAX)), (105, 0));
    let nobody = Request::GetBoxes { handle: service ^ 1 << 20, port: 0, number: 1 };
    assert_eq!(table.status(&nobody), 106);
    assert_eq!(table.status(&Request::GetLicenseInfo { handle: service, number: 1 }), 122);
}

#[test]
fn containers_and_service_describe_themselves() {
    let mut table = table();
    let seat = table.seat(TMR, Mode::UserLimit);
    let service = table.other(ways::SUBSYSTEM, 0);
    for handle in [seat, service] {
        assert_eq!(table.bytes(handle, info::VERSION), table.bytes(handle, info::CMACTVERSION));
        let security = table.bytes(handle, info::SECURITYVERSION);
        assert_eq!((security.len(), &security[..4]), (32, &[6, 0, 80, 0][..]));
        let status: CmSystemStatus = table.one(handle, info::SYSTEMSTATUS);
        assert_eq!(status.server_start_time, seconds_since_2000(at(0).wall));
        assert_eq!(status.status_flags & 1, 1, "runs as a service");
    }
    for (selector, size) in
        [(info::BOXCONTROL, 8), (info::BOXSECURITY, 16), (info::MEMINFO, 16), (info::MEMINFO2, 40)]
    {
        assert_eq!(table.bytes(seat, selector), vec![0; size], "selector {selector:#x}");
        assert_eq!(table.refused(service, selector), 115, "selector {selector:#x}");
    }
    let status: u32 = table.one(seat, info::BOXSTATUS);
    assert_eq!(status & 0x000f_0008, 8, "a CmAct container that is enabled");
    for selector in [info::BOXSTATUS, info::BOXINFO, info::BOXTIME, info::ENTRYINFO2] {
        assert_eq!(table.refused(service, selector), 115, "selector {selector:#x}");
    }
    let container = table.other(0, 0);
    for selector in [info::ENTRYINFO, info::INTERNALENTRYINFO, info::ENTRYDATA, info::PITEXT] {
        assert_eq!(table.refused(container, selector), 115, "selector {selector:#x}");
    }
}

#[test]
fn what_one_container_alone_could_say_is_refused() {
    let mut table = table();
    let seat = table.seat(TMR, Mode::UserLimit);
    for (error, selectors) in [
        (134, &[0x08, 0x09, 0x18, 0x19, 0x30, 0x31, 0x32, 0x35, 0x38, 0x39, 0x42][..]),
        (66, &[0x0f, 0x11]),
        (204, &[0x0c, 0x0d, 0x0e, 0x34]),
        (306, &[0x21, 0x50, 0xff]),
    ] {
        for &selector in selectors {
            assert_eq!(table.refused(seat, selector), error, "selector {selector:#x}");
        }
    }
}

#[test]
fn users_are_told_without_their_handles() {
    let mut table = table();
    let one = table.seat(PLAIN, Mode::UserLimit);
    table.now = at(101);
    let two = table.seat(PLAIN, Mode::StationShare);
    table.now = at(102);
    let free = table.seat(PLAIN, Mode::NoUserLimit);
    let service = table.other(ways::SUBSYSTEM, 0);
    let firm = table.other(ways::FIRMITEM, FIRM);
    table.now = at(150);

    let clusters: Vec<CmNetInfoCluster> = table.info(one, info::NETINFO_CLUSTER);
    let cluster = clusters.iter().find(|row| row.product_code == PLAIN).unwrap();
    assert_eq!((cluster.mask, cluster.serial, cluster.product_item_ref), (131, SERIAL, 2));
    assert_eq!((cluster.user_limit_licenses, cluster.station_share_licenses), (1, 1));
    assert_eq!((cluster.no_user_limit_licenses, cluster.exclusive_licenses), (1, 0));
    assert_eq!((cluster.used_licenses, cluster.free_licenses), (2, 3));
    assert_eq!((cluster.total_licenses, cluster.license_quantity), (5, 5));

    // No client gets a seat of a licence whose parts do not match, or which has expired.
    let free_of = |rows: &[CmNetInfoCluster], code| {
        rows.iter().find(|row| row.product_code == code).map(|row| row.free_licenses)
    };
    assert_eq!((free_of(&clusters, SPLIT), free_of(&clusters, TMR)), (Some(0), Some(5)));
    let now = table.now;
    table.now.wall = Wall(1_900_000_000);
    let clusters: Vec<CmNetInfoCluster> = table.info(service, info::NETINFO_CLUSTER);
    assert_eq!((free_of(&clusters, TMR), free_of(&clusters, PLAIN)), (Some(0), Some(3)));
    table.now = now;

    for handle in [one, service] {
        let users: Vec<CmNetInfoUser> = table.info(handle, info::NETINFO_USER);
        let modes: Vec<u32> = users.iter().map(|user| user.access_mode).collect();
        assert_eq!(modes, [0, 0x300, 0x100]);
        for (user, second) in users.iter().zip(100..) {
            assert_eq!((user.mask, user.serial, user.product_code), (131, SERIAL, PLAIN));
            assert_eq!(user.client_ip.to_text(), CLIENT);
            assert_eq!(user.creation_time, seconds_since_2000(at(second).wall));
            assert!(![one, two, free].contains(&user.id), "the handle is its holder's secret");
        }
        let ext: Vec<CmNetInfoUserExt> = table.info(handle, info::NETINFO_USER_EXT);
        let ids = |row: &CmNetInfoUserExt| row.id;
        let same: Vec<u32> = users.iter().map(|user| user.id).collect();
        assert_eq!(ext.iter().map(ids).collect::<Vec<_>>(), same);
        let taken: Vec<u32> = ext.iter().map(|user| user.used_license_quantity).collect();
        assert_eq!(taken, [1, 1, 0]);
        assert_eq!(ext[0].credential.cleanup_time, 60);
        assert_eq!(ext[0].client_address.to_text(), CLIENT);
    }
    // The first was used just now, the third at its access.
    let ext: Vec<CmNetInfoUserExt> = table.info(one, info::NETINFO_USER_EXT);
    assert_eq!(ext[0].last_access_time, seconds_since_2000(at(150).wall));
    assert_eq!(ext[2].last_access_time, seconds_since_2000(at(102).wall));

    for (handle, kind, since) in [
        (one, credential::HANDLE_ENTRY, 100),
        (free, credential::HANDLE_ENTRY, 102),
        (firm, credential::HANDLE_FI, 102),
        (service, credential::HANDLE_SUBSYSTEM, 102),
    ] {
        let own: CmCredential = table.one(handle, info::CREDENTIAL);
        assert_eq!(own.access_ctrl, kind | credential::LOCATION_LAN);
        assert_eq!(own.creation_time, seconds_since_2000(at(since).wall));
    }
    table.state.apply(&Entry::Release(Handle(two)));
    assert_eq!(table.info::<CmNetInfoUser>(one, info::NETINFO_USER).len(), 2);
}

#[test]
fn simulations_need_no_licence() {
    let mut table = table();
    let service = table.other(ways::SUBSYSTEM, 0);
    let crypt =
        CmCryptSim { ext_firm_key_size: 32, ext_firm_key: [4; 32], ..CmCryptSim::default() };
    let ask = |handle| Request::CryptSim {
        handle,
        ctrl: crypt::AES_ENC_ECB,
        crypt: crypt.clone(),
        data: vec![0; 16].into(),
    };
    let reply = table.ask(&ask(service));
    assert_eq!((reply.status.code(), reply.body.len()), (0, 16));
    assert_ne!(reply.body, [0; 16]);
    assert_eq!(table.status(&ask(service ^ 1 << 20)), 106);
}

#[test]
fn proofs_and_secrets_of_others_are_refused() {
    let mut table = table();
    let (seat, service) = (table.seat(TMR, Mode::UserLimit), table.other(ways::SUBSYSTEM, 0));
    let check = |handle, ctrl, size: usize, serial_number| Request::ValidateEntry {
        handle,
        ctrl,
        box_info: CmBoxInfo { serial_number, ..CmBoxInfo::default() },
        proof: vec![0; size].into(),
    };
    for (ctrl, size, error) in [
        (validate::SIGNEDLIST, 528, 210),
        (validate::SIGNEDTIME, 48, 211),
        (validate::SIGNEDTIME, 64, 211),
        (validate::SIGNEDLIST, 48, 105),
        (validate::DELETE_FI, 32, 134),
        (3, 528, 105),
    ] {
        assert_eq!(table.status(&check(seat, ctrl, size, 0)), error, "{ctrl}, {size} bytes");
    }
    assert_eq!(table.status(&check(seat, validate::SIGNEDLIST, 528, SERIAL)), 210);
    assert_eq!(table.status(&check(seat, validate::SIGNEDLIST, 528, 1)), 201);
    assert_eq!(table.status(&check(service, validate::SIGNEDLIST, 528, 0)), 115);
    for (handle, kind, error) in
        [(seat, pio::HIDDENDATA, 205), (seat, pio::TEXT, 24), (service, pio::HIDDENDATA, 115)]
    {
        let pio_type = u16::try_from(kind).unwrap();
        let secure = CmSecureData { pio_type, ..CmSecureData::default() };
        let reply = table.ask(&Request::GetSecureData { handle, secure, tail: vec![] });
        assert_eq!((reply.status.code(), reply.body), (error, vec![0; CmEntryData::SIZE]));
    }
}

#[test]
fn a_call_that_cannot_be_served_yet_keeps_its_handle() {
    let mut table = table();
    let handle = table.seat(PLAIN, Mode::UserLimit);
    let (granted, minute, other) = (table.now.mono, Duration::from_secs(60), LinkId(4));
    table.service.accepted(table.now, other, peer(2));
    let spoke = granted + (minute - Duration::from_micros(1));
    table.service.named(spoke, other, &Request::GetVersion { handle }, &table.state);
    assert_eq!(table.service.ended(granted + minute, &table.state), []);
    assert_eq!(table.service.ended(spoke + minute, &table.state).len(), 1);
}

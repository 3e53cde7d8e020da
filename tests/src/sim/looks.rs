//! Calls of clients whose answers could reveal the backends: everything about servers, containers,
//! entries and users.

use super::licences::FIRM;
use tmr_core::wire::Request;
use tmr_core::wire::constants::{auth, boxes, info, servers};
use tmr_core::wire::structs::{CmAuthenticate, CmBoxInfo};

/// The size of the output buffer, in bytes.
const SIZE: u32 = 2_048;
const INFOS: [u32; 14] = [
    info::BOXINFO,
    info::BOXTIME,
    info::BOXSTATUS,
    info::SYSTEM,
    info::SYSTEMSTATUS,
    info::COMMUNICATION,
    info::CREDENTIAL,
    info::NETINFO_CLUSTER,
    info::NETINFO_USER,
    info::NETINFO_USER_EXT,
    info::ENTRYINFO,
    info::ENTRYINFO2,
    info::INTERNALENTRYINFO,
    info::LISTALLPI,
];

/// Returns one of these requests.
pub(super) fn look(handle: u32, which: u64) -> Request {
    let container = CmBoxInfo::default;
    match which % 24 {
        0 => Request::GetServers { ctrl: servers::LIST | servers::NAME, size: SIZE },
        1 => Request::GetServers { ctrl: servers::LIST | servers::IPADDR, size: SIZE },
        2 => Request::GetBoxes { handle, port: boxes::ALLPORTS, number: 16 },
        3 => contents(handle, boxes::BOX, container()),
        4 => contents(handle, boxes::FI, container()),
        5 => contents(handle, boxes::ALLENTRIES, container()),
        6 => Request::GetLicenseInfo { handle, number: 16 },
        7 => Request::GetPublicKey { handle, auth: key(auth::SERIALKEY), size: 56 },
        8 => Request::GetPublicKey { handle, auth: key(auth::FIRMKEY), size: 56 },
        9 => Request::CalculateSignature { handle, auth: key(auth::SERIALKEY), size: 56 },
        other => {
            let index = usize::try_from(other).unwrap_or_default() - 10;
            Request::GetInfo { handle, ctrl: INFOS[index], size: SIZE }
        }
    }
}

fn contents(handle: u32, ctrl: u32, box_info: CmBoxInfo) -> Request {
    Request::GetBoxContents { handle, ctrl, firm_code: FIRM, box_info, number: 16 }
}

fn key(source: u32) -> CmAuthenticate {
    CmAuthenticate { ctrl: source, ..CmAuthenticate::default() }
}

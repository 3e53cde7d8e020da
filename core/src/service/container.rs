//! The description of a container as a whole. A virtual container has mask and serial, a state, and
//! clocks; it has no chip, no keys and no memory of its own, so these fields are zero.

use super::{CallContext, Catalogue, ContainerInfo};
use crate::base::time::Wall;
use crate::log::{Grant, HandleScope};
use crate::wire::CmError;
use crate::wire::constants::boxstatus;
use crate::wire::structs::{CmBoxInfo, CmBoxTime, CmTime};

/// Loaded, active, enabled.
pub(super) const STATUS: u32 = boxstatus::ENABLED
    | boxstatus::ISCMACT
    | boxstatus::CMACT_FILE
    | boxstatus::CMACT_LOADED
    | boxstatus::CMACT_ACTIVE;

/// Returns the container to which a handle belongs.
///
/// # Errors
/// 115 for a handle of the service itself, 201 for a container that no longer exists.
pub(super) fn shown<'a>(
    holder: &Grant,
    context: &CallContext<'a>,
) -> Result<&'a ContainerInfo, CmError> {
    let found = match holder.held {
        HandleScope::Subsystem => return Err(CmError::WRONG_HANDLE_TYPE),
        HandleScope::Container(serial) => by_serial(context.catalogue, serial),
        HandleScope::FirmItem(key) | HandleScope::Licence(key) => {
            context.catalogue.container_of(&key)
        }
    };
    found.ok_or(CmError::BOX_NOT_FOUND)
}

fn by_serial(catalogue: &Catalogue, serial: u32) -> Option<&ContainerInfo> {
    catalogue.containers.iter().find(|shown| shown.serial == serial)
}

/// Whether a structure of the caller names this container; zeros match any.
pub(super) fn means(named: &CmBoxInfo, shown: &ContainerInfo) -> bool {
    (named.box_mask == 0 || named.box_mask == shown.mask)
        && (named.serial_number == 0 || named.serial_number == shown.serial)
}

/// Returns what is known of a container without a chip: mask and serial.
pub(super) fn box_info(shown: &ContainerInfo) -> CmBoxInfo {
    CmBoxInfo { box_mask: shown.mask, serial_number: shown.serial, ..CmBoxInfo::default() }
}

/// Returns its clocks: no time server was asked, and the container's clock is the host's.
pub(super) fn box_time(now: Wall) -> CmBoxTime {
    let now = CmTime::from_wall(now);
    CmBoxTime { certified_time: CmTime::default(), box_time: now.clone(), system_time: now }
}

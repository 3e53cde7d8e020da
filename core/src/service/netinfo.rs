//! The users of licences: CMNETINFOCLUSTER, CMNETINFOUSER, CMNETINFOUSER_EXT, CMCREDENTIAL.
//!
//! Allocations are those of the log. Each is listed under a number of its own, because only the
//! holder knows its handle.

use super::container::shown;
use super::entry::items;
use super::{CallContext, ContainerInfo, LicenceService};
use crate::log::{Grant, HandleScope, LicenceKey, Mode, Usage};
use crate::wire::constants::{access, credential};
use crate::wire::structs::{
    CmCredential, CmNetInfoCluster, CmNetInfoUser, CmNetInfoUserExt, seconds_since_2000,
};
use crate::wire::{CmError, Reply};
use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;

/// A licence as the lists show it.
#[derive(Clone, Copy)]
struct Row<'a> {
    shown: &'a ContainerInfo,
    product_item: u16,
    feature_map: u32,
    quantity: u32,
    /// How many seats may be in use; 0 for a licence that no client can have now.
    seats: u32,
}

/// Returns the licences of the handle's container, or of all containers for a handle of the
/// service.
fn rows<'a>(
    holder: &Grant,
    context: &CallContext<'a>,
) -> Result<BTreeMap<LicenceKey, Row<'a>>, CmError> {
    let only = match holder.held {
        HandleScope::Subsystem => None,
        _ => Some(shown(holder, context)?),
    };
    let mut rows = BTreeMap::new();
    let containers = context.catalogue.containers.iter();
    for shown in containers.filter(|shown| only.is_none_or(|only| only == *shown)) {
        for item in items(context, shown) {
            let product = &item.offer.product;
            let feature_map = product.feature_map.unwrap_or(0);
            let (product_item, quantity) = (item.product_item, product.license_quantity);
            let usable = item.offer.bar.is_none() && item.offer.timely(context, 0).is_ok();
            let seats = if usable { item.offer.seats(context.state) } else { 0 };
            rows.insert(item.offer.key, Row { shown, product_item, feature_map, quantity, seats });
        }
    }
    Ok(rows)
}

/// Returns the access mode as encoded in a request (protocol facts 5.2).
fn mode_flag(mode: Mode) -> u32 {
    match mode {
        Mode::UserLimit => access::USERLIMIT,
        Mode::NoUserLimit => access::NOUSERLIMIT,
        Mode::Exclusive => access::EXCLUSIVE,
        Mode::StationShare => access::STATIONSHARE,
    }
}

impl LicenceService {
    /// Returns how much of each licence is in use.
    pub(super) fn cluster(
        &self,
        holder: &Grant,
        size: u32,
        context: &CallContext<'_>,
    ) -> Result<Reply, CmError> {
        let rows = rows(holder, context)?;
        let line = |(key, row): (&LicenceKey, &Row<'_>)| {
            let taken = context.state.usage(key);
            let used = taken.map_or(0, Usage::used);
            CmNetInfoCluster {
                serial: row.shown.serial,
                mask: row.shown.mask,
                product_item_ref: row.product_item,
                firm_code: key.firm_code,
                product_code: key.product_code,
                feature_map: row.feature_map,
                user_limit_licenses: taken.map_or(0, |taken| taken.user_limit),
                no_user_limit_licenses: taken.map_or(0, |taken| taken.no_user_limit),
                exclusive_licenses: taken.map_or(0, |taken| taken.exclusive),
                station_share_licenses: taken.map_or(0, |taken| taken.station_share),
                used_licenses: used,
                free_licenses: row.seats.saturating_sub(used),
                total_licenses: row.quantity,
                license_quantity: row.quantity,
                ..CmNetInfoCluster::default()
            }
        };
        Ok(Reply::array(size, rows.len(), rows.iter().map(line)))
    }

    /// Returns every allocation, in the short form.
    pub(super) fn users(
        &self,
        holder: &Grant,
        size: u32,
        context: &CallContext<'_>,
    ) -> Result<Reply, CmError> {
        let rows = rows(holder, context)?;
        let users = allocations(&rows, context);
        let line = |&(holder, key, row): &Listed<'_, '_>| CmNetInfoUser {
            serial: row.shown.serial,
            mask: row.shown.mask,
            product_item_ref: row.product_item,
            firm_code: key.firm_code,
            product_code: key.product_code,
            feature_map: row.feature_map,
            id: self.alias(holder.handle),
            access_mode: mode_flag(holder.mode),
            creation_time: seconds_since_2000(holder.since),
            client_ip: holder.client.address.to_string().as_str().into(),
        };
        Ok(Reply::array(size, users.len(), users.iter().map(line)))
    }

    /// Returns every allocation, with its holder.
    pub(super) fn users_ext(
        &self,
        holder: &Grant,
        size: u32,
        context: &CallContext<'_>,
    ) -> Result<Reply, CmError> {
        let rows = rows(holder, context)?;
        let users = allocations(&rows, context);
        let line = |&(holder, key, row): &Listed<'_, '_>| CmNetInfoUserExt {
            mask: row.shown.mask,
            serial: row.shown.serial,
            product_item_ref: row.product_item.into(),
            firm_code: key.firm_code,
            product_code: key.product_code,
            feature_map: row.feature_map,
            id: self.alias(holder.handle),
            access_mode: mode_flag(holder.mode),
            last_access_time: self.last_access(holder, context),
            used_license_quantity: holder.takes(),
            client_address: holder.client.address.to_string().as_str().into(),
            credential: credential_of(holder),
            ..CmNetInfoUserExt::default()
        };
        Ok(Reply::array(size, users.len(), users.iter().map(line)))
    }

    /// Returns when a handle was last used, as far as this server knows.
    fn last_access(&self, holder: &Grant, context: &CallContext<'_>) -> u32 {
        let heard = self.watches.last(holder.handle).unwrap_or(context.now.mono);
        let ago = context.now.mono.since(heard).as_secs();
        seconds_since_2000(crate::base::time::Wall(context.now.wall.0.saturating_sub(ago)))
    }
}

/// An allocation, with its licence.
type Listed<'a, 'r> = (&'a Grant, LicenceKey, Row<'r>);

/// Returns the allocations of these licences, the oldest first.
fn allocations<'a, 'r>(
    rows: &BTreeMap<LicenceKey, Row<'r>>,
    context: &CallContext<'a>,
) -> Vec<Listed<'a, 'r>> {
    let held = context.state.seats().filter(|seat| !context.state.lingers(seat.handle));
    let listed = held.filter_map(|seat| {
        let key = *seat.held.licence()?;
        rows.get(&key).map(|row| (seat, key, *row))
    });
    let mut listed: Vec<_> = listed.collect();
    // The sort is stable: within one second, the order of the handle numbers stays.
    listed.sort_by_key(|(seat, ..)| seat.since);
    listed
}

/// Returns the holder of a handle, and how it was granted.
pub(super) fn credential_of(holder: &Grant) -> CmCredential {
    let kind = match holder.held {
        HandleScope::Subsystem => credential::HANDLE_SUBSYSTEM,
        HandleScope::Container(_) => credential::HANDLE_BOX,
        HandleScope::FirmItem(_) => credential::HANDLE_FI,
        HandleScope::Licence(_) => credential::HANDLE_ENTRY,
    };
    let client = &holder.client;
    CmCredential {
        pid: client.pid,
        session: client.session,
        cleanup_time: holder.cleanup_seconds,
        creation_time: seconds_since_2000(holder.since),
        access_ctrl: credential::LOCATION_LAN | kind,
        user_defined_id: client.user_defined_id,
        user_defined_text: client.text.as_str().into(),
        username: client.user.as_str().into(),
        domain_name: client.domain.as_str().into(),
        ..CmCredential::default()
    }
}

//! Who uses what: CMNETINFOCLUSTER, CMNETINFOUSER, CMNETINFOUSER_EXT, CMCREDENTIAL.
//!
//! Seats are those of the log, handles without a seat those of this desk. An allocation is told
//! under a number of its own: handles are known to their holders alone.

use super::container::shown;
use super::entry::items;
use super::holder::Holder;
use super::{Desk, Ground, Held, Shown};
use crate::log::{LicenceKey, Mode, Usage};
use crate::wire::constants::{access, credential};
use crate::wire::structs::{
    CmCredential, CmNetInfoCluster, CmNetInfoUser, CmNetInfoUserExt, Layout, seconds_since_2000,
};
use crate::wire::{CmError, Reply};
use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;

/// A licence as the lists name it.
#[derive(Clone, Copy)]
struct Row<'a> {
    shown: &'a Shown,
    product_item: u16,
    feature_map: u32,
    quantity: u32,
}

/// The licences of the handle's container, or of all by a handle of the service.
fn rows<'a>(
    holder: &Holder<'_>,
    ground: &Ground<'a>,
) -> Result<BTreeMap<LicenceKey, Row<'a>>, CmError> {
    let only = match holder.held {
        Held::Subsystem => None,
        _ => Some(shown(holder, ground)?),
    };
    let mut rows = BTreeMap::new();
    let containers = ground.catalogue.containers.iter();
    for shown in containers.filter(|shown| only.is_none_or(|only| only == *shown)) {
        for item in items(ground, shown) {
            let product = &item.offer.product;
            let feature_map = product.feature_map.unwrap_or(0);
            let (product_item, quantity) = (item.product_item, product.license_quantity);
            rows.insert(item.offer.key, Row { shown, product_item, feature_map, quantity });
        }
    }
    Ok(rows)
}

/// The access mode as a request has it (fact sheet 5.2).
fn mode_flag(mode: Mode) -> u32 {
    match mode {
        Mode::UserLimit => access::USERLIMIT,
        Mode::NoUserLimit => access::NOUSERLIMIT,
        Mode::Exclusive => access::EXCLUSIVE,
        Mode::StationShare => access::STATIONSHARE,
    }
}

impl Desk {
    /// How much of each licence is in use.
    pub(super) fn cluster(
        &self,
        holder: &Holder<'_>,
        size: u32,
        ground: &Ground<'_>,
    ) -> Result<Reply, CmError> {
        let rows = rows(holder, ground)?;
        let mut free_riders: BTreeMap<LicenceKey, u32> = BTreeMap::new();
        for holder in self.holders(ground.state).filter(|holder| holder.mode == Mode::NoUserLimit) {
            if let Held::Licence(key) = holder.held {
                *free_riders.entry(key).or_default() += 1;
            }
        }
        let line = |(key, row): (&LicenceKey, &Row<'_>)| {
            let taken = ground.state.usage(key);
            let used = taken.map_or(0, Usage::used);
            CmNetInfoCluster {
                serial: row.shown.serial,
                mask: row.shown.mask,
                product_item_ref: row.product_item,
                firm_code: key.firm_code,
                product_code: key.product_code,
                feature_map: row.feature_map,
                user_limit_licenses: taken.map_or(0, |taken| taken.user_limit),
                no_user_limit_licenses: free_riders.get(key).copied().unwrap_or(0),
                exclusive_licenses: taken.map_or(0, |taken| taken.exclusive),
                station_share_licenses: taken.map_or(0, Usage::station_share),
                used_licenses: used,
                free_licenses: row.quantity.saturating_sub(used),
                total_licenses: row.quantity,
                license_quantity: row.quantity,
                ..CmNetInfoCluster::default()
            }
        };
        Ok(Reply::array(size, rows.len(), rows.iter().map(line)))
    }

    /// Every allocation, in the short form.
    pub(super) fn users(
        &self,
        holder: &Holder<'_>,
        size: u32,
        ground: &Ground<'_>,
    ) -> Result<Reply, CmError> {
        self.allocations(holder, size, ground, |holder, key, row| CmNetInfoUser {
            serial: row.shown.serial,
            mask: row.shown.mask,
            product_item_ref: row.product_item,
            firm_code: key.firm_code,
            product_code: key.product_code,
            feature_map: row.feature_map,
            id: self.numbers.alias(holder.handle),
            access_mode: mode_flag(holder.mode),
            creation_time: seconds_since_2000(holder.since),
            client_ip: holder.client.address.to_string().as_str().into(),
        })
    }

    /// Every allocation, with who holds it: the short form, and more.
    pub(super) fn users_ext(
        &self,
        holder: &Holder<'_>,
        size: u32,
        ground: &Ground<'_>,
    ) -> Result<Reply, CmError> {
        self.allocations(holder, size, ground, |holder, key, row| CmNetInfoUserExt {
            mask: row.shown.mask,
            serial: row.shown.serial,
            product_item_ref: row.product_item.into(),
            firm_code: key.firm_code,
            product_code: key.product_code,
            feature_map: row.feature_map,
            id: self.numbers.alias(holder.handle),
            access_mode: mode_flag(holder.mode),
            last_access_time: self.last_access(holder, ground),
            used_license_quantity: holder.take,
            client_address: holder.client.address.to_string().as_str().into(),
            credential: credential_of(holder),
            ..CmNetInfoUserExt::default()
        })
    }

    /// A line for each who holds one of the licences that this handle lists, the oldest first.
    fn allocations<T: Layout>(
        &self,
        holder: &Holder<'_>,
        size: u32,
        ground: &Ground<'_>,
        line: impl Fn(&Holder<'_>, LicenceKey, Row<'_>) -> T,
    ) -> Result<Reply, CmError> {
        let rows = rows(holder, ground)?;
        let listed = self.holders(ground.state).filter_map(|holder| {
            let Held::Licence(key) = holder.held else { return None };
            rows.get(&key).map(|row| (holder, key, *row))
        });
        let mut listed: Vec<_> = listed.collect();
        // Stable: of one second, seats first.
        listed.sort_by_key(|(holder, ..)| holder.since);
        let lines = listed.iter().map(|(holder, key, row)| line(holder, *key, *row));
        Ok(Reply::array(size, listed.len(), lines))
    }

    /// When a handle was last used, as this server saw it.
    fn last_access(&self, holder: &Holder<'_>, ground: &Ground<'_>) -> u32 {
        let heard = self.watches.last(holder.handle).unwrap_or(ground.now.mono);
        let ago = ground.now.mono.since(heard).as_secs();
        seconds_since_2000(crate::time::Wall(ground.now.wall.0.saturating_sub(ago)))
    }
}

/// Who holds a handle, and how it was given.
pub(super) fn credential_of(holder: &Holder<'_>) -> CmCredential {
    let kind = match holder.held {
        Held::Subsystem => credential::HANDLE_SUBSYSTEM,
        Held::Container(_) => credential::HANDLE_BOX,
        Held::Licence(_) if holder.firm_item => credential::HANDLE_FI,
        Held::Licence(_) => credential::HANDLE_ENTRY,
    };
    let client = holder.client;
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

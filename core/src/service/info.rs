//! CmGetInfo: which selector is answered with what (protocol facts 5.3), and which is refused.
//!
//! On a front no backend's serial, address or handle is shown here: only the
//! [`Catalogue`](super::Catalogue) is, and a front's has the virtual container.
//!
//! | refused | why |
//! |---|---|
//! | SIGNEDLIST, SIGNEDTIME | 134: proofs made with the key of one container |
//! | ACT_LICENSE_INFO, ACT_LICENSE_INFO2, ACT_ERROR_INFO | 134: the licence file of one container |
//! | BORROWCLIENT, BORROWDATA, BORROWITEMS, LTHISTORY, LTTRANSFEROPTIONS | 134: nothing is lent or moved |
//! | RESET_TIME | 134: changes one container |
//! | CHIPINFO, USBCHIPINFO | 66: there is no chip |
//! | ENABLEBLOCKITEMS, ENABLELOOKUPITEMS_FI, ENABLELOOKUPITEMS_PI, ENABLEINFO | 204: nothing is enabled or disabled |
//! | NAMEDUSER; PITEXT without a text | 205: the option is not set |
//! | ENTRYDATA without data | 209 |
//! | entry information by a handle of the service or of a container | 115 |
//! | any other number | 306 |

use super::container::{STATUS, box_info, box_time, shown};
use super::entry::{Item, item, items};
use super::netinfo::credential_of;
use super::service_handles::{security_version, server_version};
use super::{CallContext, LicenceService};
use crate::log::{Grant, HandleScope};
use crate::wire::constants::info;
use crate::wire::structs::{CmBoxControl, CmBoxSecurity, CmMemInfo, CmMemInfo2, Layout};
use crate::wire::{CmError, Reply, inferred};

impl LicenceService {
    /// Answers CmGetInfo.
    pub(super) fn info(
        &self,
        holder: &Grant,
        ctrl: u32,
        size: u32,
        context: &CallContext<'_>,
    ) -> Result<Reply, CmError> {
        let selector = ctrl & info::CMDMASK;
        let bytes = match selector {
            info::SYSTEM => self.system().to_bytes(),
            info::VERSION | info::CMACTVERSION => server_version().to_bytes(),
            info::SECURITYVERSION => security_version().to_bytes(),
            info::COMMUNICATION => self.communication().to_bytes(),
            info::SYSTEMSTATUS => self.system_status().to_bytes(),
            info::CREDENTIAL => credential_of(holder).to_bytes(),
            info::NETINFO_CLUSTER => return self.cluster(holder, size, context),
            info::NETINFO_USER => return self.users(holder, size, context),
            info::NETINFO_USER_EXT => return self.users_ext(holder, size, context),
            info::BOXINFO => box_info(shown(holder, context)?).to_bytes(),
            info::BOXTIME => {
                shown(holder, context)?;
                box_time(context.now.wall).to_bytes()
            }
            info::BOXSTATUS => {
                shown(holder, context)?;
                STATUS.to_bytes()
            }
            info::BOXCONTROL | info::BOXSECURITY | info::MEMINFO | info::MEMINFO2 => {
                shown(holder, context)?;
                match selector {
                    info::BOXCONTROL => CmBoxControl::default().to_bytes(),
                    info::BOXSECURITY => CmBoxSecurity::default().to_bytes(),
                    info::MEMINFO => CmMemInfo::default().to_bytes(),
                    _ => CmMemInfo2::default().to_bytes(),
                }
            }
            info::LISTALLPI => return products(holder, size, context),
            info::ENTRYINFO
            | info::ENTRYINFO2
            | info::INTERNALENTRYINFO
            | info::ENTRYDATA
            | info::PITEXT
            | info::NAMEDUSER => return entry(holder, selector, size, context),
            other => return Err(refusal(other)),
        };
        Ok(Reply::buffer(size, &bytes))
    }
}

/// Answers a selector about one licence.
fn entry(
    holder: &Grant,
    selector: u32,
    size: u32,
    context: &CallContext<'_>,
) -> Result<Reply, CmError> {
    let key = holder.held.key().ok_or(CmError::WRONG_HANDLE_TYPE)?;
    let of_firm_item = matches!(holder.held, HandleScope::FirmItem(_));
    let item = item(context, key).ok_or(CmError::ENTRY_NOT_FOUND)?;
    let bytes = match selector {
        info::ENTRYINFO if of_firm_item => item.firm_entry().to_bytes(),
        info::ENTRYINFO => item.entry().to_bytes(),
        info::ENTRYINFO2 if of_firm_item => item.firm_entry2().to_bytes(),
        info::ENTRYINFO2 => item.entry2().to_bytes(),
        info::INTERNALENTRYINFO => item.internal(of_firm_item).to_bytes(),
        info::ENTRYDATA if !of_firm_item => {
            let data = item.data();
            if data.is_empty() {
                return Err(CmError::NO_DATA_AVAILABLE);
            }
            return Ok(Reply::array(size, data.len(), data.into_iter()));
        }
        info::ENTRYDATA => return Err(CmError::NO_DATA_AVAILABLE),
        info::PITEXT if !of_firm_item && !item.offer.product.text.is_empty() => {
            inferred::text(&item.offer.product.text)
        }
        _ => return Err(CmError::NO_PIO_SET),
    };
    Ok(Reply::buffer(size, &bytes))
}

/// Lists the products beside the handle's, or all of its container.
fn products(holder: &Grant, size: u32, context: &CallContext<'_>) -> Result<Reply, CmError> {
    let mut listed = items(context, shown(holder, context)?);
    listed.retain(|item| item.offer.bar.is_none());
    if let Some(key) = holder.held.key() {
        listed.retain(|item| item.offer.key.firm_code == key.firm_code);
    }
    Ok(Reply::array(size, listed.len(), listed.iter().map(Item::base)))
}

/// Returns the error for a selector that is not answered.
fn refusal(selector: u32) -> CmError {
    match selector {
        info::SIGNEDLIST
        | info::SIGNEDTIME
        | info::ACT_LICENSE_INFO
        | info::ACT_LICENSE_INFO2
        | info::ACT_ERROR_INFO
        | info::BORROWCLIENT
        | info::BORROWDATA
        | info::BORROWITEMS
        | info::LTHISTORY
        | info::LTTRANSFEROPTIONS
        | info::RESET_TIME => CmError::COMMAND_NOT_SUPPORTED_BY_TMR,
        info::CHIPINFO | info::USBCHIPINFO => CmError::COMMANDUNSUPPORTED,
        info::ENABLEBLOCKITEMS
        | info::ENABLELOOKUPITEMS_FI
        | info::ENABLELOOKUPITEMS_PI
        | info::ENABLEINFO => CmError::NO_ENABLING_EXISTS,
        _ => CmError::FUNCTION_NOT_SUPPORTED,
    }
}

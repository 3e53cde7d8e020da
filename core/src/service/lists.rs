//! The calls that list containers and their contents, and those that read or check one data field:
//! CmGetBoxes, CmGetBoxContents, CmGetSecureData, CmValidateEntry.

use super::CallContext;
use super::container::{box_info, means, shown};
use super::entry::{Item, firm_items, items};
use crate::log::Grant;
use crate::wire::constants::{boxes, pio, validate};
use crate::wire::structs::{CmBoxInfo, CmBoxTime, CmEntryData, CmSecureData, CmSignedTime, Layout};
use crate::wire::{CmError, Reply};
use alloc::vec::Vec;

/// Answers CmGetBoxes: a virtual container is listed among the CmAct ones, since its parts are
/// such.
pub(super) fn containers(port: u32, number: u32, context: &CallContext<'_>) -> Reply {
    let port = port & boxes::PORT_MASK;
    let listed = if port == boxes::ALLPORTS || port & boxes::ACT != 0 {
        context.catalogue.containers.as_slice()
    } else {
        &[]
    };
    Reply::list(number, listed.len(), listed.iter().map(box_info))
}

/// Answers CmGetBoxContents: products, or with CM_GBC_FI firm items, of one Firm Code or of all.
/// Licences that cannot be used are not listed.
///
/// # Errors
/// 201 if CM_GBC_BOX names a container that does not exist.
pub(super) fn contents(
    ctrl: u32,
    firm_code: u32,
    named: &CmBoxInfo,
    number: u32,
    context: &CallContext<'_>,
) -> Result<Reply, CmError> {
    let all = ctrl & boxes::BOX == 0;
    let containers = context.catalogue.containers.iter();
    let mut chosen = containers.filter(|shown| all || means(named, shown)).peekable();
    if chosen.peek().is_none() {
        return Err(CmError::BOX_NOT_FOUND);
    }
    let mut listed: Vec<Item<'_>> = Vec::new();
    let firms = ctrl & boxes::FI != 0;
    for shown in chosen {
        let mut items = items(context, shown);
        items.retain(|item| {
            let code = item.offer.key.firm_code;
            item.offer.bar.is_none() && (firm_code == 0 || firm_code == code)
        });
        listed.extend(if firms { firm_items(&items) } else { items });
    }
    let line = |item: &Item<'_>| if firms { item.firm_entry() } else { item.entry() };
    Ok(Reply::list(number, listed.len(), listed.iter().map(line)))
}

/// Answers CmGetSecureData: no licence has an encrypted field.
pub(super) fn secure_data(holder: &Grant, secure: &CmSecureData) -> CmError {
    let protected =
        [pio::PROTDATA, pio::EXTPROTDATA, pio::HIDDENDATA, pio::SECRETDATA, pio::USERDATA];
    match holder.held.key() {
        Some(_) if protected.contains(&secure.pio_type.into()) => CmError::NO_PIO_SET,
        Some(_) => CmError::PRODUCTITEMOPTIONUNDEFINED,
        None => CmError::WRONG_HANDLE_TYPE,
    }
}

/// Answers CmValidateEntry of a signed list or time. Nothing that this server could have signed is
/// ever valid: the proofs are made by single containers, whose keys it does not have.
pub(super) fn validate(
    holder: &Grant,
    ctrl: u32,
    named: &CmBoxInfo,
    proof: &[u8],
    context: &CallContext<'_>,
) -> CmError {
    if let Err(error) = shown(holder, context) {
        return error;
    }
    if !context.catalogue.containers.iter().any(|shown| means(named, shown)) {
        return CmError::BOX_NOT_FOUND;
    }
    match (ctrl & validate::CMDMASK, proof.len()) {
        (validate::SIGNEDLIST, CmEntryData::SIZE) => CmError::SIGNEDLIST_FAILED,
        (validate::SIGNEDTIME, CmBoxTime::SIZE | CmSignedTime::SIZE) => CmError::VALIDATION_FAILED,
        _ => CmError::INVALID_PARAMETER,
    }
}

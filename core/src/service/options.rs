//! Whether a crypt or signature call is allowed with a handle, and the units that it takes:
//! `mulEncryptionCodeOptions`, feature code, release date, key source. The result is computed where
//! the keys are; that the call can succeed is checked here, so that no units are taken for a call
//! that must fail.

use super::container::means;
use super::{CallContext, Offer};
use crate::base::time::Wall;
use crate::crypt::{cipher, sign};
use crate::log::{Entry, Grant, LicenceKey, Mode};
use crate::wire::constants::{auth, crypt};
use crate::wire::structs::CmAuthenticate;
use crate::wire::{CmError, Request, inferred};

/// The conditions that a call states.
struct Terms {
    options: u32,
    feature: u32,
    release: Option<Wall>,
    encrypts: bool,
}

/// Returns the licence whose keys execute this call, and the entry for the units that it takes, if
/// any.
///
/// # Errors
/// 115 for a handle of anything but a licence, such as a firm item: it takes no seat, so it allows
/// nothing that needs a seat; 218 for a licence that does not exist; errors of the call itself
/// ([`cipher::check`], [`sign::check`]); 27, 28 and 201 for codes or a container that are not the
/// handle's; and for the options 29 to 37, 39, 40, 69, 71, 76 to 78, and 304 for the firm access
/// counter.
pub(super) fn licence(
    holder: &Grant,
    request: &Request,
    context: &CallContext<'_>,
) -> Result<(LicenceKey, Option<Entry>), CmError> {
    let key = *holder.held.licence().ok_or(CmError::WRONG_HANDLE_TYPE)?;
    let offer = context.catalogue.offers.get(&key).ok_or(CmError::NO_LICENSE_AVAILABLE)?;
    let encrypts =
        |ctrl| inferred::operation(ctrl).is_some_and(|operation| operation.decrypts == Some(false));
    cipher::check(request)?;
    let terms = match request {
        Request::Crypt { ctrl, crypt, .. } => Terms {
            options: crypt.base_crypt.encryption_code_options,
            feature: crypt.base_crypt.feature_code,
            release: None,
            encrypts: encrypts(*ctrl),
        },
        Request::Crypt2 { ctrl, crypt, .. } => Terms {
            options: crypt.base_crypt.encryption_code_options,
            feature: crypt.base_crypt.feature_code,
            release: crypt.base_crypt.release_date.to_wall(),
            encrypts: encrypts(*ctrl),
        },
        Request::CalculateSignature { auth, .. } => {
            authenticate(auth, &key, context)?;
            inferred::signed_digest(auth).ok_or(CmError::COMMAND_NOT_SUPPORTED_BY_TMR)?;
            Terms {
                options: auth.encryption_code_options,
                feature: auth.feature_code,
                release: None,
                encrypts: false,
            }
        }
        Request::GetPublicKey { auth, .. } => {
            // A public key takes nothing and decrypts nothing, so there is no further condition.
            authenticate(auth, &key, context)?;
            return Ok((key, None));
        }
        _ => return Err(CmError::FUNCTION_NOT_IMPLEMENTED),
    };
    allowed(&terms, offer, holder.mode)?;
    Ok((key, offer.spend(context, terms.options)?))
}

fn authenticate(
    what: &CmAuthenticate,
    key: &LicenceKey,
    context: &CallContext<'_>,
) -> Result<(), CmError> {
    sign::check(what)?;
    if !context.catalogue.container_of(key).is_some_and(|shown| means(&what.box_info, shown)) {
        return Err(CmError::BOX_NOT_FOUND);
    }
    // In the other modes the codes are not part of what is signed.
    if matches!(what.ctrl & auth::AMMASK, auth::EXTENDED | auth::EXTENDED2) {
        if what.firm_code != key.firm_code {
            return Err(CmError::FIRMCODEWRONG);
        }
        if what.product_code != key.product_code {
            return Err(CmError::PRODUCTCODEWRONG);
        }
    }
    Ok(())
}

/// Checks all conditions except dates and units, which [`Offer::spend`] checks.
fn allowed(terms: &Terms, offer: &Offer, mode: Mode) -> Result<(), CmError> {
    let product = &offer.product;
    let Terms { options, feature, release, encrypts } = *terms;
    if options & crypt::FACDECREMENT != 0 {
        // No licence here has a firm access counter.
        return Err(CmError::FUNCTION_NOT_IMPLEMENTED);
    }
    if options & crypt::CERTTIME != 0 {
        // No time server was ever asked.
        return Err(CmError::CERTIFIEDTIMEOBSOLETE);
    }
    if encrypts && options & crypt::TOPLAINONLY != 0 {
        return Err(CmError::ENCRYPTIONINVALID);
    }
    let system_access = options & crypt::SAMASK;
    let own = match mode {
        Mode::UserLimit => crypt::SAUSERLIMIT,
        Mode::NoUserLimit => 0,
        Mode::Exclusive => crypt::SAEXCLUSIVE,
        Mode::StationShare => crypt::SASTATIONSHARE,
    };
    if system_access != crypt::SAUNLIMITED && system_access & own == 0 {
        return Err(CmError::ACCESSMODEWRONG);
    }
    if feature != 0 {
        let map = product.feature_map.ok_or(CmError::FEATUREMAPMISSED)?;
        if map & feature != feature {
            return Err(CmError::FEATUREMAPINCOMPATIBLE);
        }
    }
    let missing = |mask, required, is_set: bool| options & mask == required && !is_set;
    if missing(crypt::ATMASK, crypt::ATREQUIRED, product.activation_time.is_some()) {
        return Err(CmError::ACTIVATIONTIMEMISSED);
    }
    if missing(crypt::ETMASK, crypt::ETREQUIRED, product.expiration_time.is_some()) {
        return Err(CmError::EXPIRATIONTIMEMISSED);
    }
    if options & crypt::MPREQUIRED != 0 {
        let period = product.maintenance_period.ok_or(CmError::MAINTENANCEPERIODMISSING)?;
        if release.is_some_and(|release| release < period.start) {
            return Err(CmError::MAINTENANCEPERIODUNDERRUN);
        }
        if release.is_some_and(|release| release > period.end) {
            return Err(CmError::MAINTENANCEPERIODOVERRUN);
        }
    }
    Ok(())
}

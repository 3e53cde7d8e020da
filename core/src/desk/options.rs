//! Whether a crypt or signature call is allowed with a handle: `mulEncryptionCodeOptions`, feature
//! code, release date, key source. What it makes is decided where the keys are.

use super::container::means;
use super::holder::Holder;
use super::{Ground, Held, Offer};
use crate::backend::sign;
use crate::log::{LicenceKey, Mode};
use crate::time::Wall;
use crate::wire::constants::{auth, crypt};
use crate::wire::structs::CmAuthenticate;
use crate::wire::{CmError, Request, inferred};

/// What a call says about when it may be done.
struct Terms {
    options: u32,
    feature: u32,
    release: Option<Wall>,
    encrypts: bool,
}

/// The licence whose keys do this call.
///
/// # Errors
/// 115 for a handle of the service or of a container; 218 for a licence that is not there; what
/// stands against the call: 14, 15, 27, 28, 29, 30, 31, 34 to 37, 39, 40, 69, 76 to 78, 134, 201,
/// and 304 for what would count something down.
pub(super) fn licence(
    holder: &Holder<'_>,
    request: &Request,
    ground: &Ground<'_>,
) -> Result<LicenceKey, CmError> {
    let Held::Licence(key) = holder.held else { return Err(CmError::WRONG_HANDLE_TYPE) };
    let offer = ground.catalogue.offers.get(&key).ok_or(CmError::NO_LICENSE_AVAILABLE)?;
    let encrypts =
        |ctrl| inferred::operation(ctrl).is_some_and(|operation| operation.decrypts == Some(false));
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
            authenticate(auth, &key, ground)?;
            Terms {
                options: auth.encryption_code_options,
                feature: auth.feature_code,
                release: None,
                encrypts: false,
            }
        }
        Request::GetPublicKey { auth, .. } => {
            // A public key uses nothing and opens nothing: no further condition.
            authenticate(auth, &key, ground)?;
            return Ok(key);
        }
        _ => return Err(CmError::FUNCTION_NOT_IMPLEMENTED),
    };
    allowed(&terms, offer, holder.mode, ground.now.wall)?;
    Ok(key)
}

fn authenticate(
    what: &CmAuthenticate,
    key: &LicenceKey,
    ground: &Ground<'_>,
) -> Result<(), CmError> {
    sign::check(what)?;
    if !ground.catalogue.container_of(key).is_some_and(|shown| means(&what.box_info, shown)) {
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

fn allowed(terms: &Terms, offer: &Offer, mode: Mode, now: Wall) -> Result<(), CmError> {
    let product = &offer.product;
    let Terms { options, feature, release, encrypts } = *terms;
    if options & crypt::FACDECREMENT != 0 {
        // No licence here has a firm access counter to lower.
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
    match (options & crypt::ATMASK, product.activation_time) {
        (crypt::ATIGNORE, _) => {}
        (crypt::ATREQUIRED, None) => return Err(CmError::ACTIVATIONTIMEMISSED),
        (_, Some(start)) if now < start => return Err(CmError::ACTIVATIONTIMEUNDERRUN),
        _ => {}
    }
    match (options & crypt::ETMASK, product.expiration_time) {
        (crypt::ETIGNORE, _) => {}
        (crypt::ETREQUIRED, None) => return Err(CmError::EXPIRATIONTIMEMISSED),
        (_, Some(end)) if now >= end => return Err(CmError::EXPIRATIONTIMEOVERRUN),
        _ => {}
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
    match (options & crypt::UCMASK, product.unit_counter) {
        (crypt::UCREQUIRED, None) => Err(CmError::UNITCOUNTERMISSED),
        (crypt::UCIGNORE, _) | (_, None) => Ok(()),
        // Units are taken on the log; a call that takes none must not go through.
        (_, Some(_)) => Err(CmError::FUNCTION_NOT_IMPLEMENTED),
    }
}

//! Whether a crypt or signature call is allowed with a handle: `mulEncryptionCodeOptions`, feature
//! code, release date, key source. What it makes is decided where the keys are.

use super::container::means;
use super::holder::Holder;
use super::{Ground, Held, Move, Offer};
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

/// What the call leads to: a licence whose keys do it, and the units that it takes first.
///
/// # Errors
/// 115 for a handle of the service or of a container; 218 for a licence that is not there; what
/// stands against the call: 14, 15, 27 to 37, 39, 40, 69, 71, 76 to 78, 134, 201, and 304 for a firm
/// access counter.
pub(super) fn decide(
    holder: &Holder<'_>,
    request: &Request,
    ground: &Ground<'_>,
) -> Result<Move, CmError> {
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
            return Ok(Move::Perform(key));
        }
        _ => return Err(CmError::FUNCTION_NOT_IMPLEMENTED),
    };
    allowed(&terms, offer, holder.mode)?;
    Ok(match offer.spend(ground, terms.options)? {
        Some(entry) => Move::Spend(entry, key),
        None => Move::Perform(key),
    })
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

/// What does not depend on the time or on units.
fn allowed(terms: &Terms, offer: &Offer, mode: Mode) -> Result<(), CmError> {
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
    if options & crypt::ATMASK == crypt::ATREQUIRED && product.activation_time.is_none() {
        return Err(CmError::ACTIVATIONTIMEMISSED);
    }
    if options & crypt::ETMASK == crypt::ETREQUIRED && product.expiration_time.is_none() {
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

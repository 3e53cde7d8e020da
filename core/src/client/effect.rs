//! The effects of calls, which decide whether a call may be repeated when its answer is lost.

use crate::wire::Request;
use crate::wire::constants::crypt;

/// The effect of a call at a server, as far as it matters for a repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// No effect: the call may be made any number of times.
    Nothing,
    /// A handle is given back. A release frees one seat once, and a handle's number is never used
    /// again, so a second release has no effect.
    Release,
    /// A new handle, and perhaps a seat: a repetition may take a second one.
    Access,
    /// Units are taken: a repetition takes them again.
    Units,
    /// A change of a container, or an unknown effect.
    Unknown,
}

impl Effect {
    /// Returns the effect of a call.
    #[must_use]
    pub fn of(call: &Request) -> Self {
        match call {
            Request::Access { .. } | Request::Access2 { .. } => Self::Access,
            Request::Release { .. } => Self::Release,
            Request::Crypt { crypt, .. } => of_options(crypt.base_crypt.encryption_code_options),
            Request::Crypt2 { crypt, .. } => of_options(crypt.base_crypt.encryption_code_options),
            Request::CalculateSignature { auth, .. } => of_options(auth.encryption_code_options),
            Request::Unknown { .. } => Self::Unknown,
            other if other.changes_container() => Self::Unknown,
            _ => Self::Nothing,
        }
    }

    /// Returns whether the call may be repeated when it is not known if the first one was done.
    #[must_use]
    pub fn is_repeatable(self) -> bool {
        matches!(self, Self::Nothing | Self::Release)
    }
}

/// Returns whether these `mulEncryptionCodeOptions` take units if the licence has some.
fn of_options(options: u32) -> Effect {
    let units = options & crypt::UCDELTAMASK != 0 && options & crypt::UCMASK != crypt::UCIGNORE;
    if units || options & crypt::FACDECREMENT != 0 { Effect::Units } else { Effect::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::structs::{CmAuthenticate, CmBoxInfo, CmCrypt, CmCrypt2};
    use alloc::vec::Vec;

    fn crypt(options: u32) -> Request {
        let mut crypt = CmCrypt2::default();
        crypt.base_crypt.encryption_code_options = options;
        Request::Crypt2 { handle: 1, ctrl: 0, crypt, data: Vec::new().into() }
    }

    #[test]
    fn what_takes_nothing_may_be_repeated_and_what_takes_something_not() {
        let access = Request::Access { ctrl: 0, access: Default::default() };
        let mut older = CmCrypt::default();
        older.base_crypt.encryption_code_options = 1;
        let older = Request::Crypt { handle: 1, ctrl: 0, crypt: older, data: Vec::new().into() };
        let auth = CmAuthenticate { encryption_code_options: 1, ..CmAuthenticate::default() };
        let delete = Request::ValidateEntry {
            handle: 1,
            ctrl: crate::wire::constants::validate::DELETE_FI,
            box_info: CmBoxInfo::default(),
            proof: Vec::new().into(),
        };
        for (call, effect) in [
            (Request::GetVersion { handle: 0 }, Effect::Nothing),
            (Request::GetInfo { handle: 1, ctrl: 0, size: 0 }, Effect::Nothing),
            (Request::GetPublicKey { handle: 1, auth: auth.clone(), size: 0 }, Effect::Nothing),
            (Request::Release { handle: 1 }, Effect::Release),
            (access, Effect::Access),
            (crypt(0), Effect::Nothing),
            (crypt(crypt::UCIGNORE | 1), Effect::Nothing),
            (crypt(1), Effect::Units),
            (crypt(crypt::UCREQUIRED | 1), Effect::Units),
            (crypt(crypt::FACDECREMENT), Effect::Units),
            (older, Effect::Units),
            (Request::CalculateSignature { handle: 1, auth, size: 0 }, Effect::Units),
            (Request::LtCleanup { handle: 1, ctrl: 0 }, Effect::Unknown),
            (delete, Effect::Unknown),
            (Request::Unknown { number: 0x99, bytes: Vec::new() }, Effect::Unknown),
        ] {
            assert_eq!(Effect::of(&call), effect, "{call:?}");
            let safe = matches!(effect, Effect::Nothing | Effect::Release);
            assert_eq!(effect.is_repeatable(), safe);
        }
    }
}

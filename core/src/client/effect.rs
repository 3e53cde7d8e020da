//! Which calls may be made again when their answer is lost.

use crate::wire::Request;
use crate::wire::constants::crypt;

/// What a call leaves behind at a server, as far as it matters to who repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it may be made as often as one likes.
    Nothing,
    /// A handle is given back. A release frees one seat once, and a handle's number is never used
    /// again, so a second one finds the handle gone and does no harm.
    Release,
    /// A new handle, and with it perhaps a seat: twice would be two.
    Access,
    /// Units are gone: twice would be twice as many.
    Units,
    /// It changes a container, or does what this client does not know.
    Unknown,
}

impl Effect {
    /// The effect of a call.
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

    /// Whether the call may be made again when it is not known if the first one was done.
    #[must_use]
    pub fn is_repeatable(self) -> bool {
        matches!(self, Self::Nothing | Self::Release)
    }
}

/// Of `mulEncryptionCodeOptions`: whether units are taken if the licence has some.
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

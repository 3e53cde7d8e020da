//! The calls of clients, each with its arguments in their order on the wire.
//!
//! Basis of the layouts: *known* ones were captured (protocol facts 3.4); *inferred* ones follow
//! the C prototype by the encoding rules of 3.1, and like the captured `CmLtCreateContext` have
//! input buffers after all other arguments. A frame that does not fit its known layout is
//! [`Malformed`]. One that does not fit an inferred layout may show that the inference is wrong, so
//! it becomes [`Request::Unknown`] with every byte kept. What never lives here: the answer to a
//! call.

use super::argument::{Argument, Buffer, Malformed, Reader};
use super::constants::validate;
use super::inferred::list_bytes;
use super::structs::{
    CmAccess, CmAccess2, CmAuthenticate, CmBoxEntry, CmBoxInfo, CmCreateItem, CmCrypt, CmCrypt2,
    CmCryptSim, CmCryptSim2, CmEnablingAppContext, CmEntryData, CmLicenseInfo, CmLtRequest,
    CmLtTransfer, CmReserveFi, CmSecureData, Layout,
};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Bytes that most requests have at most.
const USUAL: usize = 256;

/// Keeps one call's arguments in a stack frame of their own, because one frame for the arguments of
/// all calls would be many pages long, and touched for each call.
#[inline(never)]
fn apart<T>(take: impl FnOnce() -> T) -> T {
    take()
}

/// Makes [`Request`] out of lines `number basis name(handle or nothing) { argument: type }`.
macro_rules! calls {
    ($(
        $(#[$doc:meta])*
        $number:literal $basis:ident $name:ident($($handle:ident)?) {
            $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
        }
    )*) => {
        /// A parsed call.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Request {
            $(
                $(#[$doc])*
                $name {
                    $(
                        /// The handle.
                        $handle: u32,
                    )?
                    $($(#[$field_doc])* $field: $type,)*
                },
            )*
            /// A call with another number, or one that does not fit an inferred layout.
            Unknown {
                /// The call number.
                number: u32,
                /// All bytes behind the number.
                bytes: Vec<u8>,
            },
        }

        impl Request {
            fn typed(frame: &[u8]) -> Result<Self, Malformed> {
                let mut reader = Reader::new(frame);
                match reader.number()? {
                    $($number => apart(|| {
                        $(let $handle = reader.take(stringify!($handle))?;)?
                        $(let $field = reader.take(stringify!($field))?;)*
                        reader.end()?;
                        Ok(Self::$name { $($handle,)? $($field,)* })
                    }),)*
                    number => Ok(Self::Unknown { number, bytes: reader.take("arguments")? }),
                }
            }

            fn inferred(number: u32) -> bool {
                match number {
                    $($number => calls!(@inferred $basis),)*
                    _ => false,
                }
            }

            /// Returns the plaintext, byte for byte as [`Self::parse`] read it.
            #[must_use]
            pub fn encode(&self) -> Vec<u8> {
                let mut out = Vec::with_capacity(USUAL);
                self.number().put(&mut out);
                match self {
                    $(Self::$name { $($handle,)? $($field,)* } => {
                        $($handle.put(&mut out);)?
                        $($field.put(&mut out);)*
                    })*
                    Self::Unknown { bytes, .. } => bytes.put(&mut out),
                }
                out
            }

            /// Returns the call number.
            #[must_use]
            pub fn number(&self) -> u32 {
                match self {
                    $(Self::$name { .. } => $number,)*
                    Self::Unknown { number, .. } => *number,
                }
            }

            /// Returns the name of the API function.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => concat!("Cm", stringify!($name)),)*
                    Self::Unknown { .. } => "unknown call",
                }
            }

            /// Returns the handle of a call that takes one; 0 or any value in a
            /// `CmGetVersion` before the first access (protocol facts 3.5).
            #[must_use]
            pub fn handle(&self) -> Option<u32> {
                match self {
                    $(Self::$name { $($handle,)? .. } => calls!(@handle $($handle)?),)*
                    Self::Unknown { .. } => None,
                }
            }

            /// Sets another handle, without effect on a call that takes none.
            pub fn set_handle(&mut self, new: u32) {
                match self {
                    $(Self::$name { $($handle,)? .. } => { $(*$handle = new;)? })*
                    Self::Unknown { .. } => {}
                }
            }
        }
    };
    (@inferred known) => { false };
    (@inferred inferred) => { true };
    (@handle) => { None };
    (@handle $handle:ident) => { Some(*$handle) };
}

calls! {
    /// 0x0a, known: access in the older form.
    0x0a known Access() {
        /// Search order, [`constants::access`](super::constants::access).
        ctrl: u32,
        /// What is wanted.
        access: CmAccess,
    }
    /// 0x64, known: access.
    0x64 known Access2() {
        /// Search order, [`constants::access`](super::constants::access).
        ctrl: u32,
        /// What is wanted.
        access: Box<CmAccess2>,
        /// Empty from a program; 545 to 568 bytes of unknown meaning from a client's service.
        tail: Vec<u8>,
    }
    /// 0x0b, known.
    0x0b known Release(handle) {}
    /// 0x10, inferred: the older form of [`Request::Crypt2`].
    0x10 inferred Crypt(handle) {
        /// Operation.
        ctrl: u32,
        /// Key and options.
        crypt: CmCrypt,
        /// Changed in place.
        data: Buffer,
    }
    /// 0x11; the number is known, the layout inferred: the older form of [`Request::CryptSim2`].
    0x11 inferred CryptSim(handle) {
        /// Operation.
        ctrl: u32,
        /// Key and options.
        crypt: CmCryptSim,
        /// Changed in place.
        data: Buffer,
    }
    /// 0x69, known.
    0x69 known Crypt2(handle) {
        /// Operation, [`constants::crypt`](super::constants::crypt).
        ctrl: u32,
        /// Key and options. Algorithms above those of API 6.80 occur.
        crypt: CmCrypt2,
        /// Changed in place.
        data: Buffer,
    }
    /// 0x6a, inferred.
    0x6a inferred CryptSim2(handle) {
        /// Operation.
        ctrl: u32,
        /// Key and options.
        crypt: CmCryptSim2,
        /// Changed in place.
        data: Buffer,
    }
    /// 0x20, inferred.
    0x20 inferred GetBoxes(handle) {
        /// Which kinds, [`constants::boxes`](super::constants::boxes).
        port: u32,
        /// How many there is room for.
        number: u32,
    }
    /// 0x1f, inferred.
    0x1f inferred GetBoxContents(handle) {
        /// What is listed, [`constants::boxes`](super::constants::boxes).
        ctrl: u32,
        /// Of which Firm Code; 0 is any.
        firm_code: u32,
        /// In which container.
        box_info: CmBoxInfo,
        /// How many there is room for.
        number: u32,
    }
    /// 0x24, inferred.
    0x24 inferred GetLicenseInfo(handle) {
        /// How many there is room for.
        number: u32,
    }
    /// 0x14, inferred.
    0x14 inferred GetSecureData(handle) {
        /// Which data, and how it comes.
        secure: CmSecureData,
        /// Empty, or the caller's CMENTRYDATA.
        tail: Vec<u8>,
    }
    /// 0x21, known.
    0x21 known GetInfo(handle) {
        /// Selector and modifiers, [`constants::info`](super::constants::info).
        ctrl: u32,
        /// Bytes of the output asked for.
        size: u32,
    }
    /// 0x22, known.
    0x22 known GetServers() {
        /// [`constants::servers`](super::constants::servers).
        ctrl: u32,
        /// Bytes of the list asked for.
        size: u32,
    }
    /// 0x23, known.
    0x23 known GetVersion(handle) {}
    /// 0x5a, known.
    0x5a known CalculateSignature(handle) {
        /// Key and digest.
        auth: CmAuthenticate,
        /// Bytes of the signature asked for.
        size: u32,
    }
    /// 0x5b, known.
    0x5b known GetPublicKey(handle) {
        /// Key.
        auth: CmAuthenticate,
        /// Bytes of the key asked for.
        size: u32,
    }
    /// 0x32, inferred.
    0x32 inferred ReserveFirmItem(handle) {
        /// Firm Code.
        firm_code: u32,
        /// What is reserved.
        reserve: CmReserveFi,
    }
    /// 0x33, inferred.
    0x33 inferred CreateProductItemOption(handle) {
        /// Which option, and what to do with it.
        ctrl: u32,
        /// The option.
        option: Buffer,
    }
    /// 0x34, inferred.
    0x34 inferred CreateSequence(handle) {
        /// What to program.
        ctrl: u32,
        /// Where.
        item: CmCreateItem,
        /// Its description; the sequence comes back in it.
        sequence: Buffer,
    }
    /// 0x35, inferred. Whether its second buffer goes in or comes out is not known.
    0x35 inferred Program(handle) {
        /// What to program.
        ctrl: u32,
        /// Both buffers as they are.
        arguments: Vec<u8>,
    }
    /// 0x36, known. For a signed time the capture has 48 bytes, not the 64 of CMSIGNEDTIME.
    0x36 known ValidateEntry(handle) {
        /// What is checked, [`constants::validate`](super::constants::validate).
        ctrl: u32,
        /// The container.
        box_info: CmBoxInfo,
        /// CMENTRYDATA, CMBOXTIME or CMVALIDATE_DELETEFI.
        proof: Buffer,
    }
    /// 0x46, inferred.
    0x46 inferred EnablingWriteApplicationKey(handle) {
        /// What to write.
        ctrl: u32,
        /// Its description.
        key: Buffer,
    }
    /// 0x47, inferred.
    0x47 inferred EnablingGetApplicationContext(handle) {
        /// Filled in by the reply.
        context: CmEnablingAppContext,
    }
    /// 0x48, inferred.
    0x48 inferred EnablingGetChallenge(handle) {
        /// Whose.
        context: CmEnablingAppContext,
        /// Bytes of the challenge asked for.
        size: u32,
    }
    /// 0x49, inferred.
    0x49 inferred EnablingSendResponse(handle) {
        /// Whose.
        context: CmEnablingAppContext,
        /// The response.
        response: Buffer,
    }
    /// 0x50, inferred. How its string is encoded is not known.
    0x50 inferred SetCertifiedTimeUpdate(handle) {
        /// The time server's name as it is.
        arguments: Vec<u8>,
    }
    /// 0x5e; number and purpose are known, offsets are not.
    0x5e inferred CloudContainerControl(handle) {
        /// Selector and buffers as they are.
        arguments: Vec<u8>,
    }
    /// 0x6d, known.
    0x6d known LtCreateContext(handle) {
        /// Kind of transfer.
        ctrl: u32,
        /// What it begins with.
        request: CmLtRequest,
        /// Bytes of the context asked for.
        size: u32,
        /// The other side's context, for a pull.
        pull_context: Buffer,
    }
    /// 0x6e, inferred; sizes in the order of [`Request::LtCreateContext`].
    0x6e inferred LtDoTransfer(handle) {
        /// Kind of transfer.
        ctrl: u32,
        /// What is moved.
        transfer: CmLtTransfer,
        /// Bytes of the update asked for.
        size: u32,
        /// The other side's context.
        context: Buffer,
    }
    /// 0x6f, known.
    0x6f known LtImportUpdate(handle) {
        /// Kind of transfer.
        ctrl: u32,
        /// The update.
        update: Buffer,
    }
    /// 0x70, inferred.
    0x70 inferred LtCreateReceipt(handle) {
        /// Kind of transfer.
        ctrl: u32,
        /// What it began with.
        request: CmLtRequest,
        /// Bytes of the receipt asked for.
        size: u32,
    }
    /// 0x71, inferred.
    0x71 inferred LtConfirmTransfer(handle) {
        /// Kind of transfer.
        ctrl: u32,
        /// The receipt.
        receipt: Buffer,
    }
    /// 0x72, known.
    0x72 known LtCleanup(handle) {
        /// What to clean up.
        ctrl: u32,
    }
}

impl Request {
    /// Parses the plaintext of one frame.
    ///
    /// # Errors
    /// Returns [`Malformed`] for an incomplete call number, and for a call of known layout that is too short,
    /// too long, or has a length beyond the frame's end.
    pub fn parse(frame: &[u8]) -> Result<Self, Malformed> {
        Self::typed(frame).or_else(|malformed| match malformed.number {
            Some(number) if Self::inferred(number) => {
                Ok(Self::Unknown { number, bytes: frame[4..].to_vec() })
            }
            _ => Err(malformed),
        })
    }

    /// Returns the size in bytes of the output buffer that the call asks for; for data that is
    /// changed in place the size of that data; `None` if the call has no output buffer.
    #[must_use]
    pub fn output_size(&self) -> Option<u32> {
        match self {
            Self::GetBoxes { number, .. } => Some(list_bytes(*number, CmBoxInfo::SIZE)),
            Self::GetBoxContents { number, .. } => Some(list_bytes(*number, CmBoxEntry::SIZE)),
            Self::GetLicenseInfo { number, .. } => Some(list_bytes(*number, CmLicenseInfo::SIZE)),
            Self::GetSecureData { .. } => Some(list_bytes(1, CmEntryData::SIZE)),
            Self::GetInfo { size, .. }
            | Self::GetServers { size, .. }
            | Self::CalculateSignature { size, .. }
            | Self::GetPublicKey { size, .. }
            | Self::EnablingGetChallenge { size, .. }
            | Self::LtCreateContext { size, .. }
            | Self::LtDoTransfer { size, .. }
            | Self::LtCreateReceipt { size, .. } => Some(*size),
            Self::Crypt { .. }
            | Self::CryptSim { .. }
            | Self::Crypt2 { .. }
            | Self::CryptSim2 { .. }
            | Self::CreateSequence { .. } => Some(self.brings()),
            _ => None,
        }
    }

    /// Returns the size in bytes of the data that the call brings to be changed in place.
    #[must_use]
    pub fn brings(&self) -> u32 {
        match self {
            Self::Crypt { data, .. }
            | Self::CryptSim { data, .. }
            | Self::Crypt2 { data, .. }
            | Self::CryptSim2 { data, .. }
            | Self::CreateSequence { sequence: data, .. } => {
                u32::try_from(data.bytes.len()).unwrap_or(u32::MAX)
            }
            _ => 0,
        }
    }

    /// Returns whether the call asks for a handle.
    #[must_use]
    pub fn is_access(&self) -> bool {
        matches!(self, Self::Access { .. } | Self::Access2 { .. })
    }

    /// Returns whether the call programs, enables, transfers or deletes something, or talks to a
    /// cloud. Such a call would change one container alone, so a TMR server refuses it with
    /// [`COMMAND_NOT_SUPPORTED_BY_TMR`](super::CmError::COMMAND_NOT_SUPPORTED_BY_TMR). Goes by the
    /// number, so that it also holds for [`Request::Unknown`].
    #[must_use]
    pub fn changes_container(&self) -> bool {
        match self {
            Self::ValidateEntry { ctrl, .. } => ctrl & validate::CMDMASK == validate::DELETE_FI,
            other => matches!(
                other.number(),
                0x32..=0x35 | 0x46..=0x49 | 0x50 | 0x5e | 0x6d..=0x73
            ),
        }
    }
}

//! SDK structures as they stand on the wire (protocol facts 4, known unless a field says
//! otherwise).
//!
//! Every byte survives [`Layout::parse`] and [`Layout::encode`], reserved ones too. Field names
//! are the SDK's without the type prefix. Which structure belongs to which call stands in
//! [`request`](super::request) and [`constants::info`](super::constants::info), not here.

mod access;
mod container;
mod crypt;
mod entry;
#[cfg(test)]
mod layout_test;
mod network;
mod system;
mod text;
mod time;
mod transfer;

pub use access::{CmAccess, CmAccess2, CmBorrowData, CmCredential};
pub use container::{
    CmBoxControl, CmBoxInfo, CmBoxSecurity, CmCreateItem, CmEnablingAppContext,
    CmInternalEntryInfo, CmMemInfo, CmMemInfo2, CmReserveFi, CmSerial, CmValidateDeleteFi,
};
pub use crypt::{
    CmAuthenticate, CmBaseCrypt, CmBaseCrypt2, CmCrypt, CmCrypt2, CmCryptSim, CmCryptSim2, CmPioCk,
    CmSecureData,
};
pub use entry::{CmBoxEntry, CmBoxEntry2, CmEntryData, CmLicenseInfo, CmNamedUser, CmPiEntryBase};
pub use network::{CmNetInfoCluster, CmNetInfoUser, CmNetInfoUserExt};
pub use system::{CmCommunication, CmSecurityVersion, CmSystem, CmSystemStatus, CmVersion};
pub use text::{Text, Wide};
pub use time::{CmBoxTime, CmSignedTime, CmTime, CmUsagePeriod, seconds_since_2000};
pub use transfer::{CmLtRequest, CmLtTransfer};

use alloc::vec::Vec;
use nom::IResult;
use nom::error::{Error, ErrorKind};
use nom::number::complete::{le_u8, le_u16, le_u32};

/// The bytes that follow, and the value; the error says only that bytes were missing.
pub type Parsed<'a, T> = IResult<&'a [u8], T>;

/// A value of fixed size on the wire, little endian, without padding.
pub trait Layout: Sized {
    /// Its size in bytes.
    const SIZE: usize;
    /// All bytes zero.
    const ZERO: Self;

    /// Takes it off the front of `input`.
    ///
    /// # Errors
    /// `input` is shorter than [`Self::SIZE`]; there is no other.
    fn parse(input: &[u8]) -> Parsed<'_, Self>;

    /// Appends its [`Self::SIZE`] bytes.
    fn encode(&self, out: &mut Vec<u8>);

    /// Takes so many of them off the front of `input`.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    fn parse_all<const N: usize>(mut input: &[u8]) -> Parsed<'_, [Self; N]>
    where
        Self: Copy,
    {
        let mut all = [Self::ZERO; N];
        for item in &mut all {
            (input, *item) = Self::parse(input)?;
        }
        Ok((input, all))
    }

    /// Appends all of these.
    fn encode_all(all: &[Self], out: &mut Vec<u8>) {
        for item in all {
            item.encode(out);
        }
    }

    /// Its bytes alone.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::SIZE);
        self.encode(&mut out);
        out
    }
}

/// Implements [`Layout`] for a number, optionally with another implementation for arrays of it.
macro_rules! number {
    ($type:ty, $parse:ident $(, { $($many:tt)* })?) => {
        impl Layout for $type {
            const SIZE: usize = size_of::<Self>();
            const ZERO: Self = 0;
            fn parse(input: &[u8]) -> Parsed<'_, Self> {
                $parse(input)
            }
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            $($($many)*)?
        }
    };
}
number!(u8, le_u8, {
    // In one piece: most of a record is bytes.
    fn parse_all<const N: usize>(input: &[u8]) -> Parsed<'_, [Self; N]> {
        match input.split_first_chunk() {
            Some((all, rest)) => Ok((rest, *all)),
            None => Err(nom::Err::Error(Error::new(input, ErrorKind::Eof))),
        }
    }
    fn encode_all(all: &[Self], out: &mut Vec<u8>) {
        out.extend_from_slice(all);
    }
});
number!(u16, le_u16);
number!(u32, le_u32);

impl<T: Layout + Copy, const N: usize> Layout for [T; N] {
    const SIZE: usize = N * T::SIZE;
    const ZERO: Self = [T::ZERO; N];
    fn parse(input: &[u8]) -> Parsed<'_, Self> {
        T::parse_all(input)
    }
    fn encode(&self, out: &mut Vec<u8>) {
        T::encode_all(self, out);
    }
}

/// A structure as a table: name, size, and `offset => field: type` lines. An
/// offset or size that does not follow from the types does not compile.
macro_rules! layout {
    (
        $(#[$doc:meta])*
        $name:ident, $size:literal {
            $($(#[$field_doc:meta])* $offset:literal => $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        const _: () = {
            let mut at = 0;
            $(
                assert!(at == $offset, concat!(stringify!($name), ".", stringify!($field)));
                at += <$type as Layout>::SIZE;
            )*
            assert!(at == $size, stringify!($name));
        };

        impl Default for $name {
            fn default() -> Self {
                Self::ZERO
            }
        }

        impl Layout for $name {
            const SIZE: usize = $size;
            const ZERO: Self = Self { $($field: <$type as Layout>::ZERO,)* };
            fn parse(input: &[u8]) -> $crate::wire::structs::Parsed<'_, Self> {
                $(let (input, $field) = <$type as Layout>::parse(input)?;)*
                Ok((input, Self { $($field,)* }))
            }
            fn encode(&self, out: &mut alloc::vec::Vec<u8>) {
                $(self.$field.encode(out);)*
            }
        }
    };
}
use layout;

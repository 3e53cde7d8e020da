//! A server's reply, as a front reads it from a stock server. A parsed reply that is encoded again
//! has the same bytes, including the structures of the SDK, and an answer fits the output buffer
//! whose size the client gave.

use arbitrary::Unstructured;
use tmr_core::base::limits::OUTPUT_BUFFER_MAX;
use tmr_core::wire::structs::{
    CmAccess, CmAccess2, CmAuthenticate, CmBoxControl, CmBoxEntry, CmBoxEntry2, CmBoxInfo,
    CmBoxSecurity, CmBoxTime, CmCommunication, CmCreateItem, CmCredential, CmCrypt, CmCrypt2,
    CmCryptSim, CmCryptSim2, CmEnablingAppContext, CmEntryData, CmInternalEntryInfo, CmLicenseInfo,
    CmLtRequest, CmLtTransfer, CmMemInfo, CmMemInfo2, CmNamedUser, CmNetInfoCluster, CmNetInfoUser,
    CmNetInfoUserExt, CmPioCk, CmReserveFi, CmSecureData, CmSecurityVersion, CmSerial,
    CmSignedTime, CmSystem, CmSystemStatus, CmTime, CmUsagePeriod, CmValidateDeleteFi, CmVersion,
    Layout,
};
use tmr_core::wire::{CmError, Reply};

/// Checks that a parsed structure keeps every byte, and that the parser leaves the bytes after the
/// structure, which are those of the next list entry.
fn structure<T: Layout>(bytes: &[u8]) {
    match T::parse(bytes) {
        Ok((rest, value)) => {
            assert_eq!(rest.len() + T::SIZE, bytes.len());
            assert_eq!(value.to_bytes(), bytes[..T::SIZE]);
        }
        Err(_) => assert!(bytes.len() < T::SIZE),
    }
}

macro_rules! structures {
    ($bytes:expr, $($name:ident),* $(,)?) => { $(structure::<$name>($bytes);)* };
}

pub(super) fn run(bytes: &[u8]) {
    match Reply::parse(bytes) {
        Ok(reply) => {
            assert_eq!(reply.encode(), bytes);
            let mut body = reply.body.as_slice();
            while let Ok((rest, entry)) = CmBoxEntry::parse(body) {
                assert_eq!(entry.to_bytes(), body[..CmBoxEntry::SIZE]);
                body = rest;
            }
        }
        Err(_) => assert!(bytes.len() < 8),
    }
    structures!(
        bytes,
        CmAccess,
        CmAccess2,
        CmAuthenticate,
        CmBoxControl,
        CmBoxEntry2,
        CmBoxInfo,
        CmBoxSecurity,
        CmBoxTime,
        CmCommunication,
        CmCreateItem,
        CmCredential,
        CmCrypt,
        CmCrypt2,
        CmCryptSim,
        CmCryptSim2,
        CmEnablingAppContext,
        CmEntryData,
        CmInternalEntryInfo,
        CmLicenseInfo,
        CmLtRequest,
        CmLtTransfer,
        CmMemInfo,
        CmMemInfo2,
        CmNamedUser,
        CmNetInfoCluster,
        CmNetInfoUser,
        CmNetInfoUserExt,
        CmPioCk,
        CmReserveFi,
        CmSecureData,
        CmSecurityVersion,
        CmSerial,
        CmSignedTime,
        CmSystem,
        CmSystemStatus,
        CmTime,
        CmUsagePeriod,
        CmValidateDeleteFi,
        CmVersion,
    );
    let mut input = Unstructured::new(bytes);
    let asked = input.arbitrary::<u32>().unwrap_or_default();
    let output = input.take_rest();
    let words = || output.iter().map(|byte| u16::from(*byte));
    for Made { reply, before, needed } in [
        Made { reply: Reply::buffer(asked, output), before: 0, needed: output.len() },
        Made {
            reply: Reply::array(asked, output.len(), words()),
            before: 0,
            needed: 2 * output.len(),
        },
        servers(asked, output),
    ] {
        let most = if asked <= OUTPUT_BUFFER_MAX { before + size(asked) } else { 0 };
        assert!(reply.body.len() <= most.max(before), "{} bytes for {asked}", reply.body.len());
        if reply.status == CmError::NO_ERROR {
            assert!(asked == 0 || needed <= size(asked), "more than was asked for");
        }
        assert_eq!(Reply::parse(&reply.encode()), Ok(reply));
    }
    let list = Reply::list(asked, output.len(), words());
    assert!(list.body.len() <= size(OUTPUT_BUFFER_MAX));
    assert!(list.body.is_empty() || list.body.len() == 2 * size(asked));
}

fn size(asked: u32) -> usize {
    usize::try_from(asked).expect("32 bits")
}

/// A reply with output of the length that a client gave.
struct Made {
    reply: Reply,
    /// The number of bytes before that output.
    before: usize,
    /// The number of bytes of the complete output.
    needed: usize,
}

/// Returns the reply with a list of servers; each name ends with a zero.
fn servers(asked: u32, output: &[u8]) -> Made {
    let text = String::from_utf8_lossy(output);
    let names: Vec<&str> = text.split('\0').collect();
    let needed = text.len() + 1;
    Made { reply: Reply::servers(asked, &names), before: 4, needed }
}

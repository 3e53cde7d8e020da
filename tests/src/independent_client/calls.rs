//! Requests of tools and of older programs. The layouts are those of protocol facts 3.4, or else
//! follow from 3.1 and the prototype in the public header.

use super::record::Record;

/// Returns a CmGetBoxes request for a number of containers: 16 bytes.
#[must_use]
pub fn get_boxes(handle: u32, port: u32, number: u32) -> Vec<u8> {
    let mut record = Record::new(0x20, 16);
    record.word(4, handle);
    record.word(8, port);
    record.word(12, number);
    record.0
}

/// Returns a CmGetBoxContents request for any container and a number of entries: 164 bytes.
#[must_use]
pub fn box_contents(handle: u32, kind: u32, firm_code: u32, number: u32) -> Vec<u8> {
    let mut record = Record::new(0x1f, 164);
    record.word(4, handle);
    record.word(8, kind);
    record.word(12, firm_code);
    record.word(160, number);
    record.0
}

/// Returns a CmGetLicenseInfo request for a number of licences: 12 bytes.
#[must_use]
pub fn licence_info(handle: u32, number: u32) -> Vec<u8> {
    let mut record = Record::new(0x24, 12);
    record.word(4, handle);
    record.word(8, number);
    record.0
}

/// Returns a CmGetSecureData request for a data option: 56 bytes.
#[must_use]
pub fn secure_data(handle: u32, option: u16) -> Vec<u8> {
    let mut record = Record::new(0x14, 56);
    record.word(4, handle);
    record.bytes(8 + 24, &option.to_le_bytes());
    record.0
}

/// Returns a CmValidateEntry request with a proof of zeros.
#[must_use]
pub fn validate(handle: u32, selector: u32, size: usize) -> Vec<u8> {
    let mut record = Record::new(0x36, 164 + size);
    record.word(4, handle);
    record.word(8, selector);
    record.word(156, u32::try_from(size).expect("a proof is small"));
    record.0
}

/// Returns a CmCrypt (0x10) request that uses the firm key of the licence.
#[must_use]
pub fn crypt_older(
    handle: u32,
    operation: u32,
    code: u32,
    initial: &[u8; 16],
    data: &[u8],
) -> Vec<u8> {
    let mut record = Record::new(0x10, 12 + 40 + 4 + data.len() + 4);
    record.word(4, handle);
    record.word(8, operation);
    record.word(12 + 8, code);
    record.bytes(12 + 24, initial);
    record.word(52, u32::try_from(data.len()).expect("test data is small"));
    record.bytes(56, data);
    record.0
}

/// Returns a CmCryptSim (0x11) request that encrypts with AES ECB and a firm key of the caller.
#[must_use]
pub fn crypt_sim(handle: u32, codes: (u32, u32), firm_key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut record = Record::new(0x11, 104 + data.len() + 4);
    record.word(4, handle);
    record.word(8, 4);
    record.word(12 + 4, codes.0);
    record.word(12 + 8, codes.1);
    record.word(12 + 52, u32::try_from(firm_key.len()).expect("a firm key is short"));
    record.bytes(12 + 56, firm_key);
    record.word(100, u32::try_from(data.len()).expect("test data is small"));
    record.bytes(104, data);
    record.0
}

/// The arguments of CmCalculateSignature and CmGetPublicKey.
#[derive(Clone, Debug)]
pub struct Sign {
    /// The key source and the mode.
    pub control: u32,
    /// The key extension type.
    pub extension: u32,
    /// The SHA-256 digest to be signed.
    pub digest: [u8; 32],
}

impl Sign {
    /// Returns a CmCalculateSignature request: 212 bytes.
    #[must_use]
    pub fn signature(&self, handle: u32, size: u32) -> Vec<u8> {
        self.request(0x5a, handle, size)
    }

    /// Returns a CmGetPublicKey request: 212 bytes.
    #[must_use]
    pub fn public_key(&self, handle: u32, size: u32) -> Vec<u8> {
        self.request(0x5b, handle, size)
    }

    fn request(&self, call: u32, handle: u32, size: u32) -> Vec<u8> {
        let mut record = Record::new(call, 212);
        record.word(4, handle);
        record.word(8, self.control);
        record.word(12, self.extension);
        record.bytes(176, &self.digest);
        record.word(208, size);
        record.0
    }
}

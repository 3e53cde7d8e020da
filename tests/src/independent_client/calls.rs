//! Requests of tools and older programs: protocol facts 3.4 where it has the layout, else 3.1 and
//! the prototype of the public header.

use super::record::Record;

/// CmGetBoxes for a number of containers: 16 bytes.
#[must_use]
pub fn get_boxes(handle: u32, port: u32, number: u32) -> Vec<u8> {
    let mut record = Record::new(0x20, 16);
    record.word(4, handle);
    record.word(8, port);
    record.word(12, number);
    record.0
}

/// CmGetBoxContents of any container, for a number of entries: 164 bytes.
#[must_use]
pub fn box_contents(handle: u32, kind: u32, firm_code: u32, number: u32) -> Vec<u8> {
    let mut record = Record::new(0x1f, 164);
    record.word(4, handle);
    record.word(8, kind);
    record.word(12, firm_code);
    record.word(160, number);
    record.0
}

/// CmGetLicenseInfo for a number of licences: 12 bytes.
#[must_use]
pub fn licence_info(handle: u32, number: u32) -> Vec<u8> {
    let mut record = Record::new(0x24, 12);
    record.word(4, handle);
    record.word(8, number);
    record.0
}

/// CmGetSecureData of a data option: 56 bytes.
#[must_use]
pub fn secure_data(handle: u32, option: u16) -> Vec<u8> {
    let mut record = Record::new(0x14, 56);
    record.word(4, handle);
    record.bytes(8 + 24, &option.to_le_bytes());
    record.0
}

/// CmValidateEntry with a proof of zeros.
#[must_use]
pub fn validate(handle: u32, selector: u32, size: usize) -> Vec<u8> {
    let mut record = Record::new(0x36, 164 + size);
    record.word(4, handle);
    record.word(8, selector);
    record.word(156, u32::try_from(size).expect("a proof is small"));
    record.0
}

/// CmCrypt (0x10) with the firm key of the licence.
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

/// CmCryptSim (0x11), AES ECB encrypting, with a firm key of the caller.
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

/// CmCalculateSignature and CmGetPublicKey.
#[derive(Clone, Debug)]
pub struct Sign {
    /// Key source and mode.
    pub control: u32,
    /// Key extension type.
    pub extension: u32,
    /// SHA-256 digest.
    pub digest: [u8; 32],
}

impl Sign {
    /// CmCalculateSignature: 212 bytes.
    #[must_use]
    pub fn signature(&self, handle: u32, size: u32) -> Vec<u8> {
        self.request(0x5a, handle, size)
    }

    /// CmGetPublicKey: 212 bytes.
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

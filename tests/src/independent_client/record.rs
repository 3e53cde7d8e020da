//! Requests, by protocol facts 3.4, and the structures of section 4.

/// CmGetInfo selector: container info, 144 bytes (protocol facts 5.3).
pub const INFO_BOX: u32 = 0x01;
/// CmGetInfo selector: times, 48 bytes.
pub const INFO_TIME: u32 = 0x03;
/// CmGetInfo selector: system, 280 bytes.
pub const INFO_SYSTEM: u32 = 0x0a;
/// CmGetInfo selector: version, 16 bytes.
pub const INFO_VERSION: u32 = 0x0b;
/// CmGetInfo selector: communication, 544 bytes.
pub const INFO_COMMUNICATION: u32 = 0x37;

/// Access mode: each access takes a licence (protocol facts 5.2).
pub const MODE_USER_LIMIT: u32 = 0x000;
/// Access mode: the access takes no licence.
pub const MODE_NO_USER_LIMIT: u32 = 0x100;
/// Access mode: one instance only.
pub const MODE_EXCLUSIVE: u32 = 0x200;
/// Access mode: all instances of one machine share one licence.
pub const MODE_STATION_SHARE: u32 = 0x300;
/// Access flag: the access is to the service itself and needs no container.
pub const MODE_SUBSYSTEM: u32 = 0x0008_0000;
/// Access flag: the access is to the firm item, and to none of its products.
pub const MODE_FIRM_ITEM: u32 = 0x0010_0000;

/// CmGetServers selector: host names, as one list (protocol facts 5.5).
pub const NAMES_LIST: u32 = 0x10;

/// The search order of access calls, which is the network, with the bit that the SDK adds. The
/// value is known from captures.
const SEARCH: u32 = 0x1000_0001;

/// The user and the process that make an access.
#[derive(Clone, Debug)]
pub struct Person {
    /// The client's host name; only CmAccess2 carries it.
    pub host: String,
    /// The user name; only CmAccess2 carries it.
    pub user: String,
    /// The process id.
    pub pid: u32,
    /// The session id.
    pub session: u32,
}

impl Person {
    /// Returns a user on a host, with a process id and a session id of its own.
    #[must_use]
    pub fn new(host: &str, user: &str) -> Self {
        Self { host: host.into(), user: user.into(), pid: 4711, session: 1 }
    }
}

/// The arguments of an access.
#[derive(Clone, Debug)]
pub struct AccessRequest {
    /// The Firm Code.
    pub firm_code: u32,
    /// The Product Code.
    pub product_code: u32,
    /// The feature bits.
    pub feature: u32,
    /// The access mode and flags.
    pub mode: u32,
    /// The number of licences to take; 0 and 1 both mean one.
    pub quantity: u32,
    /// The seconds without a call after which the server may free the handle; 0 lets the server
    /// choose.
    pub cleanup: u32,
    /// The user and the process that make the access.
    pub person: Person,
}

impl AccessRequest {
    /// Returns an access that takes one licence in user limit mode.
    #[must_use]
    pub fn new(firm_code: u32, product_code: u32) -> Self {
        let person = Person::new("ws-1", "ada");
        let mode = MODE_USER_LIMIT;
        Self { firm_code, product_code, feature: 0, mode, quantity: 0, cleanup: 0, person }
    }

    /// Returns an access to the service itself, which gives a subsystem handle.
    #[must_use]
    pub fn subsystem() -> Self {
        Self::new(0, 0).mode(MODE_SUBSYSTEM)
    }

    /// Replaces the access mode and flags.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Replaces the user and the process.
    #[must_use]
    pub fn by(mut self, person: Person) -> Self {
        self.person = person;
        self
    }

    /// Returns the CmAccess request: 184 bytes.
    #[must_use]
    pub fn access(&self) -> Vec<u8> {
        let mut record = Record::new(0x0a, 184);
        record.word(4, SEARCH);
        record.word(8, self.mode);
        record.word(12, self.firm_code);
        record.word(16, self.product_code);
        record.word(20, self.feature);
        record.word(28, self.person.pid);
        let session = u16::try_from(self.person.session).expect("CMACCESS has 16 bits of session");
        record.bytes(34, &session.to_le_bytes());
        record.0
    }

    /// Returns the CmAccess2 request as an SDK program sends it to its local service: 712 bytes.
    #[must_use]
    pub fn access2(&self) -> Vec<u8> {
        let mut record = Record::new(0x64, 712);
        record.word(4, SEARCH);
        record.word(8, self.mode);
        record.word(12, self.firm_code);
        record.word(16, self.product_code);
        record.word(20, self.feature);
        record.word(48, self.quantity);
        record.text(316, 128, &self.person.host);
        record.word(472, self.person.pid);
        record.word(476, self.person.session);
        record.word(480, self.cleanup);
        record.text(632, 32, &self.person.user);
        // Offset 210 of CMCREDENTIAL was 01 00 in every capture.
        record.bytes(682, &[1, 0]);
        record.0
    }

    /// Returns the CmAccess2 request as a client's service sends it to a server. It is 560 bytes
    /// longer. The meaning of these bytes is unknown, so they are filled with a pattern.
    #[must_use]
    pub fn access2_remote(&self) -> Vec<u8> {
        let mut record = self.access2();
        // On the remote channel the two ids of the client's service are set.
        record[684..688].copy_from_slice(&0x1234_5678_u32.to_le_bytes());
        record[688..692].copy_from_slice(&0x0bad_cafe_u32.to_le_bytes());
        record.extend((0..560_u32).map(|at| (at % 251) as u8));
        record
    }
}

/// The arguments of CmCrypt2.
#[derive(Clone, Debug)]
pub struct Crypt {
    /// The operation: 4 and 5 are AES ECB, 8 and 9 AES CBC; odd numbers decrypt (protocol facts
    /// 5.6).
    pub operation: u32,
    /// The key source and the algorithm.
    pub algorithm: u32,
    /// The encryption code that the program chose.
    pub code: u32,
    /// The options: units, times, access mode.
    pub options: u32,
    /// The checksum of the plain data, for [`Self::CHECK_CRC`].
    pub crc: u32,
    /// The key of direct AES.
    pub direct_key: [u8; 16],
    /// The initial vector.
    pub initial: [u8; 16],
}

impl Crypt {
    /// Operation: encryption with AES ECB.
    pub const ECB_ENCRYPT: u32 = 4;
    /// Operation: decryption with AES ECB.
    pub const ECB_DECRYPT: u32 = 5;
    /// Operation: encryption with AES CBC.
    pub const CBC_ENCRYPT: u32 = 8;
    /// Operation: decryption with AES CBC.
    pub const CBC_DECRYPT: u32 = 9;
    /// Algorithm: AES with a key that is derived from the licence.
    pub const AES: u32 = 0;
    /// Algorithm: AES with the key in the request.
    pub const AES_DIRECT: u32 = 0x0300_0000;

    /// Flag of the algorithm: the server compares the checksum after decryption.
    pub const CHECK_CRC: u32 = 0x1_0000;
    /// Flag of the algorithm: the server computes the checksum before encryption.
    pub const MAKE_CRC: u32 = 0x2_0000;

    /// Returns arguments that use the firm key of the licence.
    #[must_use]
    pub fn firm_key(operation: u32, code: u32) -> Self {
        let (direct_key, initial) = ([0; 16], [0; 16]);
        let algorithm = Self::AES;
        Self { operation, algorithm, code, options: 0, crc: 0, direct_key, initial }
    }

    /// Returns arguments that use a key of the caller.
    #[must_use]
    pub fn direct(operation: u32, direct_key: [u8; 16], initial: [u8; 16]) -> Self {
        let algorithm = Self::AES_DIRECT;
        Self { algorithm, direct_key, initial, ..Self::firm_key(operation, 0) }
    }

    /// Returns the request: 164 bytes and the data.
    #[must_use]
    pub fn request(&self, handle: u32, data: &[u8]) -> Vec<u8> {
        let mut record = Record::new(0x69, 164 + data.len());
        record.word(4, handle);
        record.word(8, self.operation);
        record.word(12, self.algorithm);
        record.word(20, self.code);
        record.word(24, self.options);
        record.word(48, self.crc);
        record.bytes(92, &self.direct_key);
        record.bytes(108, &self.initial);
        record.word(156, u32::try_from(data.len()).expect("test data is small"));
        record.bytes(160, data);
        record.0
    }
}

/// Returns a CmRelease request: 8 bytes.
#[must_use]
pub fn release(handle: u32) -> Vec<u8> {
    with_handle(0x0b, handle)
}

/// Returns a CmGetVersion request: 8 bytes.
#[must_use]
pub fn get_version(handle: u32) -> Vec<u8> {
    with_handle(0x23, handle)
}

/// Returns a request whose only argument is a handle.
#[must_use]
pub fn with_handle(call: u32, handle: u32) -> Vec<u8> {
    let mut record = Record::new(call, 8);
    record.word(4, handle);
    record.0
}

/// Returns a CmGetInfo request: 16 bytes.
#[must_use]
pub fn get_info(handle: u32, selector: u32, size: u32) -> Vec<u8> {
    let mut record = Record::new(0x21, 16);
    record.word(4, handle);
    record.word(8, selector);
    record.word(12, size);
    record.0
}

/// Returns a CmGetServers request: 12 bytes.
#[must_use]
pub fn get_servers(selector: u32, size: u32) -> Vec<u8> {
    let mut record = Record::new(0x22, 12);
    record.word(4, selector);
    record.word(8, size);
    record.0
}

/// Returns a request of a call that changes a container. Its layout is that of CmLtImportUpdate
/// (0x6f): handle, flCtrl 1, an input buffer of `size` zero bytes, and the trailer.
#[must_use]
pub fn program(call: u32, handle: u32, size: u32) -> Vec<u8> {
    let mut record = Record::new(call, 20 + size as usize);
    record.word(4, handle);
    record.word(8, 1);
    record.word(12, size);
    record.0
}

/// A request under construction: zeros after the call number.
pub(super) struct Record(pub(super) Vec<u8>);

impl Record {
    pub(super) fn new(call: u32, size: usize) -> Self {
        let mut record = Self(vec![0; size]);
        record.word(0, call);
        record
    }

    pub(super) fn bytes(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub(super) fn word(&mut self, at: usize, word: u32) {
        self.bytes(at, &word.to_le_bytes());
    }

    fn text(&mut self, at: usize, room: usize, text: &str) {
        assert!(text.len() < room, "{text} does not fit its field");
        self.bytes(at, text.as_bytes());
    }
}

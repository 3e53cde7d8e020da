//! Requests: protocol facts 3.4, structures of section 4.

/// CmGetInfo: container info, 144 bytes (protocol facts 5.3).
pub const INFO_BOX: u32 = 0x01;
/// CmGetInfo: times, 48 bytes.
pub const INFO_TIME: u32 = 0x03;
/// CmGetInfo: system, 280 bytes.
pub const INFO_SYSTEM: u32 = 0x0a;
/// CmGetInfo: version, 16 bytes.
pub const INFO_VERSION: u32 = 0x0b;
/// CmGetInfo: communication, 544 bytes.
pub const INFO_COMMUNICATION: u32 = 0x37;

/// Every access takes a licence (protocol facts 5.2).
pub const MODE_USER_LIMIT: u32 = 0x000;
/// No licence is taken.
pub const MODE_NO_USER_LIMIT: u32 = 0x100;
/// One instance only.
pub const MODE_EXCLUSIVE: u32 = 0x200;
/// All instances of one machine share one licence.
pub const MODE_STATION_SHARE: u32 = 0x300;
/// The service itself; no container needed.
pub const MODE_SUBSYSTEM: u32 = 0x0008_0000;
/// The firm item, no product of it.
pub const MODE_FIRM_ITEM: u32 = 0x0010_0000;

/// CmGetServers: host names, as one list (protocol facts 5.5).
pub const NAMES_LIST: u32 = 0x10;

/// Search order of the access calls with the bit that the SDK adds: network, known from captures.
const SEARCH: u32 = 0x1000_0001;

/// Who asks.
#[derive(Clone, Debug)]
pub struct Person {
    /// Client host name; only CmAccess2 carries it.
    pub host: String,
    /// User name; only CmAccess2 carries it.
    pub user: String,
    /// Process id.
    pub pid: u32,
    /// Session id.
    pub session: u32,
}

impl Person {
    /// A user on a host, with a process and session of their own.
    #[must_use]
    pub fn new(host: &str, user: &str) -> Self {
        Self { host: host.into(), user: user.into(), pid: 4711, session: 1 }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct AccessRequest {
    /// Firm Code.
    pub firm_code: u32,
    /// Product Code.
    pub product_code: u32,
    /// Feature bits.
    pub feature: u32,
    /// Access mode and flags.
    pub mode: u32,
    /// Licences wanted; 0 and 1 both mean one.
    pub quantity: u32,
    /// Seconds of silence after which the handle may be freed; 0 leaves it to the server.
    pub cleanup: u32,
    /// Who.
    pub person: Person,
}

impl AccessRequest {
    /// One licence in user limit mode.
    #[must_use]
    pub fn new(firm_code: u32, product_code: u32) -> Self {
        let person = Person::new("ws-1", "ada");
        let mode = MODE_USER_LIMIT;
        Self { firm_code, product_code, feature: 0, mode, quantity: 0, cleanup: 0, person }
    }

    /// The service itself: a subsystem handle.
    #[must_use]
    pub fn subsystem() -> Self {
        Self::new(0, 0).mode(MODE_SUBSYSTEM)
    }

    /// In this mode.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// For this person.
    #[must_use]
    pub fn by(mut self, person: Person) -> Self {
        self.person = person;
        self
    }

    /// CmAccess, 184 bytes.
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

    /// CmAccess2, 712 bytes: what an SDK program sends to its local service.
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
        // CMCREDENTIAL +210 was 01 00 in every capture.
        record.bytes(682, &[1, 0]);
        record.0
    }

    /// CmAccess2 as a client's service sends it to a server: 560 bytes longer. What they mean is
    /// unknown, so they are filled with something.
    #[must_use]
    pub fn access2_remote(&self) -> Vec<u8> {
        let mut record = self.access2();
        // The two ids of the client's service are filled on the remote channel.
        record[684..688].copy_from_slice(&0x1234_5678_u32.to_le_bytes());
        record[688..692].copy_from_slice(&0x0bad_cafe_u32.to_le_bytes());
        record.extend((0..560_u32).map(|at| (at % 251) as u8));
        record
    }
}

/// CmCrypt2.
#[derive(Clone, Debug)]
pub struct Crypt {
    /// Operation: 4 and 5 are AES ECB, 8 and 9 AES CBC, odd ones decrypt (protocol facts 5.6).
    pub operation: u32,
    /// Key source and algorithm.
    pub algorithm: u32,
    /// Encryption code that the program chose.
    pub code: u32,
    /// Options: units, times, access mode.
    pub options: u32,
    /// Checksum of the plain data, for [`Self::CHECK_CRC`].
    pub crc: u32,
    /// Key of direct AES.
    pub direct_key: [u8; 16],
    /// Initial value.
    pub initial: [u8; 16],
}

impl Crypt {
    /// AES ECB, encrypting.
    pub const ECB_ENCRYPT: u32 = 4;
    /// AES ECB, decrypting.
    pub const ECB_DECRYPT: u32 = 5;
    /// AES CBC, encrypting.
    pub const CBC_ENCRYPT: u32 = 8;
    /// AES CBC, decrypting.
    pub const CBC_DECRYPT: u32 = 9;
    /// Algorithm: AES with a key made from the licence.
    pub const AES: u32 = 0;
    /// Algorithm: AES with the key of the request.
    pub const AES_DIRECT: u32 = 0x0300_0000;

    /// Added to the algorithm: compare the checksum after decryption.
    pub const CHECK_CRC: u32 = 0x1_0000;
    /// Added to the algorithm: compute the checksum before encryption.
    pub const MAKE_CRC: u32 = 0x2_0000;

    /// With the firm key of the licence.
    #[must_use]
    pub fn firm_key(operation: u32, code: u32) -> Self {
        let (direct_key, initial) = ([0; 16], [0; 16]);
        let algorithm = Self::AES;
        Self { operation, algorithm, code, options: 0, crc: 0, direct_key, initial }
    }

    /// With a key of one's own.
    #[must_use]
    pub fn direct(operation: u32, direct_key: [u8; 16], initial: [u8; 16]) -> Self {
        let algorithm = Self::AES_DIRECT;
        Self { algorithm, direct_key, initial, ..Self::firm_key(operation, 0) }
    }

    /// The request: 164 bytes and the data.
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

/// CmRelease, 8 bytes.
#[must_use]
pub fn release(handle: u32) -> Vec<u8> {
    with_handle(0x0b, handle)
}

/// CmGetVersion, 8 bytes.
#[must_use]
pub fn get_version(handle: u32) -> Vec<u8> {
    with_handle(0x23, handle)
}

/// Any call that has a handle and nothing else.
#[must_use]
pub fn with_handle(call: u32, handle: u32) -> Vec<u8> {
    let mut record = Record::new(call, 8);
    record.word(4, handle);
    record.0
}

/// CmGetInfo, 16 bytes.
#[must_use]
pub fn get_info(handle: u32, selector: u32, size: u32) -> Vec<u8> {
    let mut record = Record::new(0x21, 16);
    record.word(4, handle);
    record.word(8, selector);
    record.word(12, size);
    record.0
}

/// CmGetServers, 12 bytes.
#[must_use]
pub fn get_servers(selector: u32, size: u32) -> Vec<u8> {
    let mut record = Record::new(0x22, 12);
    record.word(4, selector);
    record.word(8, size);
    record.0
}

/// A call that changes a container, laid out like CmLtImportUpdate (0x6f): handle, flCtrl 1, an
/// input buffer of `size` zero bytes and the trailer.
#[must_use]
pub fn program(call: u32, handle: u32, size: u32) -> Vec<u8> {
    let mut record = Record::new(call, 20 + size as usize);
    record.word(4, handle);
    record.word(8, 1);
    record.word(12, size);
    record.0
}

/// A request under construction: zeros with its call number.
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

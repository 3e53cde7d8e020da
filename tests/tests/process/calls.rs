//! The complete set of calls, from an independent client. The virtual container gives the same
//! answers with three backends, with two, at a standby front and at a restarted one. Results are
//! equal on every backend, and other libraries confirm them.

use aes::Aes128;
use aes::cipher::{BlockEncrypt, KeyInit};
use p224::EncodedPoint;
use p224::ecdsa::signature::hazmat::PrehashVerifier;
use p224::ecdsa::{Signature, VerifyingKey};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tmr_tests::harness::{
    Builder, Cluster, FIRM_CODE, ORDINARY, Runtime, Server, TMR, is_whole, licence_row,
    status_until, take,
};
use tmr_tests::independent_client::error::{
    BUFFER_OVERFLOW, COMMAND_NOT_SUPPORTED_BY_TMR, INVALID_PARAMETER, WRONG_HANDLE_TYPE,
};
use tmr_tests::independent_client::{
    AccessRequest, Client, Crypt, INFO_BOX, MODE_NO_USER_LIMIT, NAMES_LIST, Person, Reply, Sign,
    box_contents, crypt_older, crypt_sim, get_boxes, get_info, get_servers, get_version,
    licence_info, program, release, secure_data, text, validate,
};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    every_call_answers_for_the_virtual_container,
    a_backend_that_answered_a_client_would_be_found,
    ciphers_and_signatures_are_equal_on_every_backend,
    aes_is_what_other_libraries_make_of_it,
);

/// A licence with many properties.
const RICH: u32 = 205;
/// Access flags: the firm item.
const FIRM_ITEM: u32 = 0x0010_0000;

const NO_FIRM_SECURITY_BOX: u32 = 122;
const CRC_VERIFY_FAILED: u32 = 203;
const NO_OPTION: u32 = 205;
const SIGNED_LIST_FAILED: u32 = 210;
const VALIDATION_FAILED: u32 = 211;
const NOT_IMPLEMENTED: u32 = 304;

/// Selectors that a server answers for the handle of a licence, with the length of the answer.
const SELECTORS: [(u32, u32); 19] = [
    (0x00, 8),
    (0x01, 144),
    (0x02, 16),
    (0x03, 48),
    (0x04, 528),
    (0x05, 588),
    (0x06, 16),
    (0x07, 16),
    (0x0a, 280),
    (0x0b, 16),
    (0x10, 4),
    (0x14, 240),
    (0x15, 32),
    (0x17, 40),
    (0x20, 16),
    (0x33, 1024),
    (0x36, 80),
    (0x37, 544),
    // "Editor" in UTF-16 with its end.
    (0x41, 14),
];

/// The selectors of [`SELECTORS`] whose answers depend on the time.
const CHANGING: [u32; 2] = [0x03, 0x36];

/// Selectors that a server without a chip, a licence file and a key of its own cannot answer.
const REFUSED: [(u32, u32); 20] = [
    (0x08, COMMAND_NOT_SUPPORTED_BY_TMR),
    (0x09, COMMAND_NOT_SUPPORTED_BY_TMR),
    (0x0c, 204),
    (0x0d, 204),
    (0x0e, 204),
    (0x0f, 66),
    (0x11, 66),
    (0x18, COMMAND_NOT_SUPPORTED_BY_TMR),
    (0x19, COMMAND_NOT_SUPPORTED_BY_TMR),
    (0x30, COMMAND_NOT_SUPPORTED_BY_TMR),
    (0x31, COMMAND_NOT_SUPPORTED_BY_TMR),
    (0x32, COMMAND_NOT_SUPPORTED_BY_TMR),
    (0x34, 204),
    (0x35, COMMAND_NOT_SUPPORTED_BY_TMR),
    (0x38, COMMAND_NOT_SUPPORTED_BY_TMR),
    (0x39, COMMAND_NOT_SUPPORTED_BY_TMR),
    (0x40, NO_OPTION),
    (0x42, COMMAND_NOT_SUPPORTED_BY_TMR),
    (0x21, 306),
    (0xff, 306),
];

fn cluster(runtime: Runtime) -> Builder {
    let rich = json!({
        "ProductCode": RICH, "Text": "Editor", "LicenseQuantity": 4, "TmrId": 7,
        "FeatureMap": 6, "ExpirationTime": "2099-01-01T00:00:00Z",
        "ActivationTime": "2020-01-01T00:00:00Z", "LingerTime": 0,
        "MaintenancePeriod": { "Start": "2020-01-01T00:00:00Z", "End": "2098-01-01T00:00:00Z" },
        "DeniedModes": ["exclusive"],
    });
    Cluster::of(runtime).product(rich)
}

fn seat(client: &mut Client, code: u32) -> u32 {
    let ask = AccessRequest::new(FIRM_CODE, code).by(Person::new("ws-1", "grace"));
    take(client, &ask).expect("the connection stays open").expect("a seat is free")
}

/// A client that makes every call.
struct Survey(Client);

impl Survey {
    #[track_caller]
    fn ask(&mut self, request: &[u8]) -> Reply {
        self.0.call(request).expect("the connection stays open")
    }

    #[track_caller]
    fn status(&mut self, request: &[u8]) -> u32 {
        self.ask(request).status
    }

    /// Tests the buffer rule of a selector: size 0 asks for the size, one byte short is an error.
    #[track_caller]
    fn info(&mut self, handle: u32, selector: u32, size: u32) -> Reply {
        let what = format!("selector {selector:#x}");
        let reply = self.ask(&get_info(handle, selector, size));
        assert_eq!((reply.status, reply.result), (0, size), "{what}");
        assert_eq!(reply.body.len(), size as usize, "{what}");
        let asked = self.ask(&get_info(handle, selector, 0));
        assert_eq!((asked.status, asked.result, asked.body.len()), (0, size, 0), "{what}");
        let short = self.ask(&get_info(handle, selector, size - 1));
        assert_eq!(short.status, BUFFER_OVERFLOW, "{what}");
        assert!(short.body.iter().all(|&byte| byte == 0), "{what}: never a cut structure");
        reply
    }

    #[track_caller]
    fn handle(&mut self, ask: &AccessRequest) -> u32 {
        self.ask(&ask.access2()).done().expect("a handle that takes no seat")
    }
}

/// The answers to calls: a description of each call, and the bytes of its answer.
type Answers = BTreeMap<String, Vec<u8>>;

/// Makes every call that is possible with a seat of the rich licence. Returns the answers that must
/// be equal at every time and from every server.
fn survey(front: &Server, seat: u32) -> Answers {
    let mut survey = Survey(Client::connect(front.licence()).expect("the front takes a client"));
    let mut same = Answers::new();
    let service = survey.handle(&AccessRequest::subsystem());
    let container = survey.handle(&AccessRequest::new(0, 0));
    let firm = survey.handle(&AccessRequest::new(FIRM_CODE, 0).mode(FIRM_ITEM));
    let free = survey.handle(&AccessRequest::new(FIRM_CODE, RICH).mode(MODE_NO_USER_LIMIT));

    for (selector, size) in SELECTORS {
        let reply = survey.info(seat, selector, size);
        if !CHANGING.contains(&selector) {
            same.insert(format!("selector {selector:#x}"), reply.body);
        }
    }
    for (selector, error) in REFUSED {
        let what = format!("selector {selector:#x}");
        assert_eq!(survey.status(&get_info(seat, selector, 64)), error, "{what}");
    }
    for selector in [0x00, 0x01, 0x03, 0x05, 0x10, 0x33, 0x3a] {
        assert_eq!(survey.status(&get_info(service, selector, 64)), WRONG_HANDLE_TYPE);
    }

    // The licence as it was issued, in the virtual container.
    let info = &same["selector 0x1"];
    assert_eq!(info[2..4], 131_u16.to_le_bytes());
    assert_eq!(info[4..8], Cluster::SERIAL.to_le_bytes());
    let word = |bytes: &[u8], at: usize| {
        u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
    };
    let entry = &same["selector 0x33"];
    let wide: Vec<u8> = "Example".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!((word(entry, 4), &entry[20..34]), (FIRM_CODE, &wide[..]));
    assert_eq!((word(entry, 644), word(entry, 648), word(entry, 740)), (RICH, 6, 4));
    assert_eq!(word(entry, 752), 0x204, "TMR, no exclusive use");
    assert_eq!(word(entry, 756), 7, "the TMR-Id");
    assert_eq!(entry[688..690], 2099_u16.to_le_bytes(), "expiration");
    assert_eq!(entry[704..706], 2020_u16.to_le_bytes(), "activation");
    assert_eq!(entry[668..670], 2098_u16.to_le_bytes(), "end of maintenance");
    assert_eq!(word(entry, 640), 0x0003_140f, "the options that are set");
    let older = &same["selector 0x5"];
    assert_eq!((word(older, 536), word(older, 540), word(older, 532)), (RICH, 6, 0x140f));
    let credential = &same["selector 0x14"];
    assert_eq!(text(&credential[160..192]), "grace");
    assert_eq!(word(credential, 20), 0x0a, "a licence, over the network");

    // The users of the two licences of the virtual container: this seat and the free handle.
    let clusters = survey.info(service, 0x12, 2 * 56);
    let rows: Vec<&[u8]> = clusters.body.chunks(56).collect();
    let row = rows.iter().find(|row| word(row, 12) == RICH).expect("the rich licence");
    assert_eq!((word(row, 0), row[4..6].to_vec()), (Cluster::SERIAL, vec![131, 0]));
    assert_eq!((word(row, 20), word(row, 24), word(row, 36), word(row, 40)), (1, 1, 1, 3));
    same.insert("selector 0x12".into(), clusters.body.clone());
    // Entries of the same second are in the order of their handles, which looks random.
    let ext = survey.info(seat, 0x16, 2 * 352);
    let names = [0, 352].map(|row| text(&ext.body[row + 112 + 160..row + 112 + 192]));
    let at = names.iter().position(|name| name == "grace").expect("the holder of the seat");
    assert_eq!(names[1 - at], "ada");
    let users = survey.info(seat, 0x13, 2 * 64);
    let own = &users.body[at * 64..][..64];
    assert_eq!(word(own, 0), Cluster::SERIAL);
    assert_ne!(word(own, 20), seat, "a handle is its holder's secret");
    same.insert("selector 0x13".into(), own.to_vec());
    let listed = survey.info(container, 0x3a, 2 * 256);
    assert_eq!((word(&listed.body, 0), word(&listed.body, 256)), (TMR, RICH));
    same.insert("selector 0x3a".into(), listed.body);
    let of_firm = survey.info(firm, 0x33, 1024);
    assert_eq!((of_firm.word(4), of_firm.word(644)), (FIRM_CODE, 0));

    let boxes = survey.ask(&get_boxes(service, 0, 3));
    assert_eq!((boxes.status, boxes.result, boxes.body.len()), (0, 1, 3 * 144));
    assert_eq!((boxes.half(2), boxes.word(4)), (131, Cluster::SERIAL));
    assert_eq!(survey.ask(&get_boxes(service, 0, 0)).done(), Ok(1));
    assert_eq!(survey.ask(&get_boxes(service, 1, 3)).done(), Ok(0));
    let contents = survey.ask(&box_contents(firm, 0, FIRM_CODE, 2));
    assert_eq!((contents.status, contents.result), (0, 2));
    assert_eq!((contents.word(536), contents.word(588 + 536)), (TMR, RICH));
    assert_eq!(survey.ask(&box_contents(firm, 0, FIRM_CODE, 0)).done(), Ok(2));
    let short = survey.status(&box_contents(firm, 0, FIRM_CODE, 1));
    assert_eq!(short, BUFFER_OVERFLOW);
    same.insert("contents".into(), contents.body);
    assert_eq!(survey.ask(&box_contents(firm, 1, 0, 4)).done(), Ok(1));
    let licences = survey.status(&licence_info(service, 1));
    assert_eq!(licences, NO_FIRM_SECURITY_BOX);
    assert_eq!(survey.status(&secure_data(seat, 0x80)), NO_OPTION);
    for (selector, size, error) in [
        (0, 528, SIGNED_LIST_FAILED),
        (1, 48, VALIDATION_FAILED),
        (1, 64, VALIDATION_FAILED),
        (2, 32, COMMAND_NOT_SUPPORTED_BY_TMR),
        (0, 48, INVALID_PARAMETER),
    ] {
        let request = validate(seat, selector, size);
        assert_eq!(survey.status(&request), error, "selector {selector}");
    }
    assert_eq!(survey.ask(&get_servers(NAMES_LIST, 4096)).status, 0);
    assert_eq!(survey.ask(&get_servers(0x200, 4096)).status, 0);
    assert_eq!(survey.ask(&get_version(seat)).status, 0);
    assert_eq!(survey.status(&program(0x6f, seat, 64)), COMMAND_NOT_SUPPORTED_BY_TMR);

    computed(&mut survey, seat, &mut same);
    for handle in [service, container, firm, free] {
        assert_eq!(survey.status(&release(handle)), 0);
    }
    same
}

/// Adds the answers that backends compute.
fn computed(survey: &mut Survey, seat: u32, same: &mut Answers) {
    let data: Vec<u8> = (0..48).collect();
    for operation in [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11] {
        for source in [0, 1, 2, 8] {
            let what = format!("crypt {operation}, key source {source}");
            let mut crypt = Crypt::firm_key(operation, 5);
            crypt.algorithm = source;
            crypt.initial = [7; 16];
            let reply = survey.ask(&crypt.request(seat, &data));
            assert_eq!((reply.status, reply.body.len()), (0, data.len()), "{what}");
            assert_ne!(reply.body, data, "{what}");
            same.insert(what, reply.body);
        }
    }
    for (what, operation, algorithm) in
        [("ECIES", 4, 0x0100_0000), ("RSA", 4, 0x0500_0000), ("no operation", 2, 0)]
    {
        let crypt = Crypt { algorithm, ..Crypt::firm_key(operation, 5) };
        let status = survey.status(&crypt.request(seat, &data));
        assert_eq!(status, NOT_IMPLEMENTED, "{what}");
    }
    let older = survey.ask(&crypt_older(seat, 8, 5, &[7; 16], &data));
    assert_eq!(older.body, same["crypt 8, key source 0"], "CmCrypt is CmCrypt2");
    let simulated = survey.ask(&crypt_sim(seat, (10, 20), &[3; 24], &data));
    assert_eq!((simulated.status, simulated.body.len()), (0, 48));
    same.insert("CmCryptSim".into(), simulated.body);
    // Options: no maintenance is missing, units are.
    let with = |options| Crypt { options, ..Crypt::firm_key(4, 5) };
    for (options, status) in [
        (0x0410_0000 | 0x0100_0000, 0),
        (0x1000_0000, 31),
        (0x0020_0000, 40),
        (0x0004_0000, 0),
        (0x0002_0000, 69),
    ] {
        let given = survey.status(&with(options).request(seat, &data));
        assert_eq!(given, status, "options {options:#x}");
    }
    for control in [0, 1, 2, 5, 6] {
        let sign = Sign { control, extension: 3, digest: Sha256::digest("a text").into() };
        let key = survey.ask(&sign.public_key(seat, 64));
        let signature = survey.ask(&sign.signature(seat, 64));
        assert_eq!((key.status, key.result, signature.result), (0, 64, 64));
        assert!(verifies(&key.body, &sign.digest, &signature.body), "key source {control}");
        let another: [u8; 32] = Sha256::digest("another text").into();
        assert!(!verifies(&key.body, &another, &signature.body), "key source {control}");
        same.insert(format!("public key {control}"), key.body);
        same.insert(format!("signature {control}"), signature.body);
    }
    for control in [3, 4, 0x0002_0000] {
        let sign = Sign { control, extension: 0, digest: [1; 32] };
        let status = survey.status(&sign.signature(seat, 64));
        assert_eq!(status, COMMAND_NOT_SUPPORTED_BY_TMR, "key source {control:#x}");
    }
}

/// Verifies ECDSA on P-224 by another library. Numbers have 32 bytes, big endian, four zeros first.
fn verifies(key: &[u8], digest: &[u8; 32], signature: &[u8]) -> bool {
    let halves = |pair: &[u8]| -> [[u8; 28]; 2] {
        assert_eq!((&pair[..4], &pair[32..36]), (&[0; 4][..], &[0; 4][..]));
        [&pair[4..32], &pair[36..64]].map(|half| half.try_into().expect("28 bytes"))
    };
    let ([x, y], [r, s]) = (halves(key), halves(signature));
    let point = EncodedPoint::from_affine_coordinates(&x.into(), &y.into(), false);
    let key = VerifyingKey::from_encoded_point(&point).expect("a point of the curve");
    let signature = Signature::from_scalars(r, s).expect("two scalars");
    key.verify_prehash(digest, &signature).is_ok()
}

/// Takes handles at a backend until one differs from all other numbers. From then on replies of the
/// front are searched for it.
fn telling_handle(cluster: &Cluster, backend: usize) {
    let address = cluster.backends[backend].licence();
    let mut client = Client::connect(address).expect("a backend takes clients");
    let ordinary = AccessRequest::new(FIRM_CODE, ORDINARY).mode(MODE_NO_USER_LIMIT);
    let told = (0..1_000).any(|_| {
        let handle = take(&mut client, &ordinary).expect("the connection stays open");
        cluster.secrets().handle(handle.expect("its own licence"))
    });
    assert!(told, "a handle's high half looks random");
}

fn every_call_answers_for_the_virtual_container(runtime: Runtime) {
    let mut cluster = cluster(runtime).twin().start();
    for backend in 0..3 {
        telling_handle(&cluster, backend);
    }
    let seat = seat(&mut cluster.client(), RICH);
    let whole = survey(cluster.front(), seat);
    status_until(cluster.fronts[1].admin(), "a twin that leads", |status| {
        (status["twin"]["connected"] == true && status["twin"]["role"] == "active").then_some(())
    });
    assert_eq!(survey(&cluster.fronts[1], seat), whole, "by a front that stands by");
    for backend in 0..3 {
        cluster.backends[backend].kill();
        status_until(cluster.front().admin(), "two parts", |status| {
            (licence_row(status, RICH)?["matching"] == 2).then_some(())
        });
        assert_eq!(survey(cluster.front(), seat), whole, "without backend {backend}");
        cluster.restart_backend(backend);
        cluster.wait_whole(0);
    }
    cluster.fronts[0].kill();
    cluster.restart_front(0);
    cluster.activate(0);
    cluster.wait_whole(0);
    assert_eq!(survey(cluster.front(), seat), whole, "by a front that came back");
    let searched = cluster.secrets().searched();
    assert!(searched > 900, "{searched} replies were searched for what gives a backend away");
}

/// Shows that the search in every reply of a front finds what a real backend reveals about itself.
fn a_backend_that_answered_a_client_would_be_found(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    cluster.secrets().guard(cluster.backends[1].licence());
    let mut client =
        Client::connect(cluster.backends[1].licence()).expect("a backend takes clients");
    let container =
        take(&mut client, &AccessRequest::new(0, 0)).expect("the connection stays open");
    let request = get_info(container.expect("its own container"), INFO_BOX, 144);
    let told = catch_unwind(AssertUnwindSafe(|| client.call(&request)));
    let message = told.expect_err("the reply has the container's serial");
    let message = message.downcast::<String>().expect("a panic with a text");
    assert!(message.contains("the serial 130-"), "{message}");
    assert!(message.contains("CmGetInfo (0x21) at offset 12"), "{message}");
}

fn ciphers_and_signatures_are_equal_on_every_backend(runtime: Runtime) {
    let mut cluster = cluster(runtime).start();
    // Each backend is asked directly, for its ordinary licence: the three answers are equal.
    let mut direct = Vec::new();
    for backend in &cluster.backends {
        let mut client = Client::connect(backend.licence()).expect("a backend takes clients");
        let handle = seat(&mut client, ORDINARY);
        let crypt = Crypt::firm_key(Crypt::CBC_ENCRYPT, 9);
        let sign = Sign { control: 5, extension: 0, digest: [8; 32] };
        let answers = [
            crypt.request(handle, &[1; 32]),
            sign.public_key(handle, 64),
            sign.signature(handle, 64),
        ];
        direct.push(answers.map(|request| client.call(&request).expect("an answer")));
    }
    assert!(direct[0].iter().all(|reply| reply.status == 0));
    assert_eq!(direct[0], direct[1]);
    assert_eq!(direct[0], direct[2]);

    // Through the front, each pair of backends decrypts what another pair has encrypted.
    let handle = seat(&mut cluster.client(), TMR);
    let plain: Vec<u8> = (0..80).collect();
    let mut ciphers: Vec<(u32, Vec<u8>)> = Vec::new();
    for gone in 0..3 {
        cluster.backends[gone].kill();
        let admin = cluster.front().admin();
        status_until(admin, "two parts", |status| {
            (licence_row(status, TMR)?["matching"] == 2 && !is_whole(status)).then_some(())
        });
        let mut client = cluster.client();
        for (there, back) in [(0, 1), (3, 3), (4, 5), (6, 7), (8, 9)] {
            let mut call = |operation, data: &[u8]| {
                let crypt = Crypt { initial: [6; 16], ..Crypt::firm_key(operation, 17) };
                let reply = client.call(&crypt.request(handle, data)).expect("an answer");
                assert_eq!(reply.status, 0, "operation {operation}");
                reply.body
            };
            // The two remaining backends take turns.
            for _ in 0..4 {
                ciphers.push((there, call(there, &plain)));
            }
            for (_, cipher) in ciphers.iter().filter(|(operation, _)| *operation == there) {
                assert_eq!(call(back, cipher), plain, "operation {back}");
            }
        }
        cluster.restart_backend(gone);
        cluster.wait_whole(0);
    }
    ciphers.sort();
    ciphers.dedup();
    assert_eq!(ciphers.len(), 5, "one result for each operation, whoever did it");
}

/// Compares each operation with AES block by block.
fn aes_is_what_other_libraries_make_of_it(runtime: Runtime) {
    let cluster = cluster(runtime).start();
    let mut client = cluster.client();
    let handle = seat(&mut client, TMR);
    let (key, start) = (*b"a key of our own", *b"an initial value");
    let aes = Aes128::new(&key.into());
    let block = |mut block: [u8; 16]| -> [u8; 16] {
        aes.encrypt_block((&mut block).into());
        block
    };
    let plain: Vec<u8> = (0..64).map(|byte: u8| byte.wrapping_mul(37)).collect();
    let (mut ecb, mut cbc, mut cfb, mut stream) = (vec![], vec![], vec![], vec![]);
    let (mut chain, mut feed, mut counter) = (start, start, u128::from_be_bytes(start));
    for chunk in plain.chunks(16) {
        let chunk: [u8; 16] = chunk.try_into().expect("16 bytes");
        let xor = |mask: [u8; 16]| -> [u8; 16] { std::array::from_fn(|at| chunk[at] ^ mask[at]) };
        ecb.extend(block(chunk));
        chain = block(xor(chain));
        cbc.extend(chain);
        feed = xor(block(feed));
        cfb.extend(feed);
        stream.extend(xor(block(counter.to_be_bytes())));
        counter = counter.wrapping_add(1);
    }
    let mut crypt = |crypt: &Crypt, data: &[u8]| {
        client.call(&crypt.request(handle, data)).expect("the connection stays open")
    };
    for (there, back, cipher, any_length) in [
        (0, 1, &ecb, false),
        (3, 3, &stream, true),
        (4, 5, &ecb, false),
        (6, 7, &cfb, true),
        (8, 9, &cbc, false),
        (10, 11, &cbc, false),
    ] {
        let with = |operation| Crypt::direct(operation, key, start);
        assert_eq!(crypt(&with(there), &plain).body, *cipher, "operation {there}");
        assert_eq!(crypt(&with(back), cipher).body, plain, "operation {back}");
        let odd = crypt(&with(there), &plain[..41]);
        if any_length {
            assert_eq!(odd.body, cipher[..41], "operation {there}");
        } else {
            assert_eq!(odd.status, INVALID_PARAMETER, "operation {there}");
        }

        // The checksum of the plain data comes after the changed data.
        let algorithm = Crypt::AES_DIRECT | Crypt::MAKE_CRC;
        let made = crypt(&Crypt { algorithm, ..with(there) }, &plain);
        assert_eq!(made.body[..64], *cipher, "operation {there}");
        let crc = crc32fast::hash(&plain);
        assert_eq!(made.body[64..], crc.to_le_bytes(), "operation {there}");
        let algorithm = Crypt::AES_DIRECT | Crypt::CHECK_CRC;
        let check = |crc| Crypt { algorithm, crc, ..with(back) };
        assert_eq!(crypt(&check(crc), cipher).body, plain, "operation {back}");
        assert_eq!(crypt(&check(crc ^ 1), cipher).status, CRC_VERIFY_FAILED);
    }
}

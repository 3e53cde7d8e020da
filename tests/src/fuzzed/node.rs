//! One backend with its disk, which several targets use.

use std::sync::OnceLock;
use tmr_core::backend::{Backend, Config, JournalError};
use tmr_core::base::time::{Deadline, Mono, Now, Wall};
use tmr_core::io::{BackendEvent, HostRequest, Input, Intent};
use tmr_core::licence::{Container, File, Issuer, Spec};
use tmr_core::service::Identity;

/// The specification has a product of each kind. The products with a TmrId belong to a TMR set, and
/// the others are ordinary.
const SPEC: &str = r#"{
    "FirmCode": 6000010, "FirmItemText": "fuzz", "CmActId": 305419896, "Products": [
    {"ProductCode": 1, "LicenseQuantity": 2, "TmrId": 1},
    {"ProductCode": 2, "LicenseQuantity": 2, "Text": "plain"},
    {"ProductCode": 3, "LicenseQuantity": 3, "LingerTime": 5, "FeatureMap": 7},
    {"ProductCode": 4, "LicenseQuantity": 1, "UnitCounter": 9, "DeniedModes": ["exclusive"]},
    {"ProductCode": 5, "LicenseQuantity": 2147483647, "UsagePeriod": 60,
     "ActivationTime": "2020-01-01T00:00:00Z", "ExpirationTime": "2030-01-01T00:00:00Z",
     "MaintenancePeriod": {"Start": "2020-01-01T00:00:00Z", "End": "2030-01-01T00:00:00Z"}},
    {"ProductCode": 2, "LicenseQuantity": 2, "TmrId": 1},
    {"ProductCode": 3, "LicenseQuantity": 2, "TmrId": 1, "LingerTime": 5},
    {"ProductCode": 4, "LicenseQuantity": 1, "TmrId": 1, "UnitCounter": 9}]}"#;

/// Returns the container of backend 0, 1 or 2.
pub(super) fn container(part: usize) -> Container {
    static ISSUED: OnceLock<[Container; 3]> = OnceLock::new();
    let all = ISSUED.get_or_init(|| {
        let issuer = Issuer::from_secret([7; 32]);
        let spec = Spec::parse(SPEC).expect("it stands above");
        [1, 2, 3].map(|part| {
            let file = issuer.issue(&spec, part, Wall(START));
            File::open(&file, &[issuer.public()]).expect("it was signed just now")
        })
    });
    all[part].clone()
}

/// Returns the identity that a node reports.
pub(super) fn identity() -> Identity {
    Identity { name: "node".into(), runtime: "fuzz", address: [127, 0, 0, 1].into() }
}

/// The wall-clock time at the beginning of every run.
const START: u64 = 1_795_287_600;

/// Returns the time this number of microseconds after the beginning of the run.
pub(super) fn at(micros: u64) -> Now {
    Now { mono: Mono(micros), wall: Wall(START + micros / 1_000_000) }
}

/// Opens a backend with this journal.
pub(super) fn open(part: usize, journal: Option<&[u8]>) -> Result<(Backend, usize), JournalError> {
    let config = Config {
        identity: identity(),
        containers: vec![container(part)],
        group_check: [1; 8],
        handle_key: tmr_core::service::HandleKey::default(),
        seed: [u8::try_from(part).expect("one of three"); 32],
    };
    Backend::open(config, journal)
}

/// A backend and its disk. At most one write is in progress.
pub(super) struct Machine {
    part: usize,
    node: Backend,
    disk: Vec<u8>,
    write: Option<(Vec<u8>, bool)>,
}

impl Machine {
    /// Makes a backend with an empty disk.
    pub(super) fn new(part: usize) -> Self {
        let (node, _) = open(part, None).expect("there is no journal to refuse");
        Self { part, node, disk: Vec::new(), write: None }
    }

    /// Makes a backend whose disk holds this complete journal.
    pub(super) fn with(journal: &[u8]) -> Self {
        let (node, _) = open(0, Some(journal)).expect("it was opened before");
        Self { part: 0, node, disk: journal.to_vec(), write: None }
    }

    /// Steps the backend, and keeps the write that it requests in progress.
    pub(super) fn step(&mut self, now: Now, input: Input) -> (Vec<Intent>, Option<Deadline>) {
        let mut out = Vec::new();
        let due = self.node.step(now, input, &mut out);
        out.retain(|intent| match intent {
            Intent::Host(HostRequest::Journal(write)) => {
                assert!(self.write.is_none(), "a second write before the first was done");
                self.write = Some((write.clone().into_bytes(), write.is_whole()));
                false
            }
            Intent::Host(HostRequest::Halt(reason)) => panic!("the backend halts: {reason}"),
            _ => true,
        });
        (out, due)
    }

    /// Completes the write in progress, if there is one.
    pub(super) fn finish(&mut self, now: Now) -> Vec<Intent> {
        let Some((bytes, rewrite)) = self.write.take() else { return Vec::new() };
        if rewrite {
            self.disk.clear();
        }
        self.disk.extend(bytes);
        self.step(now, BackendEvent::JournalWritten.into()).0
    }

    /// Completes all writes.
    pub(super) fn settle(&mut self, now: Now) -> Vec<Intent> {
        let mut out = Vec::new();
        while self.write.is_some() {
            out.extend(self.finish(now));
        }
        out
    }

    /// Cuts the power. Only the first `torn` bytes of an append in progress reach the disk, and the
    /// backend restarts with that disk. The backend must be able to read the journal that it wrote.
    pub(super) fn crash(&mut self, torn: usize) {
        if let Some((bytes, false)) = self.write.take() {
            self.disk.extend(&bytes[..torn.min(bytes.len())]);
        }
        let journal = (!self.disk.is_empty()).then_some(self.disk.as_slice());
        let (node, keep) = open(self.part, journal).expect("its own journal");
        self.disk.truncate(keep);
        self.node = node;
    }
}

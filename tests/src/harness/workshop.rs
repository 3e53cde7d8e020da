//! A temporary folder with a group key and signed licences, made with the program's own commands.

use super::build::{Program, Runtime};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Firm Code of the sample licences: the vendor's public evaluation code.
pub const FIRM_CODE: u32 = 6_000_010;
/// Product Code of the sample TMR licence.
pub const TMR: u32 = 201;
/// Its seats.
pub const SEATS: u32 = 5;
/// Product Code of the sample licence without TMR-Id.
pub const ORDINARY: u32 = 301;
/// Its seats.
pub const ORDINARY_SEATS: u32 = 2;
/// CmActId of the three sample containers.
pub const CM_ACT_ID: u32 = 305_419_896;

/// The issuer's key, the same in every workshop: the first digest of `tmr tests issuer N` that gives
/// the three containers serials (9411533, 9935563, 9476785) whose low three bytes are 0x80 and
/// above, so that they are found in a reply only where they are, not in a text or a small number.
const ISSUER: &str = "f6ee41f19fa4e8adeeb793284e06e4083a890a7d9f46f59b8c12b32c7cfbf9aa";

/// A specification for `tmrd issue` with these products beside the ordinary one: product code and
/// seats of TMR licences.
#[must_use]
pub fn specification(licences: &[(u32, u32)]) -> Value {
    let mut products: Vec<Value> = licences
        .iter()
        .map(|&(code, seats)| {
            let text = format!("Product {code}");
            json!({ "ProductCode": code, "Text": text, "LicenseQuantity": seats, "TmrId": 1 })
        })
        .collect();
    products.push(json!({
        "ProductCode": ORDINARY, "Text": "Ordinary", "LicenseQuantity": ORDINARY_SEATS
    }));
    json!({
        "FirmCode": FIRM_CODE, "FirmItemText": "Example", "CmActId": CM_ACT_ID,
        "Products": products
    })
}

/// The folder, which is removed when this is dropped, unless the test fails.
#[derive(Debug)]
pub struct Workshop {
    program: Program,
    folder: PathBuf,
    ip: Ipv4Addr,
}

impl Workshop {
    /// A folder with a group key and the parts of the licences of a specification.
    ///
    /// # Panics
    /// `keygen` or `issue` fails.
    #[must_use]
    pub fn new(runtime: Runtime, specification: &Value) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let pid = process::id();
        let folder = std::env::temp_dir().join(format!("tmr-tests-{pid}-{count}"));
        fs::create_dir_all(&folder).expect("a folder can be made among the temporary ones");
        let workshop = Self { program: Program::of(runtime), folder, ip: address(pid, count) };
        workshop.program.run([Path::new("keygen"), &workshop.group_key()]).expect(0);
        let issuer = workshop.folder.join("issuer.key");
        fs::write(&issuer, ISSUER).expect("a key can be written");
        let private = Permissions::from_mode(0o600);
        fs::set_permissions(&issuer, private).expect("a file of our own has our permissions");
        workshop.issue(specification, "issuer", "licences");
        workshop
    }

    /// Starts all later processes by a shell that runs this first.
    pub fn start_after(&mut self, before: &'static str) {
        self.program = self.program.after(before);
    }

    /// Runs `tmrd issue` with `KEY.key` into the folder `out`.
    ///
    /// # Panics
    /// It fails.
    pub fn issue(&self, specification: &Value, key: &str, out: &str) {
        self.run_issue(specification, key, out, &[]);
    }

    /// Runs `tmrd issue --only N` with `issuer.key` into the folder `out`: that part is issued
    /// again.
    ///
    /// # Panics
    /// It fails.
    pub fn reissue(&self, specification: &Value, part: usize, out: &str) {
        self.run_issue(specification, "issuer", out, &["--only".into(), part.to_string().into()]);
    }

    fn run_issue(&self, specification: &Value, key: &str, out: &str, more: &[OsString]) {
        let file = self.folder.join(format!("{out}.json"));
        fs::write(&file, specification.to_string()).expect("a specification can be written");
        let key = self.folder.join(format!("{key}.key"));
        let out = self.folder.join(out);
        let arguments =
            [Path::new("issue"), &file, Path::new("--key"), &key, Path::new("--out"), &out];
        let arguments = arguments.map(|one| one.as_os_str().to_owned()).into_iter();
        self.program.run(arguments.chain(more.iter().cloned())).expect(0);
    }

    /// Puts part 1, 2 or 3 of another specification in the place of that part.
    ///
    /// # Panics
    /// It cannot be issued.
    pub fn issue_part(&self, specification: &Value, part: usize) {
        let own = format!("own-{part}");
        self.issue(specification, "issuer", &own);
        let made = self.folder.join(own).join(format!("{part}.cmlic"));
        fs::copy(made, self.licence(part)).expect("a licence can be copied");
    }

    /// Returns the program that made all files.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns a loopback address of this workshop's own: a free port on it stays free while a
    /// server is down, because connections of others start at 127.0.0.1.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.ip.into()
    }

    /// Another one, of backend 1, 2 or 3 alone, so that it can be told from all others where it
    /// must not be shown. No text of one of these begins with that of another.
    ///
    /// # Panics
    /// There is no such part.
    #[must_use]
    pub fn backend_ip(&self, part: usize) -> IpAddr {
        assert!((1..=3).contains(&part), "there is no backend {part}");
        let [a, b, c, d] = self.ip.octets();
        let part = u8::try_from(part).expect("up to 3");
        Ipv4Addr::new(a, b, c, d + part).into()
    }

    /// The group key.
    #[must_use]
    pub fn group_key(&self) -> PathBuf {
        self.folder.join("group.key")
    }

    /// The licence of part 1, 2 or 3.
    #[must_use]
    pub fn licence(&self, part: usize) -> PathBuf {
        self.licence_in("licences", part)
    }

    /// The licence of part 1, 2 or 3 that was issued into the folder `out`.
    #[must_use]
    pub fn licence_in(&self, out: &str, part: usize) -> PathBuf {
        self.folder.join(format!("{out}/{part}.cmlic"))
    }

    /// The issuer's public key.
    #[must_use]
    pub fn issuer(&self) -> PathBuf {
        self.folder.join("licences/issuer.pub")
    }

    /// The state folder of part 1, 2 or 3.
    #[must_use]
    pub fn state(&self, part: usize) -> PathBuf {
        self.folder.join(format!("state-{part}"))
    }
}

/// Returns 127.x.y.z, the first of four addresses that no other running test on this machine uses.
fn address(pid: u32, count: u32) -> Ipv4Addr {
    let [_, _, high, low] = (pid % 0xfe00 + 0x100).to_be_bytes();
    let last = u8::try_from(count % 62 * 4 + 4).expect("up to 248");
    Ipv4Addr::new(127, high, low, last)
}

impl Drop for Workshop {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("left for a look: {}", self.folder.display());
        } else {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

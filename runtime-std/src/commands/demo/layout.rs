//! The demo's folder: keys, licences, configurations and state, and the command lines that use
//! them. It is made once; a folder that was kept is used again unchanged.

use super::child::Line;
use crate::commands::issue::{self, Issue};
use crate::commands::keys;
use crate::exit::Failure;
use crate::host::create::Access;
use crate::host::disk::Folder;
use crate::host::files;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

/// The longest pause before a backend is dialled again; short, so that a demo shows it.
const RETRY_SECONDS: u32 = 2;

/// The folder with its paths.
#[derive(Debug)]
pub(super) struct Layout {
    path: PathBuf,
    kept: bool,
    logs: bool,
    /// The lock that excludes another demo.
    _lock: Folder,
}

impl Layout {
    /// Makes what does not exist yet in `dir`, or in a temporary folder. `logs`: servers also write
    /// their logs there.
    pub(super) fn prepare(dir: Option<&Path>, logs: bool) -> Result<Self, Failure> {
        let fresh = || std::env::temp_dir().join(format!("tmrd-demo-{}", std::process::id()));
        let given = dir.map_or_else(fresh, Path::to_owned);
        let lock = Folder::open(&given)?;
        // The printed command lines must work in any folder.
        let path = given.canonicalize().map_err(|error| files::wrong(&given, error))?;
        let layout = Self { path, kept: dir.is_some(), logs, _lock: lock };
        if !layout.group_key().exists() {
            keys::make_group_key(&layout.group_key())?;
        }
        if !layout.licence(3).exists() || !layout.issuer().exists() {
            let spec = layout.path.join("licences.json");
            files::put(&spec, format!("{:#}\n", specification()).as_bytes(), Access::Public)?;
            let (key, out) = (layout.path.join("issuer.key"), layout.path.join("licences"));
            let options = Issue::unbound(spec, key, out);
            issue::sign(&options, &issue::specification(&options.spec)?)?;
        }
        Ok(layout)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_kept(&self) -> bool {
        self.kept
    }

    /// Keeps a temporary folder at the end, so that it can be examined.
    pub(super) fn keep(&mut self) {
        self.kept = true;
    }

    fn log(&self, name: &str) -> Option<PathBuf> {
        self.logs.then(|| self.path.join(format!("{name}.log")))
    }

    /// Returns the command lines of the backends and fronts, each with ports of its own; writes the
    /// fronts' configurations.
    pub(super) fn lines(&self) -> Result<(Vec<Line>, Vec<Line>), Failure> {
        let ports = free_ports()?;
        let backends: Vec<Line> =
            (1..=3).zip(ports[..6].chunks(2)).map(|(part, at)| self.backend(part, at)).collect();
        let fronts = &ports[6..];
        let mut lines = Vec::new();
        for (index, other) in [(0, 1), (1, 0)] {
            let own = &fronts[index * 3..][..3];
            let twin = (own[2], fronts[other * 3 + 2]);
            lines.push(self.front(index + 1, own, twin, &backends)?);
        }
        Ok((backends, lines))
    }

    fn backend(&self, part: usize, at: &[SocketAddr]) -> Line {
        let name = format!("backend-{part}");
        let (licence, admin, state) = (at[0], at[1], self.path.join(&name));
        let arguments: Vec<OsString> = vec![
            "backend".into(),
            "--listen".into(),
            licence.to_string().into(),
            "--admin".into(),
            admin.to_string().into(),
            "--license".into(),
            self.licence(part).into(),
            "--issuer".into(),
            self.issuer().into(),
            "--group-key".into(),
            self.group_key().into(),
            "--state".into(),
            state.clone().into(),
        ];
        Line { log: self.log(&name), name, arguments, licence, admin, state }
    }

    /// Returns the path of the password file of both fronts, which does not exist at first.
    pub(super) fn password_file(&self) -> PathBuf {
        self.path.join("admin.passwd")
    }

    fn front(
        &self,
        number: usize,
        own: &[SocketAddr],
        (twin_listen, twin): (SocketAddr, SocketAddr),
        backends: &[Line],
    ) -> Result<Line, Failure> {
        let name = format!("front-{number}");
        let (licence, admin) = (own[0], own[1]);
        let at = |at: SocketAddr| json!({ "Ip": at.ip().to_string(), "Port": at.port() });
        let servers: Vec<Value> = backends.iter().map(|backend| at(backend.licence)).collect();
        let mut web = at(admin);
        web["PasswordFile"] = self.password_file().to_string_lossy().into();
        let value = json!({
            "TmrServer": {
                "Ip": licence.ip().to_string(), "Port": licence.port(),
                "TwinServer": at(twin), "TwinListen": at(twin_listen),
                "GroupKeyFile": self.group_key().to_string_lossy(),
            },
            "CmServer": { "NetworkRetryIntervalInSeconds": RETRY_SECONDS, "Server": servers },
            "WebAdmin": web,
        });
        let config = self.path.join(format!("{name}.tmrconf.json"));
        files::put(&config, format!("{value:#}\n").as_bytes(), Access::Public)?;
        let state = self.path.join(&name);
        let words: [OsString; 5] = [
            "serve".into(),
            "--config".into(),
            config.into(),
            "--state".into(),
            state.clone().into(),
        ];
        Ok(Line { log: self.log(&name), name, arguments: words.to_vec(), licence, admin, state })
    }

    fn group_key(&self) -> PathBuf {
        self.path.join("group.key")
    }

    fn licence(&self, part: usize) -> PathBuf {
        self.path.join(format!("licences/{part}.cmlic"))
    }

    fn issuer(&self) -> PathBuf {
        self.path.join("licences/issuer.pub")
    }
}

impl Drop for Layout {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

fn specification() -> Value {
    let product = |code: u32, text: &str, seats: u32, tmr_id: u32| json!({ "ProductCode": code, "Text": text, "LicenseQuantity": seats, "TmrId": tmr_id });
    json!({
        "FirmCode": 6_000_010, "FirmItemText": "tmrd demo", "CmActId": 305_419_896,
        "Products": [
            product(201, "Editor", 5, 1),
            product(202, "Render node", 20, 2),
            product(203, "Compiler", 1, 3),
        ],
    })
}

/// Returns the loopback address at which the five listen for each other, one for each demo process.
/// A port that is free there stays free until a server takes it, because outgoing connections use
/// 127.0.0.1.
fn inside() -> Ipv4Addr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 22, high, low)
}

/// Returns ports that are free now: two for each backend, three for each front.
fn free_ports() -> Result<Vec<SocketAddr>, Failure> {
    let find = || -> std::io::Result<Vec<SocketAddr>> {
        // All are bound at once, so that no two are the same.
        let listeners: Vec<TcpListener> =
            (0..12).map(|_| TcpListener::bind((inside(), 0))).collect::<Result<_, _>>()?;
        listeners.iter().map(TcpListener::local_addr).collect()
    };
    find().map_err(|error| Failure::failed(format!("no free ports: {error}")))
}

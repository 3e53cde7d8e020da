//! The place of a server's admin pages: a socket of its machine, or an address.

use crate::commands::address;
use crate::commands::admin::credentials::Credentials;
use crate::commands::admin::trust;
use crate::exit::{Failure, words};
use crate::host::machine;
use crate::reactor::dial::dial;
use crate::reactor::net::Socket;
use clap::Args;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustls::ClientConnection;
use std::fmt;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use tmr_core::base::limits::DIAL_TIMEOUT;
use tmr_core::base::network::Address;

/// Where the admin pages of this machine's server are, unless its configuration says otherwise.
const USUAL: &str = "127.0.0.1:22352";

/// Which server's admin pages.
#[derive(Debug, Args)]
pub struct Admin {
    /// Where its admin pages are: an address, or the path of its socket [default: the socket of this
    /// machine's server, or else http://127.0.0.1:22352].
    #[arg(long = "admin", value_name = "http[s]://IP:PORT|PATH", env = "TMR_ADMIN", value_parser = Pages::parse)]
    named: Option<Pages>,
    /// For an https:// address: the server's own certificate, or those that vouch for it, in PEM
    /// [default: those that the system trusts].
    #[arg(long = "ca", value_name = "FILE", env = "TMR_CA")]
    ca: Option<PathBuf>,
    /// Who asks.
    #[command(flatten)]
    credentials: Credentials,
}

impl Admin {
    /// Where to ask for a front's.
    #[must_use]
    pub fn front(&self) -> Pages {
        self.with(self.named.clone().unwrap_or_else(Pages::front))
    }

    /// Where to ask for any server's.
    #[must_use]
    pub fn server(&self) -> Pages {
        self.with(self.named.clone().unwrap_or_else(Pages::server))
    }

    /// Where to ask, if that was said.
    #[must_use]
    pub fn named(&self) -> Option<Pages> {
        self.named.clone().map(|pages| self.with(pages))
    }

    /// The same place, asked as this says.
    #[must_use]
    pub fn with(&self, pages: Pages) -> Pages {
        Pages { ca: self.ca.clone(), credentials: self.credentials.asking(), ..pages }
    }
}

/// The places where one server may be asked: the first that takes a connection is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    sockets: Vec<PathBuf>,
    at: Option<Address>,
    /// That address speaks HTTPS.
    https: bool,
    /// Who vouches for it, in PEM; `None`: whom the system trusts.
    ca: Option<PathBuf>,
    /// Who asks.
    credentials: Credentials,
}

/// A connection to one of these places, and what that is called.
#[derive(Debug)]
pub struct Opened {
    /// The connection.
    pub socket: Socket,
    /// What it is covered with, and the host that it is for: `None`, it is plain.
    pub tls: Option<(ClientConnection, Address)>,
    /// The place; and those before it that are there and could not be used, with the reason.
    pub at: String,
}

impl Pages {
    /// The front of this machine.
    #[must_use]
    pub fn front() -> Self {
        Self::usual(&machine::USUAL[..1])
    }

    /// The front of this machine, or else its backend.
    #[must_use]
    pub fn server() -> Self {
        Self::usual(&machine::USUAL)
    }

    fn usual(sockets: &[&str]) -> Self {
        let sockets = sockets.iter().map(PathBuf::from).collect();
        Self { sockets, at: address::admin(USUAL).ok(), ..Self::default() }
    }

    /// A front with this state folder, and with its pages at this address.
    #[must_use]
    pub fn of(state: &Path, at: Address) -> Self {
        let sockets = vec![PathBuf::from(machine::USUAL[0]), state.join(machine::SOCKET)];
        Self { sockets, at: Some(at), ..Self::default() }
    }

    /// A server with this state folder, started by this process, and with its pages at this address.
    #[must_use]
    pub fn started(state: &Path, at: Address) -> Self {
        Self { sockets: vec![state.join(machine::SOCKET)], at: Some(at), ..Self::default() }
    }

    /// The front with this state folder, by a socket of its machine.
    #[must_use]
    pub fn beside(state: &Path) -> Self {
        let sockets = vec![state.join(machine::SOCKET), PathBuf::from(machine::USUAL[0])];
        Self { sockets, ..Self::default() }
    }

    /// Returns whether somebody listens at one of the sockets, or that cannot be seen.
    #[must_use]
    pub fn may_be_there(&self) -> bool {
        self.sockets.iter().any(|path| machine::may_answer(path))
    }

    /// As people type it: the path of a socket, or the address of admin pages.
    ///
    /// # Errors
    /// What would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let path = text.strip_prefix("unix:").unwrap_or(text);
        if path.starts_with('/') {
            return Ok(Self { sockets: vec![path.into()], ..Self::default() });
        }
        let rest = text.strip_prefix("https://");
        let at = address::admin(rest.unwrap_or(text)).map_err(|right| {
            format!("{right}, https://HOST:22352, or the path of a socket from / on")
        })?;
        Ok(Self { at: Some(at), https: rest.is_some(), ..Self::default() })
    }

    /// The same, vouched for by the certificates of this file.
    #[cfg(test)]
    pub(super) fn trusting(self, ca: Option<PathBuf>) -> Self {
        Self { ca, ..self }
    }

    /// Who asks.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Whose certificates are trusted, if that was said.
    #[must_use]
    pub fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// What was said of certificates must fit, also where none is needed: whoever names one believes that
    /// it protects.
    fn check(&self) -> Result<(), Failure> {
        let Some(file) = &self.ca else { return Ok(()) };
        trust::certificates(file)?;
        match (&self.at, &*self.sockets) {
            (Some(at), []) if !self.https => Err(Failure::usage(format!(
                "http://{at} is asked in the clear, where no certificate of {} protects anything; right \
                 would be https://{at}, or no --ca (TMR_CA)",
                file.display()
            ))),
            _ => Ok(()),
        }
    }

    /// Opens a connection to the first place that takes one.
    ///
    /// # Errors
    /// None does; each with its reason.
    pub fn open(&self) -> Result<Opened, Failure> {
        self.check()?;
        let (mut tried, mut passed) = (Vec::new(), String::new());
        for path in &self.sockets {
            match open(path) {
                Ok(socket) => {
                    let at = path.display().to_string();
                    return Ok(Opened { socket: socket.into(), tls: None, at });
                }
                Err(error) => {
                    let what = format!("{}: {}", path.display(), words(&error));
                    if error.kind() != ErrorKind::NotFound {
                        passed += &format!(" ({what})");
                    }
                    tried.push(what);
                }
            }
        }
        let reason = match &self.at {
            Some(at) => match dial(at) {
                Ok(socket) => {
                    let tls = match self.https {
                        true => Some((trust::client(at, self.ca.as_deref())?, at.clone())),
                        false => None,
                    };
                    let at = format!("{at}{passed}");
                    return Ok(Opened { socket: socket.into(), tls, at });
                }
                Err(reason) => format!("{at}: {reason}"),
            },
            None => tried.pop().unwrap_or_default(),
        };
        let mut text = format!("cannot reach the admin pages at {reason}");
        if !tried.is_empty() {
            text += &format!(" (nor by {})", tried.join(", "));
        }
        Err(Failure::unreachable(text))
    }
}

impl From<Address> for Pages {
    fn from(at: Address) -> Self {
        Self { at: Some(at), ..Self::default() }
    }
}

impl fmt::Display for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.sockets, &self.at) {
            ([], Some(at)) if self.https => write!(f, "https://{at}"),
            ([], Some(at)) => at.fmt(f),
            ([path], None) => path.display().fmt(f),
            _ => f.write_str("the server of this machine"),
        }
    }
}

/// Opens a connection by a socket: a server that is frozen is not waited for without end.
fn open(path: &Path) -> io::Result<UnixStream> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Send, Some(DIAL_TIMEOUT))?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_place_is_a_path_or_an_address() {
        for (text, shown) in [
            ("/run/x.sock", "/run/x.sock"),
            ("unix:/run/x.sock", "/run/x.sock"),
            ("http://127.0.0.1:5/", "127.0.0.1:5"),
            ("[::1]:5", "[::1]:5"),
        ] {
            assert_eq!(Pages::parse(text).unwrap().to_string(), shown);
        }
        assert!(Pages::parse("unix:x").is_err());
        assert_eq!(
            Pages::parse("https://a.example:5/").unwrap().to_string(),
            "https://a.example:5"
        );
        assert!(Pages::parse("https://a.example").is_err());
    }

    #[test]
    fn a_file_of_certificates_is_not_ignored_where_none_is_needed() {
        let missing = || Some(PathBuf::from("/nowhere/ca.pem"));
        for place in ["/run/nowhere.sock", "http://127.0.0.1:1", "https://127.0.0.1:1"] {
            let failure = Pages::parse(place).unwrap().trusting(missing()).open().unwrap_err();
            assert!(failure.text.starts_with("/nowhere/ca.pem: "), "{place}: {failure}");
            assert_eq!(failure.exit, Exit::Usage);
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/certificate");
        let clear = Pages::parse("http://127.0.0.1:1").unwrap();
        let failure = clear.trusting(Some(folder.join("admin.pem"))).open().unwrap_err();
        assert!(failure.text.contains("right would be https://127.0.0.1:1"), "{failure}");
        assert_eq!(failure.exit, Exit::Usage);
    }

    #[test]
    fn the_first_place_that_answers_is_taken_and_all_are_named_where_none_does() {
        let folder = std::env::temp_dir().join(format!("tmrd-pages-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let paths = ["none", "left", "one"].map(|name| folder.join(name));
        drop(UnixListener::bind(&paths[1]).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let at = Some(Address { host: "127.0.0.1".into(), port });
        let pages = Pages { sockets: paths.to_vec(), at, ..Pages::default() };
        let opened = pages.open().unwrap().at;
        let left = paths[1].display();
        assert_eq!(opened, format!("127.0.0.1:{port} ({left}: Connection refused)"));
        let one = UnixListener::bind(&paths[2]).unwrap();
        assert_eq!(pages.open().unwrap().at, paths[2].display().to_string());
        drop((one, listener));
        let failure = pages.open().unwrap_err();
        assert_eq!(failure.exit, Exit::Unreachable);
        for path in &paths {
            assert!(failure.text.contains(&path.display().to_string()), "{failure}");
        }
        assert!(failure.text.contains(&format!("127.0.0.1:{port}: ")), "{failure}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

//! Where a server's admin pages are reached: a Unix socket of its machine, or an address.

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

/// The default address of the admin pages of this machine's server.
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
    /// Returns where the pages of a front are.
    #[must_use]
    pub fn front(&self) -> Pages {
        self.with(self.named.clone().unwrap_or_else(Pages::front))
    }

    /// Returns where the pages of a front or a backend are.
    #[must_use]
    pub fn server(&self) -> Pages {
        self.with(self.named.clone().unwrap_or_else(Pages::server))
    }

    /// Returns the place that was given on the command line.
    #[must_use]
    pub fn named(&self) -> Option<Pages> {
        self.named.clone().map(|pages| self.with(pages))
    }

    /// Returns the same place, with these certificates and credentials.
    #[must_use]
    pub fn with(&self, pages: Pages) -> Pages {
        Pages { ca: self.ca.clone(), credentials: self.credentials.asking(), ..pages }
    }
}

/// The places where one server may be reached; the first that accepts a connection is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    sockets: Vec<PathBuf>,
    at: Option<Address>,
    /// Whether that address uses HTTPS.
    https: bool,
    /// The trusted certificates, in PEM; `None`: those of the system.
    ca: Option<PathBuf>,
    /// The credentials of requests.
    credentials: Credentials,
}

/// A connection to one of these places.
#[derive(Debug)]
pub struct Opened {
    /// The connection.
    pub socket: Socket,
    /// The TLS state with the host that it is for; `None`: the connection is plain.
    pub tls: Option<(ClientConnection, Address)>,
    /// The name of the place, with the reasons why earlier places that exist could not be used.
    pub at: String,
}

impl Pages {
    /// Returns the places of this machine's front.
    #[must_use]
    pub fn front() -> Self {
        Self::usual(&machine::USUAL[..1])
    }

    /// Returns the places of this machine's front, then of its backend.
    #[must_use]
    pub fn server() -> Self {
        Self::usual(&machine::USUAL)
    }

    fn usual(sockets: &[&str]) -> Self {
        let sockets = sockets.iter().map(PathBuf::from).collect();
        Self { sockets, at: address::admin(USUAL).ok(), ..Self::default() }
    }

    /// Returns the places of a front with this state folder and this address.
    #[must_use]
    pub fn of(state: &Path, at: Address) -> Self {
        let sockets = vec![PathBuf::from(machine::USUAL[0]), state.join(machine::SOCKET)];
        Self { sockets, at: Some(at), ..Self::default() }
    }

    /// Returns the places of a server with this state folder and this address that this process has
    /// started.
    #[must_use]
    pub fn started(state: &Path, at: Address) -> Self {
        Self { sockets: vec![state.join(machine::SOCKET)], at: Some(at), ..Self::default() }
    }

    /// Returns the socket of the front with this state folder.
    #[must_use]
    pub fn beside(state: &Path) -> Self {
        let sockets = vec![state.join(machine::SOCKET), PathBuf::from(machine::USUAL[0])];
        Self { sockets, ..Self::default() }
    }

    /// Returns whether a server listens at one of the sockets, or the system hides it from this
    /// user.
    #[must_use]
    pub fn may_be_there(&self) -> bool {
        self.sockets.iter().any(|path| machine::may_answer(path))
    }

    /// Parses the path of a socket, or the address of admin pages.
    ///
    /// # Errors
    /// The message has a valid example.
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

    /// Returns the same places, with the trusted certificates of this file.
    #[cfg(test)]
    pub(super) fn trusting(self, ca: Option<PathBuf>) -> Self {
        Self { ca, ..self }
    }

    /// Returns the credentials of requests.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Returns the file of trusted certificates, if one was given.
    #[must_use]
    pub fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// Rejects a file of certificates where HTTPS is not used, since whoever gives one expects its
    /// protection.
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

    /// Opens a connection to the first place that accepts one.
    ///
    /// # Errors
    /// None does; the message has the reason of each.
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

/// Connects to a socket; the wait for a frozen server is bounded.
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

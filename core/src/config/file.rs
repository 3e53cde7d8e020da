//! `tmrconf.json` as it stands in the file: the documented keys and their defaults.

use super::access::{AccessControl, Binding, ClientVersion, Proxies};
use super::value::{Flag, Host, Ip, Levels, LogFormat, Number, Object, OwnPort, Path, Port, Whole};
use crate::base::limits::{self, HISTORY_FILE, HISTORY_FILES, HISTORY_MONTHS};
use crate::base::network::Address;
use crate::base::time::Duration;
use crate::log::ContainerId;
use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};

#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct File {
    /// This front, and the other one.
    pub(super) tmr_server: Object<TmrServer>,
    /// The three servers behind both fronts.
    pub(super) cm_server: Object<CmServer>,
    /// The admin pages of this front.
    #[serde(default)]
    pub(super) web_admin: Object<WebAdmin>,
    /// Virtual containers: which, and the serial that clients see.
    #[serde(default)]
    pub(super) virtual_containers: VirtualContainers,
    /// Who may have what: the first rule that fits decides, and where none does it is allowed.
    #[serde(default)]
    pub(super) access_control: AccessControl,
    /// The log of this front.
    #[serde(default)]
    pub(super) log: Object<Log>,
    /// The usage history, and the licence tracking files.
    #[serde(default)]
    pub(super) license_tracking: Object<LicenseTracking>,
}

#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct TmrServer {
    /// Where clients come in: an address of this machine; :: is all of them, 0.0.0.0 those of IPv4.
    #[serde(default = "any_address")]
    pub(super) ip: Host,
    /// Where clients come in.
    #[serde(default = "licence_port")]
    pub(super) port: OwnPort,
    /// The addresses that follow the front that leads. Without one the role is set by command.
    #[serde(default)]
    pub(super) virtual_ip: Vec<Ip>,
    /// The other front.
    pub(super) twin_server: Object<TwinServer>,
    /// Where the other front comes in.
    #[serde(default)]
    pub(super) twin_listen: Object<TwinListen>,
    /// The key that all five machines have. A relative path begins at the folder of this file.
    #[serde(default = "group_key_file")]
    pub(super) group_key_file: Path,
    /// How often the configuration was changed at a web admin: a front follows the one with the higher
    /// revision.
    #[serde(default)]
    pub(super) revision: Revision,
    /// How long the seat of a client that is silent stays taken, if it asks for no time of its own.
    #[serde(default = "clean_up_time")]
    pub(super) clean_up_time_in_seconds: CleanUpSeconds,
    /// Clients of an older runtime get no licence; without it all do.
    pub(super) minimum_client_version: Option<ClientVersion>,
    /// Who may use a handle: the address that it was taken from, or moved to when its connection had
    /// ended; or whoever names it.
    #[serde(default)]
    pub(super) handle_binding: Binding,
}

#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct TwinServer {
    /// Its address or host name.
    pub(super) ip: Host,
    /// The port of its TwinListen.
    pub(super) port: Port,
    /// Limit for a connection to it to stand.
    #[serde(default = "connect_timeout")]
    pub(super) connect_timeout_in_seconds: Seconds,
    /// Limit for one transfer.
    #[serde(default = "transfer_timeout")]
    pub(super) transfer_timeout_in_seconds: Seconds,
}

#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct TwinListen {
    /// An address of this machine; 0.0.0.0 and :: are all of them.
    pub(super) ip: Host,
    /// The port.
    pub(super) port: OwnPort,
}

#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct CmServer {
    /// Longest pause before a server that is away is looked for again.
    #[serde(default = "network_retry")]
    pub(super) network_retry_interval_in_seconds: Seconds,
    /// The three are stock licence servers, which cannot keep two fronts apart.
    #[serde(default)]
    pub(super) unfenced: Flag,
    /// Exactly three, all different.
    pub(super) server: Servers,
}

#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Server {
    /// Its address or host name.
    ip: Host,
    /// Its licence port.
    port: Port,
}

#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct WebAdmin {
    /// An address of this machine; 0.0.0.0 and :: are all of them.
    pub(super) ip: Host,
    /// The port.
    pub(super) port: OwnPort,
    /// The passwords of operators and readers, as tmrd password makes them. Without such a file nobody
    /// changes anything at the web admin.
    pub(super) password_file: Path,
    /// The certificate, in PEM, with those that vouch for it behind it: then the pages are served by
    /// HTTPS. It needs PrivateKeyFile.
    pub(super) certificate_chain_file: Option<Path>,
    /// The key of that certificate, in PEM.
    pub(super) private_key_file: Option<Path>,
    /// Names by which browsers may ask for the pages, beside addresses and this machine's own name.
    pub(super) host_names: Vec<Host>,
    /// Reverse proxies, by address or network: the X-Forwarded-For or X-Real-IP of these says who asks,
    /// everybody else's says nothing.
    pub(super) trusted_proxies: Proxies,
}

#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct Log {
    /// A file that lines are added to, beside standard error: a new one, an empty one, or a log of
    /// tmrd. A relative path begins at the folder of this file.
    pub(super) file: Option<Path>,
    /// How a line looks, there and on standard error.
    pub(super) format: LogFormat,
    /// What is logged: a level, and others for single topics, like tmr_core::front=debug,info.
    pub(super) level: Levels,
}

#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct LicenseTracking {
    /// Files are written; else the history is in memory alone.
    pub(super) enabled: Flag,
    /// Their folder. A relative path begins at the folder of this file. Without one they are in
    /// history, in the state folder.
    pub(super) path: Option<Path>,
    /// Where a file is followed by the next.
    pub(super) max_file_size_in_megabytes: Whole<{ HISTORY_FILE.0 }, { HISTORY_FILE.1 }>,
    /// All files together; the oldest are removed.
    pub(super) max_total_size_in_megabytes: Whole<{ HISTORY_FILES.0 }, { HISTORY_FILES.1 }>,
    /// Months before the current one that are kept.
    pub(super) keep_months: Whole<{ HISTORY_MONTHS.0 }, { HISTORY_MONTHS.1 }>,
}

#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct VirtualContainerForm {
    /// The CmActId that its three parts have in common.
    cm_act_id: Option<Number>,
    /// The serials of its three parts, where they have no CmActId.
    serials: Option<Vec<Number>>,
    /// The serial that clients see; one that is left out is drawn, and kept.
    serial: Option<Number>,
}

/// Which one, and its serial.
#[derive(Debug, Deserialize)]
#[serde(try_from = "VirtualContainerForm")]
struct VirtualContainer(ContainerId, Option<u32>);

/// How often the file was changed at a web admin.
type Revision = Whole<0, { u32::MAX }>;
/// A time-out or an interval.
type Seconds = Whole<1, { seconds(limits::CONFIG_TIMEOUT_MAX) }>;
/// The clean-up time of a client that asks for none.
type CleanUpSeconds = Whole<{ seconds(limits::CLEANUP_MIN) }, { seconds(limits::CLEANUP_MAX) }>;

#[expect(clippy::cast_possible_truncation, reason = "only for limits, which are hours at most")]
const fn seconds(limit: Duration) -> u32 {
    limit.as_secs() as u32
}

/// Every address of both families: a machine without IPv6 listens on those of IPv4.
fn any_address() -> Host {
    Host("::".to_owned())
}

fn licence_port() -> OwnPort {
    Whole(22_350)
}

fn group_key_file() -> Path {
    Path("/etc/wibu/CodeMeter/tmr-group.key".to_owned())
}

fn clean_up_time() -> CleanUpSeconds {
    Whole(seconds(limits::CLEANUP_DEFAULT))
}

fn connect_timeout() -> Seconds {
    Whole(seconds(limits::TWIN_CONNECT))
}

fn transfer_timeout() -> Seconds {
    Whole(seconds(limits::TWIN_TRANSFER))
}

fn network_retry() -> Seconds {
    Whole(seconds(limits::NETWORK_RETRY))
}

impl Default for TwinListen {
    fn default() -> Self {
        Self { ip: any_address(), port: Whole(22_354) }
    }
}

impl Default for LicenseTracking {
    fn default() -> Self {
        Self {
            enabled: Flag(true),
            path: None,
            max_file_size_in_megabytes: Whole(HISTORY_FILE.2),
            max_total_size_in_megabytes: Whole(HISTORY_FILES.2),
            keep_months: Whole(HISTORY_MONTHS.2),
        }
    }
}

impl Default for WebAdmin {
    fn default() -> Self {
        Self {
            ip: Host("127.0.0.1".to_owned()),
            port: Whole(22_352),
            password_file: Path("/etc/wibu/CodeMeter/tmr-admin.passwd".to_owned()),
            certificate_chain_file: None,
            private_key_file: None,
            host_names: Vec::new(),
            trusted_proxies: Proxies::default(),
        }
    }
}

/// Exactly three servers, no two alike.
#[derive(Debug)]
pub(super) struct Servers(pub(super) [Address; 3]);

impl<'de> Deserialize<'de> for Servers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Three;
        impl<'de> Visitor<'de> for Three {
            type Value = Servers;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of exactly three servers")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Servers, A::Error> {
                let mut servers: Vec<Address> = Vec::new();
                while servers.len() < 3 {
                    let Some(Object(Server { ip, port })) = list.next_element()? else { break };
                    let server = ip.with_port(port.port());
                    if let Some(same) = servers.iter().position(|other| *other == server) {
                        let (one, other) = (same + 1, servers.len() + 1);
                        return Err(A::Error::custom(format_args!(
                            "servers {one} and {other} are both {server}, \
                             expected three different servers"
                        )));
                    }
                    servers.push(server);
                }
                let mut count = servers.len();
                while list.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                match <[Address; 3]>::try_from(servers) {
                    Ok(servers) if count == 3 => Ok(Servers(servers)),
                    _ => Err(A::Error::custom(format_args!(
                        "found {count} servers, expected exactly three"
                    ))),
                }
            }
        }
        deserializer.deserialize_seq(Three)
    }
}

/// Virtual containers by CmActId or by three serials, each with the serial that the operator chose.
/// Each number stands here once.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(serde::Serialize))]
pub(super) struct VirtualContainers(pub(super) Vec<(ContainerId, Option<u32>)>);

impl TryFrom<VirtualContainerForm> for VirtualContainer {
    type Error = String;

    fn try_from(form: VirtualContainerForm) -> Result<Self, String> {
        let serial = form.serial.map(|serial| serial.0);
        match (form.cm_act_id, form.serials) {
            (Some(_), Some(_)) => Err("\"CmActId\" and \"Serials\" stand here together, expected \
                 \"CmActId\" alone, or \"Serials\" for containers that have none"
                .into()),
            (None, None) => Err("\"CmActId\" is missing, expected it here, or \"Serials\" for \
                 containers that have none"
                .into()),
            (Some(_), None) if serial.is_none() => {
                Err("\"Serial\" is missing, expected it here".into())
            }
            (Some(id), None) => Ok(Self(ContainerId::CmAct(id.0), serial)),
            (None, Some(list)) => {
                let list: Vec<u32> = list.into_iter().map(|serial| serial.0).collect();
                let count = list.len();
                match <[u32; 3]>::try_from(list) {
                    Ok([a, b, c]) if a != b && a != c && b != c => {
                        Ok(Self(ContainerId::of_serials([a, b, c]), serial))
                    }
                    Ok(_) => Err("a serial stands twice in \"Serials\", expected three different \
                         ones"
                        .into()),
                    Err(_) => Err(format!("found {count} in \"Serials\", expected exactly three")),
                }
            }
        }
    }
}

impl<'de> Deserialize<'de> for VirtualContainers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let forms = Vec::<Object<VirtualContainer>>::deserialize(deserializer)?;
        let mut list = Vec::with_capacity(forms.len());
        let (mut ids, mut parts, mut serials) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for Object(VirtualContainer(container, serial)) in forms {
            let twice = match container {
                ContainerId::Serials(all) => all
                    .into_iter()
                    .find(|part| !parts.insert(*part))
                    .map(|part| ("the serial", part, " in \"Serials\"")),
                id => (!ids.insert(id)).then(|| ("CmActId", id.cm_act_id(), "")),
            };
            let twice = twice.or_else(|| {
                serial
                    .filter(|serial| !serials.insert(*serial))
                    .map(|serial| ("Serial", serial, ""))
            });
            if let Some((what, number, place)) = twice {
                return Err(D::Error::custom(format_args!(
                    "{what} {number} stands here twice{place}, expected each only once"
                )));
            }
            list.push((container, serial));
        }
        Ok(Self(list))
    }
}

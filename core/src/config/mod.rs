//! `tmrconf.json`: the configuration of a front.
//!
//! The documented keys keep their names, meaning and defaults (protocol facts 9); the project's own
//! keys are in the same style and optional. What never lives here: reading the file, or looking up
//! a host name.

mod access;
mod edit;
mod file;
mod sense;
mod shared;
mod value;

#[cfg(test)]
mod broken_test;
#[cfg(test)]
mod config_test;
#[cfg(test)]
mod schema_test;

pub use crate::base::json::JsonError as ConfigError;
pub use access::{AccessRule, Binding, NetworkError, Policy, network};
pub use shared::{Difference, adopt, differences, revised, shared};

use crate::base::json;
use crate::base::limits::CONFIG_MAX;
use crate::base::network::Address;
use crate::base::time::Duration;
use crate::log::ContainerId;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use file::File;
use ipnet::IpNet;
use value::{LogFormat, Object};

/// A valid configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The address for clients: `TmrServer.Ip`, `TmrServer.Port`. Port 0: the system chooses.
    pub listen: Address,
    /// The addresses that follow the active front: `TmrServer.VirtualIp`. Empty: the role is set
    /// by command.
    pub virtual_ips: Vec<IpAddr>,
    /// The number of changes at the web admin of either front: `TmrServer.Revision`.
    pub revision: u32,
    /// The other front: `TmrServer.TwinServer`.
    pub twin: Twin,
    /// The address for the twin: `TmrServer.TwinListen`. Port 0: the system chooses.
    pub twin_listen: Address,
    /// Path of the group key: `TmrServer.GroupKeyFile`.
    pub group_key_file: String,
    /// Clean-up time of a client that asks for none: `TmrServer.CleanUpTimeInSeconds`.
    pub cleanup: Duration,
    /// The rules for an access: `AccessControl`, `TmrServer.MinimumClientVersion`,
    /// `TmrServer.HandleBinding`.
    pub policy: Policy,
    /// The three backends, all different: `CmServer.Server`.
    pub backends: [Address; 3],
    /// Longest pause before a backend is dialled again: `CmServer.NetworkRetryIntervalInSeconds`.
    pub retry: Duration,
    /// Whether all three are stock licence servers, which cannot promise: `CmServer.Unfenced`. In
    /// that case `virtuals` is not empty.
    pub unfenced: bool,
    /// The address of the admin pages: `WebAdmin`. Port 0: the system chooses.
    pub admin: Address,
    /// Passwords, certificate and names of the admin pages: `WebAdmin`.
    pub web: Web,
    /// Virtual containers, by CmActId or by three serials, with the serial that the operator chose;
    /// no number is zero or occurs twice: `VirtualContainers`.
    pub virtuals: Vec<(ContainerId, Option<u32>)>,
    /// The log of the process: `Log`.
    pub log: Log,
    /// The usage history: `LicenseTracking`.
    pub tracking: Tracking,
}

/// A configuration in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// The values.
    pub config: Config,
    /// The text of the file.
    pub text: String,
    /// The path of the file, for messages.
    pub path: String,
    /// The address by which this machine is most likely reached, if there is no virtual one.
    pub address: IpAddr,
}

/// The log's file beside standard error, its format and its level: `Log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The file to which lines are added: `File`.
    pub file: Option<String>,
    /// Whether each line is a JSON value instead of text: `Format`.
    pub json: bool,
    /// The levels, as in `TMR_LOG`: `Level`.
    pub level: String,
}

/// The files of the usage history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracking {
    /// Whether files are written: `Enabled`.
    pub enabled: bool,
    /// The folder of the files: `Path`; `None` for `history` in the state folder.
    pub path: Option<String>,
    /// The size in bytes at which a file is followed by the next: `MaxFileSizeInMegabytes`.
    pub file: u64,
    /// The greatest size of all files together, in bytes: `MaxTotalSizeInMegabytes`.
    pub files: u64,
    /// The number of months before the current one that are kept: `KeepMonths`.
    pub months: u32,
}

/// The other front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    /// The address to dial.
    pub address: Address,
    /// The limit for establishing the connection: `ConnectTimeoutInSeconds`.
    pub connect_timeout: Duration,
    /// The limit for one transfer: `TransferTimeoutInSeconds`.
    pub transfer_timeout: Duration,
}

/// The settings of the admin pages beside their address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Web {
    /// The path of the passwords: `PasswordFile`. The file may be missing.
    pub password_file: String,
    /// The paths of the certificate's chain and of its key: `CertificateChainFile`, `PrivateKeyFile`.
    /// `None`: the pages are served in plain HTTP.
    pub certificate: Option<(String, String)>,
    /// The host names of the pages beside this machine's own: `HostNames`.
    pub host_names: Vec<String>,
    /// The proxies whose headers are believed: `TrustedProxies`.
    pub trusted_proxies: Vec<IpNet>,
}

impl Config {
    /// Returns whether this configuration, which is to be stored, was changed later than the one in
    /// effect. A front asks for a text to be stored that follows the configuration it knows; the
    /// file may have been changed by hand and read meanwhile, and that change must not be undone.
    #[must_use]
    pub fn supersedes(&self, in_effect: &Self) -> bool {
        self.revision > in_effect.revision
    }

    /// Reads the text of a `tmrconf.json`.
    ///
    /// # Errors
    /// Returns the first mistake, with its place and what would be valid.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.len() > CONFIG_MAX {
            let message = alloc::format!(
                "the file has {} bytes, expected a configuration of at most {CONFIG_MAX}",
                text.len()
            );
            return Err(ConfigError { line: 1, column: 1, key: None, message });
        }
        let file: Object<File> = json::read(text, "configuration")?;
        let Object(web) = &file.0.web_admin;
        let alone = match (&web.certificate_chain_file, &web.private_key_file) {
            (Some(_), None) => Some(("CertificateChainFile", "PrivateKeyFile")),
            (None, Some(_)) => Some(("PrivateKeyFile", "CertificateChainFile")),
            _ => None,
        };
        if let Some((key, other)) = alone {
            let message = alloc::format!("found it alone, expected \"{other}\" beside it");
            return Err(ConfigError::of_key(text, &["WebAdmin", key], &message));
        }
        let config = Self::of(file);
        sense::check(text, &config)?;
        if config.unfenced && config.virtuals.is_empty() {
            return Err(ConfigError::of_key(
                text,
                &["CmServer", "Unfenced"],
                "found true, expected an entry in \"VirtualContainers\" for each CmActId beside \
                 it: a stock server does not tell it",
            ));
        }
        Ok(config)
    }

    fn of(Object(file): Object<File>) -> Self {
        let Object(tmr) = file.tmr_server;
        let Object(cm) = file.cm_server;
        let Object(twin) = tmr.twin_server;
        let Object(twin_listen) = tmr.twin_listen;
        let Object(admin) = file.web_admin;
        let Object(log) = file.log;
        let Object(tracking) = file.license_tracking;
        Self {
            listen: tmr.ip.with_port(tmr.port.port()),
            revision: tmr.revision.0,
            virtual_ips: tmr.virtual_ip.into_iter().map(|ip| ip.0).collect(),
            twin: Twin {
                address: twin.ip.with_port(twin.port.port()),
                connect_timeout: twin.connect_timeout_in_seconds.seconds(),
                transfer_timeout: twin.transfer_timeout_in_seconds.seconds(),
            },
            twin_listen: twin_listen.ip.with_port(twin_listen.port.port()),
            group_key_file: tmr.group_key_file.0,
            cleanup: tmr.clean_up_time_in_seconds.seconds(),
            policy: Policy {
                rules: file.access_control.0,
                least_client: tmr.minimum_client_version.map(|version| version.0),
                binding: tmr.handle_binding,
            },
            backends: cm.server.0,
            retry: cm.network_retry_interval_in_seconds.seconds(),
            unfenced: cm.unfenced.0,
            admin: admin.ip.with_port(admin.port.port()),
            web: Web {
                password_file: admin.password_file.0,
                certificate: admin
                    .certificate_chain_file
                    .zip(admin.private_key_file)
                    .map(|(chain, key)| (chain.0, key.0)),
                host_names: admin.host_names.into_iter().map(|name| name.0).collect(),
                trusted_proxies: admin.trusted_proxies.0,
            },
            virtuals: file.virtual_containers.0,
            log: Log {
                file: log.file.map(|path| path.0),
                json: log.format == LogFormat::Json,
                level: log.level.0,
            },
            tracking: Tracking {
                enabled: tracking.enabled.0,
                path: tracking.path.map(|path| path.0),
                file: u64::from(tracking.max_file_size_in_megabytes.0) << 20,
                files: u64::from(tracking.max_total_size_in_megabytes.0) << 20,
                months: tracking.keep_months.0,
            },
        }
    }
}

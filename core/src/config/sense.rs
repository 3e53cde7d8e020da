//! Checks of a `tmrconf.json` whose single values are valid: values that contradict each other, or
//! that no set-up can use.

use super::{Config, ConfigError};
use crate::base::network::Address;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

/// Returns the first mistake with which no front could run.
pub(super) fn check(text: &str, config: &Config) -> Result<(), ConfigError> {
    let refuse = |path: &[&str], message: String| Err(ConfigError::of_key(text, path, &message));
    if is_everywhere(&config.twin.address) {
        let message = format!(
            "found {}, which is no machine, expected the address of the other front",
            config.twin.address.host
        );
        return refuse(&["TmrServer", "TwinServer", "Ip"], message);
    }
    for (index, backend) in config.backends.iter().enumerate() {
        let number = index + 1;
        if is_everywhere(backend) {
            let message = format!(
                "server {number} is {}, which is no machine, expected the address of a backend",
                backend.host
            );
            return refuse(&["CmServer", "Server"], message);
        }
        if is_own(backend, config) {
            let message = format!(
                "server {number} is {backend}, where this front serves its clients, expected a backend"
            );
            return refuse(&["CmServer", "Server"], message);
        }
    }
    let listeners = [
        ("TmrServer", &config.listen),
        ("TmrServer.TwinListen", &config.twin_listen),
        ("WebAdmin", &config.admin),
    ];
    for (place, (one, at)) in listeners.iter().enumerate() {
        for (other, beside) in &listeners[place + 1..] {
            let overlap = at.host == beside.host || is_everywhere(at) || is_everywhere(beside);
            if at.port == beside.port && at.port != 0 && overlap {
                let path: Vec<&str> = other.split('.').chain(["Port"]).collect();
                let message =
                    format!("found {}, the port of {one} too, expected another one", at.port);
                return refuse(&path, message);
            }
        }
    }
    Ok(())
}

/// Returns whether a backend's address certainly leads to this front.
fn is_own(backend: &Address, config: &Config) -> bool {
    if backend.port != config.listen.port {
        return false;
    }
    let ip = backend.host.parse::<IpAddr>().ok();
    let loopback = backend.host == "localhost" || ip.is_some_and(|ip| ip.is_loopback());
    backend.host == config.listen.host
        || ip.is_some_and(|ip| config.virtual_ips.contains(&ip))
        || (is_everywhere(&config.listen) && loopback)
}

/// Returns whether the address is `0.0.0.0` or `::`.
fn is_everywhere(address: &Address) -> bool {
    address.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified())
}

impl Config {
    /// Returns warnings, each as a sentence: values that a front accepts and an operator hardly intends.
    /// `is_here` says whether an address belongs to this machine.
    #[must_use]
    pub fn doubts(&self, is_here: impl Fn(IpAddr) -> bool) -> Vec<String> {
        let mut doubts = Vec::new();
        for ip in &self.virtual_ips {
            if ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() {
                doubts.push(format!(
                    "TmrServer.VirtualIp: {ip} does not move from one machine to the other, so it does not \
                     say which front leads; right would be the address that keepalived moves"
                ));
            }
        }
        let here = |address: &Address| address.host.parse().is_ok_and(&is_here);
        if here(&self.twin.address) && self.twin.address.port == self.twin_listen.port {
            doubts.push(format!(
                "TmrServer.TwinServer: {} is this machine, where this front awaits the other one; right \
                 would be the other machine (on the other machine this is no mistake)",
                self.twin.address
            ));
        }
        for (index, backend) in self.backends.iter().enumerate() {
            if here(backend) && backend.port == self.listen.port {
                doubts.push(format!(
                    "CmServer.Server[{index}]: {backend} is this machine, at the port where this front serves \
                     its clients; right would be a backend"
                ));
            }
        }
        doubts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn text(tmr: &str, first: &str, rest: &str) -> String {
        format!(
            "{{\"TmrServer\": {{{tmr}}}, \"CmServer\": {{\"Server\": [{{\"Ip\": \"{first}\", \"Port\": \
             22350}}, {{\"Ip\": \"192.0.2.2\", \"Port\": 22350}}, {{\"Ip\": \"192.0.2.3\", \"Port\": \
             22350}}]}}{rest}}}"
        )
    }

    const TWIN: &str = "\"TwinServer\": {\"Ip\": \"192.0.2.9\", \"Port\": 22354}";

    #[test]
    fn what_no_front_could_run_by_is_refused_at_its_key() {
        let everywhere = "\"TwinServer\": {\"Ip\": \"0.0.0.0\", \"Port\": 22354}";
        let moved = format!("{TWIN}, \"VirtualIp\": [\"192.0.2.42\"]");
        let bound = format!("{TWIN}, \"Ip\": \"192.0.2.1\"");
        let listen = format!("{TWIN}, \"TwinListen\": {{\"Port\": 22350}}");
        let admin = ", \"WebAdmin\": {\"Port\": 22350}";
        for (tmr, first, rest, key, words) in [
            (everywhere, "192.0.2.1", "", "TmrServer.TwinServer.Ip", "the other front"),
            (TWIN, "::", "", "CmServer.Server", "server 1 is ::, which is no machine"),
            (TWIN, "127.0.0.1", "", "CmServer.Server", "where this front serves"),
            (TWIN, "localhost", "", "CmServer.Server", "where this front serves"),
            (&moved, "192.0.2.42", "", "CmServer.Server", "where this front serves"),
            (&bound, "192.0.2.1", "", "CmServer.Server", "where this front serves"),
            (&listen, "192.0.2.1", "", "TmrServer.TwinListen.Port", "the port of TmrServer too"),
            (TWIN, "192.0.2.1", admin, "WebAdmin.Port", "the port of TmrServer too"),
        ] {
            let error = Config::parse(&text(tmr, first, rest)).unwrap_err();
            assert_eq!(error.key.as_deref(), Some(key), "{error}");
            assert!(error.message.contains(words), "{error}");
        }
        for (tmr, first, rest) in [
            (TWIN, "192.0.2.1", ""),
            // Somebody else's port, another address of this machine, and ports that the system chooses.
            (&format!("{TWIN}, \"Port\": 22360"), "127.0.0.1", ""),
            (&format!("{TWIN}, \"Ip\": \"192.0.2.1\""), "127.0.0.1", admin),
            (&format!("{TWIN}, \"Port\": 0"), "192.0.2.1", ", \"WebAdmin\": {\"Port\": 0}"),
        ] {
            Config::parse(&text(tmr, first, rest)).unwrap();
        }
    }

    #[test]
    fn what_an_operator_hardly_means_is_doubted() {
        let tmr = format!("{TWIN}, \"VirtualIp\": [\"127.0.0.1\", \"192.0.2.42\"]");
        let config = Config::parse(&text(&tmr, "192.0.2.1", "")).unwrap();
        let doubts = config.doubts(|_| false);
        assert_eq!(doubts.len(), 1, "{doubts:?}");
        assert!(doubts[0].starts_with("TmrServer.VirtualIp: 127.0.0.1"), "{doubts:?}");
        let doubts =
            config.doubts(|ip| ip.to_string().ends_with(".9") || ip.to_string().ends_with(".2"));
        assert_eq!(doubts.len(), 3, "{doubts:?}");
        assert!(doubts[1].contains("192.0.2.9:22354 is this machine"), "{doubts:?}");
        assert!(doubts[2].starts_with("CmServer.Server[1]: 192.0.2.2:22350"), "{doubts:?}");
    }
}

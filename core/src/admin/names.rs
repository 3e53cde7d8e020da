//! The names of this server in Host headers, and the trusted proxies.

use super::Admin;
use alloc::string::String;
use alloc::vec::Vec;
use ipnet::IpNet;

impl Admin {
    /// Sets the names that are allowed in Host headers, beside the addresses and the machine's own
    /// names.
    pub fn set_names(&mut self, names: Vec<String>) {
        self.more_names = names;
        self.name();
    }

    pub(super) fn name(&mut self) {
        let all = self.more_names.iter().chain(&self.entrance.names);
        self.names = all.map(|name| name.strip_suffix('.').unwrap_or(name).into()).collect();
    }

    /// Sets the proxies whose statements about their clients are trusted.
    pub fn set_proxies(&mut self, proxies: Vec<IpNet>) {
        self.proxies = proxies;
    }
}

//! Names by which the pages may be asked for, and proxies that are believed whom they ask for.

use super::Admin;
use alloc::string::String;
use alloc::vec::Vec;
use ipnet::IpNet;

impl Admin {
    /// The names by which this server may be asked for, beside its addresses and the machine's own
    /// names.
    pub fn set_names(&mut self, names: Vec<String>) {
        self.more_names = names;
        self.name();
    }

    pub(super) fn name(&mut self) {
        let all = self.more_names.iter().chain(&self.entrance.names);
        self.names = all.map(|name| name.strip_suffix('.').unwrap_or(name).into()).collect();
    }

    /// The proxies that are believed when they say whom they ask for.
    pub fn set_proxies(&mut self, proxies: Vec<IpNet>) {
        self.proxies = proxies;
    }
}

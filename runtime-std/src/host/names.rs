//! The names of this machine, as `hostname -f` would find them in files. No name service is asked,
//! because its operator could make any name count as one of this machine's.

use std::fs;

/// Returns this machine's host name.
#[must_use]
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Returns its host name, the names beside it in `/etc/hosts`, and the host name in the domain of
/// `/etc/resolv.conf`.
#[must_use]
pub(super) fn own() -> Vec<String> {
    let text = |path| fs::read_to_string(path).unwrap_or_default();
    of(&host_name(), &text("/etc/hosts"), &text("/etc/resolv.conf"))
}

fn of(host: &str, hosts: &str, resolver: &str) -> Vec<String> {
    let mut names = vec![host.to_owned()];
    let plain = |line: &str| line.split('#').next().unwrap_or_default().to_owned();
    for line in hosts.lines().map(plain) {
        let beside: Vec<&str> = line.split_whitespace().skip(1).collect();
        if beside.iter().any(|name| name.eq_ignore_ascii_case(host)) {
            names.extend(beside.into_iter().map(ToOwned::to_owned));
        }
    }
    let mut domains = resolver.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        words.next().filter(|word| ["domain", "search"].contains(word)).and_then(|_| words.next())
    });
    // The last line counts, as in the resolver itself.
    if let Some(domain) = domains.next_back().filter(|it| *it != "." && !host.contains('.')) {
        names.push(format!("{host}.{domain}"));
    }
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_the_names_that_its_files_give_it() {
        let hosts =
            "127.0.0.1 localhost\n127.0.1.1\tfront-1.example.org Front-1 # lic\n192.0.2.9 other\n";
        let resolver = "nameserver 192.0.2.1\ndomain old.example\nsearch example.net example.com\n";
        assert_eq!(
            of("front-1", hosts, resolver),
            ["Front-1", "front-1", "front-1.example.net", "front-1.example.org"]
        );
        assert_eq!(of("front-1", "", ""), ["front-1"]);
        assert_eq!(of("front-1.example.org", "", "search ."), ["front-1.example.org"]);
        assert_eq!(of("front-1.example.org", "", resolver), ["front-1.example.org"]);
    }
}

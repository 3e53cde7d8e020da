//! Parsing of addresses on the command line.

use tmr_core::base::network::Address;

/// The port of the licence protocol, for an address without a port.
const LICENCE_PORT: u16 = 22_350;

/// Parses `HOST:PORT`, or `HOST` with the port of the licence protocol. An IPv6 address with a port
/// is in brackets.
///
/// # Errors
/// The message has a valid example.
pub fn licence(text: &str) -> Result<Address, String> {
    parse(text, Some(LICENCE_PORT))
        .ok_or_else(|| "right would be 127.0.0.1:22350, [::1]:22350 or HOST:22350".to_owned())
}

/// Parses `http://HOST:PORT`, or `HOST:PORT`.
///
/// # Errors
/// The message has a valid example.
pub fn admin(text: &str) -> Result<Address, String> {
    let bare = text.strip_prefix("http://").unwrap_or(text);
    parse(bare.strip_suffix('/').unwrap_or(bare), None)
        .ok_or_else(|| "right would be http://127.0.0.1:22352".to_owned())
}

/// Parses an IP address without a port.
///
/// # Errors
/// The message has a valid example.
pub fn ip(text: &str) -> Result<std::net::IpAddr, String> {
    text.parse().map_err(|_| "right would be an address such as 127.0.0.1 or ::1".to_owned())
}

fn parse(text: &str, usual: Option<u16>) -> Option<Address> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (
                host,
                after
                    .strip_prefix(':')
                    .map_or_else(|| after.is_empty().then_some(None), |port| Some(Some(port)))?,
            )
        }
        None if text.matches(':').count() > 1 => {
            text.parse::<std::net::Ipv6Addr>().ok()?;
            (text, None)
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        Some(port) => port.parse().ok()?,
        None => usual?,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:%".contains(c);
    (!host.is_empty() && host.chars().all(plain)).then(|| Address { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_is_understood() {
        for (text, shown) in [
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("licence.example", "licence.example:22350"),
            ("[::1]:5", "[::1]:5"),
            ("[::1]", "[::1]:22350"),
            ("2001:db8::1", "[2001:db8::1]:22350"),
        ] {
            assert_eq!(licence(text).unwrap().to_string(), shown);
        }
        assert_eq!(admin("http://127.0.0.1:22352/").unwrap(), admin("127.0.0.1:22352").unwrap());
    }

    #[test]
    fn what_is_no_address_is_not() {
        for text in ["", ":1", "no port", "h:", "h:65536", "h:x", "[::1", "[h]:1", "1:2:3", "a/b"] {
            assert!(licence(text).is_err(), "{text}");
        }
        assert!(admin("https://127.0.0.1:1").is_err());
        assert!(admin("http://127.0.0.1").is_err());
    }
}

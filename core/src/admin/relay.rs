//! The client of a proxy. Statements of a proxy are trusted only if `WebAdmin.TrustedProxies` names
//! it, because any client can write such headers.
//!
//! What never lives here: who may make a request (see `guard`).

use super::Origin;
use super::http::{Request, is_named};
use alloc::string::String;
use core::net::{IpAddr, SocketAddr};
use ipnet::IpNet;

/// The origin of a request, including the statements of a trusted proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sender {
    /// The address of the browser or program.
    pub(super) from: IpAddr,
    /// Whether the connection is by the machine's own socket.
    pub(super) socket: bool,
    /// Whether the connection comes from a trusted proxy.
    pub(super) proxied: bool,
    /// Whether the browser uses HTTPS towards the proxy.
    pub(super) https: bool,
}

impl Sender {
    /// Whether its cookies are for HTTPS only, because it uses HTTPS. `tls`: this server does.
    pub(super) fn is_secure(&self, tls: bool) -> bool {
        if self.proxied { self.https } else { tls && !self.from.is_loopback() }
    }
}

/// Returns the origin of a request, and replaces its Host header by the one that the client sent.
/// `proxies`: the trusted ones; `names`: those of this server.
pub(super) fn sender(
    request: &mut Request<'_>,
    origin: Origin,
    proxies: &[IpNet],
    names: &[String],
) -> Sender {
    let Origin { from, socket } = origin;
    if !is_one(proxies, from) && !is_here(proxies, from) {
        return Sender { from, socket, proxied: false, https: false };
    }
    // Of several headers the last one is of the last proxy. A proxy that forwards the header of a
    // browser was itself addressed by the name in Host, which must be right as well.
    let host = last(request.proxy.forwarded_host);
    if !host.is_empty() && request.host.is_none_or(|asked| is_named(asked, names)) {
        request.host = Some(host);
    }
    let https = last(request.proxy.forwarded_proto).eq_ignore_ascii_case("https");
    Sender { from: client(request, from, proxies), socket, proxied: true, https }
}

/// Returns the last address on the way that is no trusted proxy: earlier ones are its own
/// statement. Returns the proxy's address if there is no other, or one that cannot be parsed.
fn client(request: &Request<'_>, proxy: IpAddr, proxies: &[IpNet]) -> IpAddr {
    let lines = request.proxy.forwarded_for.iter().rev().filter(|line| !line.is_empty());
    let mut client = proxy;
    let mut any = false;
    for hop in lines.flat_map(|line| line.rsplit(',')) {
        any = true;
        let Some(address) = address(hop.trim()) else { return client };
        client = address;
        if !is_one(proxies, address) {
            return address;
        }
    }
    if any { client } else { address(request.proxy.real_ip).unwrap_or(proxy) }
}

/// Parses an address with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let inside = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let found = inside.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    found.map(|address: IpAddr| address.to_canonical())
}

fn is_one(proxies: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    proxies.iter().any(|network| network.contains(&address))
}

/// Whether a local connection may come from a trusted proxy on this machine. A program here appears
/// at 127.0.0.1, whichever of the machine's addresses it uses.
fn is_here(proxies: &[IpNet], from: IpAddr) -> bool {
    from.is_loopback() && proxies.iter().any(|network| network.addr().is_loopback())
}

fn last(line: &str) -> &str {
    line.rsplit(',').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec::Vec;

    fn from(proxy: &str, head: impl AsRef<[u8]>) -> String {
        let text = [b"GET / HTTP/1.1\r\n", head.as_ref(), b"\r\n"].concat();
        let mut request = Request::parse(&text).unwrap();
        let proxies: Vec<IpNet> =
            ["192.0.2.0/29", "2001:db8::5/128"].map(|text| text.parse().unwrap()).into();
        let origin = Origin { from: proxy.parse().unwrap(), socket: false };
        format!("{}", sender(&mut request, origin, &proxies, &[]).from)
    }

    #[test]
    fn a_line_that_is_no_text_hides_nobody() {
        let real = b"X-Real-IP: 9.9.9.9\r\n";
        let wild = b"X-Forwarded-For: \xff, 198.51.100.7\r\n";
        let forged = b"X-Forwarded-For: 9.9.9.9\r\n";
        assert_eq!(from("192.0.2.1", [&wild[..], &real[..]].concat()), "192.0.2.1");
        assert_eq!(from("192.0.2.1", [&forged[..], &wild[..]].concat()), "192.0.2.1");
    }

    #[test]
    fn a_proxy_on_this_machine_is_one_by_whichever_of_its_addresses_it_comes() {
        let proxies = ["::1/128".parse().unwrap()];
        let text = "GET / HTTP/1.1\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n";
        let seen = |from: &str, text: &str| {
            let mut request = Request::parse(text.as_bytes()).unwrap();
            let origin = Origin { from: from.parse().unwrap(), socket: false };
            let Sender { from, proxied, .. } = sender(&mut request, origin, &proxies, &[]);
            format!("{from} {proxied}")
        };
        assert_eq!(seen("127.0.0.1", text), "198.51.100.7 true");
        assert_eq!(seen("127.0.0.1", "GET / HTTP/1.1\r\n\r\n"), "127.0.0.1 true");
        assert_eq!(seen("192.0.2.1", text), "192.0.2.1 false");
    }

    #[test]
    fn the_last_address_that_is_no_trusted_proxy_sends() {
        let line = |text: &str| format!("X-Forwarded-For: {text}\r\n");
        for (proxy, head, expected) in [
            ("192.0.2.1", line("198.51.100.7"), "198.51.100.7"),
            ("::ffff:192.0.2.1", line("198.51.100.7"), "198.51.100.7"),
            ("2001:db8::5", line("::ffff:198.51.100.7"), "198.51.100.7"),
            ("192.0.2.1", line("198.51.100.7:4711"), "198.51.100.7"),
            ("192.0.2.1", line("[2001:db8::9]:4711"), "2001:db8::9"),
            ("192.0.2.1", line("[2001:db8::9]"), "2001:db8::9"),
            ("192.0.2.1", line("203.0.113.1, 198.51.100.7"), "198.51.100.7"),
            ("192.0.2.1", line("203.0.113.1,198.51.100.7 , 192.0.2.2"), "198.51.100.7"),
            ("192.0.2.1", line("203.0.113.1") + &line("198.51.100.7"), "198.51.100.7"),
            ("192.0.2.1", line("198.51.100.7") + &line("192.0.2.3"), "198.51.100.7"),
            ("192.0.2.1", line("192.0.2.4, 192.0.2.3"), "192.0.2.4"),
            ("192.0.2.1", line("198.51.100.7, unknown"), "192.0.2.1"),
            ("192.0.2.1", line("unknown, 192.0.2.3"), "192.0.2.3"),
            ("192.0.2.1", line(""), "192.0.2.1"),
            ("192.0.2.1", "X-Real-IP: 198.51.100.8\r\n".into(), "198.51.100.8"),
            ("192.0.2.1", "X-Real-IP: nobody\r\n".into(), "192.0.2.1"),
            ("192.0.2.1", String::new(), "192.0.2.1"),
            // Any client can write a header.
            ("192.0.2.9", line("198.51.100.7"), "192.0.2.9"),
            ("198.51.100.1", "X-Real-IP: 198.51.100.8\r\n".into(), "198.51.100.1"),
        ] {
            assert_eq!(from(proxy, &head), expected, "{proxy} {head}");
        }
    }
}

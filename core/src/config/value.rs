//! Single values of `tmrconf.json`: each type accepts valid values only, and its error says what
//! would be valid.

use crate::base::network::Address;
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use core::fmt;
use core::marker::PhantomData;
use core::net::IpAddr;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Unexpected, Visitor, value};

/// An object, and nothing else: a derived structure alone would accept a list in its place.
#[derive(Debug, Default)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Braces<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Braces<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object in braces")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(value::MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Braces(PhantomData))
    }
}

/// A whole number within bounds, both included.
#[cfg_attr(test, derive(serde::Serialize))]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Whole<const MIN: u32, const MAX: u32>(pub(super) u32);

/// A port to dial.
pub(super) type Port = Whole<1, 65_535>;
/// A port to listen on; with 0 the system chooses one.
pub(super) type OwnPort = Whole<0, 65_535>;
/// A serial number or CmActId.
pub(super) type Number = Whole<1, { u32::MAX }>;

impl<const MIN: u32, const MAX: u32> Whole<MIN, MAX> {
    /// Returns the value as a port number.
    pub(super) fn port(self) -> u16 {
        const { assert!(MAX <= 65_535) };
        u16::try_from(self.0).expect("the bound is that of a port")
    }

    /// Returns the value as a duration in seconds.
    pub(super) fn seconds(self) -> crate::base::time::Duration {
        crate::base::time::Duration::from_secs(self.0.into())
    }
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bounds<const MIN: u32, const MAX: u32>;
        impl<const MIN: u32, const MAX: u32> Visitor<'_> for Bounds<MIN, MAX> {
            type Value = Whole<MIN, MAX>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from {MIN} to {MAX}")
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                match u32::try_from(number) {
                    Ok(number) if (MIN..=MAX).contains(&number) => Ok(Whole(number)),
                    _ => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
                }
            }
        }
        deserializer.deserialize_u64(Bounds)
    }
}

/// A yes or no; no if it is left out.
#[cfg_attr(test, derive(serde::Serialize))]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flag(pub(super) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Flag;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false")
            }
            fn visit_bool<E: Error>(self, flag: bool) -> Result<Flag, E> {
                Ok(Flag(flag))
            }
        }
        deserializer.deserialize_bool(Either)
    }
}

/// The description of a [`Host`] in messages.
pub(super) const HOST: &str = "an IPv4 address, an IPv6 address without brackets, or a host name";
/// The description of an [`Ip`] in messages.
pub(super) const IP: &str = "an IPv4 address or an IPv6 address without brackets";
/// The description of a [`Path`] in messages.
pub(super) const PATH: &str = "the path of a file";
/// The description of [`Levels`] in messages.
pub(super) const LEVELS: &str = "error, warn, info, debug, trace, off, or a list of these for \
                                 single topics like \"tmr_core::front=debug,info\"";

/// A host as people write it, brought to one spelling.
#[cfg_attr(test, derive(serde::Serialize))]
#[derive(Clone, Debug)]
pub(super) struct Host(pub(super) String);

impl Host {
    /// Returns the address of this host with a port.
    pub(super) fn with_port(self, port: u16) -> Address {
        Address { host: self.0, port }
    }
}

impl<'de> Deserialize<'de> for Host {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text { expected: HOST, take: host })
    }
}

/// An address, not a name.
#[cfg_attr(test, derive(serde::Serialize))]
#[derive(Clone, Copy, Debug)]
pub(super) struct Ip(pub(super) IpAddr);

impl<'de> Deserialize<'de> for Ip {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let take = |text: &str| text.parse().ok().map(Self);
        deserializer.deserialize_str(Text { expected: IP, take })
    }
}

/// The path of a file.
#[cfg_attr(test, derive(serde::Serialize))]
#[derive(Clone, Debug)]
pub(super) struct Path(pub(super) String);

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let take = |text: &str| {
            let names_a_file = !text.is_empty() && !text.ends_with('/') && !text.contains('\0');
            names_a_file.then(|| Self(text.to_owned()))
        };
        deserializer.deserialize_str(Text { expected: PATH, take })
    }
}

/// How a line of the log looks.
#[cfg_attr(test, derive(serde::Serialize), serde(rename_all = "lowercase"))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

impl<'de> Deserialize<'de> for LogFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let take = |text: &str| match text {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        };
        deserializer.deserialize_str(Text { expected: "\"text\" or \"json\"", take })
    }
}

/// What is logged.
#[cfg_attr(test, derive(serde::Serialize))]
#[derive(Clone, Debug)]
pub(super) struct Levels(pub(super) String);

impl Default for Levels {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl<'de> Deserialize<'de> for Levels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let take = |text: &str| text.split(',').all(is_level).then(|| Self(text.to_owned()));
        deserializer.deserialize_str(Text { expected: LEVELS, take })
    }
}

/// Returns whether the text is a level, or a level for a topic.
fn is_level(text: &str) -> bool {
    let (topic, level) = text.split_once('=').unwrap_or(("all", text));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    let known = ["off", "error", "warn", "info", "debug", "trace"];
    !topic.is_empty() && topic.bytes().all(plain) && known.contains(&level)
}

/// Reads a string that `take` can convert.
struct Text<F> {
    expected: &'static str,
    take: F,
}

impl<T, F: Fn(&str) -> Option<T>> Visitor<'_> for Text<F> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.take)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// Reads an address in its shortest form, or a host name by RFC 1123 (section 2.1) in small
/// letters.
fn host(text: &str) -> Option<Host> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(Host(address.to_canonical().to_string()));
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A last label of digits alone is a mistyped IPv4 address, because no top-level domain is
    // numeric.
    let numeric =
        text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    let name = text.len() <= 253 && text.split('.').all(label) && !numeric;
    name.then(|| Host(text.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_host_is_an_address_or_a_name() {
        for (text, spelled) in [
            ("192.0.2.42", "192.0.2.42"),
            ("2001:db8:0:f::17", "2001:db8:0:f::17"),
            ("2001:0DB8::0:1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::", "::"),
            ("localhost", "localhost"),
            ("TMR-1.Example.org", "tmr-1.example.org"),
            ("3com.net", "3com.net"),
        ] {
            assert_eq!(host(text).map(|host| host.0).as_deref(), Some(spelled), "{text}");
        }
    }

    #[test]
    fn a_host_is_nothing_else() {
        let long = format!("{}.org", "a".repeat(64));
        let longer = "a.".repeat(127) + "org";
        for text in [
            "",
            " ",
            ".",
            "a..b",
            "a.",
            "-a",
            "a-",
            "a_b",
            "ä",
            "a b",
            "[::1]",
            "::1:22350:",
            "127.0.0.1:22350",
            "192.0.2.256",
            "1.2.3",
            "12345",
            "http://a",
            &long,
            &longer,
        ] {
            assert!(host(text).is_none(), "{text}");
        }
    }
}

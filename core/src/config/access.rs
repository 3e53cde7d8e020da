//! The rules for accesses: `AccessControl`, and the least version of a client,
//! `TmrServer.MinimumClientVersion`.

use super::value::{Number, Object};
use crate::base::limits::{ACCESS_NETWORKS_MAX, TRUSTED_PROXIES_MAX};
use crate::licence::version_of;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::de::{Deserialize, Deserializer, Error, Unexpected};

/// The rules that apply to an access before any licence is considered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// `AccessControl`, in its order: the first rule that matches decides; without one the access is
    /// allowed.
    pub rules: Vec<AccessRule>,
    /// The least version of a client's runtime, major<<24, minor<<16, build:
    /// `MinimumClientVersion`.
    pub least_client: Option<u32>,
    /// Who may use a handle: `HandleBinding`.
    pub binding: Binding,
}

/// Who may use a handle: `TmrServer.HandleBinding`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Binding {
    /// The address that it was taken from, or that it moved to when its connection had ended.
    #[default]
    Address,
    /// Whoever names it.
    None,
}

impl<'de> Deserialize<'de> for Binding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match &*String::deserialize(deserializer)? {
            "address" => Ok(Self::Address),
            "none" => Ok(Self::None),
            other => {
                Err(D::Error::invalid_value(Unexpected::Str(other), &"\"address\" or \"none\""))
            }
        }
    }
}

/// One rule of `AccessControl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRule {
    /// Whether the access is allowed or denied: `Action`.
    pub allow: bool,
    /// The networks of the clients: `Networks`.
    pub networks: Vec<IpNet>,
    /// Only accesses to this Firm Code: `FirmCode`.
    pub firm_code: Option<u32>,
    /// Only accesses to this Product Code: `ProductCode`.
    pub product_code: Option<u32>,
}

impl Policy {
    /// Returns rules that allow these networks everything, and all others nothing.
    #[must_use]
    pub fn only(networks: Vec<IpNet>) -> Self {
        let every = [Ipv4Net::default().into(), Ipv6Net::default().into()].to_vec();
        let rule =
            |allow, networks| AccessRule { allow, networks, firm_code: None, product_code: None };
        Self { rules: [rule(true, networks), rule(false, every)].into(), ..Self::default() }
    }

    /// Returns whether a client at this address may have a handle for these codes; `None` stands
    /// for a code that the request does not name.
    #[must_use]
    pub fn permits(&self, address: IpAddr, firm: Option<u32>, product: Option<u32>) -> bool {
        let fits = |rule: &&AccessRule| {
            rule.firm_code.is_none_or(|code| firm == Some(code))
                && rule.product_code.is_none_or(|code| product == Some(code))
                && rule.networks.iter().any(|network| network.contains(&address))
        };
        self.rules.iter().find(fits).is_none_or(|rule| rule.allow)
    }

    /// Returns whether a client of this runtime is too old. A client that states no version (0) is.
    #[must_use]
    pub fn too_old(&self, version: u32) -> bool {
        self.least_client.is_some_and(|least| version < least)
    }
}

#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct RuleForm {
    /// Whether it may have it: allow or deny.
    action: Action,
    /// Where the client is: networks, or single addresses.
    networks: Networks,
    /// Only where it asks for this Firm Code.
    firm_code: Option<Number>,
    /// Only where it asks for this Product Code.
    product_code: Option<Number>,
}

/// `AccessControl` as it stands in the file.
#[derive(Debug, Default)]
pub(super) struct AccessControl(pub(super) Vec<AccessRule>);

impl<'de> Deserialize<'de> for AccessControl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let forms = Vec::<Object<RuleForm>>::deserialize(deserializer)?;
        let all: usize = forms.iter().map(|Object(form)| form.networks.0.len()).sum();
        if all > ACCESS_NETWORKS_MAX {
            return Err(D::Error::custom(format_args!(
                "found {all} networks, expected at most {ACCESS_NETWORKS_MAX}"
            )));
        }
        let rule = |Object(form): Object<RuleForm>| AccessRule {
            allow: form.action.0,
            networks: form.networks.0,
            firm_code: form.firm_code.map(|code| code.0),
            product_code: form.product_code.map(|code| code.0),
        };
        Ok(Self(forms.into_iter().map(rule).collect()))
    }
}

/// Whether a rule allows.
#[derive(Debug)]
pub(super) struct Action(bool);

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match &*String::deserialize(deserializer)? {
            "allow" => Ok(Self(true)),
            "deny" => Ok(Self(false)),
            other => Err(D::Error::invalid_value(Unexpected::Str(other), &"\"allow\" or \"deny\"")),
        }
    }
}

/// Networks, at least one.
#[derive(Debug)]
pub(super) struct Networks(Vec<IpNet>);

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let networks = Vec::<Network>::deserialize(deserializer)?;
        if networks.is_empty() {
            return Err(D::Error::custom(
                "found no network, expected at least one; every address is \"0.0.0.0/0\" and \"::/0\"",
            ));
        }
        Ok(Self(networks.into_iter().map(|network| network.0).collect()))
    }
}

/// `TrustedProxies`: networks, of which there need be none.
#[derive(Debug, Default)]
pub(super) struct Proxies(pub(super) Vec<IpNet>);

impl<'de> Deserialize<'de> for Proxies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let networks = Vec::<Network>::deserialize(deserializer)?;
        if networks.len() > TRUSTED_PROXIES_MAX {
            return Err(D::Error::custom(format_args!(
                "found {} networks, expected at most {TRUSTED_PROXIES_MAX}",
                networks.len()
            )));
        }
        Ok(Self(networks.into_iter().map(|network| network.0).collect()))
    }
}

#[derive(Debug)]
struct Network(IpNet);

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        network(&text).map(Self).map_err(D::Error::custom)
    }
}

/// A text that is no network, in a sentence with what would be valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkError(String);

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for NetworkError {}

/// Reads a network, or a single address.
///
/// # Errors
/// Returns what was found, and what would be valid.
pub fn network(text: &str) -> Result<IpNet, NetworkError> {
    let network = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let Some(network) = network.filter(|it: &IpNet| it.addr().to_canonical() == it.addr()) else {
        return Err(NetworkError(format!(
            "found {text:?}, expected a network such as \"192.0.2.0/24\" or \"2001:db8::/32\", or \
             one address"
        )));
    };
    if network != network.trunc() {
        return Err(NetworkError(format!(
            "found {text:?}, expected the network, \"{}\", or the one address, \"{}\"",
            network.trunc(),
            network.addr()
        )));
    }
    Ok(network)
}

/// A version of a client's runtime.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientVersion(pub(super) u32);

impl<'de> Deserialize<'de> for ClientVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let expected = "a version such as \"6.10\" or \"7.10.1\" (up to 255.255.65535)".to_string();
        version_of(&text)
            .map(Self)
            .ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &expected.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use alloc::vec;

    fn rule(
        action: &str,
        networks: &[&str],
        firm: Option<u32>,
        product: Option<u32>,
    ) -> AccessRule {
        AccessRule {
            allow: action == "allow",
            networks: networks.iter().map(|text| network(text).unwrap()).collect(),
            firm_code: firm,
            product_code: product,
        }
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rules = alloc::vec![
            rule("allow", &["192.0.2.7"], None, None),
            rule("deny", &["192.0.2.0/24"], Some(10), Some(201)),
            rule("deny", &["2001:db8::/32", "198.51.100.0/24"], Some(10), None),
            rule("allow", &["0.0.0.0/0"], Some(10), None),
            rule("deny", &["192.0.2.0/24"], None, None),
        ];
        let policy = Policy { rules, ..Policy::default() };
        for (address, firm, product, allowed) in [
            ("192.0.2.7", Some(10), Some(201), true),
            ("192.0.2.8", Some(10), Some(201), false),
            ("192.0.2.8", Some(10), Some(202), true),
            ("192.0.2.8", Some(11), Some(201), false),
            ("192.0.2.8", None, None, false),
            ("198.51.100.1", Some(10), None, false),
            ("198.51.100.1", Some(11), None, true),
            ("2001:db8::1", Some(10), Some(1), false),
            ("2001:db9::1", Some(10), Some(1), true),
        ] {
            let at: IpAddr = address.parse().unwrap();
            assert_eq!(
                policy.permits(at, firm, product),
                allowed,
                "{address} {firm:?} {product:?}"
            );
        }
        assert!(Policy::default().permits(IpAddr::from([192, 0, 2, 8]), Some(10), Some(1)));
    }

    #[test]
    fn a_client_is_too_old_below_the_least_version_or_without_one() {
        let policy = Policy { least_client: version_of("6.10"), ..Policy::default() };
        assert_eq!([0, 0x0609_ffff, 0x060a_0000].map(|it| policy.too_old(it)), [true, true, false]);
        assert!(!Policy::default().too_old(0));
    }

    #[test]
    fn a_network_is_one_and_no_address_within_it() {
        for text in ["192.0.2.0/24", "0.0.0.0/0", "::/0", "2001:db8::1", "192.0.2.7/32"] {
            assert!(network(text).is_ok(), "{text}");
        }
        for text in ["", "192.0.2.0/33", "192.0.2/24", "a/8", "::ffff:192.0.2.0/120", "1.2.3.4/-1"]
        {
            assert!(network(text).unwrap_err().0.contains("expected a network"), "{text}");
        }
        let said = network("192.0.2.7/24").unwrap_err().0;
        assert!(said.contains("\"192.0.2.0/24\"") && said.contains("\"192.0.2.7\""), "{said}");
    }

    const MINIMAL: &str = r#"{
  "TmrServer": { "TwinServer": { "Ip": "192.0.2.17", "Port": 22354 } },
  "CmServer": { "Server": [
    { "Ip": "b1", "Port": 1 }, { "Ip": "b2", "Port": 1 }, { "Ip": "b3", "Port": 1 }
  ] }
}"#;

    fn error(text: &str) -> String {
        Config::parse(text).expect_err(text).to_string()
    }

    #[test]
    fn access_rules_are_whole_and_their_networks_are_networks() {
        let with =
            |list: &str| MINIMAL.replacen("{\n", &format!("{{ \"AccessControl\": {list},\n"), 1);
        let rule = |networks: &str| {
            with(&format!("[{{ \"Action\": \"deny\", \"Networks\": {networks} }}]"))
        };
        for (text, key, words) in [
            (
                with("[{ \"Action\": \"no\" }]"),
                "AccessControl[0].Action",
                "expected \"allow\" or \"deny\"",
            ),
            (with("[{ \"Action\": \"deny\" }]"), "AccessControl[0]", "\"Networks\" is missing"),
            (with("[{ \"Firmcode\": 1 }]"), "AccessControl[0]", "did you mean \"FirmCode\"?"),
            (rule("[]"), "AccessControl[0].Networks", "expected at least one"),
            (rule("[\"here\"]"), "AccessControl[0].Networks[0]", "expected a network such as"),
            (
                rule("[\"::/0\", \"192.0.2.7/24\"]"),
                "AccessControl[0].Networks[1]",
                "expected the network, \"192.0.2.0/24\", or the one address, \"192.0.2.7\"",
            ),
        ] {
            let said = error(&text);
            assert!(said.contains(&format!("{key}: ")) && said.contains(words), "{said}");
        }
        let many = vec!["\"192.0.2.1\""; ACCESS_NETWORKS_MAX + 1].join(",");
        let said = error(&rule(&format!("[{many}]")));
        assert!(said.contains("found 4097 networks, expected at most 4096"), "{said}");
        let rules = Config::parse(&rule("[\"192.0.2.1\"]")).unwrap().policy.rules;
        assert_eq!((rules.len(), rules[0].allow, rules[0].firm_code), (1, false, None));

        let version = |text: &str| {
            let key = format!("\"TmrServer\": {{\n    \"MinimumClientVersion\": {text},");
            MINIMAL.replacen("\"TmrServer\": {", &key, 1)
        };
        assert!(error(&version("\"7\"")).contains("expected a version such as \"6.10\""));
        let config = Config::parse(&version("\"6.10\"")).unwrap();
        assert_eq!(config.policy.least_client, Some(0x060a_0000));
    }
}

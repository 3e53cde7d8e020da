//! The licences of every simulated cluster: small quantities, so that clients compete for every
//! seat.

use std::collections::BTreeMap;
use tmr_core::base::time::Wall;
use tmr_core::licence::{Container, File, Issuer, Spec};

/// The Firm Code of all licences.
pub const FIRM: u32 = 6_000_010;
/// The licence that only the probe of the last phase requests.
pub const PROBE: u32 = 204;
/// Product codes and quantities.
pub const PRODUCTS: [(u32, u32); 4] = [(201, 1), (202, 2), (203, 5), (PROBE, 50)];
/// The product whose third part differs in seeds with an odd part.
pub const ODD: u32 = 203;
/// The product whose seats linger, in seeds with rich licences, and for how many seconds.
pub const LINGERING: (u32, u32) = (202, 2);
/// The product with units, in seeds with rich licences, and how many.
pub const UNITS: (u32, u32) = (203, 9_000);

/// The end of the licence [`DATED`] in seeds that change dates.
const DATES: [&str; 2] = ["\"ExpirationTime\":\"2029-01-01T00:00:00Z\"", "\"UsagePeriod\":1000000"];
/// The product with that end.
const DATED: u32 = 203;

/// A property in which two parts can differ, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    /// The part lacks the licence.
    Quantity,
    /// A key that the other parts do not have, and its value.
    Key(&'static str),
}

/// All properties except the key check of a firm item, which depends on the container.
pub const PROPERTIES: [Property; 11] = [
    Property::Quantity,
    Property::Key("\"Text\":\"another\""),
    Property::Key("\"FeatureMap\":7"),
    Property::Key("\"ExpirationTime\":\"2031-01-01T00:00:00Z\""),
    Property::Key("\"ActivationTime\":\"2020-01-01T00:00:00Z\""),
    Property::Key(
        "\"MaintenancePeriod\":{\"Start\":\"2020-01-01T00:00:00Z\",\"End\":\"2031-01-01T00:00:00Z\"}",
    ),
    Property::Key("\"UsagePeriod\":1000001"),
    Property::Key("\"UnitCounter\":77"),
    Property::Key("\"LingerTime\":1"),
    Property::Key("\"MinimumRuntimeVersion\":\"1.0\""),
    Property::Key("\"DeniedModes\":[\"exclusive\"]"),
];

/// The variant of the licences of a seed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// The third part of one product differs in this.
    pub odd: Option<Property>,
    /// One product has an end.
    pub dates: bool,
    /// Seats of one product linger, and another one has units.
    pub rich: bool,
}

impl Style {
    /// Returns the containers of the three backends.
    #[must_use]
    pub fn containers(&self) -> [Container; 3] {
        [0, 1, 2].map(|part| self.issue(part, &self.said(part)))
    }

    /// Returns the part of a backend, issued again with another quantity of one product.
    #[must_use]
    pub fn reissued(
        &self,
        part: usize,
        before: &Container,
        product: u32,
        quantity: u32,
    ) -> Container {
        let mut said = quantities(before);
        said.insert(product, quantity);
        self.issue(part, &said)
    }

    /// Returns the quantity of each product in the part of a backend.
    fn said(&self, part: usize) -> BTreeMap<u32, u32> {
        let less = self.odd == Some(Property::Quantity) && part == 2;
        let said = PRODUCTS.map(|(code, quantity)| {
            (code, if less && code == ODD { quantity - 1 } else { quantity })
        });
        said.into()
    }

    fn product(&self, part: usize, code: u32, quantity: u32) -> String {
        let mut keys = vec![
            format!("\"ProductCode\":{code}"),
            format!("\"LicenseQuantity\":{quantity}"),
            "\"TmrId\":1".to_owned(),
        ];
        if self.rich && code == LINGERING.0 {
            keys.push(format!("\"LingerTime\":{}", LINGERING.1));
        }
        if self.rich && code == UNITS.0 {
            keys.push(format!("\"UnitCounter\":{}", UNITS.1));
        }
        if self.dates && code == DATED {
            keys.extend(DATES.map(str::to_owned));
        }
        if let (Some(Property::Key(key)), 2, ODD) = (self.odd, part, code) {
            let name = key.split(':').next().unwrap_or_default();
            keys.retain(|other| !other.starts_with(name));
            keys.push(key.to_owned());
        }
        format!("{{{}}}", keys.join(","))
    }

    fn issue(&self, part: usize, quantities: &BTreeMap<u32, u32>) -> Container {
        let issuer = Issuer::from_secret([7; 32]);
        let products: Vec<String> = quantities
            .iter()
            .map(|(code, quantity)| self.product(part, *code, *quantity))
            .collect();
        let json = format!(
            "{{\"FirmCode\":{FIRM},\"CmActId\":305419896,\"Products\":[{}]}}",
            products.join(",")
        );
        let spec = Spec::parse(&json).expect("the specification stands above");
        let number = u8::try_from(part + 1).expect("one of three");
        let file = issuer.issue(&spec, number, Wall(1_795_287_600));
        File::open(&file, &[issuer.public()]).expect("it was signed just now")
    }
}

/// Returns the quantities in a container, by product.
#[must_use]
pub fn quantities(container: &Container) -> BTreeMap<u32, u32> {
    let products = container.part.firm_items.iter().flat_map(|item| &item.products);
    products.map(|product| (product.product_code, product.license_quantity)).collect()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_third_part_differs_in_each_property_and_the_others_in_none() {
        for (dates, rich) in [(false, false), (true, true)] {
            for property in PROPERTIES {
                let style = Style { odd: Some(property), dates, rich };
                let parts = style.containers().map(|container| container.part.firm_items);
                assert_eq!(parts[0], parts[1]);
                assert_ne!(parts[1], parts[2], "{property:?}");
                let odd = |part: &[tmr_core::licence::FirmItem]| part[0].products.clone();
                let differ = odd(&parts[1]).into_iter().zip(odd(&parts[2])).filter(|(a, b)| a != b);
                assert_eq!(differ.count(), 1, "{property:?}");
            }
        }
    }
}

//! The licences of every simulated cluster: small quantities, so that every seat is fought for.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use tmr_core::licence::{Container, File, Issuer, Spec};
use tmr_core::time::Wall;

/// Firm Code of all of them.
pub const FIRM: u32 = 6_000_010;
/// The licence that only the probe of the last phase asks for.
pub const PROBE: u32 = 204;
/// Product codes and quantities.
pub const PRODUCTS: [(u32, u32); 4] = [(201, 1), (202, 2), (203, 5), (PROBE, 50)];
/// The product whose third part says another quantity, where a seed wants an odd part.
pub const ODD: u32 = 203;

/// What the licence of [`DATED`] ends by, where a seed changes dates.
const DATES: &str = ",\"ExpirationTime\":\"2029-01-01T00:00:00Z\",\"UsagePeriod\":1000000";
/// The product that has those.
const DATED: u32 = 203;

/// The containers of the three backends. `odd`: the third one differs in one product. `dates`: one
/// product ends some time.
#[must_use]
pub fn containers(odd: bool, dates: bool) -> &'static [Container; 3] {
    static ISSUED: OnceLock<[[Container; 3]; 4]> = OnceLock::new();
    &ISSUED.get_or_init(|| {
        [(false, false), (true, false), (false, true), (true, true)]
            .map(|(odd, dates)| [0, 1, 2].map(|part| issue(part, &said(part, odd), dates)))
    })[usize::from(odd) + 2 * usize::from(dates)]
}

/// What the part of a backend says of each product's quantity.
fn said(part: usize, odd: bool) -> BTreeMap<u32, u32> {
    let said = PRODUCTS.map(|(code, quantity)| {
        let differs = odd && part == 2 && code == ODD;
        (code, if differs { quantity - 1 } else { quantity })
    });
    said.into()
}

/// The quantities that a container says, by product.
#[must_use]
pub fn quantities(container: &Container) -> BTreeMap<u32, u32> {
    let products = container.part.firm_items.iter().flat_map(|item| &item.products);
    products.map(|product| (product.product_code, product.license_quantity)).collect()
}

/// The part of a backend, issued again with another quantity of one product.
#[must_use]
pub fn reissued(part: usize, before: &Container, product: u32, quantity: u32) -> Container {
    let mut said = quantities(before);
    said.insert(product, quantity);
    let mut products = before.part.firm_items.iter().flat_map(|item| &item.products);
    issue(part, &said, products.any(|product| product.usage_period.is_some()))
}

fn issue(part: usize, quantities: &BTreeMap<u32, u32>, dates: bool) -> Container {
    let issuer = Issuer::from_secret([7; 32]);
    let products: Vec<String> = quantities
        .iter()
        .map(|(code, quantity)| {
            let ends = if dates && *code == DATED { DATES } else { "" };
            format!("{{\"ProductCode\":{code},\"LicenseQuantity\":{quantity},\"TmrId\":1{ends}}}")
        })
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

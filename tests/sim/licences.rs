//! The licences of every simulated cluster: small quantities, so that every seat is fought for.

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

/// How many seats a licence has.
#[must_use]
pub fn quantity(product: u32) -> u32 {
    PRODUCTS.iter().find(|(code, _)| *code == product).map_or(0, |(_, quantity)| *quantity)
}

/// The containers of the three backends. `odd`: the third one differs in one product.
#[must_use]
pub fn containers(odd: bool) -> &'static [Container; 3] {
    static ISSUED: OnceLock<[[Container; 3]; 2]> = OnceLock::new();
    &ISSUED.get_or_init(|| [issue(false), issue(true)])[usize::from(odd)]
}

fn issue(odd: bool) -> [Container; 3] {
    let issuer = Issuer::from_secret([7; 32]);
    [1, 2, 3].map(|part| {
        let products = PRODUCTS.map(|(code, quantity)| {
            let differs = odd && part == 3 && code == ODD;
            let quantity = if differs { quantity - 1 } else { quantity };
            format!("{{\"ProductCode\":{code},\"LicenseQuantity\":{quantity},\"TmrId\":1}}")
        });
        let json = format!(
            "{{\"FirmCode\":{FIRM},\"CmActId\":305419896,\"Products\":[{}]}}",
            products.join(",")
        );
        let spec = Spec::parse(&json).expect("the specification stands above");
        let file = issuer.issue(&spec, part, Wall(1_795_287_600));
        File::open(&file, &[issuer.public()]).expect("it was signed just now")
    })
}

//! Makes licence files, and the values in them that follow from the issuer's key.
//!
//! Everything but the time in a file follows from the issuer's secret and SPEC.json, so one part
//! can be issued again and still belongs to the other two:
//!
//! - serial = 1,000,000 + n mod 8,999,999, where n is the first eight bytes, little endian, of
//!   SHA-256("tmr container serial" ‖ issuer's public key ‖ name ‖ part u8); a part that would get
//!   the serial of a lower one takes the next free number. Where SPEC.json says the serials, they
//!   are those
//! - secret = HMAC-SHA256(issuer's secret, "tmr container secret" ‖ name), equal in all three parts
//! - name = CmActId; without one 0, and then the three serials if SPEC.json says them, or else the
//!   Firm Code. Each u32, little endian

use super::{Container, File, Issuer, Spec};
use crate::base::time::Wall;
use alloc::vec::Vec;
use core::ops::RangeInclusive;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The parts of a TMR set.
const PARTS: RangeInclusive<u8> = 1..=3;
/// Lowest serial, and the number of serials.
pub(super) const SERIALS: (u32, u32) = (1_000_000, 8_999_999);

impl Issuer {
    /// Returns the licence file of one part, 1 to 3, issued at this time.
    ///
    /// # Panics
    /// Panics if there is no such part.
    #[must_use]
    pub fn issue(&self, spec: &Spec, part: u8, issued: Wall) -> Vec<u8> {
        assert!(PARTS.contains(&part), "a TMR set has parts 1 to 3, not {part}");
        let container = Container::new(spec.part(self.serial(spec, part)), self.secret(spec));
        File::seal(&container, part, issued, self)
    }

    fn serial(&self, spec: &Spec, part: u8) -> u32 {
        if let Some(serials) = spec.serials() {
            return serials[usize::from(part - *PARTS.start())];
        }
        let mut taken = Vec::with_capacity(3);
        let mut serial = SERIALS.0;
        for part in *PARTS.start()..=part {
            let digest = Sha256::new()
                .chain_update("tmr container serial")
                .chain_update(self.public().as_bytes())
                .chain_update(name(spec))
                .chain_update([part])
                .finalize();
            let number = u64::from_le_bytes(digest[..8].try_into().expect("eight of 32 bytes"));
            serial = free_serial(number, &taken);
            taken.push(serial);
        }
        serial
    }

    pub(super) fn secret(&self, spec: &Spec) -> [u8; 32] {
        Hmac::<Sha256>::new_from_slice(self.secret_bytes())
            .expect("any key length will do")
            .chain_update("tmr container secret")
            .chain_update(name(spec))
            .finalize()
            .into_bytes()
            .into()
    }

    /// Derives 64 secret bytes for a purpose, always the same ones.
    pub(super) fn derive(&self, purpose: &str, about: &[&[u8]]) -> Zeroizing<[u8; 64]> {
        let mut bytes = Zeroizing::new([0; 64]);
        for (half, number) in bytes.chunks_mut(32).zip([0_u8, 1]) {
            let mut mac = Hmac::<Sha256>::new_from_slice(self.secret_bytes())
                .expect("any key length will do")
                .chain_update(purpose);
            about.iter().for_each(|part| mac.update(part));
            half.copy_from_slice(&mac.chain_update([number]).finalize().into_bytes());
        }
        bytes
    }
}

/// Returns the bytes that identify one set of three among the sets of an issuer. They stay the same
/// when a part is issued again with other properties.
pub(super) fn name(spec: &Spec) -> Vec<u8> {
    let mut name = spec.cm_act_id().to_le_bytes().to_vec();
    if spec.cm_act_id() == 0 {
        let rest = spec.serials().map_or_else(|| [spec.firm_item().firm_code].to_vec(), Into::into);
        name.extend(rest.into_iter().flat_map(u32::to_le_bytes));
    }
    name
}

/// Returns the serial that a number stands for, or the next free one.
fn free_serial(number: u64, taken: &[u32]) -> u32 {
    let (first, count) = SERIALS;
    let mut offset = u32::try_from(number % u64::from(count)).expect("less than count");
    while taken.contains(&(first + offset)) {
        offset = (offset + 1) % count;
    }
    first + offset
}

#[cfg(test)]
mod tests {
    use super::{Issuer, free_serial};
    use crate::licence::Spec;
    use alloc::format;

    #[test]
    fn serials_stay_in_their_range_and_apart() {
        assert_eq!(free_serial(0, &[]), 1_000_000);
        assert_eq!(free_serial(8_999_998, &[]), 9_999_998);
        assert_eq!(free_serial(8_999_998, &[9_999_998, 1_000_000]), 1_000_001);
        assert_eq!(free_serial(8_999_999 + 5, &[1_000_005, 1_000_006]), 1_000_007);
    }

    #[test]
    fn serial_and_secret_depend_on_issuer_and_what_names_the_set() {
        let (one, two) = (Issuer::from_secret([1; 32]), Issuer::from_secret([2; 32]));
        let spec = |keys: &str| {
            let products = r#""Products": [{"ProductCode": 1, "LicenseQuantity": 1}]"#;
            Spec::parse(&format!("{{\"FirmCode\": 10, {keys} {products}}}")).unwrap()
        };
        let (five, six) = (spec(r#""CmActId": 5,"#), spec(r#""CmActId": 6,"#));
        assert_eq!(one.serial(&five, 2), one.serial(&five, 2));
        assert_ne!(one.serial(&five, 1), one.serial(&five, 2));
        assert_ne!(one.serial(&five, 2), one.serial(&five, 3));
        assert_ne!(one.serial(&five, 1), one.serial(&six, 1));
        assert_ne!(one.serial(&five, 1), two.serial(&five, 1));
        assert_ne!(one.secret(&five), one.secret(&six));
        assert_ne!(one.secret(&five), two.secret(&five));
        // Without a CmActId: by Firm Code, or as the specification says, whatever the texts.
        let (bare, text) = (spec(""), spec(r#""FirmItemText": "other","#));
        assert_eq!(
            (one.serial(&bare, 1), one.secret(&bare)),
            (one.serial(&text, 1), one.secret(&text))
        );
        assert_ne!(one.serial(&bare, 1), one.serial(&bare, 2));
        let said = spec(r#""Serials": [30, 20, 10],"#);
        assert_eq!([1, 2, 3].map(|part| one.serial(&said, part)), [30, 20, 10]);
        let secrets = [&five, &bare, &said, &spec(r#""Serials": [30, 20, 11],"#)];
        let secrets = secrets.map(|spec| one.secret(spec));
        for (place, secret) in secrets.iter().enumerate() {
            assert!(!secrets[..place].contains(secret), "{place}");
        }
    }
}

//! One container and what it holds.

use crate::log::{ContainerId, LicenceKey, Mode};
use crate::time::Wall;
use crate::wire::constants::mask;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A container as a front may know it: no secret in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Serial number; shown behind the mask, like `130-1000001`.
    pub serial: u32,
    /// The kind of container, of a stock server's: its dongles have others than licence files. It is not
    /// told on the wire, where all are licence files.
    #[serde(skip, default = "universal")]
    pub mask: u16,
    /// Equal in the three containers of one TMR set; 0: it has none.
    pub cm_act_id: u32,
    /// Its firm items.
    pub firm_items: Vec<FirmItem>,
}

fn universal() -> u16 {
    mask::CMACT_UNIVERSAL
}

/// All products of one Firm Code in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirmItem {
    /// Firm Code.
    pub firm_code: u32,
    /// Firm Item text.
    pub text: String,
    /// Equal where the keys are, and tells nothing about them; 0: not known.
    pub key_check: u64,
    /// Its products.
    pub products: Vec<Product>,
}

/// One licence, or one part of three of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Product Code.
    pub product_code: u32,
    /// Product text.
    pub text: String,
    /// Seats.
    pub license_quantity: u32,
    /// TMR-Id; 0 for an ordinary licence.
    pub tmr_id: u32,
    /// Feature bits; `None`: the option is not set.
    pub feature_map: Option<u32>,
    /// Not to be used from here on.
    pub expiration_time: Option<Wall>,
    /// Not to be used before.
    pub activation_time: Option<Wall>,
    /// Releases of the program that may use it.
    pub maintenance_period: Option<Period>,
    /// Seconds of use after the first one.
    pub usage_period: Option<u32>,
    /// Units that calls may use up.
    pub unit_counter: Option<u32>,
    /// Seconds that a seat stays taken after its release.
    pub linger_time: Option<u32>,
    /// Least client runtime: major<<24, minor<<16, build (protocol facts 4, CMACCESS).
    pub minimum_runtime_version: Option<u32>,
    /// Access modes that are refused with 223.
    pub denied_modes: Vec<Mode>,
}

/// From the start to the end, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// First second.
    pub start: Wall,
    /// Last second.
    pub end: Wall,
}

/// A container as its own backend knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Container {
    /// What may be told.
    pub part: Part,
    /// Which third of its set it is, as its licence file says: 1, 2 or 3; 0: not known.
    pub number: u8,
    /// What keys are derived from; equal in the three containers of one TMR set. Its memory is wiped
    /// when the container is gone.
    pub secret: Zeroizing<[u8; 32]>,
}

impl Container {
    /// A container whose firm items say which keys they have, and of which no number is known.
    #[must_use]
    pub fn new(mut part: Part, secret: [u8; 32]) -> Self {
        let mac = Hmac::<Sha256>::new_from_slice(&secret).expect("any key length will do");
        let check = mac.chain_update("tmr key check v1").finalize().into_bytes();
        let check = u64::from_le_bytes(check[..8].try_into().expect("eight of 32 bytes"));
        part.firm_items.iter_mut().for_each(|item| item.key_check = check);
        Self { part, number: 0, secret: Zeroizing::new(secret) }
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Container").field("part", &self.part).finish_non_exhaustive()
    }
}

impl Part {
    /// The container as people write it.
    #[must_use]
    pub fn name(&self) -> String {
        alloc::format!("{}-{}", self.mask, self.serial)
    }

    /// How it is named by itself.
    #[must_use]
    pub fn id(&self) -> ContainerId {
        ContainerId::Serial(self.serial)
    }

    /// Whether it is that container, or one third of it.
    #[must_use]
    pub fn belongs_to(&self, container: &ContainerId) -> bool {
        container.includes(self.serial, self.cm_act_id)
    }

    /// Every product with the key of its licence, `container` being what it is named there.
    pub fn licences(
        &self,
        container: ContainerId,
    ) -> impl Iterator<Item = (LicenceKey, &FirmItem, &Product)> {
        self.firm_items.iter().flat_map(move |item| {
            item.products.iter().map(move |product| {
                let (firm_code, product_code) = (item.firm_code, product.product_code);
                let tmr_id = product.tmr_id;
                (LicenceKey { container, firm_code, product_code, tmr_id }, item, product)
            })
        })
    }
}

impl FirmItem {
    /// A number over all properties of one of its products: two parts match when it is equal.
    #[must_use]
    pub fn fingerprint(&self, product: &Product) -> u64 {
        let bytes = postcard::to_allocvec(&(self.firm_code, &self.text, self.key_check, product))
            .expect("a product in memory always encodes");
        let digest = Sha256::digest(bytes);
        u64::from_le_bytes(digest[..8].try_into().expect("eight of 32 bytes"))
    }
}

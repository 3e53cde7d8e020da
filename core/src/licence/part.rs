//! One container and its contents.

use crate::base::time::Wall;
use crate::log::{ContainerId, LicenceKey, Mode};
use crate::wire::constants::mask;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A container without its secret, as a front knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Serial number; shown behind the mask, like `130-1000001`.
    pub serial: u32,
    /// The kind of container. A stock server's dongles have other kinds than licence files. The
    /// wire does not carry it, because all containers there are licence files.
    #[serde(skip, default = "universal")]
    pub mask: u16,
    /// The CmActId, which is equal in the three containers of one TMR set; 0 if there is none.
    pub cm_act_id: u32,
    /// The firm items.
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
    /// A check value that is equal if the keys are, and reveals nothing about them; 0: not known.
    pub key_check: u64,
    /// The products.
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
    /// Feature bits; `None` if the option is not set.
    pub feature_map: Option<u32>,
    /// The time from which the licence is no longer valid.
    pub expiration_time: Option<Wall>,
    /// The time before which the licence is not yet valid.
    pub activation_time: Option<Wall>,
    /// The release dates of programs that may use the licence.
    pub maintenance_period: Option<Period>,
    /// Seconds of use after the first one.
    pub usage_period: Option<u32>,
    /// Units that calls can take.
    pub unit_counter: Option<u32>,
    /// Seconds that a seat stays taken after its release.
    pub linger_time: Option<u32>,
    /// Least client runtime: major<<24, minor<<16, build (protocol facts 4, CMACCESS).
    pub minimum_runtime_version: Option<u32>,
    /// Access modes that are refused with 223.
    pub denied_modes: Vec<Mode>,
}

/// A period from its start to its end, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// First second.
    pub start: Wall,
    /// Last second.
    pub end: Wall,
}

/// A container with its secret, as its own backend knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Container {
    /// The public part.
    pub part: Part,
    /// The number of this part in its set, as the licence file states it: 1, 2 or 3; 0: not known.
    pub number: u8,
    /// The secret from which keys are derived; it is equal in the three containers of one TMR set.
    /// Its memory is wiped when the container is dropped.
    pub secret: Zeroizing<[u8; 32]>,
}

impl Container {
    /// Returns a container with the check values of its keys, and without a known number.
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
    /// Returns the container in the form that users see.
    #[must_use]
    pub fn name(&self) -> String {
        alloc::format!("{}-{}", self.mask, self.serial)
    }

    /// Returns the id by which the container itself is named.
    #[must_use]
    pub fn id(&self) -> ContainerId {
        ContainerId::Serial(self.serial)
    }

    /// Returns whether this is that container, or one third of it.
    #[must_use]
    pub fn belongs_to(&self, container: &ContainerId) -> bool {
        container.includes(self.serial, self.cm_act_id)
    }

    /// Returns every product with the key of its licence, in which `container` is the container's
    /// id.
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
    /// Returns the fingerprint of one of the products: two parts match if theirs are equal.
    #[must_use]
    pub fn fingerprint(&self, product: &Product) -> u64 {
        let bytes = postcard::to_allocvec(&(self.firm_code, &self.text, self.key_check, product))
            .expect("a product in memory always encodes");
        let digest = Sha256::digest(bytes);
        u64::from_le_bytes(digest[..8].try_into().expect("eight of 32 bytes"))
    }
}

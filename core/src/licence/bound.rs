//! The bound licence file, `.cmlic` of version 2: one part of three, for one container alone.
//!
//! Its outer form is that of [`signed_text`](super::signed_text). It names the three containers that
//! the licence was issued for by their public keys, and has this part's share of the secret, sealed to
//! its own container. Everything else can be read by an operator. So the file is of no use to another
//! machine, and with its machine it is of no use without a second one: the secret is put together from
//! two shares, in memory.
//!
//! `Issue` rises with every issue for a container, and a group takes no lower one than it has had.
//! `Sharing` is the issue whose shares these are: one part that is issued again fits the two that are
//! in use.

use super::file::{self, KIND, LicenceError};
use super::form::{FirmItemForm, is_zero, nonzero, time};
use super::identity::{ContainerIdentity, ContainerKeys, SEAL};
use super::issue::name;
use super::shares::{self, Share};
use super::{Container, Issuer, IssuerKey, Part, Spec};
use crate::base::limits::LICENCE_FILE_MAX;
use crate::base::time::Wall;
use crate::wire::constants::mask;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

pub(super) const VERSION: &str = "2";

/// One part of a licence that is bound to three containers; without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundPart {
    /// The container as a front knows it.
    pub part: Part,
    /// The number of the part, 1 to 3.
    pub number: u8,
    /// When it was issued.
    pub issued: Wall,
    /// The numbers of the issue.
    pub issue: IssueNumbers,
    /// The containers of parts 1, 2 and 3.
    pub containers: [ContainerKeys; 3],
    masked: [u8; 32],
    sealed: Vec<u8>,
    key_check: u64,
}

/// Which issue a part is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssueNumbers {
    /// The number of this issue, from 1; a higher one replaces a lower one.
    pub issue: u32,
    /// The issue in which the secret was shared as it is here; at most `issue`.
    pub sharing: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Payload {
    #[serde(default, deserialize_with = "nonzero", skip_serializing_if = "is_zero")]
    cm_act_id: u32,
    #[serde(deserialize_with = "file::part_number")]
    part: u8,
    #[serde(with = "time")]
    issued: Wall,
    #[serde(deserialize_with = "nonzero")]
    issue: u32,
    #[serde(deserialize_with = "nonzero")]
    sharing: u32,
    #[serde(with = "three_keys")]
    containers: [ContainerKeys; 3],
    #[serde(with = "file::key")]
    masked: [u8; 32],
    #[serde(with = "sealed")]
    share: Vec<u8>,
    #[serde(with = "check")]
    key_check: u64,
    firm_items: Vec<FirmItemForm>,
}

/// The public keys of a container in a file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct KeysForm {
    serial: u32,
    #[serde(with = "file::key")]
    signing: [u8; 32],
    #[serde(with = "file::key")]
    sealing: [u8; 32],
}

impl KeysForm {
    pub(super) fn new(serial: u32, signing: [u8; 32], sealing: [u8; 32]) -> Self {
        Self { serial, signing, sealing }
    }

    pub(super) fn of(keys: &ContainerKeys) -> Self {
        let (signing, sealing) = (*keys.signing(), *keys.sealing());
        Self { serial: keys.serial(), signing, sealing }
    }

    /// Returns the keys, if they are keys and have this serial; in words otherwise.
    pub(super) fn keys(&self) -> Result<ContainerKeys, String> {
        let Self { serial, signing, sealing } = self;
        let keys = ContainerKeys::new(signing, *sealing)
            .ok_or_else(|| format!("container {serial}: Signing is not a public key of Ed25519"))?;
        if keys.serial() == *serial {
            Ok(keys)
        } else {
            let own = keys.serial();
            Err(format!("Serial {serial} does not belong to these keys; theirs is {own}"))
        }
    }
}

mod three_keys {
    use super::{ContainerKeys, Deserialize, Deserializer, Error, KeysForm, Serializer, Vec};
    use serde::Serialize;

    pub(super) fn serialize<S: Serializer>(
        keys: &[ContainerKeys; 3],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        keys.each_ref().map(KeysForm::of).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<[ContainerKeys; 3], D::Error> {
        let forms = Vec::<KeysForm>::deserialize(from)?;
        let keys: Result<Vec<_>, _> = forms.iter().map(KeysForm::keys).collect();
        let keys =
            <[ContainerKeys; 3]>::try_from(keys.map_err(D::Error::custom)?).map_err(|keys| {
                D::Error::custom(alloc::format!("found {} containers, expected three", keys.len()))
            })?;
        let [one, two, three] = keys.each_ref().map(ContainerKeys::serial);
        if one == two || one == three || two == three {
            return Err(D::Error::custom("one container stands here twice"));
        }
        Ok(keys)
    }
}

mod sealed {
    use super::{Deserialize, Deserializer, Error, SEAL, Serializer, String, Vec};

    pub(super) fn serialize<S: Serializer>(sealed: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(sealed))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let bytes = hex::decode(String::deserialize(from)?).ok();
        let bytes = bytes.filter(|bytes| bytes.len() == SEAL + 32);
        bytes.ok_or_else(|| D::Error::custom("expected 160 hexadecimal digits"))
    }
}

mod check {
    use super::{Deserialize, Deserializer, Error, Serializer, String};

    pub(super) fn serialize<S: Serializer>(check: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&alloc::format!("{check:016x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let text = String::deserialize(from)?;
        let check = u64::from_str_radix(&text, 16).ok().filter(|_| text.len() == 16);
        check.ok_or_else(|| D::Error::custom("expected 16 hexadecimal digits"))
    }
}

impl BoundPart {
    /// Reads and checks the bytes of a bound licence file. `issuers` are the trusted ones.
    ///
    /// # Errors
    /// Returns the reason; see [`LicenceError`]. No file is accepted in part.
    pub fn open(bytes: &[u8], issuers: &[IssuerKey]) -> Result<Self, LicenceError> {
        if bytes.len() > LICENCE_FILE_MAX {
            return Err(LicenceError::TooLong);
        }
        let signed = KIND.open(bytes, VERSION)?;
        if !issuers.contains(&signed.issuer) {
            return Err(LicenceError::Foreign { found: signed.issuer, trusted: issuers.to_vec() });
        }
        let payload: Payload = file::payload(signed.json)?;
        let mut firm_items = file::firm_items(payload.firm_items)?;
        firm_items.iter_mut().for_each(|item| item.key_check = payload.key_check);
        let serial = payload.containers[usize::from(payload.part - 1)].serial();
        let (mask, cm_act_id) = (mask::CMACT_UNIVERSAL, payload.cm_act_id);
        Ok(Self {
            part: Part { serial, mask, cm_act_id, firm_items },
            number: payload.part,
            issued: payload.issued,
            issue: IssueNumbers { issue: payload.issue, sharing: payload.sharing },
            containers: payload.containers,
            masked: payload.masked,
            sealed: payload.share,
            key_check: payload.key_check,
        })
    }

    /// Returns whether two parts belong together: equal but for the part, its container and its share.
    #[must_use]
    pub fn is_of_one_issue_with(&self, other: &Self) -> bool {
        let equal = self.part.cm_act_id == other.part.cm_act_id
            && self.part.firm_items == other.part.firm_items
            && self.issued == other.issued;
        let secret = self.masked == other.masked && self.key_check == other.key_check;
        equal && secret && self.issue == other.issue && self.containers == other.containers
    }

    /// Returns the keys of the container that this part is for.
    #[must_use]
    pub fn container(&self) -> &ContainerKeys {
        &self.containers[usize::from(self.number - 1)]
    }

    /// Returns this part's share of the secret.
    ///
    /// # Errors
    /// The part is for another container.
    pub fn share(&self, identity: &ContainerIdentity) -> Result<Share, LicenceError> {
        let own = identity.keys();
        if own != *self.container() {
            let (expected, own) = (self.part.serial, own.serial());
            return Err(LicenceError::OtherContainer { expected, own });
        }
        let opened = identity.open(&self.sealed);
        let value = opened.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
        let share = value.and_then(|value| Share::new(self.number, value));
        share.ok_or(LicenceError::Share)
    }

    /// Returns the container with its secret, which two shares give.
    ///
    /// # Errors
    /// The shares are of one part, or not of this licence.
    pub fn unlock(&self, one: &Share, other: &Share) -> Result<Container, LicenceError> {
        let secret = shares::combine(one, other, &self.masked).ok_or(LicenceError::Share)?;
        let container = Container::new(self.part.clone(), *secret);
        let fits = container.part.firm_items.iter().all(|item| item.key_check == self.key_check);
        let number = self.number;
        if fits { Ok(Container { number, ..container }) } else { Err(LicenceError::Share) }
    }
}

impl Issuer {
    /// Returns the bound licence file of one part, 1 to 3.
    ///
    /// # Errors
    /// Nothing can be sealed to the part's container, whose sealing key is not a point of the curve.
    ///
    /// # Panics
    /// Panics if there is no such part.
    pub fn issue_bound(
        &self,
        spec: &Spec,
        containers: &[ContainerKeys; 3],
        part: u8,
        numbers: IssueNumbers,
        issued: Wall,
    ) -> Result<Vec<u8>, LicenceError> {
        let place = usize::from(part).checked_sub(1).filter(|place| *place < 3);
        let place = place.unwrap_or_else(|| panic!("a TMR set has parts 1 to 3, not {part}"));
        let keys = &containers[place];
        let (name, secret) = (name(spec), Zeroizing::new(self.secret(spec)));
        let scalar = self.derive("tmr share scalar v1", &[&name]);
        let slope = self.derive("tmr share slope v1", &[&name, &numbers.sharing.to_le_bytes()]);
        let shared = shares::share(&secret, &scalar, &slope);
        let share = shared.shares[place].value();
        let entropy = self.derive("tmr share seal v1", &[share, keys.signing(), keys.sealing()]);
        let entropy = entropy[..32].try_into().expect("32 of 64 bytes");
        let container = Container::new(spec.part(keys.serial()), *secret);
        let payload = Payload {
            cm_act_id: container.part.cm_act_id,
            part,
            issued,
            issue: numbers.issue,
            sharing: numbers.sharing,
            containers: *containers,
            masked: shared.masked,
            share: keys.seal(share, entropy).ok_or(LicenceError::Share)?,
            key_check: container.part.firm_items[0].key_check,
            firm_items: container.part.firm_items.iter().cloned().map(FirmItemForm).collect(),
        };
        let json = serde_json::to_vec_pretty(&payload).expect("a part in memory encodes");
        Ok(KIND.seal(VERSION, &json, self))
    }
}

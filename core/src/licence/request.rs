//! A licence request: three containers of a group that ask a vendor for a licence.
//!
//! ```text
//! tmr-request 1
//! {
//!   "Group": 32 hexadecimal digits: the group's id,
//!   "Made": "2026-11-30T20:00:00Z",
//!   "Containers": [
//!     {
//!       "Serial": 1234567,
//!       "Signing": 64 hexadecimal digits,
//!       "Sealing": 64 hexadecimal digits,
//!       "Machine": "backend-1.example",
//!       "Signature": 128 hexadecimal digits
//!     },
//!     …
//!   ]
//! }
//! ```
//!
//! Each container signs what it says, so a vendor knows that it has the secrets of its keys. Numbers
//! are little endian, and a length is u32:
//!
//! ```text
//! "tmr licence request v1" ‖ group u128 ‖ made u64 ‖ signing ‖ sealing ‖ length ‖ machine
//! ```
//!
//! A request is no secret. It names no licence: what a vendor issues for it follows from SPEC.json.

use super::bound::KeysForm;
use super::form::{text, time};
use super::identity::{ContainerIdentity, ContainerKeys};
use super::signed_text::digits;
use super::{SpecError, text as json};
use crate::base::limits::REQUEST_FILE_MAX;
use crate::base::time::Wall;
use crate::log::GroupId;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const MAGIC: &str = "tmr-request 1\n";
const SIGNED: &str = "tmr licence request v1";

/// A request of three containers. It was checked when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LicenceRequest {
    /// The group that the containers belong to.
    pub group: GroupId,
    /// When the containers signed.
    pub made: Wall,
    containers: [Requester; 3],
}

/// One container of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requester {
    keys: ContainerKeys,
    machine: String,
    signature: [u8; 64],
}

/// The reason why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The text is longer than a request can be.
    TooLong,
    /// The text is of another kind.
    NotARequest,
    /// The contents are not valid.
    Content(SpecError),
    /// The container's signature does not match; its serial.
    Signature(u32),
    /// One container is named twice; its serial.
    Twice(u32),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => {
                write!(f, "longer than a licence request can be ({REQUEST_FILE_MAX} bytes)")
            }
            Self::NotARequest => f.write_str(
                "not a licence request (its first line would be \"tmr-request 1\"); a front makes \
                 one: tmrd licence request",
            ),
            Self::Content(error) => write!(f, "the licence request is not valid: {error}"),
            Self::Signature(serial) => write!(
                f,
                "the licence request was altered: the signature of container 130-{serial} does not \
                 match; let a front make it again: tmrd licence request"
            ),
            Self::Twice(serial) => write!(
                f,
                "container 130-{serial} asks twice: two backends have the same container.key. Each \
                 needs one of its own: remove it from the one that was copied, and start that one again"
            ),
        }
    }
}

impl core::error::Error for RequestError {}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Form {
    #[serde(with = "group")]
    group: GroupId,
    #[serde(with = "time")]
    made: Wall,
    containers: Vec<RequesterForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RequesterForm {
    serial: u32,
    #[serde(with = "super::file::key")]
    signing: [u8; 32],
    #[serde(with = "super::file::key")]
    sealing: [u8; 32],
    #[serde(deserialize_with = "text")]
    machine: String,
    #[serde(with = "signature")]
    signature: [u8; 64],
}

pub(super) mod group {
    use super::{Deserialize, Deserializer, Error, GroupId, Serializer, String, digits, format};

    pub(in crate::licence) fn serialize<S: Serializer>(
        group: &GroupId,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{:032x}", group.0))
    }

    pub(in crate::licence) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<GroupId, D::Error> {
        let bytes = digits::<16>(String::deserialize(from)?.as_bytes());
        let number = bytes.map(u128::from_be_bytes);
        number.map(GroupId).ok_or_else(|| D::Error::custom("expected 32 hexadecimal digits"))
    }
}

mod signature {
    use super::{Deserialize, Deserializer, Error, Serializer, String, digits};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 64], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 64], D::Error> {
        digits(String::deserialize(from)?.as_bytes())
            .ok_or_else(|| D::Error::custom("expected 128 hexadecimal digits"))
    }
}

impl Requester {
    /// Returns a container's part of a request: its keys and its signature.
    #[must_use]
    pub fn sign(identity: &ContainerIdentity, group: GroupId, made: Wall, machine: &str) -> Self {
        let keys = identity.keys();
        let signature = identity.sign(&signed_bytes(group, made, &keys, machine));
        Self { keys, machine: machine.into(), signature }
    }

    /// Returns the container's keys.
    #[must_use]
    pub fn keys(&self) -> &ContainerKeys {
        &self.keys
    }

    /// Returns the name of the machine, as the container states it.
    #[must_use]
    pub fn machine(&self) -> &str {
        &self.machine
    }
}

impl LicenceRequest {
    /// The word that begins each request, with the space behind it.
    pub(super) const WORD: &'static [u8] = b"tmr-request ";

    /// Makes a request of what three containers have signed, in the order of the parts.
    ///
    /// # Errors
    /// A signature does not match, or one container is there twice.
    pub fn new(
        group: GroupId,
        made: Wall,
        containers: [Requester; 3],
    ) -> Result<Self, RequestError> {
        for (place, one) in containers.iter().enumerate() {
            let serial = one.keys.serial();
            if containers[..place].iter().any(|other| other.keys.serial() == serial) {
                return Err(RequestError::Twice(serial));
            }
            let signed = signed_bytes(group, made, &one.keys, &one.machine);
            if !one.keys.signed(&signed, &one.signature) {
                return Err(RequestError::Signature(serial));
            }
        }
        Ok(Self { group, made, containers })
    }

    /// Reads and checks the content of a request file.
    ///
    /// # Errors
    /// Returns the reason; see [`RequestError`].
    pub fn parse(file: &str) -> Result<Self, RequestError> {
        if file.len() > REQUEST_FILE_MAX {
            return Err(RequestError::TooLong);
        }
        if !file.starts_with(MAGIC) {
            return Err(RequestError::NotARequest);
        }
        // From the line break on, so that lines count as in the file.
        let json = &file[MAGIC.len() - 1..];
        let content = |message: String| {
            let key = Some("Containers".into());
            RequestError::Content(SpecError { line: 2, column: 1, key, message })
        };
        let form: Form = json::read(json, "licence request").map_err(RequestError::Content)?;
        let containers = form.containers.into_iter().map(|form| {
            let RequesterForm { serial, signing, sealing, machine, signature } = form;
            let keys = KeysForm::new(serial, signing, sealing).keys().map_err(content)?;
            Ok(Requester { keys, machine, signature })
        });
        let containers = containers.collect::<Result<Vec<_>, _>>()?;
        let containers = <[Requester; 3]>::try_from(containers)
            .map_err(|list| content(format!("found {} containers, expected three", list.len())))?;
        Self::new(form.group, form.made, containers)
    }

    /// Returns the content of a request file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let containers = self.containers.iter().map(|one| RequesterForm {
            serial: one.keys.serial(),
            signing: *one.keys.signing(),
            sealing: *one.keys.sealing(),
            machine: one.machine.clone(),
            signature: one.signature,
        });
        let form = Form { group: self.group, made: self.made, containers: containers.collect() };
        let json = serde_json::to_string_pretty(&form).expect("a request in memory encodes");
        format!("{MAGIC}{json}\n")
    }

    /// Returns the containers, in the order of the parts that are issued for them.
    #[must_use]
    pub fn containers(&self) -> &[Requester; 3] {
        &self.containers
    }

    /// Returns the keys of the containers.
    #[must_use]
    pub fn keys(&self) -> [ContainerKeys; 3] {
        self.containers.each_ref().map(|one| one.keys)
    }
}

fn signed_bytes(group: GroupId, made: Wall, keys: &ContainerKeys, machine: &str) -> Vec<u8> {
    let length = u32::try_from(machine.len()).unwrap_or(u32::MAX);
    [
        SIGNED.as_bytes(),
        &group.0.to_le_bytes(),
        &made.0.to_le_bytes(),
        keys.signing(),
        keys.sealing(),
        &length.to_le_bytes(),
        machine.as_bytes(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::{LicenceRequest, RequestError, Requester};
    use crate::base::time::Wall;
    use crate::licence::ContainerIdentity;
    use crate::log::GroupId;
    use alloc::string::ToString;

    const GROUP: GroupId = GroupId(0x0102_0304);
    const MADE: Wall = Wall(1_767_225_600);

    fn requester(number: u8) -> Requester {
        let identity = ContainerIdentity::from_entropy(&[number; 64]);
        Requester::sign(&identity, GROUP, MADE, "backend.example")
    }

    fn request() -> LicenceRequest {
        LicenceRequest::new(GROUP, MADE, [1, 2, 3].map(requester)).unwrap()
    }

    #[test]
    fn a_request_comes_back_from_its_file_and_stays_as_it_is() {
        let text = request().to_text();
        assert_eq!(LicenceRequest::parse(&text), Ok(request()));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_a_container_did_not_sign_is_refused() {
        let text = request().to_text();
        let serial = request().keys()[0].serial();
        for (from, to) in [
            ("backend.example", "another.example"),
            ("2026-01-01", "2027-01-01"),
            ("\"Group\": \"0", "\"Group\": \"1"),
        ] {
            assert!(text.contains(from), "{from}");
            let changed = text.replacen(from, to, 1);
            let error = LicenceRequest::parse(&changed).unwrap_err();
            assert_eq!(error, RequestError::Signature(serial), "{from}");
        }
        let twice = LicenceRequest::new(GROUP, MADE, [1, 2, 1].map(requester));
        assert_eq!(twice, Err(RequestError::Twice(serial)));
        let other_keys = text.replacen("\"Sealing\": \"", "\"Sealing\": \"0", 1);
        assert!(matches!(LicenceRequest::parse(&other_keys), Err(RequestError::Content(_))));
    }

    #[test]
    fn what_is_no_request_is_refused_in_words() {
        for text in ["", "{}", "tmr-license 1\n{}", "tmr-request 2\n{}"] {
            assert_eq!(LicenceRequest::parse(text), Err(RequestError::NotARequest), "{text}");
        }
        let two = request().to_text();
        let place = two.rfind("    {").unwrap();
        let cut = two[..place].trim_end().trim_end_matches(',').to_string() + "\n  ]\n}\n";
        let error = LicenceRequest::parse(&cut).unwrap_err();
        assert!(error.to_string().contains("found 2 containers, expected three"), "{error}");
    }
}

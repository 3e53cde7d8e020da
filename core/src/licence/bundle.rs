//! A bundle: the bound parts of one issue, in one signed file.
//!
//! Its outer form is that of [`signed_text`](super::signed_text), with the word `tmr-bundle`. The parts
//! stand in it as the text of their files, so that each can be checked and stored by its backend as it
//! is:
//!
//! ```text
//! tmr-bundle 1
//! {
//!   "Group": 32 hexadecimal digits: the group that asked,
//!   "Parts": [ "tmr-license 2\n…", … ]
//! }
//! issuer …
//! signature …
//! ```
//!
//! A bundle has all three parts, or fewer when single parts are issued again.

use super::bound::{BoundPart, IssueNumbers};
use super::file::{self, LicenceError};
use super::request::{LicenceRequest, group};
use super::signed_text::Kind;
use super::{Issuer, IssuerKey, Spec, SpecError};
use crate::base::limits::{BUNDLE_FILE_MAX, LICENCE_FILE_MAX};
use crate::base::time::Wall;
use crate::log::GroupId;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

pub(super) const KIND: Kind = Kind(b"tmr-bundle ");
pub(super) const VERSION: &str = "1";

/// The parts of one issue. They were checked when they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The group that the licence was issued for.
    pub group: GroupId,
    /// Who issued it.
    pub issuer: IssuerKey,
    parts: Vec<BundledPart>,
}

/// One part of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundledPart {
    /// What it says.
    pub part: BoundPart,
    /// The bytes of its licence file.
    pub file: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Form {
    #[serde(with = "group")]
    group: GroupId,
    parts: Vec<String>,
}

impl Bundle {
    /// Reads and checks the bytes of a bundle. `issuers` are the trusted ones.
    ///
    /// # Errors
    /// Returns the reason; see [`LicenceError`]. Parts that are not of one issue are refused as a
    /// whole.
    pub fn open(bytes: &[u8], issuers: &[IssuerKey]) -> Result<Self, LicenceError> {
        if bytes.len() > BUNDLE_FILE_MAX {
            return Err(LicenceError::TooLong);
        }
        let signed = KIND.open(bytes, VERSION)?;
        let issuer = signed.issuer;
        if !issuers.contains(&issuer) {
            return Err(LicenceError::Foreign { found: issuer, trusted: issuers.to_vec() });
        }
        let form: Form = file::payload(signed.json)?;
        let parts = form.parts.into_iter().map(|text| {
            let part = BoundPart::open(text.as_bytes(), &[issuer])?;
            Ok(BundledPart { part, file: text.into_bytes() })
        });
        let parts = parts.collect::<Result<Vec<_>, LicenceError>>()?;
        let Some((first, others)) = parts.split_first() else {
            return Err(mistake("found no part, expected one to three"));
        };
        for (place, other) in others.iter().enumerate() {
            let fits = first.part.is_of_one_issue_with(&other.part);
            let again = parts[..=place].iter().any(|it| it.part.number == other.part.number);
            if !fits || again {
                return Err(mistake("the parts are not different ones of one issue"));
            }
        }
        Ok(Self { group: form.group, issuer, parts })
    }

    /// Returns the parts, in the order of the file; one to three.
    #[must_use]
    pub fn parts(&self) -> &[BundledPart] {
        &self.parts
    }

    /// Returns the numbers of the issue.
    #[must_use]
    pub fn numbers(&self) -> IssueNumbers {
        self.parts[0].part.issue
    }
}

fn mistake(message: &str) -> LicenceError {
    let key = Some("Parts".into());
    LicenceError::Content(SpecError { line: 2, column: 1, key, message: message.into() })
}

impl Issuer {
    /// Returns the bytes of a bundle with these parts (1 to 3) of a licence, for the containers of a
    /// request.
    ///
    /// # Errors
    /// A part would be longer than a licence file can be, or cannot be sealed; see [`LicenceError`].
    ///
    /// # Panics
    /// Panics if there is no such part.
    pub fn bundle(
        &self,
        spec: &Spec,
        request: &LicenceRequest,
        parts: &[u8],
        numbers: IssueNumbers,
        issued: Wall,
    ) -> Result<Vec<u8>, LicenceError> {
        let keys = request.keys();
        let mut texts = Vec::with_capacity(parts.len());
        for &part in parts {
            let file = self.issue_bound(spec, &keys, part, numbers, issued)?;
            if file.len() > LICENCE_FILE_MAX {
                return Err(LicenceError::TooLong);
            }
            texts.push(String::from_utf8(file).expect("a licence file is text"));
        }
        let form = Form { group: request.group, parts: texts };
        let json = serde_json::to_vec_pretty(&form).expect("texts encode");
        Ok(KIND.seal(VERSION, &json, self))
    }
}

#[cfg(test)]
mod tests {
    use super::{Bundle, IssueNumbers, KIND};
    use crate::base::time::Wall;
    use crate::licence::spec_test::FULL;
    use crate::licence::{
        ContainerIdentity, Issuer, LicenceError, LicenceRequest, Requester, Spec,
    };
    use crate::log::GroupId;
    use alloc::vec::Vec;

    const NOW: Wall = Wall(1_767_225_600);
    const GROUP: GroupId = GroupId(5);
    const FIRST: IssueNumbers = IssueNumbers { issue: 1, sharing: 1 };

    fn issuer() -> Issuer {
        Issuer::from_secret([7; 32])
    }

    fn bundle(parts: &[u8], numbers: IssueNumbers) -> Vec<u8> {
        let containers = [1, 2, 3].map(|number| {
            let identity = ContainerIdentity::from_entropy(&[number; 64]);
            Requester::sign(&identity, GROUP, NOW, "machine")
        });
        let request = LicenceRequest::new(GROUP, NOW, containers).unwrap();
        issuer().bundle(&Spec::parse(FULL).unwrap(), &request, parts, numbers, NOW).unwrap()
    }

    fn open(bytes: &[u8]) -> Result<Bundle, LicenceError> {
        Bundle::open(bytes, &[issuer().public()])
    }

    #[test]
    fn a_bundle_has_the_parts_of_one_issue() {
        let all = open(&bundle(&[1, 2, 3], FIRST)).unwrap();
        assert_eq!(all.group, GROUP);
        assert_eq!(all.numbers(), FIRST);
        let numbers: Vec<_> = all.parts().iter().map(|one| one.part.number).collect();
        assert_eq!(numbers, [1, 2, 3]);
        let again = open(&bundle(&[3], IssueNumbers { issue: 2, sharing: 1 })).unwrap();
        assert_eq!(again.parts().len(), 1);
        assert_eq!(again.parts()[0].part.issue.sharing, 1);
    }

    #[test]
    fn parts_that_do_not_belong_together_are_refused() {
        assert!(matches!(open(&bundle(&[], FIRST)), Err(LicenceError::Content(_))));
        assert!(matches!(open(&bundle(&[1, 2, 1], FIRST)), Err(LicenceError::Content(_))));
        let text = |numbers| {
            let one = open(&bundle(&[1], numbers)).unwrap();
            serde_json::to_string(core::str::from_utf8(&one.parts()[0].file).unwrap()).unwrap()
        };
        let two = open(&bundle(&[2], FIRST)).unwrap();
        let two =
            serde_json::to_string(core::str::from_utf8(&two.parts()[0].file).unwrap()).unwrap();
        let joined = |one: &str| {
            let json = alloc::format!("{{\"Group\": \"{:032x}\", \"Parts\": [{one}, {two}]}}", 5);
            open(&KIND.seal("1", json.as_bytes(), &issuer()))
        };
        assert!(joined(&text(FIRST)).is_ok());
        let other = joined(&text(IssueNumbers { issue: 2, sharing: 1 }));
        assert!(matches!(other, Err(LicenceError::Content(_))), "{other:?}");
    }

    #[test]
    fn a_bundle_of_another_issuer_or_changed_by_a_byte_is_refused() {
        let bytes = bundle(&[1], FIRST);
        let foreign = Bundle::open(&bytes, &[Issuer::from_secret([8; 32]).public()]);
        assert!(matches!(foreign, Err(LicenceError::Foreign { .. })));
        for place in (0..bytes.len()).step_by(7) {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert!(open(&changed).is_err(), "byte {place}");
        }
    }
}

//! Any signed file of this module, read without knowing which it is: for commands that show files and
//! check them. What a server loads it reads by the format that it expects.

use super::bound::{self, BoundPart};
use super::bundle::{self, Bundle};
use super::file::{File, KIND, LicenceError, OpenPart, VERSION};
use super::request::{LicenceRequest, RequestError};
use super::signed_text::Kind;
use super::{ContainerIdentity, IssuerKey, Share};
use alloc::boxed::Box;
use core::fmt;

/// A file that was read. Its signatures are valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// A part that any machine can load.
    Open(OpenPart),
    /// A part for one container.
    Bound {
        /// What it says.
        part: Box<BoundPart>,
        /// Who signed it.
        issuer: IssuerKey,
    },
    /// The bound parts of one issue.
    Bundle(Bundle),
    /// The request of three containers.
    Request(Box<LicenceRequest>),
}

/// The reason why a file is none of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentError {
    /// It begins like none of them.
    Unknown,
    /// It begins like a part or a bundle, and is not a valid one.
    Licence(LicenceError),
    /// It begins like a request, and is not a valid one.
    Request(RequestError),
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str(
                "no licence file, bundle or request (its first line would begin with tmr-license, \
                 tmr-bundle or tmr-request)",
            ),
            Self::Licence(error) => error.fmt(f),
            Self::Request(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for DocumentError {}

impl From<LicenceError> for DocumentError {
    fn from(error: LicenceError) -> Self {
        Self::Licence(error)
    }
}

impl Document {
    /// Returns whether bytes begin like one of these files.
    #[must_use]
    pub fn begins(bytes: &[u8]) -> bool {
        [KIND.0, bundle::KIND.0, LicenceRequest::WORD].iter().any(|word| bytes.starts_with(word))
    }

    /// Reads a file and checks its signatures. `issuers` are the trusted ones; `None`: whoever has
    /// signed it.
    ///
    /// # Errors
    /// Returns the reason; see [`DocumentError`].
    pub fn read(bytes: &[u8], issuers: Option<&[IssuerKey]>) -> Result<Self, DocumentError> {
        let of = |kind: Kind, version| -> Result<IssuerKey, DocumentError> {
            Ok(kind.open(bytes, version).map_err(LicenceError::from)?.issuer)
        };
        let bound_part = [KIND.0, bound::VERSION.as_bytes(), b"\n"].concat();
        if bytes.starts_with(LicenceRequest::WORD) {
            let text = core::str::from_utf8(bytes);
            let text = text.map_err(|_| DocumentError::Request(RequestError::NotARequest))?;
            let request = LicenceRequest::parse(text).map_err(DocumentError::Request)?;
            Ok(Self::Request(Box::new(request)))
        } else if bytes.starts_with(bundle::KIND.0) {
            let issuer = of(bundle::KIND, bundle::VERSION)?;
            Ok(Self::Bundle(Bundle::open(bytes, issuers.unwrap_or(&[issuer]))?))
        } else if bytes.starts_with(&bound_part) {
            let issuer = of(KIND, bound::VERSION)?;
            let part = Box::new(BoundPart::open(bytes, issuers.unwrap_or(&[issuer]))?);
            Ok(Self::Bound { part, issuer })
        } else if bytes.starts_with(KIND.0) {
            let issuer = of(KIND, VERSION)?;
            Ok(Self::Open(File::read(bytes, issuers.unwrap_or(&[issuer]))?))
        } else {
            Err(DocumentError::Unknown)
        }
    }

    /// Returns the share in the part that is for a container.
    ///
    /// # Errors
    /// The file has no part for this container, or its share cannot be opened.
    pub fn share(&self, identity: &ContainerIdentity) -> Result<Share, LicenceError> {
        match self {
            Self::Bound { part, .. } => part.share(identity),
            Self::Bundle(bundle) => {
                let own = identity.keys();
                let parts = bundle.parts();
                let part = parts.iter().find(|one| *one.part.container() == own);
                part.unwrap_or(&parts[0]).part.share(identity)
            }
            Self::Open(_) | Self::Request(_) => Err(LicenceError::Share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, DocumentError};
    use crate::base::time::Wall;
    use crate::licence::spec_test::EXAMPLE;
    use crate::licence::{
        ContainerIdentity, IssueNumbers, Issuer, LicenceError, LicenceRequest, Requester, Spec,
    };
    use crate::log::GroupId;
    use alloc::string::ToString;

    const NOW: Wall = Wall(1_767_225_600);

    fn identity(number: u8) -> ContainerIdentity {
        ContainerIdentity::from_entropy(&[number; 64])
    }

    #[test]
    fn each_kind_of_file_is_read_as_what_it_is() {
        let (issuer, spec) = (Issuer::from_secret([7; 32]), Spec::parse(EXAMPLE).unwrap());
        let group = GroupId(5);
        let containers = [1, 2, 3].map(|n| Requester::sign(&identity(n), group, NOW, "machine"));
        let request = LicenceRequest::new(group, NOW, containers).unwrap();
        let numbers = IssueNumbers { issue: 1, sharing: 1 };
        let bundle = issuer.bundle(&spec, &request, &[1, 2, 3], numbers, NOW).unwrap();
        let bound = issuer.issue_bound(&spec, &request.keys(), 2, numbers, NOW).unwrap();
        let open = issuer.issue(&spec, 3, NOW);
        let text = request.to_text();
        let (trusted, foreign) = ([issuer.public()], [Issuer::from_secret([8; 32]).public()]);
        for file in [&bundle, &bound, &open] {
            assert!(Document::begins(file));
            let document = Document::read(file, Some(&trusted)).unwrap();
            assert_eq!(Document::read(file, None), Ok(document));
            let refused = Document::read(file, Some(&foreign));
            let Err(DocumentError::Licence(error)) = refused else { panic!("{refused:?}") };
            assert!(matches!(error, LicenceError::Foreign { .. }), "{error}");
            let cut = Document::read(&file[..file.len() - 1], None);
            assert_eq!(cut, Err(DocumentError::Licence(LicenceError::Truncated)));
        }
        let read = |file: &[u8]| Document::read(file, None).unwrap();
        assert!(matches!(read(&open), Document::Open(part) if part.issued == NOW));
        assert!(matches!(read(&bound), Document::Bound { part, .. } if part.number == 2));
        assert!(matches!(read(text.as_bytes()), Document::Request(read) if *read == request));
        assert!(read(&bundle).share(&identity(3)).is_ok());
        let other = read(&bundle).share(&identity(4)).unwrap_err();
        assert!(matches!(other, LicenceError::OtherContainer { .. }), "{other}");
        assert!(matches!(read(&bound).share(&identity(2)), Ok(share) if share.number() == 2));
    }

    #[test]
    fn what_begins_like_none_of_them_is_none() {
        for text in ["", "licence", "tmr-licence 1\n"] {
            assert!(!Document::begins(text.as_bytes()));
            assert_eq!(Document::read(text.as_bytes(), None), Err(DocumentError::Unknown));
        }
        let request = Document::read(b"tmr-request 2\n", None).unwrap_err();
        assert!(request.to_string().contains("tmrd licence request"), "{request}");
        assert!(Document::read(b"tmr-request \xff", None).is_err());
    }
}

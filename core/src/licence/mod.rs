//! Signed licences: the contents of a container, its file, and the issuing of files.
//!
//! An open part (`file`) can be loaded by any machine. A bound part (`bound`) is for one container with
//! an identity (`identity`), has one share of the secret (`shares`), and is issued for a request
//! (`request`) in a bundle (`bundle`). The daemons load open parts only, so far.
//!
//! What never lives here: who may use a licence now (that is [`service`](crate::service)) and how three
//! parts become one (that is [`front`](crate::front)).

mod bound;
#[cfg(test)]
mod bound_test;
mod bundle;
mod difference;
mod document;
mod file;
#[cfg(test)]
mod file_test;
mod firm_code;
mod form;
mod identity;
mod issue;
mod issuer;
mod part;
mod request;
mod shares;
mod signed_text;
mod spec;
#[cfg(test)]
mod spec_test;
mod text;
#[cfg(test)]
mod vector_test;

pub use crate::base::json::JsonError as SpecError;
pub use bound::{BoundPart, IssueNumbers};
pub use bundle::{Bundle, BundledPart};
pub use difference::{Difference, differences};
pub use document::{Document, DocumentError};
pub use file::{File, LicenceError, OpenPart};
pub use firm_code::firm_code_permitted;
pub(crate) use form::optional_version::{parse as version_of, render as version_text};
pub use identity::{ContainerIdentity, ContainerKeys, IdentityError};
pub use issuer::{Issuer, IssuerKey, KeyError};
pub use part::{Container, FirmItem, Part, Period, Product};
pub use request::{LicenceRequest, RequestError, Requester};
pub use shares::Share;
pub use spec::Spec;

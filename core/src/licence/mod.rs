//! Signed licences: the contents of a container, its file, and the issuing of files.
//!
//! What never lives here: who may use a licence now (that is [`service`](crate::service)) and how three
//! parts become one (that is [`front`](crate::front)).

mod difference;
mod file;
#[cfg(test)]
mod file_test;
mod firm_code;
mod form;
mod issue;
mod issuer;
mod part;
mod spec;
#[cfg(test)]
mod spec_test;
mod text;

pub use crate::base::json::JsonError as SpecError;
pub use difference::{Difference, differences};
pub use file::{File, LicenceError};
pub use firm_code::firm_code_permitted;
pub(crate) use form::optional_version::{parse as version_of, render as version_text};
pub use issuer::{Issuer, IssuerKey, KeyError};
pub use part::{Container, FirmItem, Part, Period, Product};
pub use spec::Spec;

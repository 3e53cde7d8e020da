//! Signed licences: what a container holds, the file it comes in, and how a vendor makes one.
//!
//! What never lives here: who may use a licence now (that is [`desk`](crate::desk)) and how three
//! parts become one (that is [`front`](crate::front)).

mod part;

pub use part::{Container, FirmItem, Part, Period, Product};

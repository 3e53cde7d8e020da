//! The way between the components: what one of them says, and what the others do about it. No rule is
//! made here.

mod backends;
mod calls;
mod leadership;
mod operator;
pub(super) mod reconfigure;
mod settle;
mod twin;

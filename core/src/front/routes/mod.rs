//! Routes between the components: hands the results of one to the others. No decision is made here.

mod backends;
mod calls;
mod leadership;
mod operator;
pub(super) mod reconfigure;
mod settle;
mod twin;

//! The std floor.
pub mod clock;
pub mod disk;
pub mod doors;
pub mod entropy;
pub mod exit;
pub mod log;
pub mod net;
pub mod plan;
pub mod signals;
pub mod talk;
pub mod timed;

pub use exit::{Exit, Failure, Outcome};
pub use plan::{Plan, Streams};
pub use talk::Talk;
pub use timed::{TimedHub, Todo};

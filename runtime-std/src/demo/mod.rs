//! demo
use crate::daemon::{Outcome, cli::Demo};
/// x
pub fn run(_o: &Demo) -> Outcome {
    Ok(())
}

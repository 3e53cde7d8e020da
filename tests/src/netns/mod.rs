//! Machines that are network namespaces: real fronts and backends, real keepalived, cables that can
//! be pulled out.
//!
//! What lives here: [`Network`] and [`Space`] (namespaces, bridges and cables), [`Keepalived`] with
//! the configuration that is shipped, [`Pair`] (two fronts, three backends, two client hosts),
//! [`Load`] (clients that record their answers), [`History`], which detects answers that are not
//! permitted, and [`Crowd`] (clients that reconnect all at once).
//! What never lives here: a fault, or what must hold after it; those are in `tests/`.

mod crowd;
mod history;
mod keepalived;
pub mod licences;
mod load;
mod pair;
mod report;
mod space;
mod twins;

pub use crowd::{Crowd, Served};
pub use history::History;
pub use keepalived::{Adapted, Keepalived, check, put_scripts};
pub use load::{CLIENTS, Group, Load, connect};
pub use pair::{FRONT, Pair, State, VIRTUAL, possible, use_it};
pub use report::{Fault, Row, load_average, quantile, report, table, tell};
pub use space::{Network, Space};

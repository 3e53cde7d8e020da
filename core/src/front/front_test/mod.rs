//! A front with three real backends, in memory and in virtual time.

mod seats;
mod world;

use world::World;

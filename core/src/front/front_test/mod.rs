//! A front with three real backends, in memory and in virtual time.

mod any_one;
mod birth;
mod handles;
mod handover;
mod lead;
mod line;
mod lists;
mod pass;
mod repair;
mod replaced;
mod role;
mod seats;
mod twin;
mod world;

use world::World;

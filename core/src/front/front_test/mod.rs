//! A front with three real backends, in memory and in virtual time.

mod any_one;
mod birth;
mod handles;
mod lead;
mod lists;
mod repair;
mod replaced;
mod role;
mod seats;
mod world;

use world::World;

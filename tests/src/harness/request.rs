//! Requests as a front makes them, signed by containers of this test's own.

use std::fs;
use std::path::{Path, PathBuf};
use tmr_core::base::time::Wall;
use tmr_core::licence::{ContainerIdentity, LicenceRequest, Requester};
use tmr_core::log::GroupId;

/// When every such request was made.
const MADE: Wall = Wall(1_767_225_600);

/// The container with this number.
#[must_use]
pub fn container(number: u8) -> ContainerIdentity {
    ContainerIdentity::from_entropy(&[number; 64])
}

/// Writes the request of a group's three containers, by their numbers.
///
/// # Panics
/// The file cannot be written.
pub fn write_request(path: &Path, group: u128, containers: [u8; 3]) -> PathBuf {
    let group = GroupId(group);
    let signed = containers.map(|number| {
        Requester::sign(&container(number), group, MADE, &format!("backend-{number}.example"))
    });
    let request = LicenceRequest::new(group, MADE, signed).expect("three different containers");
    fs::write(path, request.to_text()).expect("a file can be written");
    path.to_owned()
}

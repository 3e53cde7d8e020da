//! Bounds on licences and configurations: files, and values in them.

use super::HANDLE_LAST;
use crate::base::time::Duration;

/// Longest licence file, in bytes.
pub const LICENCE_FILE_MAX: usize = 1024 * 1024;
/// Most licences of one backend, each in a file of its own.
pub const LICENCE_FILES_MAX: usize = 256;
/// Files that are read in search of licences: other files do not count against the number of
/// licences.
pub const LICENCE_FILES_LOOKED_AT: usize = 4_096;
/// Where a text in an error message about one is cut, in bytes.
pub const LICENCE_ERROR_TEXT: usize = 400;
/// Longest `tmrconf.json`, in bytes.
pub const CONFIG_MAX: usize = 1024 * 1024;
/// Most networks in all rules of `AccessControl`: all are searched at every access.
pub const ACCESS_NETWORKS_MAX: usize = 4_096;
/// Longest time-out or interval that can be configured.
pub const CONFIG_TIMEOUT_MAX: Duration = Duration::from_secs(60 * 60);
/// Longest part of the file that an error message repeats, in characters.
pub const CONFIG_QUOTE: usize = 80;
/// Most licences in one container.
pub const PRODUCTS_MAX: usize = 4_096;
/// Longest Firm Item text or product text, in UTF-16 units: the SDK's 256 with a zero at the end
/// (protocol facts 4, CMBOXENTRY).
pub const TEXT_UNITS_MAX: usize = 255;
/// Most seats of one licence: as many as handle numbers. Sums of two cannot overflow.
pub const QUANTITY_MAX: u32 = HANDLE_LAST;
/// A licence that ends sooner should be renewed now.
pub const LICENCE_ENDS_SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Free bytes below which the disk of a state folder is considered nearly full.
pub const ROOM_LOW: u64 = 256 << 20;
/// Free bytes below which it is considered full.
pub const ROOM_LEAST: u64 = 32 << 20;

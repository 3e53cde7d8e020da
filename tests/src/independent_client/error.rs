//! Error codes of the API, as the public header names them (protocol facts 5.10, known).

/// An argument is invalid.
pub const INVALID_PARAMETER: u32 = 105;
/// No client holds the handle.
pub const INVALID_HANDLE: u32 = 106;
/// The output buffer is too small.
pub const BUFFER_OVERFLOW: u32 = 112;
/// The handle is of a kind that the call does not accept.
pub const WRONG_HANDLE_TYPE: u32 = 115;
/// The client's runtime is older than the licence demands.
pub const USER_RUNTIME_VERSION_TOO_OLD: u32 = 129;
/// A licence of three parts has fewer than two available parts.
pub const REDUNDANCY_SERVER_MISSING: u32 = 130;
/// The call would change one container only, which a licence of three parts does not permit.
pub const COMMAND_NOT_SUPPORTED_BY_TMR: u32 = 134;
/// The licence does not exist.
pub const ENTRY_NOT_FOUND: u32 = 200;
/// No seat is free.
pub const NO_MORE_LICENSES: u32 = 212;
/// The access conflicts with an exclusive access on the same station.
pub const EXCLUSIVE_MODE_CONFLICT: u32 = 213;
/// The parts of the licence differ.
pub const NO_LICENSE_AVAILABLE: u32 = 218;
/// The access mode is unknown or denied.
pub const WRONG_ACCESS_MODE: u32 = 223;
/// A rule denies the access.
pub const ACCESS_DENIED: u32 = 231;

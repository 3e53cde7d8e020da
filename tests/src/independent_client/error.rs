//! Error codes of the API, as the public header names them (protocol facts 5.10, known).

/// An argument is no good.
pub const INVALID_PARAMETER: u32 = 105;
/// Nobody holds the handle.
pub const INVALID_HANDLE: u32 = 106;
/// The output buffer is too small.
pub const BUFFER_OVERFLOW: u32 = 112;
/// The handle is of another kind than the call wants.
pub const WRONG_HANDLE_TYPE: u32 = 115;
/// The client's runtime is older than it must be.
pub const USER_RUNTIME_VERSION_TOO_OLD: u32 = 129;
/// A licence of three parts, and fewer than two of them.
pub const REDUNDANCY_SERVER_MISSING: u32 = 130;
/// What changes one container alone.
pub const COMMAND_NOT_SUPPORTED_BY_TMR: u32 = 134;
/// There is no such licence.
pub const ENTRY_NOT_FOUND: u32 = 200;
/// No seat is free.
pub const NO_MORE_LICENSES: u32 = 212;
/// Stands against an exclusive use on the same station.
pub const EXCLUSIVE_MODE_CONFLICT: u32 = 213;
/// The parts do not agree.
pub const NO_LICENSE_AVAILABLE: u32 = 218;
/// The access mode is unknown, or denied.
pub const WRONG_ACCESS_MODE: u32 = 223;
/// A rule stands against it.
pub const ACCESS_DENIED: u32 = 231;

//! Random bytes of the operating system. Core has none of its own: it takes these as arguments.

/// 32 bytes for a handshake, a node's generator or a key.
///
/// # Panics
/// If the system has no random source, since nothing can be secured then.
#[must_use]
pub fn fresh() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

/// Returns a random number other than 0, for the id of a front.
#[must_use]
pub fn id() -> u32 {
    loop {
        let [a, b, c, d, ..] = fresh();
        let id = u32::from_le_bytes([a, b, c, d]);
        if id != 0 {
            return id;
        }
    }
}

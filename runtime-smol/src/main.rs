//! tmrd.
fn main() {}

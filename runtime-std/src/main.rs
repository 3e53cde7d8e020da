//! tmrd-std.
fn main() {}

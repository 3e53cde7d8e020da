//! Byte strings in postcard, as one piece. serde takes a `Vec<u8>` byte by byte; the encoding is
//! the same.

use alloc::vec::Vec;
use core::fmt;
use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;

pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bytes(bytes)
}

pub(crate) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<u8>, D::Error> {
    from.deserialize_bytes(Whole)
}

struct Whole;

impl Visitor<'_> for Whole {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize)]
    struct Single(Vec<u8>, u32);

    #[derive(Debug, PartialEq, Deserialize, Serialize)]
    struct Piece(#[serde(with = "super")] Vec<u8>, u32);

    #[test]
    fn one_piece_is_encoded_as_single_bytes_are() {
        for length in [0, 1, 127, 128, 20_000] {
            let bytes: Vec<u8> = (0..length).map(|at: u32| at as u8).collect();
            let single = postcard::to_allocvec(&Single(bytes.clone(), 7)).unwrap();
            let piece = Piece(bytes, 7);
            assert_eq!(postcard::to_allocvec(&piece).unwrap(), single);
            assert_eq!(postcard::from_bytes::<Piece>(&single), Ok(piece));
            assert!(postcard::from_bytes::<Piece>(&single[..single.len() - 1]).is_err());
        }
    }
}

//! Lists in postcard that need another decoder than serde's. Byte strings are decoded as one piece,
//! where serde decodes a `Vec<u8>` byte by byte; the encoding is the same. Other lists have a
//! limit, because a list that is short on the wire may be a hundred times as long in memory.

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
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

/// Decodes a list of at most `MOST` items. A longer one is an error as soon as its length is read.
pub(crate) fn at_most<'a, T, D, const MOST: usize>(from: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'a>,
    D: Deserializer<'a>,
{
    from.deserialize_seq(AtMost::<T, MOST>(PhantomData))
}

struct AtMost<T, const MOST: usize>(PhantomData<T>);

impl<'a, T: Deserialize<'a>, const MOST: usize> Visitor<'a> for AtMost<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MOST}")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = list.next_element()? {
            if all.len() == MOST {
                return Err(A::Error::invalid_length(MOST + 1, &self));
            }
            all.push(one);
        }
        Ok(all)
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

    #[derive(Debug, PartialEq, Deserialize, Serialize)]
    struct Few(#[serde(deserialize_with = "super::at_most::<_, _, 3>")] Vec<u8>);

    #[test]
    fn a_list_beyond_its_limit_is_an_error() {
        let few = Few(alloc::vec![1, 2, 3]);
        assert_eq!(postcard::from_bytes(&postcard::to_allocvec(&few).unwrap()), Ok(few));
        let many = postcard::to_allocvec(&Few(alloc::vec![1, 2, 3, 4])).unwrap();
        assert!(postcard::from_bytes::<Few>(&many).is_err());
    }

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

//! Text in fields of fixed size: the exact bytes are kept, also those after the end of the text.

use super::{Layout, Parsed};
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// `char[N]`: text up to the first NUL, or all of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<const N: usize>(pub [u8; N]);

impl<const N: usize> Text<N> {
    /// What it says; bytes that are not UTF-8 are shown as U+FFFD.
    #[must_use]
    pub fn as_str(&self) -> Cow<'_, str> {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(N);
        String::from_utf8_lossy(&self.0[..end])
    }

    /// It says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.first().is_none_or(|byte| *byte == 0)
    }
}

impl<const N: usize> From<&str> for Text<N> {
    /// Cut at the last whole character that leaves room for the NUL.
    fn from(text: &str) -> Self {
        let mut end = text.len().min(N.saturating_sub(1));
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let mut bytes = [0; N];
        bytes[..end].copy_from_slice(&text.as_bytes()[..end]);
        Self(bytes)
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::ZERO
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl<const N: usize> Layout for Text<N> {
    const SIZE: usize = N;
    const ZERO: Self = Self([0; N]);
    fn parse(input: &[u8]) -> Parsed<'_, Self> {
        <[u8; N]>::parse(input).map(|(rest, bytes)| (rest, Self(bytes)))
    }
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

/// `u16[N]`: UTF-16 text up to the first NUL, or all of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Wide<const N: usize>(pub [u16; N]);

impl<const N: usize> Wide<N> {
    /// What it says; units that are not UTF-16 are shown as U+FFFD.
    #[must_use]
    pub fn to_text(&self) -> String {
        let end = self.0.iter().position(|unit| *unit == 0).unwrap_or(N);
        String::from_utf16_lossy(&self.0[..end])
    }
}

impl<const N: usize> From<&str> for Wide<N> {
    /// Cut at the last whole character that leaves room for the NUL.
    fn from(text: &str) -> Self {
        let mut units = [0; N];
        let mut end = 0;
        for character in text.chars() {
            if end + character.len_utf16() >= N {
                break;
            }
            end += character.encode_utf16(&mut units[end..]).len();
        }
        Self(units)
    }
}

impl<const N: usize> Default for Wide<N> {
    fn default() -> Self {
        Self::ZERO
    }
}

impl<const N: usize> fmt::Debug for Wide<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_text().fmt(f)
    }
}

impl<const N: usize> Layout for Wide<N> {
    const SIZE: usize = 2 * N;
    const ZERO: Self = Self([0; N]);
    fn parse(input: &[u8]) -> Parsed<'_, Self> {
        <[u16; N]>::parse(input).map(|(rest, units)| (rest, Self(units)))
    }
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ends_at_the_nul_and_keeps_what_follows() {
        let bytes = *b"ab\0cd";
        let (_, text) = Text::<5>::parse(&bytes).unwrap();
        assert_eq!(text.as_str(), "ab");
        assert_eq!(text.to_bytes(), bytes);
        assert_eq!(Text(*b"full").as_str(), "full");
        assert_eq!(Text([0xff, b'a']).as_str(), "\u{fffd}a");
    }

    #[test]
    fn long_text_is_cut_before_the_nul_at_a_whole_character() {
        assert_eq!(Text::<4>::from("abcdef"), Text(*b"abc\0"));
        assert_eq!(Text::<4>::from("abé").as_str(), "ab");
        assert_eq!(Text::<0>::from("a"), Text([]));
        assert!(Text::<0>::from("a").is_empty());
        assert_eq!(Wide::<4>::from("abcdef").to_text(), "abc");
        assert_eq!(Wide::<4>::from("ab😀").to_text(), "ab");
        assert_eq!(Wide::<0>::from("a"), Wide([]));
    }
}

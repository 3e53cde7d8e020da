//! Text in fields of fixed size: the exact bytes are kept, also those after the end of the text.

use super::{Layout, Parsed};
use alloc::string::String;
use alloc::vec::Vec;
use core::{fmt, str};

/// Returns a text from outside in a form that may be stored, logged and shown: it contains no command
/// to a terminal, and stays on its line.
fn plain(text: impl Iterator<Item = char>) -> String {
    let mut out = String::new();
    for character in text {
        if steers(character) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

/// Returns whether a character controls a terminal, ends a line or paragraph, or changes the direction
/// of writing.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// `char[N]`: text up to the first NUL, or all of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<const N: usize>(pub [u8; N]);

impl<const N: usize> Text<N> {
    /// Returns the text in a form that may be shown: read as UTF-8, or else as Latin-1, which gives
    /// different bytes different texts. Characters that control a terminal or the direction of writing
    /// are escaped (`\\u{1b}`).
    #[must_use]
    pub fn to_text(&self) -> String {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(N);
        match str::from_utf8(&self.0[..end]) {
            Ok(text) => plain(text.chars()),
            // The field was too short for its last character.
            Err(error) if error.error_len().is_none() && end == N && error.valid_up_to() > 0 => {
                let text = str::from_utf8(&self.0[..error.valid_up_to()]).unwrap_or_default();
                plain(text.chars())
            }
            Err(_) => plain(self.0[..end].iter().map(|byte| char::from(*byte))),
        }
    }

    /// It says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.first().is_none_or(|byte| *byte == 0)
    }
}

impl<const N: usize> From<&str> for Text<N> {
    /// Returns the text, cut at the last complete character that leaves room for the NUL.
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
        self.to_text().fmt(f)
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
    /// Returns the text in the form of [`Text::to_text`]; units that are not UTF-16 become U+FFFD.
    #[must_use]
    pub fn to_text(&self) -> String {
        let end = self.0.iter().position(|unit| *unit == 0).unwrap_or(N);
        let units = self.0[..end].iter().copied();
        plain(char::decode_utf16(units).map(|it| it.unwrap_or(char::REPLACEMENT_CHARACTER)))
    }
}

impl<const N: usize> From<&str> for Wide<N> {
    /// Returns the text, cut at the last complete character that leaves room for the NUL.
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
        assert_eq!(text.to_text(), "ab");
        assert_eq!(text.to_bytes(), bytes);
        assert_eq!(Text(*b"full").to_text(), "full");
    }

    #[test]
    fn what_is_no_utf8_is_latin1_so_that_different_names_stay_different() {
        assert_eq!(Text(*b"M\xfcller").to_text(), "Müller");
        assert_eq!(Text(*b"M\xf6ller").to_text(), "Möller");
        assert_eq!(Text(*b"\xc3\xbcber").to_text(), "über");
        assert_eq!(Text([0x80, b'a']).to_text(), "\\u{80}a");
        // A character that the field cuts in two is left out; two halves of one are no such thing.
        assert_eq!(Text(*b"ab\xc3").to_text(), "ab");
        assert_eq!(Text(*b"ab\xc3\0").to_text(), "abÃ");
        assert_eq!(Text(*b"\xc3").to_text(), "Ã");
    }

    #[test]
    fn nothing_in_a_text_steers_what_shows_it() {
        assert_eq!(Text(*b"pc\x1b[2J").to_text(), "pc\\u{1b}[2J");
        assert_eq!(Text(*b"a\r\n2026 INFO\x7f").to_text(), "a\\u{d}\\u{a}2026 INFO\\u{7f}");
        let name = "x\u{202e}y\u{2028}z\u{9b}31m";
        let shown = "x\\u{202e}y\\u{2028}z\\u{9b}31m";
        assert_eq!(Text::<32>::from(name).to_text(), shown);
        assert_eq!(Wide::<32>::from(name).to_text(), shown);
        assert_eq!(Wide([0xd800, 0x61]).to_text(), "\u{fffd}a");
    }

    #[test]
    fn long_text_is_cut_before_the_nul_at_a_whole_character() {
        assert_eq!(Text::<4>::from("abcdef"), Text(*b"abc\0"));
        assert_eq!(Text::<4>::from("abé").to_text(), "ab");
        assert_eq!(Text::<0>::from("a"), Text([]));
        assert!(Text::<0>::from("a").is_empty());
        assert_eq!(Wide::<4>::from("abcdef").to_text(), "abc");
        assert_eq!(Wide::<4>::from("ab😀").to_text(), "ab");
        assert_eq!(Wide::<0>::from("a"), Wide([]));
    }
}

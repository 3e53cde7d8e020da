//! Suggestions for error messages: the known word most like a mistyped one.

use alloc::vec::Vec;

/// Characters of the mistyped word that are compared; no known word is as long.
const COMPARED: usize = 64;

/// Returns the word among `known` with the smallest edit distance from `word` (insertions,
/// deletions and replacements, ignoring case); the first of several. `None` if `known` is empty.
pub(crate) fn suggestion<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known.min_by_key(|candidate| distance(word, candidate))
}

/// Returns the edit distance, computed row by row.
fn distance(word: &str, known: &str) -> usize {
    let known: Vec<char> = known.chars().collect();
    let mut row: Vec<usize> = (0..=known.len()).collect();
    for (i, from) in word.chars().take(COMPARED).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in known.iter().enumerate() {
            let replaced = diagonal + usize::from(!from.eq_ignore_ascii_case(to));
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[known.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, suggestion};

    #[test]
    fn distances_are_the_textbook_ones() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("TmrID", "TmrId"), 0);
        assert_eq!(distance(&"x".repeat(1_000_000), "x"), 63);
    }

    #[test]
    fn the_nearest_word_wins_and_the_first_of_two() {
        let known = ["FirmCode", "FirmItemText", "CmActId", "Products"];
        assert_eq!(suggestion("FrimCode", known.into_iter()), Some("FirmCode"));
        assert_eq!(suggestion("Product", known.into_iter()), Some("Products"));
        assert_eq!(suggestion("cmactid", known.into_iter()), Some("CmActId"));
        assert_eq!(suggestion("ac", ["ab", "ad"].into_iter()), Some("ab"));
        assert_eq!(suggestion("word", core::iter::empty()), None);
    }
}

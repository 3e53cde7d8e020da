//! The known word that was probably meant: for error messages about what people wrote.

use alloc::vec::Vec;

/// Longer words than this are not guessed at, in bytes.
const WORD_MAX: usize = 64;

/// The known word with the fewest slips (a letter too many, too few, wrong, or two swapped; case
/// does not count) between it and `word`; `None` if even that one is more than a third away. Of
/// equally near ones the first.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > WORD_MAX {
        return None;
    }
    known
        .map(|candidate| (slips(word, candidate), candidate))
        .filter(|&(slips, candidate)| slips <= candidate.len().max(3) / 3)
        .min_by_key(|&(slips, _)| slips)
        .map(|(_, candidate)| candidate)
}

/// Edit distance with neighbours swapped as one slip (optimal string alignment).
fn slips(one: &str, other: &str) -> usize {
    let letters = |word: &str| word.chars().flat_map(char::to_lowercase).collect::<Vec<char>>();
    let (one, other) = (letters(one), letters(other));
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for i in 1..=one.len() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i);
        for j in 1..=other.len() {
            let wrong = usize::from(one[i - 1] != other[j - 1]);
            let mut best = (row[j - 1] + wrong).min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            next.push(best);
        }
        before = core::mem::replace(&mut row, next);
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
        nearest(word, known.iter().copied())
    }

    #[test]
    fn counts_each_kind_of_slip_once() {
        for (one, other, count) in [
            ("Port", "Port", 0),
            ("port", "PORT", 0),
            ("Prot", "Port", 1),
            ("Pot", "Port", 1),
            ("Ports", "Port", 1),
            ("Pork", "Port", 1),
            ("", "Port", 4),
            ("Port", "", 4),
            ("Server", "TwinServer", 4),
        ] {
            assert_eq!(slips(one, other), count, "{one} {other}");
        }
    }

    #[test]
    fn names_what_was_meant_and_nothing_far() {
        assert_eq!(near("Prot", &["Ip", "Port"]), Some("Port"));
        assert_eq!(near("ip", &["Ip", "Port"]), Some("Ip"));
        assert_eq!(near("IP4", &["Ip", "Port"]), Some("Ip"));
        assert_eq!(near("TwinSever", &["TwinServer", "TwinListen"]), Some("TwinServer"));
        assert_eq!(near("Colour", &["Ip", "Port"]), None);
        assert_eq!(near("", &["Ip"]), None);
        assert_eq!(near("Port", &[]), None);
        assert_eq!(near(&"P".repeat(WORD_MAX + 1), &["Port"]), None);
    }
}

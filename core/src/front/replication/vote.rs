//! Two of three, as a pure function.

/// The state of a vote among three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) enum Vote<T> {
    /// Two equal answers are still possible.
    Pending,
    /// Two or three answers equal this one.
    Agreed(T),
    /// No two answers can become equal.
    Split,
}

/// Returns the vote over three answers; `None` is an answer that is still awaited.
pub(in crate::front) fn vote<T: Copy + PartialEq>(answers: [Option<T>; 3]) -> Vote<T> {
    let [a, b, c] = answers;
    for (one, other) in [(a, b), (a, c), (b, c)] {
        if let (Some(x), Some(y)) = (one, other) {
            if x == y {
                return Vote::Agreed(x);
            }
        }
    }
    let missing = answers.iter().filter(|answer| answer.is_none()).count();
    // One missing answer can still agree with either of two that differ.
    if missing == 0 { Vote::Split } else { Vote::Pending }
}

/// Returns the value that at least `need` of three have reached: the second highest with `need` 2,
/// the lowest with 3.
pub(in crate::front) fn reached<T: Copy + Ord>(mut values: [T; 3], need: usize) -> T {
    values.sort_unstable();
    values[3 - need.clamp(1, 3)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_three_by_table() {
        // Answers as digits, `-` for none; the winner's digit, `?` pending, `!` split.
        let table = [
            ("---", '?'),
            ("1--", '?'),
            ("-1-", '?'),
            ("--1", '?'),
            ("12-", '?'),
            ("1-2", '?'),
            ("-12", '?'),
            ("11-", '1'),
            ("1-1", '1'),
            ("-11", '1'),
            ("111", '1'),
            ("112", '1'),
            ("121", '1'),
            ("211", '1'),
            ("221", '2'),
            ("123", '!'),
        ];
        for (answers, want) in table {
            let digits: std::vec::Vec<_> = answers.chars().map(|c| c.to_digit(10)).collect();
            let got = match vote([digits[0], digits[1], digits[2]]) {
                Vote::Pending => '?',
                Vote::Split => '!',
                Vote::Agreed(digit) => char::from_digit(digit, 10).unwrap(),
            };
            assert_eq!(got, want, "{answers}");
        }
    }

    #[test]
    fn the_commit_slot_is_what_enough_have_reached() {
        assert_eq!(reached([7, 3, 5], 2), 5);
        assert_eq!(reached([7, 3, 5], 3), 3);
        assert_eq!(reached([0, 0, 9], 2), 0);
    }
}

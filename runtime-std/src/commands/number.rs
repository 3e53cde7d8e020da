//! Parsing of whole numbers on the command line.

use std::ops::RangeInclusive;

/// Parses a number of this range.
///
/// # Errors
/// The message has the range.
pub fn within<T>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: Copy + PartialOrd + std::fmt::Display + std::str::FromStr + Send + Sync + 'static,
{
    move |text| match text.parse::<T>() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => {
            let (least, most) = (range.start(), range.end());
            Err(format!("right would be a whole number from {least} to {most}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_of_the_range_is_told_which_are() {
        let read = within(1..=3u8);
        assert_eq!(read("2"), Ok(2));
        for text in ["", "0", "4", "300", "-1", "one", "1.5", "0x2"] {
            let said = read(text).expect_err(text);
            assert_eq!(said, "right would be a whole number from 1 to 3");
        }
    }
}

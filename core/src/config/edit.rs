//! Changes, adds or removes a value in the text of a JSON object. The rest of the text stays as it
//! is, including order and white space.
//!
//! The text must be one that the reader has accepted.

use crate::base::json::source_position::{self, Step};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

fn steps(path: &[&str]) -> Vec<Step> {
    path.iter().map(|key| Step::Key((*key).to_string())).collect()
}

/// Returns the text of the value at a path.
pub(super) fn get<'a>(text: &'a str, path: &[&str]) -> Option<&'a str> {
    let (_, start, end) = source_position::span(text, &steps(path))?;
    text.get(start..end)
}

/// Returns the text with another value at a path. A new value is the first one of its object, which
/// must exist.
pub(super) fn set(text: &str, path: &[&str], value: &str) -> Option<String> {
    if let Some((_, start, end)) = source_position::span(text, &steps(path)) {
        return Some(format!("{}{value}{}", text.get(..start)?, text.get(end..)?));
    }
    let (key, object) = path.split_last()?;
    let (_, start, _) = source_position::span(text, &steps(object))?;
    let (before, inside) = text.split_at_checked(start + 1)?;
    let rest = inside.trim_start();
    let blank = &inside[..inside.len() - rest.len()];
    Some(if rest.starts_with('}') {
        format!("{before} \"{key}\": {value} {rest}")
    } else {
        let between = if blank.is_empty() { " " } else { blank };
        format!("{before}{blank}\"{key}\": {value},{between}{rest}")
    })
}

/// Returns the text without the key at the end of a path, or the same text if the key is missing.
pub(super) fn remove(text: &str, path: &[&str]) -> Option<String> {
    let Some((key, _, end)) = source_position::span(text, &steps(path)) else {
        return Some(text.to_string());
    };
    let (before, after) = (text.get(..key)?, text.get(end..)?);
    let rest = after.trim_start();
    Some(match (rest.strip_prefix(','), before.trim_end().strip_suffix(',')) {
        (Some(rest), _) => format!("{before}{}", rest.trim_start()),
        (None, Some(before)) => format!("{before}{after}"),
        (None, None) => format!("{}{rest}", before.trim_end()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "{\n  \"A\": { \"x\": 1,\n    \"y\" : [1, 2] },\n  \"B\": {}, \"C\":\"}\"\n}\n";

    #[test]
    fn a_value_is_found_as_it_stands() {
        for (path, value) in [
            (&["A", "x"][..], Some("1")),
            (&["A", "y"], Some("[1, 2]")),
            (&["A"], Some("{ \"x\": 1,\n    \"y\" : [1, 2] }")),
            (&["C"], Some("\"}\"")),
            (&["D"], None),
            (&["B", "x"], None),
        ] {
            assert_eq!(get(TEXT, path), value, "{path:?}");
        }
    }

    #[test]
    fn only_what_is_meant_changes() {
        for (path, value, old, new) in [
            (&["A", "x"][..], "7", "\"x\": 1", "\"x\": 7"),
            (&["A"], "null", "{ \"x\": 1,\n    \"y\" : [1, 2] }", "null"),
            (&["C"], "3", "\"}\"", "3"),
            (&["A", "z"], "7", "{ \"x\"", "{ \"z\": 7, \"x\""),
            (&["B", "z"], "7", "{}", "{ \"z\": 7 }"),
            (&["D"], "7", "{\n  \"A\"", "{\n  \"D\": 7,\n  \"A\""),
        ] {
            assert_eq!(TEXT.matches(old).count(), 1, "{old}");
            assert_eq!(set(TEXT, path, value).unwrap(), TEXT.replace(old, new), "{path:?}");
        }
        assert_eq!(set(TEXT, &["D", "x"], "1"), None, "no such object");
    }

    #[test]
    fn a_key_goes_with_its_comma() {
        for (path, old, new) in [
            (&["A", "x"][..], "\"x\": 1,\n    ", ""),
            (&["A", "y"], ",\n    \"y\" : [1, 2]", ""),
            (&["C"], ", \"C\":\"}\"", ""),
            (&["D"], "\"C\"", "\"C\""),
        ] {
            assert_eq!(TEXT.matches(old).count(), 1, "{old}");
            assert_eq!(remove(TEXT, path).unwrap(), TEXT.replace(old, new), "{path:?}");
        }
        assert_eq!(remove("{ \"a\": 1 }", &["a"]).unwrap(), "{}");
    }
}

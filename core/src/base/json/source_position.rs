//! Positions in a JSON text: from a path to a byte offset, and from an offset to line and column.
//!
//! Only used for text that the JSON parser has read up to the position, so it searches for ends and
//! not for mistakes; it returns `None` for what it cannot follow.

use alloc::string::String;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A key of an object.
    Key(String),
    /// An index of a list.
    Index(usize),
}

/// Returns the byte offset of the value at `path`: the opening quote of its key, or the first byte
/// of a list element or of the whole value.
pub(crate) fn find(text: &str, path: &[Step]) -> Option<usize> {
    follow(Json(text), path).map(|(place, _)| place)
}

/// Returns the offset of [`find`], that of the first byte of the value, and that after its last
/// byte.
pub(crate) fn span(text: &str, path: &[Step]) -> Option<(usize, usize, usize)> {
    let (place, value) = follow(Json(text), path)?;
    let end = Json(text).value(value)?;
    Some((place, value, text.get(..end)?.trim_end().len()))
}

fn follow(json: Json<'_>, path: &[Step]) -> Option<(usize, usize)> {
    let mut value = json.blank(0);
    let mut place = value;
    for step in path {
        (place, value) = match step {
            Step::Key(key) => json.key(value, key)?,
            Step::Index(index) => {
                let element = json.element(value, *index)?;
                (element, element)
            }
        };
    }
    Some((place, value))
}

/// Returns the line and column of a byte offset, both from 1, the column in characters.
pub(crate) fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

/// Returns the byte offset of a line and column, both from 1, the column in bytes; inside a
/// character, that of its first byte.
pub(crate) fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.max(1) - 1).map(str::len).sum();
    let mut offset = start.saturating_add(column.max(1) - 1).min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[derive(Clone, Copy)]
struct Json<'a>(&'a str);

impl Json<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.0.as_bytes().get(at).copied()
    }

    fn is(&self, at: usize, byte: u8) -> Option<()> {
        (self.byte(at) == Some(byte)).then_some(())
    }

    /// Returns the first offset from `at` on that is not white space.
    fn blank(&self, mut at: usize) -> usize {
        while matches!(self.byte(at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            at += 1;
        }
        at
    }

    /// Returns the offset after the string at `at`.
    fn string(&self, at: usize) -> Option<usize> {
        self.is(at, b'"')?;
        let mut end = at + 1;
        loop {
            match self.byte(end)? {
                b'"' => return Some(end + 1),
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
    }

    /// Returns the offset after the value at `at`.
    fn value(&self, at: usize) -> Option<usize> {
        let mut end = at;
        let mut depth = 0_usize;
        loop {
            match self.byte(end)? {
                b'"' => end = self.string(end)?,
                b'{' | b'[' => {
                    depth += 1;
                    end += 1;
                }
                b'}' | b']' | b',' if depth == 0 => return Some(end),
                b'}' | b']' => {
                    depth -= 1;
                    end += 1;
                }
                _ => end += 1,
            }
            if depth == 0 && matches!(self.byte(end - 1), Some(b'"' | b'}' | b']')) {
                return Some(end);
            }
        }
    }

    /// Returns the offsets of a key of the object at `at`, and of its value.
    fn key(&self, at: usize, key: &str) -> Option<(usize, usize)> {
        self.is(at, b'{')?;
        let mut start = self.blank(at + 1);
        loop {
            let end = self.string(start)?;
            let name = serde_json::from_str::<String>(self.0.get(start..end)?).ok()?;
            if name == key {
                // An unknown key is reported before the parser has read what follows it.
                let colon = self.blank(end);
                return Some((start, self.blank(colon + 1)));
            }
            let colon = self.blank(end);
            self.is(colon, b':')?;
            let comma = self.blank(self.value(self.blank(colon + 1))?);
            self.is(comma, b',')?;
            start = self.blank(comma + 1);
        }
    }

    /// Returns the offset of an element of the list at `at`.
    fn element(&self, at: usize, index: usize) -> Option<usize> {
        self.is(at, b'[')?;
        let mut start = self.blank(at + 1);
        for _ in 0..index {
            let comma = self.blank(self.value(start)?);
            self.is(comma, b',')?;
            start = self.blank(comma + 1);
        }
        Some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn path(steps: &str) -> Vec<Step> {
        let step = |word: &str| match word.parse() {
            Ok(index) => Step::Index(index),
            Err(_) => Step::Key(word.into()),
        };
        steps.split('.').filter(|word| !word.is_empty()).map(step).collect()
    }

    fn rest<'a>(text: &'a str, steps: &str) -> Option<&'a str> {
        find(text, &path(steps)).map(|at| &text[at..])
    }

    #[test]
    fn finds_keys_and_elements_past_anything() {
        let text = "\n{ \"a\": [ 1, \"],}\\\"\", { \"b\": null } , [] ],\t\"c\\u0064\": -1.5e3 , \"e\":{\"f\":true}}";
        assert!(rest(text, "").unwrap().starts_with("{ \"a\""));
        assert!(rest(text, "a").unwrap().starts_with("\"a\""));
        assert!(rest(text, "a.0").unwrap().starts_with("1,"));
        assert!(rest(text, "a.1").unwrap().starts_with("\"],"));
        assert!(rest(text, "a.2.b").unwrap().starts_with("\"b\""));
        assert!(rest(text, "a.3").unwrap().starts_with("[] ]"));
        assert!(rest(text, "cd").unwrap().starts_with("\"c\\u0064\""));
        assert!(rest(text, "e.f").unwrap().starts_with("\"f\""));
        for nowhere in ["b", "a.4", "a.b", "e.f.g", "cd.0"] {
            assert_eq!(rest(text, nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn survives_text_that_ends_anywhere() {
        let text = "{\"a\": [{\"b\": \"ä\\\"\"}, 2], \"c\": 1}";
        for end in (0..=text.len()).filter(|&end| text.is_char_boundary(end)) {
            for steps in ["", "a", "a.0", "a.0.b", "a.1", "c"] {
                let _ = find(&text[..end], &path(steps));
            }
        }
    }

    #[test]
    fn counts_lines_from_one_and_columns_in_characters() {
        let text = "ä\nöx\r\n";
        assert_eq!(line_column(text, 0), (1, 1));
        assert_eq!(line_column(text, 2), (1, 2));
        assert_eq!(line_column(text, 5), (2, 2));
        assert_eq!(line_column(text, text.len()), (3, 1));
        assert_eq!(line_column(text, 99), (3, 1));
        assert_eq!(offset(text, 2, 3), 5);
        assert_eq!(offset(text, 1, 2), 0, "inside a character");
        assert_eq!(offset(text, 0, 0), 0);
        assert_eq!(offset(text, 9, 9), text.len());
    }
}

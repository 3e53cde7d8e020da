//! JSON that people write: `tmrconf.json`, a specification of licences, and the signed text in a
//! licence file. Its errors say what is wrong, where, and what would be right, in terms of JSON and
//! not of the parser. What never lives here: which keys there are.

pub(crate) mod source_position;

use crate::base::limits::{CONFIG_QUOTE, LICENCE_ERROR_TEXT};
use crate::base::suggest::suggestion;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};
use source_position::Step;

/// The first mistake in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The key that it concerns, as a path like `TmrServer.TwinServer.Port` or
    /// `CmServer.Server[2].Ip`.
    pub key: Option<String>,
    /// What is wrong and what would be right, in one line.
    pub message: String,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)?;
        if let Some(key) = &self.key {
            write!(f, ", {key}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl core::error::Error for JsonError {}

/// Reads one JSON value and nothing after it. `what` names the text, for people: "configuration".
///
/// # Errors
/// Returns the first mistake, with its position and what would be right.
pub fn read<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, JsonError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| JsonError::new(text, what, error.path(), error.inner()))?;
    json.end().map_err(|error| JsonError::trailing(text, what, &error))?;
    Ok(value)
}

impl JsonError {
    /// Makes the error from the parser's message about a position in `text`.
    fn new(text: &str, what: &str, path: &Path, error: &serde_json::Error) -> Self {
        let mut steps = steps(path);
        let said = said(error);
        let read = source_position::offset(text, error.line(), error.column());
        if error.classify() != Category::Data {
            return Self::at(text, read, &steps, syntax(text, what, read, &said));
        }
        let place = source_position::find(text, &steps).unwrap_or(read);
        if steps.is_empty() && !text[place..].starts_with('{') {
            let found = found(text, place);
            let message = format!("expected \"{{\" around the whole {what}, found {found}");
            return Self::at(text, place, &steps, message);
        }
        if let Some(Step::Key(key)) = steps.last() {
            if let Some(message) = unknown(key, &said) {
                steps.pop();
                return Self::at(text, place, &steps, message);
            }
        }
        if let Some(key) = said.strip_prefix("duplicate field ") {
            // The path leads to the first one; the parser is at the last quote of the second one.
            let read = text[..read].rfind('"').unwrap_or(read);
            let message = format!("{} stands here twice, expected it once", quoted(key));
            return Self::at(text, read, &steps, message);
        }
        if let Some(key) = said.strip_prefix("missing field ") {
            let message = format!("{} is missing, expected it here", quoted(key));
            return Self::at(text, place, &steps, message);
        }
        Self::at(text, place, &steps, in_json_words(&said))
    }

    /// Makes the error from the parser's message about the end of `text`.
    fn trailing(text: &str, what: &str, error: &serde_json::Error) -> Self {
        let read = source_position::offset(text, error.line(), error.column());
        let message = format!(
            "expected nothing more after the closing brace of the {what}, found {}",
            found(text, read)
        );
        Self::at(text, read, &[], message)
    }

    /// Makes the error about a key that contradicts other keys.
    pub(crate) fn of_key(text: &str, path: &[&str], message: &str) -> Self {
        let steps: Vec<Step> = path.iter().map(|&key| Step::Key(key.into())).collect();
        let place = source_position::find(text, &steps).unwrap_or_default();
        Self::at(text, place, &steps, message.into())
    }

    fn at(text: &str, offset: usize, steps: &[Step], message: String) -> Self {
        let (line, column) = source_position::line_column(text, offset);
        let mut key = String::new();
        for step in steps {
            match step {
                Step::Index(index) => key += &format!("[{index}]"),
                Step::Key(name) if key.is_empty() => key = clip(&escaped(name)),
                Step::Key(name) => key += &format!(".{}", clip(&escaped(name))),
            }
        }
        let key = (!key.is_empty()).then_some(key);
        Self { line, column, key, message: shown(&clip_found(&message)) }
    }
}

fn steps(path: &Path) -> Vec<Step> {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// Returns the parser's message without its position.
fn said(error: &serde_json::Error) -> String {
    let whole = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    whole.strip_suffix(&place).unwrap_or(&whole).to_owned()
}

/// Returns the message about a value of a wrong type, in terms of JSON instead of Rust.
fn in_json_words(said: &str) -> String {
    let Some(rest) =
        said.strip_prefix("invalid type: ").or_else(|| said.strip_prefix("invalid value: "))
    else {
        return said.to_owned();
    };
    let Some((found, expected)) = rest.rsplit_once(", expected ") else { return rest.to_owned() };
    let expected = expected_words(expected);
    let hint = match (expected.starts_with("a whole number"), found.strip_prefix("string \"")) {
        (true, Some(text)) => {
            let digits = text.strip_suffix('"').unwrap_or(text);
            let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            if number { "; numbers stand without quotes" } else { "" }
        }
        (false, None) if expected == TEXT => "; texts stand in double quotes",
        _ => "",
    };
    format!("found {}, expected {expected}{hint}", found_words(found))
}

/// The name of a string in messages.
const TEXT: &str = "a text";

/// Translates the parser's name of a value that was found.
fn found_words(found: &str) -> String {
    let inside = |kind: &str| found.strip_prefix(kind)?.strip_prefix(" `")?.strip_suffix('`');
    if let Some(number) = inside("integer").or_else(|| inside("floating point")) {
        return format!("the number {number}");
    }
    if let Some(flag) = inside("boolean") {
        return flag.to_owned();
    }
    match found {
        "sequence" => "a list".to_owned(),
        "map" => "an object".to_owned(),
        other => match other.strip_prefix("string ") {
            Some(text) => format!("the text {text}"),
            None => other.to_owned(),
        },
    }
}

/// Translates the parser's name of what was expected.
fn expected_words(expected: &str) -> String {
    match expected {
        "a sequence" => "a list".to_owned(),
        "a map" => "an object in braces".to_owned(),
        "a string" => TEXT.to_owned(),
        "a boolean" => "true or false".to_owned(),
        "u8" => format!("a whole number from 0 to {}", u8::MAX),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u64" => "a whole number".to_owned(),
        "a nonzero u32" => format!("a whole number from 1 to {}", u32::MAX),
        other if other.starts_with("struct ") => "an object in braces".to_owned(),
        other => other.to_owned(),
    }
}

/// Returns the message about an unknown key, if the parser's message is ``unknown field `KEY`,
/// expected one of `A`, `B` ``.
fn unknown(key: &str, said: &str) -> Option<String> {
    let rest = said.strip_prefix("unknown field `")?.strip_prefix(key)?;
    // The rest is `` `, expected one of `A`, `B` ``.
    let known = rest.split('`').skip(2).step_by(2);
    let meant = suggestion(key, known)?;
    let shown = clip(&escaped(key));
    Some(format!("unknown key \"{shown}\"; did you mean \"{meant}\"?"))
}

/// Returns the message about text that is not JSON.
fn syntax(text: &str, what: &str, offset: usize, said: &str) -> String {
    if text.starts_with('\u{feff}') {
        return "the file begins with a byte order mark, expected plain UTF-8 without one".into();
    }
    if text.trim().is_empty() {
        return format!("the file is empty, expected a {what} that begins with \"{{\"");
    }
    let found = found(text, offset);
    if said.starts_with("EOF") {
        return format!("the file ends too early, expected {} here", unclosed(said));
    }
    match said {
        "expected `,` or `}`" | "expected `,` or `]`" => {
            let end = if said.contains('}') { '}' } else { ']' };
            let (line, _) = source_position::line_column(text, text[..offset].trim_end().len());
            let comma = if matches!(text.as_bytes().get(offset), Some(b'"' | b'{' | b'[')) {
                format!("; is a comma missing at the end of line {line}?")
            } else {
                String::new()
            };
            format!("expected \",\" or \"{end}\", found {found}{comma}")
        }
        "trailing comma" => {
            format!("expected another entry after the comma, found {found}; take the comma away")
        }
        "key must be a string" => format!("expected a key in double quotes, found {found}"),
        "expected `:`" => format!("expected \":\" after the key, found {found}"),
        "expected value" => {
            format!("expected a value (a string in double quotes, a number, a list), found {found}")
        }
        other => format!("this is not JSON: {other}, found {found}"),
    }
}

/// Returns what the parser expected when the text ended.
fn unclosed(said: &str) -> &'static str {
    match said {
        "EOF while parsing an object" => "\"}\" or a further key",
        "EOF while parsing a list" => "\"]\" or a further entry",
        "EOF while parsing a string" => "the closing double quote",
        _ => "a value",
    }
}

/// Returns the text at a position, for a message.
fn found(text: &str, offset: usize) -> String {
    let rest = text.get(offset..).unwrap_or_default();
    let word = match rest.chars().next() {
        None => return "the end of the file".into(),
        Some('"') => rest[1..].split(['"', '\n']).next().unwrap_or_default(),
        Some(first) if first.is_alphanumeric() => {
            rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default()
        }
        Some(first) => &rest[..first.len_utf8()],
    };
    format!("\"{}\"", clip(&escaped(word)))
}

/// Returns `` `Key` `` as `"Key"`.
fn quoted(key: &str) -> String {
    clip(&key.replace('`', "\""))
}

fn escaped(text: &str) -> String {
    text.escape_debug().to_string()
}

/// Cuts a text to what a message may repeat.
fn clip(text: &str) -> String {
    match text.char_indices().nth(CONFIG_QUOTE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Cuts the first half of a message, which may repeat a long value; the second half says what is
/// right.
fn clip_found(message: &str) -> String {
    match message.rfind(", expected ") {
        Some(middle) => clip(&message[..middle]) + &message[middle..],
        None => message.to_owned(),
    }
}

/// Returns a text of the file without characters that would disturb a line of a log, and cut.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for letter in text.chars() {
        if shown.len() >= LICENCE_ERROR_TEXT {
            shown.push('…');
            break;
        }
        if letter.is_control() {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

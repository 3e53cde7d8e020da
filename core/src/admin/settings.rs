//! `/api/config`: shows the configuration in force, and replaces it. Each answer is a status and a
//! JSON value.

use crate::config::{Config, ConfigError, InForce, revised};
use crate::io::ConfigStoreResult;
use alloc::string::String;
use serde_json::{Value, json};

/// The status and the content of an answer.
pub(crate) type Said = (u16, Value);

/// Returns the answer with the configuration in force.
pub(crate) fn shown(now: Option<&InForce>) -> Said {
    match now {
        Some(InForce { config, text, path, .. }) => {
            (200, json!({ "path": path, "revision": config.revision, "text": text }))
        }
        None => NOT_KNOWN.said(503),
    }
}

/// Returns the text to be stored for a configuration that an operator has written; `busy`: another
/// one is being stored.
///
/// # Errors
/// Returns the answer if it is rejected.
pub(crate) fn checked(now: Option<&InForce>, busy: bool, body: &[u8]) -> Result<String, Said> {
    let Some(now) = now else { return Err(NOT_KNOWN.said(503)) };
    if busy {
        return Err(Sentence("another change is being stored; try again in a moment").said(409));
    }
    let text = core::str::from_utf8(body).map_err(|_| Sentence("this is not UTF-8").said(400))?;
    let config = Config::parse(text).map_err(|error| (400, mistake(&error)))?;
    let known = now.config.revision;
    if config.revision != known {
        let key = "TmrServer.Revision";
        let message = alloc::format!(
            "found {}, but {known} is in force: somebody has changed the configuration meanwhile; \
             read it again and change that",
            config.revision
        );
        return Err((409, json!({ "line": null, "column": null, "key": key, "message": message })));
    }
    revised(text, known.saturating_add(1)).ok_or_else(|| Sentence("no object").said(400))
}

/// Returns the answer for the result of storing it.
pub(crate) fn stored(revision: u32, stored: &ConfigStoreResult) -> Said {
    match stored {
        Ok(later) => (200, json!({ "revision": revision, "after_restart": later })),
        Err(error) => Sentence(&error.reason).said(409),
    }
}

const NOT_KNOWN: Sentence<'_> = Sentence("the configuration is not known yet");

fn mistake(error: &ConfigError) -> Value {
    let ConfigError { line, column, key, message } = error;
    json!({ "line": line, "column": column, "key": key, "message": message })
}

/// A mistake that has no position in the text.
struct Sentence<'a>(&'a str);

impl Sentence<'_> {
    fn said(&self, status: u16) -> Said {
        (status, json!({ "line": null, "column": null, "key": null, "message": self.0 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::ConfigNotStored;
    use alloc::format;
    use alloc::vec;
    use core::net::{IpAddr, Ipv4Addr};

    const TEXT: &str = r#"{ "TmrServer": { "Revision": 4, "TwinServer": { "Ip": "a", "Port": 1 } },
  "CmServer": { "Server": [ { "Ip": "b", "Port": 1 }, { "Ip": "c", "Port": 1 },
                            { "Ip": "d", "Port": 1 } ] } }"#;

    fn in_force() -> InForce {
        let config = Config::parse(TEXT).unwrap();
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        InForce { config, text: TEXT.into(), path: "/etc/tmrconf.json".into(), address }
    }

    fn refused(body: &str) -> Said {
        checked(Some(&in_force()), false, body.as_bytes()).unwrap_err()
    }

    #[test]
    fn what_is_in_force_is_shown() {
        let (status, value) = shown(Some(&in_force()));
        assert_eq!((status, &value["revision"], &value["text"]), (200, &4.into(), &TEXT.into()));
        assert_eq!(value["path"], "/etc/tmrconf.json");
        assert_eq!(shown(None).0, 503);
    }

    #[test]
    fn a_change_has_the_next_revision() {
        let changed = TEXT.replace("\"a\"", "\"z\"");
        let text = checked(Some(&in_force()), false, changed.as_bytes()).unwrap();
        assert_eq!(text, changed.replace(": 4", ": 5"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let (status, value) = refused(&TEXT.replace("CmServer", "CmSever"));
        assert_eq!((status, &value["line"], &value["column"]), (400, &2.into(), &3.into()));
        assert_eq!(value["message"], "unknown key \"CmSever\"; did you mean \"CmServer\"?");
        let (status, value) = refused(&TEXT.replace(": 4", ": 3"));
        assert_eq!((status, &value["key"]), (409, &"TmrServer.Revision".into()));
        assert_eq!(checked(Some(&in_force()), true, TEXT.as_bytes()).unwrap_err().0, 409);
        assert_eq!(checked(Some(&in_force()), false, &[0xff]).unwrap_err().0, 400);
        assert_eq!(checked(None, false, TEXT.as_bytes()).unwrap_err().0, 503);
    }

    #[test]
    fn what_became_of_it_is_told() {
        let later = vec![format!("CmServer.Unfenced")];
        let (status, value) = stored(5, &Ok(later));
        assert_eq!((status, &value["after_restart"][0]), (200, &"CmServer.Unfenced".into()));
        let (file, reason) = ("tmrconf.json".into(), "the port is taken".into());
        let not_stored = ConfigNotStored { file, reason };
        let (status, value) = stored(4, &Err(not_stored));
        assert_eq!((status, &value["message"]), (409, &"the port is taken".into()));
    }
}

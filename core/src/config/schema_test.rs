//! The JSON schema of `tmrconf.json`, made from the types that read it; and the two blueprints, which
//! satisfy it and the reader. All three are shipped from `runtime-std/dist`.

use super::Config;
use super::access::{AccessControl, Action, Binding, ClientVersion, Networks, Proxies, RuleForm};
use super::file::{File, Server, Servers, VirtualContainerForm, VirtualContainers};
use super::value::{
    Flag, HOST, Host, IP, Ip, LEVELS, Levels, LogFormat, Object, PATH, Path, Whole,
};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

const SCHEMA: &str = include_str!("../../../runtime-std/dist/tmrconf.schema.json");
const MINIMAL: &str = include_str!("../../../runtime-std/dist/tmrconf.json.minimal");
const FULL: &str = include_str!("../../../runtime-std/dist/tmrconf.json.full");

/// A type whose schema stands where it is used.
macro_rules! schema {
    ($type:ty, $generator:ident, $schema:expr) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

impl<const MIN: u32, const MAX: u32> JsonSchema for Whole<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "whole number".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

fn text(expected: &str) -> Schema {
    json_schema!({ "type": "string", "minLength": 1, "title": expected })
}

schema!(Flag, _it, json_schema!({ "type": "boolean" }));
schema!(Host, _it, text(HOST));
schema!(Ip, _it, text(IP));
schema!(Path, _it, text(PATH));
schema!(Levels, _it, text(LEVELS));
schema!(LogFormat, _it, json_schema!({ "type": "string", "enum": ["text", "json"] }));
schema!(
    Servers,
    it,
    json_schema!({
        "type": "array", "minItems": 3, "maxItems": 3, "items": Server::json_schema(it)
    })
);
schema!(
    VirtualContainers,
    it,
    json_schema!({
        "type": "array", "items": VirtualContainerForm::json_schema(it)
    })
);

/// For its default, which has no rule.
impl serde::Serialize for AccessControl {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(|rule| rule.allow))
    }
}

schema!(
    AccessControl,
    it,
    json_schema!({
        "type": "array", "items": RuleForm::json_schema(it)
    })
);
schema!(Binding, _it, json_schema!({ "type": "string", "enum": ["address", "none"] }));
schema!(Action, _it, json_schema!({ "type": "string", "enum": ["allow", "deny"] }));
schema!(
    Networks,
    _it,
    json_schema!({
        "type": "array", "minItems": 1, "items": text("a network such as 192.0.2.0/24, or an address")
    })
);
/// For its default, which names none.
impl serde::Serialize for Proxies {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

schema!(
    Proxies,
    _it,
    json_schema!({
        "type": "array", "items": text("a network such as 192.0.2.0/24, or an address")
    })
);
schema!(ClientVersion, _it, text("a version such as 6.10"));

impl<T: JsonSchema> JsonSchema for Object<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

fn made() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12();
    let mut schema = settings.into_generator().into_root_schema_for::<File>();
    schema.insert("title".into(), "tmrconf.json".into());
    schema.insert("description".into(), "The configuration of a TMR server (front).".into());
    schema.to_value()
}

#[test]
fn the_schema_that_is_shipped_is_that_of_the_types() {
    let text = format!("{:#}\n", made());
    if std::env::var_os("TMR_SCHEMA").is_some_and(|it| it == "write") {
        let at = concat!(env!("CARGO_MANIFEST_DIR"), "/../runtime-std/dist/tmrconf.schema.json");
        std::fs::write(at, &text).unwrap();
        return;
    }
    assert!(SCHEMA == text, "make it anew: TMR_SCHEMA=write cargo test -p tmr-core schema");
}

/// What is wrong with a value, by those words of JSON Schema that stand in ours; a word that this
/// does not know fails.
fn wrong(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let mut check = |right: bool, what: String| {
        if !right {
            wrong.push(format!("{at}: {what}"));
        }
    };
    let length = value.as_array().map_or(0, Vec::len) as u64;
    let empty = serde_json::Map::new();
    let keys = value.as_object().unwrap_or(&empty);
    let mut inside = Vec::new();
    for (word, said) in schema.as_object().unwrap() {
        match word.as_str() {
            "$schema" | "title" | "description" | "default" => {}
            "type" => {
                let fits =
                    said == kind || said.as_array().is_some_and(|all| all.contains(&kind.into()));
                check(fits, format!("{kind}, not {said}"));
            }
            "enum" => check(said.as_array().unwrap().contains(value), format!("not one of {said}")),
            "minimum" => check(value.as_u64() >= said.as_u64(), format!("below {said}")),
            "maximum" => check(value.as_u64() <= said.as_u64(), format!("above {said}")),
            "minLength" => {
                check(value.as_str().is_none_or(|text| !text.is_empty()), "empty".into());
            }
            "minItems" => check(length >= said.as_u64().unwrap(), format!("fewer than {said}")),
            "maxItems" => check(length <= said.as_u64().unwrap(), format!("more than {said}")),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    inside.extend(self::wrong(said, item, &format!("{at}[{index}]")));
                }
            }
            "required" => {
                for key in said.as_array().unwrap() {
                    check(keys.contains_key(key.as_str().unwrap()), format!("no {key}"));
                }
            }
            "additionalProperties" => {
                let known = schema["properties"].as_object().unwrap();
                assert_eq!(*said, json!(false));
                for key in keys.keys() {
                    check(known.contains_key(key), format!("unknown {key}"));
                }
            }
            "properties" => {
                for (key, value) in keys {
                    if let Some(schema) = said.get(key) {
                        inside.extend(self::wrong(schema, value, &format!("{at}.{key}")));
                    }
                }
            }
            other => panic!("{other} is a word of JSON Schema that this does not know"),
        }
    }
    wrong.extend(inside);
    wrong
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_blueprints_satisfy_the_schema_and_the_reader() {
    for text in [MINIMAL, FULL] {
        assert_eq!(wrong(&made(), &parsed(text), "file"), Vec::<String>::new());
    }
    assert_eq!(Config::parse(FULL).unwrap(), Config::parse(MINIMAL).unwrap(), "all are defaults");
}

#[test]
fn what_the_reader_refuses_the_schema_refuses() {
    let full = parsed(FULL);
    for (path, value, said) in [
        ("/TmrServer/Port", json!(65_536), "file.TmrServer.Port: above 65535"),
        ("/TmrServer/Port", json!("22350"), "file.TmrServer.Port: string, not \"integer\""),
        ("/TmrServer/TwinServer/Ip", json!(""), "file.TmrServer.TwinServer.Ip: empty"),
        ("/CmServer/Server", json!([]), "file.CmServer.Server: fewer than 3"),
        ("/CmServer/Unfenced", json!(0), "file.CmServer.Unfenced: integer, not \"boolean\""),
        ("/Log/Format", json!("xml"), "file.Log.Format: not one of [\"text\",\"json\"]"),
        ("/WebAdmin", json!({ "Prot": 1 }), "file.WebAdmin: unknown Prot"),
        ("/CmServer", json!({}), "file.CmServer: no \"Server\""),
        (
            "/AccessControl",
            json!([{ "Action": "deny", "Networks": [] }]),
            "file.AccessControl[0].Networks: fewer than 1",
        ),
        (
            "/VirtualContainers",
            json!([{ "Serial": 0 }]),
            "file.VirtualContainers[0].Serial: below 1",
        ),
    ] {
        let mut changed = full.clone();
        *changed.pointer_mut(path).unwrap() = value;
        let found = wrong(&made(), &changed, "file");
        assert!(found.contains(&said.to_string()), "{said}: {found:?}");
        assert!(Config::parse(&changed.to_string()).is_err(), "{said}");
    }
}

/// Every key of an object, and of those in it, stands in `value`, with its default if it has one.
fn complete(schema: &Value, value: &Value, at: &str) {
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        let here = value.get(key).unwrap_or_else(|| panic!("{at}.{key} is not in the full one"));
        assert!(schema["description"].is_string(), "{at}.{key} is not explained");
        if let Some(default) = schema.get("default") {
            assert_eq!(here, default, "{at}.{key}");
        }
        complete(schema, here, &format!("{at}.{key}"));
    }
}

#[test]
fn the_full_blueprint_has_every_key_with_its_default() {
    complete(&made(), &parsed(FULL), "file");
    let has_default = &made()["properties"]["TmrServer"]["properties"]["Port"]["default"];
    assert_eq!(*has_default, 22_350, "defaults are known");
}

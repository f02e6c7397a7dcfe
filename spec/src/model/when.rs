//! `when`: a condition, as data.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A condition tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub enum When {
    /// Every one holds (an empty list holds).
    All(Vec<When>),
    /// At least one holds (an empty list does not).
    Any(Vec<When>),
    /// It does not hold.
    Not(Box<When>),
    /// One comparison.
    Test(Test),
}

/// One comparison of a value of the state or the context with a constant.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// `state.<key>…` or `context.…`, as in a placeholder.
    pub path: String,
    /// The comparison.
    pub op: Op,
    /// The constant; optional for [`Op::Exists`] alone.
    pub value: Option<Value>,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Op {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// The value is an element of the constant list.
    In,
    /// The value (text or list) contains the constant.
    Contains,
    /// There is a value (or none, with the constant `false`).
    Exists,
    /// The text matches the constant, a pattern in Rust `regex` syntax.
    Matches,
}

impl Op {
    /// The name used in specs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Lt => "lt",
            Self::Lte => "lte",
            Self::Gt => "gt",
            Self::Gte => "gte",
            Self::In => "in",
            Self::Contains => "contains",
            Self::Exists => "exists",
            Self::Matches => "matches",
        }
    }
}

impl When {
    /// Calls `visit` for every comparison of the tree in document order, with its JSON Pointer below the tree's root
    /// (`""` when the tree is a single comparison).
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&str, &'a Test)) {
        self.walk_at(&mut String::new(), visit);
    }

    fn walk_at<'a>(&'a self, pointer: &mut String, visit: &mut impl FnMut(&str, &'a Test)) {
        let here = pointer.len();
        let (name, list) = match self {
            Self::All(list) => ("/all", list),
            Self::Any(list) => ("/any", list),
            Self::Not(inner) => {
                pointer.push_str("/not");
                inner.walk_at(pointer, visit);
                pointer.truncate(here);
                return;
            }
            Self::Test(test) => return visit(pointer, test),
        };
        for (index, inner) in list.iter().enumerate() {
            pointer.push_str(name);
            pointer.push('/');
            pointer.push_str(&index.to_string());
            inner.walk_at(pointer, visit);
            pointer.truncate(here);
        }
    }
}

/// All fields of all forms. An untagged enum would copy every subtree once per level.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    all: Option<Vec<When>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    any: Option<Vec<When>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not: Option<Box<When>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    op: Option<Op>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
}

impl TryFrom<Fields> for When {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        match fields {
            Fields {
                all: Some(list),
                any: None,
                not: None,
                path: None,
                op: None,
                value: None,
            } => Ok(Self::All(list)),
            Fields {
                all: None,
                any: Some(list),
                not: None,
                path: None,
                op: None,
                value: None,
            } => Ok(Self::Any(list)),
            Fields {
                all: None,
                any: None,
                not: Some(inner),
                path: None,
                op: None,
                value: None,
            } => Ok(Self::Not(inner)),
            Fields {
                all: None,
                any: None,
                not: None,
                path: Some(path),
                op: Some(op),
                value,
            } => Ok(Self::Test(Test { path, op, value })),
            _ => Err("a condition is one of {all}, {any}, {not} or {path, op, value}"),
        }
    }
}

impl From<When> for Fields {
    fn from(when: When) -> Self {
        match when {
            When::All(list) => Self {
                all: Some(list),
                ..Self::default()
            },
            When::Any(list) => Self {
                any: Some(list),
                ..Self::default()
            },
            When::Not(inner) => Self {
                not: Some(inner),
                ..Self::default()
            },
            When::Test(Test { path, op, value }) => Self {
                path: Some(path),
                op: Some(op),
                value,
                ..Self::default()
            },
        }
    }
}

impl JsonSchema for When {
    fn schema_name() -> Cow<'static, str> {
        "When".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let when = generator.subschema_for::<When>();
        let op = generator.subschema_for::<Op>();
        let list = |name: &str| {
            json_schema!({
                "properties": {name: {"type": "array", "items": when}},
                "additionalProperties": false
            })
        };
        // The form is chosen by the field that is there, so that a mistake inside is reported as itself.
        json_schema!({
            "description": "A condition: {path, op, value}, or {all: […]}, {any: […]}, {not: …} of conditions.",
            "type": "object",
            "if": {"required": ["all"]},
            "then": list("all"),
            "else": {
                "if": {"required": ["any"]},
                "then": list("any"),
                "else": {
                    "if": {"required": ["not"]},
                    "then": {"properties": {"not": when}, "additionalProperties": false},
                    "else": {
                        "properties": {
                            "path": {"type": "string", "minLength": 1, "maxLength": 256},
                            "op": op,
                            "value": {"type": ["string", "number", "boolean", "object", "array"]}
                        },
                        "required": ["path", "op"],
                        "additionalProperties": false
                    }
                }
            }
        })
    }
}

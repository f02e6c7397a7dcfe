//! The step kinds, one file each. A new kind is a file here, a variant of [`Step`] and a row in [`KINDS`].

mod api_call;
mod ask;
mod goto;
mod media;
mod quick_reply;
mod reply;
mod save;
mod validate;

pub use api_call::{ApiCall, Backoff, Method, OnError, Scalar};
pub use ask::Ask;
pub use goto::Goto;
pub use media::{Media, MediaKind};
pub use quick_reply::QuickReply;
pub use reply::Reply;
pub use save::Save;
pub use validate::{OnFail, Validate};

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// One step of a flow. `type` in JSON names the kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Step {
    /// Send a message.
    Reply(Reply),
    /// Send a message and wait for the answer.
    Ask(Ask),
    /// Test the answer.
    Validate(Validate),
    /// Write a state key.
    Save(Save),
    /// Call a JSON API.
    ApiCall(ApiCall),
    /// Jump.
    Goto(Goto),
}

/// The names of the step kinds, in the order of [`Step`].
pub const KINDS: [&str; 6] = ["reply", "ask", "validate", "save", "apiCall", "goto"];

impl Step {
    /// The name in `type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Reply(_) => "reply",
            Self::Ask(_) => "ask",
            Self::Validate(_) => "validate",
            Self::Save(_) => "save",
            Self::ApiCall(_) => "apiCall",
            Self::Goto(_) => "goto",
        }
    }

    /// The id, unique in its flow.
    pub fn id(&self) -> &str {
        match self {
            Self::Reply(step) => &step.id,
            Self::Ask(step) => &step.id,
            Self::Validate(step) => &step.id,
            Self::Save(step) => &step.id,
            Self::ApiCall(step) => &step.id,
            Self::Goto(step) => &step.id,
        }
    }
}

impl JsonSchema for Step {
    fn schema_name() -> Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let kinds: [(&str, Schema); KINDS.len()] = [
            ("reply", generator.subschema_for::<Reply>()),
            ("ask", generator.subschema_for::<Ask>()),
            ("validate", generator.subschema_for::<Validate>()),
            ("save", generator.subschema_for::<Save>()),
            ("apiCall", generator.subschema_for::<ApiCall>()),
            ("goto", generator.subschema_for::<Goto>()),
        ];
        for (kind, schema) in &kinds {
            // The types do not carry `type`; their schemas must, or it would be an unknown field.
            let name = schema
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|path| path.rsplit('/').next());
            let definition = name.and_then(|name| generator.definitions_mut().get_mut(name));
            if let Some(definition) = definition {
                definition["properties"]["type"] = json!({"const": kind});
                if let Some(required) = definition["required"].as_array_mut() {
                    required.insert(0, json!("type"));
                }
            }
        }
        // A chain of conditions instead of a union: a mistake in a step is reported for the kind its `type` names.
        let mut chain = Value::Object(Map::new());
        for (kind, schema) in kinds.into_iter().rev() {
            chain = json!({
                "if": {"type": "object", "properties": {"type": {"const": kind}}, "required": ["type"]},
                "then": schema,
                "else": chain
            });
        }
        let mut step = json_schema!({
            "description": "One step of a flow; `type` names its kind.",
            "type": "object",
            "properties": {"type": {"enum": KINDS}},
            "required": ["type"]
        });
        for name in ["if", "then", "else"] {
            step.insert(name.to_owned(), chain[name].take());
        }
        step
    }
}

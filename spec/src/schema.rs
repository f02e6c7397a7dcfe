//! The published JSON Schema: made from the types, committed as `schema/botspec.v1.json`, compiled once.

use std::sync::LazyLock;

use jsonschema::{Draft, PatternOptions, Validator};
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::Value;

use crate::model::BotSpec;

/// The published schema as it is served and committed.
pub fn schema_json() -> &'static str {
    include_str!("../schema/botspec.v1.json")
}

/// Makes the schema from the types. The committed file equals this, printed with two spaces and a newline at the end.
pub fn generate() -> Value {
    let transform = RecursiveTransform(|schema: &mut schemars::Schema| simplify(schema));
    let settings = SchemaSettings::draft2020_12().with_transform(transform);
    Value::from(settings.into_generator().into_root_schema_for::<BotSpec>())
}

/// Removes what makes answers harder to read: `null` for optional fields (absent, never `null`: one content has one
/// spelling), and unions of constants in place of an `enum`.
fn simplify(schema: &mut schemars::Schema) {
    let constants = schema.get("oneOf").and_then(Value::as_array).and_then(|choices| {
        choices
            .iter()
            .map(|choice| choice.get("const").cloned())
            .collect::<Option<Vec<_>>>()
    });
    if let Some(constants) = constants {
        schema.remove("oneOf");
        schema.insert("enum".to_owned(), Value::Array(constants));
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [single] = types.as_mut_slice() {
            let single = single.take();
            schema.insert("type".to_owned(), single);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        let before = choices.len();
        choices.retain(|choice| choice["type"] != "null");
        if choices.len() < before
            && let [Value::Object(single)] = choices.as_mut_slice()
        {
            let single = std::mem::take(single);
            schema.remove("anyOf");
            for (name, value) in single {
                schema.insert(name, value);
            }
        }
    }
}

/// The published schema, parsed.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(schema_json()).expect("the committed schema is JSON; a test reads it")
});

/// The published schema, compiled.
pub(crate) static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex())
        .build(&DOCUMENT)
        .expect("the committed schema compiles; a test compiles it")
});

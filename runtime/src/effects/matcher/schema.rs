//! JSON Schemas of bot authors, tested against a text that a person typed.

use std::sync::Arc;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use super::InvalidTest;
use super::pattern::MAX_COMPILED;

/// Longest schema, in bytes.
const MAX_SCHEMA: usize = 64 * 1024;
/// How deep references and combinations are followed to learn what a schema wants.
const MAX_LOOKUPS: u32 = 16;

#[derive(Debug, Clone)]
pub(super) struct Schema(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    validator: Validator,
    wants: Wants,
}

/// Which values other than strings a schema names as types or examples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Wants {
    number: bool,
    boolean: bool,
}

impl Schema {
    pub(super) fn compile(text: &str) -> Result<Self, InvalidTest> {
        if text.len() > MAX_SCHEMA {
            return Err(InvalidTest(format!("a schema of more than {MAX_SCHEMA} bytes")));
        }
        let invalid = |error: &dyn std::fmt::Display| InvalidTest(error.to_string());
        let schema: Value = serde_json::from_str(text).map_err(|error| invalid(&error))?;
        let patterns = PatternOptions::regex().size_limit(MAX_COMPILED);
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(patterns)
            .offline()
            .build(&schema)
            .map_err(|error| invalid(&error))?;
        let mut wants = Wants::default();
        wants.read(&schema, &schema, &mut MAX_LOOKUPS.clone());
        Ok(Self(Arc::new(Compiled { validator, wants })))
    }

    /// As a string, and where that fails as the number or boolean that the schema wants and the text reads as.
    pub(super) fn accepts(&self, text: &str) -> bool {
        let Compiled { validator, wants } = &*self.0;
        let is_valid = |value: Value| validator.is_valid(&value);
        let trimmed = text.trim();
        is_valid(Value::String(text.to_owned()))
            || (wants.number && number(trimmed).is_some_and(is_valid))
            || (wants.boolean && boolean(trimmed).is_some_and(is_valid))
    }
}

fn number(text: &str) -> Option<Value> {
    serde_json::from_str::<serde_json::Number>(text)
        .ok()
        .map(Value::Number)
}

fn boolean(text: &str) -> Option<Value> {
    let is = |name: &str| text.eq_ignore_ascii_case(name);
    (is("true") || is("false")).then(|| Value::Bool(is("true")))
}

impl Wants {
    fn read(&mut self, schema: &Value, root: &Value, lookups: &mut u32) {
        let Some(schema) = schema.as_object() else { return };
        if *lookups == 0 {
            return;
        }
        *lookups -= 1;
        match schema.get("type") {
            Some(Value::String(name)) => self.name(name),
            Some(Value::Array(names)) => names
                .iter()
                .filter_map(Value::as_str)
                .for_each(|name| self.name(name)),
            _ => {}
        }
        let examples = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
        for value in examples.chain(schema.get("const")) {
            self.number |= value.is_number();
            self.boolean |= value.is_boolean();
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            for part in schema
                .get(keyword)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                self.read(part, root, lookups);
            }
        }
        for keyword in ["if", "then", "else"] {
            if let Some(part) = schema.get(keyword) {
                self.read(part, root, lookups);
            }
        }
        let reference = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|text| text.strip_prefix('#'));
        if let Some(part) = reference.and_then(|pointer| root.pointer(pointer)) {
            self.read(part, root, lookups);
        }
    }

    fn name(&mut self, name: &str) {
        self.number |= matches!(name, "number" | "integer");
        self.boolean |= name == "boolean";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(schema: &str, text: &str) -> bool {
        Schema::compile(schema).unwrap().accepts(text)
    }

    #[test]
    fn text_is_tested_as_what_the_schema_wants() {
        for (schema, good, bad) in [
            (
                r#"{"type":"integer","minimum":18}"#,
                vec!["18", " 99 ", "18.0"],
                vec!["17", "18.5", "x", "", "0x12", "1e999"],
            ),
            (
                r#"{"type":"number","maximum":2.5}"#,
                vec!["2.5", "-1e3"],
                vec!["2.6", "NaN", "+1", "1,5"],
            ),
            (
                r#"{"type":"boolean"}"#,
                vec!["true", "False"],
                vec!["1", "yes", ""],
            ),
            (
                r#"{"type":"string","minLength":3}"#,
                vec!["123", "abc"],
                vec!["12", "ab"],
            ),
            (r#"{"minLength":3}"#, vec!["123"], vec!["12"]),
            (
                r#"{"enum":[1,"two",true]}"#,
                vec!["1", "two", "true"],
                vec!["2", "one"],
            ),
            (r#"{"const":5}"#, vec!["5", "5.0"], vec!["6"]),
            (
                r#"{"type":["string","integer"],"maxLength":1}"#,
                vec!["a", "123"],
                vec!["abc"],
            ),
            (
                r##"{"$ref":"#/$defs/age","$defs":{"age":{"type":"integer"}}}"##,
                vec!["4"],
                vec!["x"],
            ),
            (
                r#"{"anyOf":[{"type":"integer"},{"const":"none"}]}"#,
                vec!["4", "none"],
                vec!["some"],
            ),
            (
                r#"{"type":"string","pattern":"^\\d{4}$"}"#,
                vec!["1234"],
                vec!["123", "12345"],
            ),
            ("true", vec!["", "x"], vec![]),
            ("false", vec![], vec!["", "x"]),
        ] {
            for text in good {
                assert!(accepts(schema, text), "{schema} {text:?}");
            }
            for text in bad {
                assert!(!accepts(schema, text), "{schema} {text:?}");
            }
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        assert!(!accepts(r##"{"$ref":"#","type":"integer"}"##, "x"));
    }
}

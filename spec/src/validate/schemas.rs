//! JSON Schemas of `validate` steps compile, refer only to themselves, and can be evaluated in bounded time.

use std::collections::{HashMap, HashSet};

use jsonschema::Draft as SchemaDraft;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;
use crate::limits::SCHEMA_SIZE;
use crate::pointer;
use crate::step::Step;

/// Members whose content is data, not schemas.
const DATA: [&str; 5] = ["const", "enum", "default", "examples", "$comment"];

pub(super) fn check(draft: &Draft<'_>, findings: &mut Findings) {
    // The same schema, used twice, is judged once.
    let mut seen: HashMap<String, Option<(Code, String, String)>> = HashMap::new();
    for (_, _, at, step) in draft.steps() {
        let Step::Validate(validate) = step else { continue };
        let Some(schema) = &validate.schema else { continue };
        if !schema.is_object() {
            continue;
        }
        let verdict = seen.entry(schema.to_string()).or_insert_with(|| judge(schema));
        if let Some((code, below, message)) = verdict {
            findings.add(*code, &format!("{at}/schema{below}"), || message.clone());
        }
    }
}

/// Calls `visit` for every pattern of a schema.
pub(super) fn patterns(at: &str, schema: &Value, visit: &mut impl FnMut(&str, &str)) {
    match schema {
        Value::Object(members) => {
            for (name, member) in members {
                let below = pointer::join(at, name);
                match (name.as_str(), member) {
                    ("pattern", Value::String(pattern)) => visit(&below, pattern),
                    ("patternProperties", Value::Object(properties)) => {
                        for (pattern, inner) in properties {
                            let below = pointer::join(&below, pattern);
                            visit(&below, pattern);
                            patterns(&below, inner, visit);
                        }
                    }
                    (name, _) if DATA.contains(&name) => {}
                    _ => patterns(&below, member, visit),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                patterns(&pointer::index(at, index), item, visit);
            }
        }
        _ => {}
    }
}

/// The schema with patterns that cost nothing to compile.
fn without_patterns(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let members = members.iter().map(|(name, member)| {
                let member = match (name.as_str(), member) {
                    ("pattern", Value::String(_)) => Value::String(String::new()),
                    ("patternProperties", Value::Object(properties)) => {
                        let properties = properties.values().map(without_patterns).enumerate();
                        Value::Object(
                            properties
                                .map(|(index, inner)| (index.to_string(), inner))
                                .collect(),
                        )
                    }
                    (name, _) if DATA.contains(&name) => member.clone(),
                    _ => without_patterns(member),
                };
                (name.clone(), member)
            });
            Value::Object(members.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_patterns).collect()),
        other => other.clone(),
    }
}

/// What is wrong with a schema: code, place below it, message.
fn judge(schema: &Value) -> Option<(Code, String, String)> {
    let mut walk = Walk {
        root: schema,
        open: HashSet::new(),
        sizes: HashMap::new(),
    };
    match walk.size("", schema) {
        Err(fault) => return Some(fault),
        Ok(size) if size > SCHEMA_SIZE => {
            let message =
                format!("With its references written out the schema has more than {SCHEMA_SIZE} parts.");
            return Some((Code::InvalidSchema, String::new(), message));
        }
        Ok(_) => {}
    }
    if let Some(version) = schema.get("$schema")
        && version != "https://json-schema.org/draft/2020-12/schema"
    {
        let message = "Schemas are read as JSON Schema 2020-12; leave `$schema` away.".to_owned();
        return Some((Code::InvalidSchema, "/$schema".to_owned(), message));
    }
    // Patterns are judged with all others, within their budget.
    let compiled = jsonschema::options()
        .with_draft(SchemaDraft::Draft202012)
        .build(&without_patterns(schema));
    compiled.err().map(|error| {
        let below = error.instance_path().as_str().to_owned();
        let why = match error.kind() {
            // The library lists all that would have been allowed; that helps nobody.
            ValidationErrorKind::AnyOf { .. } => "this value is not allowed here".to_owned(),
            _ => error.masked_with("this value").to_string(),
        };
        (
            Code::InvalidSchema,
            below,
            format!("This is no valid JSON Schema: {why}."),
        )
    })
}

/// Walks a schema through its references and counts its parts.
struct Walk<'s> {
    root: &'s Value,
    /// Places that are being counted: a reference back to one never ends.
    open: HashSet<String>,
    sizes: HashMap<String, u64>,
}

impl Walk<'_> {
    fn size(&mut self, at: &str, schema: &Value) -> Result<u64, (Code, String, String)> {
        if let Some(size) = self.sizes.get(at) {
            return Ok(*size);
        }
        let mut size = 1_u64;
        match schema {
            Value::Object(members) => {
                if !self.open.insert(at.to_owned()) {
                    let message = "The schema refers to itself without end.".to_owned();
                    return Err((Code::InvalidSchema, at.to_owned(), message));
                }
                for (name, member) in members {
                    let below = pointer::join(at, name);
                    let part = match (name.as_str(), member) {
                        ("$ref", Value::String(target)) => self.target(&below, target)?,
                        (
                            "$dynamicRef" | "$recursiveRef" | "$anchor" | "$dynamicAnchor" | "$id",
                            Value::String(_),
                        ) => {
                            let message = format!("`{name}` is not supported; use `$ref` with `#/$defs/…`.");
                            return Err((Code::RemoteReference, below, message));
                        }
                        (name, _) if DATA.contains(&name) => 1,
                        _ => self.size(&below, member)?,
                    };
                    size = size.saturating_add(part);
                }
                self.open.remove(at);
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    size = size.saturating_add(self.size(&pointer::index(at, index), item)?);
                }
            }
            _ => {}
        }
        self.sizes.insert(at.to_owned(), size);
        Ok(size)
    }

    fn target(&mut self, at: &str, target: &str) -> Result<u64, (Code, String, String)> {
        let Some(below) = target.strip_prefix('#').filter(|below| pointer::is_valid(below)) else {
            let message = "A schema can refer only to its own parts, as in `#/$defs/name`.".to_owned();
            return Err((Code::RemoteReference, at.to_owned(), message));
        };
        let root = self.root;
        match root.pointer(below) {
            Some(found) => self.size(below, found),
            None => Err((
                Code::InvalidSchema,
                at.to_owned(),
                format!("There is nothing at `{target}`."),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn code(schema: &Value) -> Option<(Code, String)> {
        judge(schema).map(|(code, below, _)| (code, below))
    }

    #[test]
    fn judges_schemas() {
        for good in [
            json!({}),
            json!({"type": "integer", "enum": [30, 40]}),
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"minLength": 1}}}),
            json!({"const": {"$ref": "http://elsewhere"}}),
            json!({"$schema": "https://json-schema.org/draft/2020-12/schema"}),
        ] {
            assert_eq!(code(&good), None, "{good}");
        }
        let at = |below: &str| below.to_owned();
        for (bad, fault) in [
            (json!({"type": "nothing"}), (Code::InvalidSchema, at("/type"))),
            (json!({"minLength": "a"}), (Code::InvalidSchema, at("/minLength"))),
            (
                json!({"$ref": "https://example.org/a.json"}),
                (Code::RemoteReference, at("/$ref")),
            ),
            (
                json!({"$ref": "other.json"}),
                (Code::RemoteReference, at("/$ref")),
            ),
            (json!({"$ref": "#name"}), (Code::RemoteReference, at("/$ref"))),
            (json!({"$ref": "#/$defs/a"}), (Code::InvalidSchema, at("/$ref"))),
            (json!({"$ref": "#"}), (Code::InvalidSchema, at(""))),
            (
                json!({"$defs": {"a": {"not": {"$ref": "#/$defs/a"}}}}),
                (Code::InvalidSchema, at("/$defs/a")),
            ),
            (
                json!({"$schema": "http://json-schema.org/draft-07/schema#"}),
                (Code::InvalidSchema, at("/$schema")),
            ),
        ] {
            assert_eq!(code(&bad), Some(fault), "{bad}");
        }
    }

    #[test]
    fn references_cannot_multiply_without_end() {
        let mut defs = serde_json::Map::new();
        for n in 0..40 {
            let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
            defs.insert(format!("d{n}"), json!({"allOf": [next, next]}));
        }
        defs.insert("d40".to_owned(), json!({}));
        assert_eq!(
            code(&json!({"$ref": "#/$defs/d0", "$defs": defs})),
            Some((Code::InvalidSchema, String::new()))
        );
    }
}

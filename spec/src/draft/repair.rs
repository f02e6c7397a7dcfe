//! A part with faults, made readable: what is wrong gives way to a stand-in, so that the rest can be judged.
//!
//! What is there stays there, if only as a stand-in: a field of the wrong form is another mistake than a missing one.
//! What rules would say about stand-ins is silenced by [`crate::finding::Findings::silence`].

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{pointer, schema};

/// Makes parts readable.
#[derive(Debug)]
pub(super) struct Repair {
    /// Places that are at fault.
    broken: BTreeSet<String>,
    /// Required fields that were missing.
    pub(super) added: Vec<String>,
}

impl Repair {
    pub(super) fn new(broken: BTreeSet<String>) -> Self {
        Self {
            broken,
            added: Vec::new(),
        }
    }

    /// Whether something at or below `pointer` is at fault.
    pub(super) fn is_broken(&self, pointer: &str) -> bool {
        if self.broken.is_empty() {
            return false;
        }
        let below = format!("{pointer}/");
        self.broken.contains(pointer)
            || self
                .broken
                .range(below.clone()..)
                .next()
                .is_some_and(|found| found.starts_with(&below))
    }

    /// `value` as `schema` (one of the published schema) wants it.
    pub(super) fn value(&mut self, schema: &Value, value: &Value, at: &str) -> Value {
        let schema = resolve(schema, value);
        if !self.is_broken(at) || says_nothing(schema) {
            return value.clone();
        }
        match value {
            Value::Object(members) if admits(schema, "object") => self.object(schema, members, at),
            Value::Array(items) if admits(schema, "array") => {
                let items = items.iter().enumerate();
                items
                    .map(|(index, item)| self.value(&schema["items"], item, &pointer::index(at, index)))
                    .collect()
            }
            // A text of the wrong form is still the name that others may use.
            Value::String(_) if admits(schema, "string") => value.clone(),
            _ => stand_in(schema),
        }
    }

    fn object(&mut self, schema: &Value, members: &Map<String, Value>, at: &str) -> Value {
        let mut repaired = Map::new();
        for (name, member) in members {
            let inner = schema["properties"].get(name);
            let inner = inner.unwrap_or(&schema["additionalProperties"]);
            if *inner == Value::Bool(false) {
                continue;
            }
            let member = self.value(inner, member, &pointer::join(at, name));
            repaired.insert(name.clone(), member);
        }
        for name in required(schema) {
            if !repaired.contains_key(name) {
                repaired.insert(name.to_owned(), stand_in(&schema["properties"][name]));
                self.added.push(pointer::join(at, name));
            }
        }
        Value::Object(repaired)
    }
}

/// The schema that holds for `value`: references followed, conditions decided.
fn resolve<'s>(mut schema: &'s Value, value: &Value) -> &'s Value {
    loop {
        schema = if let Some(path) = schema["$ref"].as_str() {
            schema::DOCUMENT
                .pointer(path.trim_start_matches('#'))
                .expect("references of the published schema lead to its parts")
        } else if let Some(condition) = schema.get("if") {
            let holds = required(condition).all(|name| value.get(name).is_some())
                && condition["properties"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .all(|(name, wanted)| value.get(name) == wanted.get("const"));
            &schema[if holds { "then" } else { "else" }]
        } else {
            return schema;
        };
    }
}

/// The names an object must have.
fn required(schema: &Value) -> impl Iterator<Item = &str> {
    let names = schema["required"].as_array().into_iter().flatten();
    names.filter_map(Value::as_str)
}

/// Whether any JSON will do.
fn says_nothing(schema: &Value) -> bool {
    schema.as_object().is_none_or(Map::is_empty)
}

/// Whether values of a type are what a schema without conditions is about.
fn admits(schema: &Value, kind: &str) -> bool {
    match &schema["type"] {
        Value::String(only) => only == kind && schema.get("enum").is_none(),
        Value::Array(several) => several.iter().any(|one| one == kind),
        // The branches of a condition leave the type to the whole.
        _ => kind == "object" && schema.get("properties").is_some(),
    }
}

/// Some value that the types can read.
fn stand_in(schema: &Value) -> Value {
    let schema = resolve(schema, &Value::Null);
    if let Some(only) = schema.get("const") {
        return only.clone();
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(several) => &several[0],
        only => only,
    };
    match kind.as_str() {
        Some("string") => json!(""),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(0)),
        Some("boolean") => json!(false),
        Some("array") => json!([]),
        _ => {
            let fields = required(schema);
            fields
                .map(|name| (name.to_owned(), stand_in(&schema["properties"][name])))
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(kind: &str, value: &Value, broken: &[&str]) -> (Value, Vec<String>) {
        let mut repair = Repair::new(broken.iter().map(|&at| at.to_owned()).collect());
        let value = repair.value(&schema::DOCUMENT["$defs"][kind], value, "/x");
        (value, repair.added)
    }

    #[test]
    fn what_is_wrong_gives_way() {
        let call = json!({"type": "apiCall", "id": "a b", "method": "FETCH", "timeoutMs": 6000, "onError": 5, "more": 1});
        let broken = [
            "/x",
            "/x/id",
            "/x/method",
            "/x/timeoutMs",
            "/x/onError",
            "/x/more",
        ];
        let (value, added) = repaired("Step", &call, &broken);
        let wanted = json!({
            "type": "apiCall", "id": "a b", "method": "GET", "timeoutMs": 1, "onError": {}, "url": ""
        });
        assert_eq!(value, wanted);
        assert_eq!(added, ["/x/url"]);
    }

    #[test]
    fn conditions_keep_their_form() {
        let when = json!({"all": [{"not": 5}, {"path": "state.a", "op": "like", "x": 1}, {}], "op": "eq"});
        let broken = ["/x/all/0/not", "/x/all/1/op", "/x/all/1/x", "/x/all/2", "/x/op"];
        let (value, added) = repaired("When", &when, &broken);
        let test = json!({"path": "", "op": "eq"});
        assert_eq!(
            value,
            json!({"all": [{"not": test}, {"path": "state.a", "op": "eq"}, test]})
        );
        assert_eq!(added, ["/x/all/2/path", "/x/all/2/op"]);
    }
}

//! What a chat remembers, as far as people may see it.
//!
//! Values of keys that the spec marks `pii`, and of keys that it does not know, are personal data, and the spec's
//! `pii_policy` says what is shown of them: `keep` everything, `mask` that there is one, `drop` nothing at all. A key that
//! the spec does not know comes from another revision, which may have marked it.

use std::collections::BTreeMap;

use botloom_core::time::TimestampMs;
use botloom_spec::model::{BotSpec, PiiPolicy};
use serde_json::{Map, Value};

/// What may be seen of the values of keys.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    /// Keys that the spec declares, and whether their values are personal.
    declared: BTreeMap<String, bool>,
    policy: PiiPolicy,
    values: bool,
}

impl Default for Keys {
    /// Of a bot without a spec: everything is personal.
    fn default() -> Self {
        Self {
            declared: BTreeMap::new(),
            policy: PiiPolicy::Mask,
            values: true,
        }
    }
}

impl Keys {
    /// Those of a stored spec.
    pub(crate) fn of(canonical: &str) -> Self {
        let Ok(spec) = serde_json::from_str::<BotSpec>(canonical) else {
            return Self::default();
        };
        let declared = spec.state.keys.into_iter().map(|(name, key)| (name, key.pii));
        Self {
            declared: declared.collect(),
            policy: spec.meta.pii_policy,
            values: true,
        }
    }

    /// The same for somebody who may see names alone.
    pub(crate) fn without_values(self) -> Self {
        Self {
            values: false,
            ..self
        }
    }

    /// Whether the key is told, and whether its value is.
    fn shows(&self, name: &str) -> (bool, bool) {
        let personal = self.declared.get(name).copied().unwrap_or(true);
        match self.policy {
            PiiPolicy::Keep => (true, self.values),
            PiiPolicy::Mask => (true, self.values && !personal),
            PiiPolicy::Drop => (!personal, self.values && !personal),
        }
    }
}

/// A key that has a value.
#[derive(Debug, PartialEq)]
pub(crate) struct Remembered {
    pub(crate) key: String,
    /// `None`: it is not shown.
    pub(crate) value: Option<Value>,
    pub(crate) expires_at: Option<TimestampMs>,
}

/// The step at which a chat waits for an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WaitsAt {
    pub(crate) flow: String,
    pub(crate) step: String,
    /// Answers so far that did not do.
    pub(crate) failures: u64,
}

/// What a chat remembers.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Memory {
    pub(crate) keys: Vec<Remembered>,
    pub(crate) waits_at: Option<WaitsAt>,
    /// Bytes of the document.
    pub(crate) bytes: usize,
}

impl Memory {
    /// What a document of the compiler's (see `docs/bot-js.md`) says at a moment.
    pub(crate) fn read(document: &[u8], keys: &Keys, now: TimestampMs) -> Self {
        let read: Value = serde_json::from_slice(document).unwrap_or_default();
        let none = Map::new();
        let values = read["v"].as_object().unwrap_or(&none);
        let expiry = |name: &str| read["x"][name].as_i64().map(TimestampMs);
        let live = values
            .iter()
            .filter(|(name, _)| expiry(name).is_none_or(|at| at > now));
        let told = live.filter_map(|(name, value)| {
            let (told, shown) = keys.shows(name);
            told.then(|| Remembered {
                key: name.clone(),
                value: shown.then(|| value.clone()),
                expires_at: expiry(name),
            })
        });
        let waits = &read["w"];
        let waits_at = match (waits["f"].as_str(), waits["s"].as_str()) {
            (Some(flow), Some(step)) => Some(WaitsAt {
                flow: flow.to_owned(),
                step: step.to_owned(),
                failures: waits["n"].as_u64().unwrap_or(0),
            }),
            _ => None,
        };
        Self {
            keys: told.collect(),
            waits_at,
            bytes: document.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(policy: PiiPolicy, values: bool) -> Vec<(String, Option<Value>)> {
        let keys = Keys {
            declared: [("size".to_owned(), false), ("phone".to_owned(), true)].into(),
            policy,
            values,
        };
        let document = json!({
            "v": { "size": 40, "phone": "+49", "old": 1, "gone": 2 }, "x": { "gone": 5, "size": 50 },
            "w": { "f": "order", "s": "address", "n": 2 },
        });
        let memory = Memory::read(document.to_string().as_bytes(), &keys, TimestampMs(5));
        let waits = memory.waits_at.unwrap();
        assert_eq!(
            (waits.flow.as_str(), waits.step.as_str(), waits.failures),
            ("order", "address", 2)
        );
        let mut seen: Vec<_> = memory.keys.into_iter().map(|key| (key.key, key.value)).collect();
        seen.sort_by(|a, b| a.0.cmp(&b.0));
        seen
    }

    #[test]
    fn personal_values_are_shown_as_the_policy_says() {
        let key = |name: &str, value: Option<Value>| (name.to_owned(), value);
        let (old, phone, size) = (Some(json!(1)), Some(json!("+49")), Some(json!(40)));
        let all = [key("old", old), key("phone", phone), key("size", size.clone())];
        assert_eq!(seen(PiiPolicy::Keep, true), all);
        let masked = [key("old", None), key("phone", None), key("size", size.clone())];
        assert_eq!(seen(PiiPolicy::Mask, true), masked);
        assert_eq!(seen(PiiPolicy::Drop, true), [key("size", size)]);
        let names = [key("old", None), key("phone", None), key("size", None)];
        assert_eq!(seen(PiiPolicy::Keep, false), names);
        assert_eq!(seen(PiiPolicy::Mask, false), names);
    }

    #[test]
    fn a_document_that_is_none_tells_nothing() {
        let memory = Memory::read(b"no json", &Keys::default(), TimestampMs(0));
        assert_eq!(
            (memory.keys, memory.waits_at, memory.bytes),
            (Vec::new(), None, 7)
        );
    }
}

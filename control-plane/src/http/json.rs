//! JSON read strictly.
//!
//! Strict: one value and nothing after it, no key twice, at most [`MAX_DEPTH`] levels, no NUL, UTF-8 without byte order
//! mark, no lone surrogates, no integer that a double cannot hold exactly. Whatever passes has one
//! canonical form ([`botloom_spec::json::canonical`]).

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::code;
use crate::problem::Problem;

/// Levels of arrays and objects in each other.
pub(crate) const MAX_DEPTH: usize = 64;
/// Largest integer whose neighbours a double still tells apart: 2^53 - 1.
pub(crate) const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Reads a body.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, Problem> {
    let fault = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let outcome = Strict {
        depth: 0,
        fault: &fault,
    }
    .deserialize(&mut reader)
    .and_then(|value| {
        reader.end()?;
        Ok(value)
    });
    outcome.map_err(|error| {
        fault.into_inner().unwrap_or_else(|| {
            let place = format!("line {}, column {}", error.line(), error.column());
            Problem::new(
                code::MALFORMED_JSON,
                format!("The body is not a JSON text ({place})."),
            )
        })
    })
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: usize,
    fault: &'a RefCell<Option<Problem>>,
}

impl Strict<'_> {
    /// serde carries texts only; the problem itself takes the way past it.
    fn refuse<E: serde::de::Error>(self, problem: Problem) -> E {
        self.fault.borrow_mut().get_or_insert(problem);
        E::custom("refused")
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            let detail = format!("At most {MAX_DEPTH} levels of arrays and objects are read.");
            return Err(self.refuse(Problem::new(code::JSON_TOO_DEEP, detail)));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    fn text<E: serde::de::Error>(self, text: String) -> Result<String, E> {
        if text.contains('\0') {
            let detail = "A text holds the character U+0000, which no text here may hold.";
            return Err(self.refuse(Problem::new(code::VALIDATION_FAILED, detail)));
        }
        Ok(text)
    }

    fn integer<E: serde::de::Error>(self, magnitude: u64) -> Result<(), E> {
        if magnitude > MAX_INTEGER {
            let detail =
                format!("Integers beyond ±{MAX_INTEGER} are refused: not every reader keeps them exactly.");
            return Err(self.refuse(Problem::new(code::VALIDATION_FAILED, detail)));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.integer(value)?;
        Ok(value.into())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.integer(value.unsigned_abs())?;
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.text(text.to_owned()).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let key = inner.text(key)?;
            let value = entries.next_value_seed(inner)?;
            if map.contains_key(&key) {
                let shown: String = key.chars().take(64).collect();
                let detail = format!("The key {shown:?} stands twice in one object.");
                return Err(self.refuse(Problem::new(code::DUPLICATE_KEY, detail)));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use botloom_spec::json::canonical;

    use super::*;

    fn slug(text: &[u8]) -> String {
        let problem = read(text).expect_err("must be refused");
        let body: Value = serde_json::from_slice(&problem.body("x")).unwrap();
        body["type"].as_str().unwrap().replace("/problems/", "")
    }

    #[test]
    fn faults_are_told_apart() {
        let deep = "[".repeat(MAX_DEPTH + 1) + &"]".repeat(MAX_DEPTH + 1);
        let only_opened = "[".repeat(1024 * 1024);
        let table: [(&[u8], &str); 17] = [
            (b"", "malformed-json"),
            (b"{\"a\":", "malformed-json"),
            (b"{\"a\":1,}", "malformed-json"),
            (b"{} {}", "malformed-json"),
            (b"\xef\xbb\xbf{}", "malformed-json"),
            (b"{\0\"\0a\0\"\0:\x001\0}\0", "malformed-json"),
            (b"\"\xff\"", "malformed-json"),
            (b"\"\\ud800\"", "malformed-json"),
            (b"1e400", "malformed-json"),
            (b"{\"a\":1,\"a\":2}", "duplicate-key"),
            (b"{\"a\":1,\"\\u0061\":2}", "duplicate-key"),
            (b"[{\"x\":{\"a\":1,\"a\":1}}]", "duplicate-key"),
            (b"\"\\u0000\"", "validation-failed"),
            (b"9007199254740992", "validation-failed"),
            (b"-9007199254740992", "validation-failed"),
            (deep.as_bytes(), "json-too-deep"),
            (only_opened.as_bytes(), "json-too-deep"),
        ];
        for (text, expected) in table {
            let shown = String::from_utf8_lossy(&text[..text.len().min(40)]).into_owned();
            assert_eq!(slug(text), expected, "{shown}");
        }
        let deepest = "[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH);
        assert!(read(deepest.as_bytes()).is_ok());
    }

    #[test]
    fn spellings_of_one_value_have_one_canonical_form() {
        let form = |text: &str| canonical(&read(text.as_bytes()).unwrap());
        assert_eq!(
            form(r#"{"b":1.0,"a":"\u0041"}"#),
            form(r#" { "a" : "A", "b" : 1 } "#)
        );
        assert_eq!(form("[-0, 1e2]"), "[0,100]");
    }
}

//! The fields of a JSON object, checked all at once: every fault with its JSON Pointer, unknown fields included.

use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::code;
use crate::problem::Problem;

/// One field at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FieldFault {
    pointer: String,
    code: &'static str,
    message: String,
}

/// Takes fields out of an object and notes what is wrong with them. What a reader answers for a field at fault does not
/// matter: [`Fields::finish`] refuses then.
#[derive(Debug)]
pub(crate) struct Fields {
    at: String,
    map: Map<String, Value>,
    faults: Vec<FieldFault>,
}

/// A request body that knows its fields.
pub(crate) trait FromFields: Sized {
    /// Reads every field before it gives up, so that all faults are told.
    fn from_fields(fields: &mut Fields) -> Option<Self>;
}

/// Reads a whole body.
pub(crate) fn read<T: FromFields>(value: Value) -> Result<T, Problem> {
    let mut fields = Fields {
        at: String::new(),
        map: Map::new(),
        faults: Vec::new(),
    };
    match value {
        Value::Object(map) => fields.map = map,
        _ => fields.fault("", "wrong-type", "must be an object"),
    }
    let read = T::from_fields(&mut fields);
    fields.finish(read)
}

impl Fields {
    fn fault(&mut self, name: &str, code: &'static str, message: impl Into<String>) {
        let name = name.replace('~', "~0").replace('/', "~1");
        let pointer = if name.is_empty() {
            self.at.clone()
        } else {
            format!("{}/{name}", self.at)
        };
        self.faults.push(FieldFault {
            pointer,
            code,
            message: message.into(),
        });
    }

    fn take(&mut self, name: &str, required: bool) -> Option<Value> {
        match self.map.shift_remove(name) {
            None | Some(Value::Null) if required => {
                self.fault(name, "required", "is required");
                None
            }
            None | Some(Value::Null) => None,
            value => value,
        }
    }

    fn as_text(&mut self, name: &str, value: Value, length: &RangeInclusive<usize>) -> Option<String> {
        let Value::String(text) = value else {
            self.fault(name, "wrong-type", "must be a text");
            return None;
        };
        if !length.contains(&text.chars().count()) {
            let message = format!("must have {} to {} characters", length.start(), length.end());
            self.fault(name, "wrong-length", message);
            return None;
        }
        Some(text)
    }

    /// A text of so many characters.
    pub(crate) fn text(&mut self, name: &str, length: RangeInclusive<usize>) -> Option<String> {
        let value = self.take(name, true)?;
        self.as_text(name, value, &length)
    }

    /// The same, if there is one.
    pub(crate) fn optional_text(&mut self, name: &str, length: RangeInclusive<usize>) -> Option<String> {
        let value = self.take(name, false)?;
        self.as_text(name, value, &length)
    }

    /// A list of at most so many texts that each read as a `T`, if there is one.
    pub(crate) fn optional_texts<T: FromStr>(
        &mut self,
        name: &str,
        most: usize,
        rule: &str,
    ) -> Option<Vec<T>> {
        let value = self.take(name, false)?;
        let Value::Array(entries) = value else {
            self.fault(name, "wrong-type", "must be a list");
            return None;
        };
        if !(1..=most).contains(&entries.len()) {
            self.fault(name, "wrong-length", format!("must have 1 to {most} entries"));
            return None;
        }
        let read = |entry: &Value| entry.as_str().and_then(|text| text.parse().ok());
        let texts: Option<Vec<T>> = entries.iter().map(read).collect();
        if texts.is_none() {
            self.fault(name, "invalid", format!("each entry {rule}"));
        }
        texts
    }

    /// A text that reads as a `T`.
    pub(crate) fn parsed<T: FromStr>(&mut self, name: &str, rule: &str) -> Option<T> {
        let value = self.take(name, true)?;
        self.as_parsed(name, &value, rule)
    }

    /// The same, if there is one.
    pub(crate) fn optional_parsed<T: FromStr>(&mut self, name: &str, rule: &str) -> Option<T> {
        let value = self.take(name, false)?;
        self.as_parsed(name, &value, rule)
    }

    fn as_parsed<T: FromStr>(&mut self, name: &str, value: &Value, rule: &str) -> Option<T> {
        let parsed = value.as_str().and_then(|text| text.parse().ok());
        if parsed.is_none() {
            self.fault(name, "invalid", rule);
        }
        parsed
    }

    /// A whole number.
    pub(crate) fn integer(&mut self, name: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.take(name, true)?;
        self.as_integer(name, &value, &range)
    }

    /// The same, if there is one.
    pub(crate) fn optional_integer(&mut self, name: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.take(name, false)?;
        self.as_integer(name, &value, &range)
    }

    fn as_integer(&mut self, name: &str, value: &Value, range: &RangeInclusive<u64>) -> Option<u64> {
        // 1.0 is the integer 1, as in JSON Schema.
        let whole = value.as_f64().filter(|number| number.fract() == 0.0);
        let number = value.as_u64().or_else(|| format!("{:.0}", whole?).parse().ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let message = format!("must be a whole number from {} to {}", range.start(), range.end());
            self.fault(name, "out-of-range", message);
        }
        number
    }

    /// Yes or no, if it is said.
    pub(crate) fn optional_flag(&mut self, name: &str) -> Option<bool> {
        let value = self.take(name, false)?;
        let flag = value.as_bool();
        if flag.is_none() {
            self.fault(name, "wrong-type", "must be true or false");
        }
        flag
    }

    /// An object of any content, if there is one.
    pub(crate) fn optional_object(&mut self, name: &str) -> Option<Map<String, Value>> {
        let value = self.take(name, false)?;
        if let Value::Object(map) = value {
            return Some(map);
        }
        self.fault(name, "wrong-type", "must be an object");
        None
    }

    /// A list of at most so many entries, each of which reads as a `T` and passes `check`, which says what is wrong.
    pub(crate) fn list<T: DeserializeOwned>(
        &mut self,
        name: &str,
        most: usize,
        check: impl Fn(&T) -> Option<&'static str>,
    ) -> Option<Vec<T>> {
        let value = self.take(name, true)?;
        let Value::Array(entries) = value else {
            self.fault(name, "wrong-type", "must be a list");
            return None;
        };
        if entries.len() > most {
            self.fault(name, "wrong-length", format!("must have at most {most} entries"));
            return None;
        }
        let mut list = Self {
            at: format!("{}/{name}", self.at),
            map: Map::new(),
            faults: Vec::new(),
        };
        let mut read = Vec::with_capacity(entries.len());
        for (index, entry) in entries.into_iter().enumerate() {
            match serde_json::from_value(entry) {
                Ok(entry) => {
                    if let Some(message) = check(&entry) {
                        list.fault(&index.to_string(), "invalid", message);
                    }
                    read.push(entry);
                }
                Err(error) => list.fault(&index.to_string(), "invalid", format!("cannot be read: {error}")),
            }
        }
        self.faults.append(&mut list.faults);
        Some(read)
    }

    /// How many faults were found.
    pub(crate) const fn faults(&self) -> usize {
        self.faults.len()
    }

    /// Notes that a field does not go with another.
    pub(crate) fn refused(&mut self, name: &str, message: &str) {
        self.fault(name, "invalid", message);
    }

    /// Notes that one of several ways to say something is needed.
    pub(crate) fn missing(&mut self, name: &str, message: &str) {
        self.fault(name, "required", message);
    }

    /// An object of known fields, if there is one.
    pub(crate) fn optional_nested<T: FromFields>(&mut self, name: &str) -> Option<T> {
        let map = self.optional_object(name)?;
        let mut inner = Self {
            at: format!("{}/{name}", self.at),
            map,
            faults: Vec::new(),
        };
        let read = T::from_fields(&mut inner);
        inner.refuse_unknown();
        self.faults.append(&mut inner.faults);
        read
    }

    fn refuse_unknown(&mut self) {
        let unknown: Vec<_> = self.map.keys().take(100).cloned().collect();
        for name in unknown {
            self.fault(&name, "unknown-field", "is not a field of this request");
        }
    }

    fn finish<T>(mut self, read: Option<T>) -> Result<T, Problem> {
        self.refuse_unknown();
        match read {
            Some(read) if self.faults.is_empty() => Ok(read),
            _ => {
                let detail = match self.faults.as_slice() {
                    [one] if one.pointer.is_empty() => format!("The body {}.", one.message),
                    [one] => format!("{} {}.", one.pointer, one.message),
                    faults => format!("{} fields are at fault; see errors.", faults.len()),
                };
                Err(Problem::new(code::VALIDATION_FAILED, detail).with_errors(&self.faults))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug)]
    struct Inner;
    impl FromFields for Inner {
        fn from_fields(fields: &mut Fields) -> Option<Self> {
            fields.integer("n", 1..=3).map(|_| Self)
        }
    }

    #[derive(Debug)]
    struct Outer;
    impl FromFields for Outer {
        fn from_fields(fields: &mut Fields) -> Option<Self> {
            let name = fields.text("name", 1..=3);
            let inner = fields.optional_nested::<Inner>("in");
            let other = fields.optional_nested::<Inner>("other");
            let (_, _, _) = (name?, inner, other);
            Some(Self)
        }
    }

    #[test]
    fn every_fault_is_told_with_its_place() {
        let body = json!({ "name": "long", "in": { "n": 9, "m": 1 }, "other": {}, "a/b": 1 });
        let problem = read::<Outer>(body).unwrap_err();
        let body: Value = serde_json::from_slice(&problem.body("id")).unwrap();
        let faults: Vec<_> = body["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fault| {
                (
                    fault["pointer"].as_str().unwrap(),
                    fault["code"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            faults,
            [
                ("/name", "wrong-length"),
                ("/in/n", "out-of-range"),
                ("/in/m", "unknown-field"),
                ("/other/n", "required"),
                ("/a~1b", "unknown-field"),
            ]
        );
        assert!(read::<Outer>(json!({ "name": "abc", "in": null })).is_ok());
        assert!(read::<Outer>(json!([])).is_err());
    }
}

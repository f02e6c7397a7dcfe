//! The second layer: the published JSON Schema, told in words.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

use crate::code::Code;
use crate::finding::Findings;
use crate::{limits, pointer, schema};

/// Adds a finding for everything the schema refuses.
pub(crate) fn check(document: &Value, findings: &mut Findings) {
    // Replaced values would be judged in place of what is written there.
    let replaced = findings.pointers();
    for error in schema::VALIDATOR.iter_errors(document) {
        let at = error.instance_path().as_str();
        if at.is_empty() || !replaced.contains(at) {
            report(&error, at, findings);
        }
    }
}

fn report(error: &ValidationError<'_>, at: &str, findings: &mut Findings) {
    let found = error.instance().as_ref();
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => {
            let known = known_fields(error);
            for name in unexpected {
                let hint = findings.suggest(name, known.iter().copied());
                findings.add_hinted(Code::UnknownField, &pointer::join(at, name), || {
                    let listed = if known.is_empty() {
                        None
                    } else {
                        Some(format!("Known here: {}.", quoted(&known)))
                    };
                    (
                        format!("There is no field `{}` here.", short(name)),
                        hint.or(listed),
                    )
                });
            }
        }
        Kind::Required { property } => {
            findings.add(Code::MissingField, at, || {
                format!("`{}` is missing.", property.as_str().unwrap_or_default())
            });
        }
        Kind::Type { kind } => findings.add(Code::WrongType, at, || {
            let wanted: Vec<&str> = match kind {
                TypeKind::Single(kind) => vec![kind.as_str()],
                TypeKind::Multiple(kinds) => kinds.iter().map(jsonschema::JsonType::as_str).collect(),
            };
            format!("This is {}; it must be {}.", type_of(found), wanted.join(" or "))
        }),
        Kind::Enum { options } => {
            let options: Vec<&str> = options
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let hint = found
                .as_str()
                .and_then(|text| findings.suggest(text, options.iter().copied()));
            findings.add_hinted(Code::UnknownValue, at, || {
                (format!("{} is none of {}.", shown(found), quoted(&options)), hint)
            });
        }
        Kind::Constant { expected_value } => {
            findings.add(Code::UnknownValue, at, || {
                format!("{} is not {expected_value}.", shown(found))
            });
        }
        Kind::Pattern { pattern } => findings.add(Code::InvalidFormat, at, || {
            format!("{} must have the form {}.", shown(found), form(pattern))
        }),
        Kind::PropertyNames { error: inner } => {
            let name = inner.instance().as_str().unwrap_or_default();
            findings.add(Code::InvalidName, &pointer::join(at, name), || {
                match inner.kind() {
                    Kind::Pattern { pattern } => {
                        format!("The name `{}` must have the form {}.", short(name), form(pattern))
                    }
                    _ => format!("The name `{}` must have 1 to 128 characters.", short(name)),
                }
            });
        }
        Kind::MinLength { limit } => findings.add(Code::TooShort, at, || {
            format!(
                "The text has {} characters; at least {limit} are needed.",
                characters(found)
            )
        }),
        Kind::MaxLength { limit } => findings.add(Code::TooLong, at, || {
            format!(
                "The text has {} characters; at most {limit} are allowed.",
                characters(found)
            )
        }),
        Kind::Minimum { limit } => {
            findings.add(Code::TooSmall, at, || {
                format!("{} is less than {limit}.", shown(found))
            });
        }
        Kind::Maximum { limit } => {
            findings.add(Code::TooLarge, at, || {
                format!("{} is more than {limit}.", shown(found))
            });
        }
        Kind::MinItems { limit } => findings.add(Code::TooFewItems, at, || {
            format!(
                "There are {} entries; at least {limit} are needed.",
                entries(found)
            )
        }),
        Kind::MaxItems { limit } | Kind::MaxProperties { limit } => {
            findings.add(Code::TooManyItems, at, || {
                format!(
                    "There are {} entries; at most {limit} are allowed.",
                    entries(found)
                )
            });
        }
        Kind::UniqueItems => findings.add(Code::DuplicateItem, at, || {
            "The list holds an entry twice.".to_owned()
        }),
        // Of what is no object, the type has been reported.
        Kind::OneOfNotValid { .. } | Kind::OneOfMultipleValid { .. } | Kind::AnyOf { .. }
            if !found.is_object() => {}
        Kind::OneOfNotValid { .. } | Kind::OneOfMultipleValid { .. } => {
            findings.add(Code::ExactlyOne, at, || {
                format!("Exactly one of {} must be there.", quoted(&alternatives(error)))
            });
        }
        Kind::AnyOf { .. } => findings.add(Code::AtLeastOne, at, || {
            format!("At least one of {} must be there.", quoted(&alternatives(error)))
        }),
        // The schema uses no other keywords; a new one is still reported, in the library's words.
        _ => findings.add(Code::InvalidValue, at, || error.to_string()),
    }
}

/// The fields that the object which holds the failed `additionalProperties` knows.
fn known_fields(error: &ValidationError<'_>) -> Vec<&'static str> {
    let path = error.schema_path().as_str();
    let owner = path.strip_suffix("/additionalProperties").unwrap_or(path);
    let fields = schema::DOCUMENT
        .pointer(owner)
        .and_then(|owner| owner["properties"].as_object());
    fields
        .map(|fields| fields.keys().map(String::as_str).collect())
        .unwrap_or_default()
}

/// The fields that a list of `{required: [name]}` chooses from.
fn alternatives(error: &ValidationError<'_>) -> Vec<&'static str> {
    let list = schema::DOCUMENT
        .pointer(error.schema_path().as_str())
        .and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|choice| choice["required"][0].as_str())
        .collect()
}

fn form(pattern: &str) -> String {
    match pattern {
        limits::NAME_PATTERN => "1 to 64 of letters, digits, `_` and `-`, not starting with `-`".to_owned(),
        limits::BOT_ID_PATTERN => "3 to 63 of `a-z`, `0-9` and `-`, starting with a letter".to_owned(),
        limits::COMMAND_PATTERN => "`/` and 1 to 32 of `a-z`, `0-9` and `_`".to_owned(),
        other => format!("`{other}`"),
    }
}

fn quoted(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A value as it may stand in a sentence.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{}`", short(text)),
        Value::Array(_) | Value::Object(_) => "This".to_owned(),
        other => other.to_string(),
    }
}

/// The beginning of a text; messages stay short whatever the document holds.
fn short(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn characters(value: &Value) -> usize {
    value.as_str().unwrap_or_default().chars().count()
}

fn entries(value: &Value) -> usize {
    value
        .as_array()
        .map(Vec::len)
        .or_else(|| value.as_object().map(serde_json::Map::len))
        .unwrap_or_default()
}

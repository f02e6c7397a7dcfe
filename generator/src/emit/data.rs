//! Prints tables: on one line where they fit, else one entry per line.

use serde_json::Value;

use super::string;
use crate::filter::FORBIDDEN;
use crate::ir::Data;

/// Columns of a line.
const WIDTH: usize = 118;
/// Tables that begin further right are not broken into lines: deep ones would be mostly spaces.
const MAX_INDENT: usize = 12;

/// Prints a table whose first line begins after `used` columns and whose entries stand two columns right of `indent`.
pub(super) fn print(out: &mut String, data: &Data, indent: usize, used: usize) {
    Doc::of(data).print(out, indent, used);
}

/// Prints a table on one line, however long.
pub(super) fn line(out: &mut String, data: &Data) {
    Doc::of(data).flat(out);
}

/// JavaScript that can be broken into lines.
enum Doc {
    Text(String),
    Table {
        open: char,
        close: char,
        entries: Vec<(String, Doc)>,
    },
}

impl Doc {
    fn of(data: &Data) -> Self {
        match data {
            Data::List(items) => Self::list(items.iter().map(Self::of)),
            Data::Fields(fields) => Self::table(
                fields
                    .iter()
                    .map(|(name, value)| (format!("{name}: "), Self::of(value))),
            ),
            Data::Named(entries) if entries.iter().all(|(name, _)| is_plain(name)) => {
                Self::table(entries.iter().map(|(name, value)| (key(name), Self::of(value))))
            }
            Data::Json(value) if is_plain_json(value) => Self::json(value),
            Data::Named(_) | Data::Json(_) => Self::Text(format!(
                "JSON.parse({})",
                string::literal(&value(data).to_string())
            )),
        }
    }

    fn json(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::Text(string::literal(text)),
            Value::Array(items) => Self::list(items.iter().map(Self::json)),
            Value::Object(entries) => {
                Self::table(entries.iter().map(|(name, value)| (key(name), Self::json(value))))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::Text(value.to_string()),
        }
    }

    fn list(items: impl Iterator<Item = Self>) -> Self {
        Self::Table {
            open: '[',
            close: ']',
            entries: items.map(|item| (String::new(), item)).collect(),
        }
    }

    fn table(entries: impl Iterator<Item = (String, Self)>) -> Self {
        Self::Table {
            open: '{',
            close: '}',
            entries: entries.collect(),
        }
    }

    fn print(&self, out: &mut String, indent: usize, used: usize) {
        match self {
            Self::Table { open, close, entries }
                if !entries.is_empty()
                    && indent <= MAX_INDENT
                    && self.fits(WIDTH.saturating_sub(used)).is_none() =>
            {
                let indent = indent + 2;
                out.push(*open);
                for (head, value) in entries {
                    out.push('\n');
                    out.extend(std::iter::repeat_n(' ', indent));
                    out.push_str(head);
                    value.print(out, indent, indent + head.chars().count() + 1);
                    out.push(',');
                }
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', indent - 2));
                out.push(*close);
            }
            _ => self.flat(out),
        }
    }

    fn flat(&self, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Table { open, close, entries } => {
                let space = if *open == '{' && !entries.is_empty() {
                    " "
                } else {
                    ""
                };
                out.push(*open);
                out.push_str(space);
                for (index, (head, value)) in entries.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { ", " });
                    out.push_str(head);
                    value.flat(out);
                }
                out.push_str(space);
                out.push(*close);
            }
        }
    }

    /// Columns left of `room` after printing on one line; `None` if it is too long. Looks no further than it must.
    fn fits(&self, room: usize) -> Option<usize> {
        match self {
            Self::Text(text) => room.checked_sub(text.chars().take(room + 1).count()),
            Self::Table { entries, .. } => entries
                .iter()
                .try_fold(room.checked_sub(4)?, |room, (head, value)| {
                    value.fits(room.checked_sub(head.chars().count() + 2)?)
                }),
        }
    }
}

/// A name that the author chose, in quotes: names without quotes are ours.
fn key(name: &str) -> String {
    format!("{}: ", string::literal(name))
}

/// Whether a name means nothing else to JavaScript. A table with such a name is printed as JSON text, which makes it an
/// ordinary member.
fn is_plain(name: &str) -> bool {
    !FORBIDDEN.contains(&name)
}

fn is_plain_json(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(is_plain_json),
        Value::Object(entries) => entries
            .iter()
            .all(|(name, value)| is_plain(name) && is_plain_json(value)),
        _ => true,
    }
}

fn value(data: &Data) -> Value {
    match data {
        Data::Json(value) => value.clone(),
        Data::List(items) => Value::Array(items.iter().map(value).collect()),
        Data::Fields(fields) => fields
            .iter()
            .map(|(name, inner)| ((*name).to_owned(), value(inner)))
            .collect(),
        Data::Named(entries) => entries
            .iter()
            .map(|(name, inner)| (name.clone(), value(inner)))
            .collect(),
    }
}
